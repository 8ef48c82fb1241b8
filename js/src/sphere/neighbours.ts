/** The rows nearest to one, and the rows most alone: asked for, listed, drawn. */

import { h, setText } from "../shared/dom.ts";
import { reasonOf } from "../shared/reason.ts";
import type { Stage } from "./stage.ts";

/** Said to who asks about a point and has chosen none. */
export const CHOOSE_FIRST = "Choose a point first: click one, or walk with N and P.";

/** The trait `_neighbours`, while something is shown. */
export interface Neighbours {
  point: number;
  label: string;
  points: number[];
  labels: string[];
  similarities: number[];
  note: string;
}

export interface Ranking {
  points: number[];
  labels: string[];
  values: number[];
  note: string;
}

export interface RankedHandlers {
  visit(point: number): void;
  select(points: number[]): void;
}

/** A list of rows with a number each, the first ones first. */
export class Ranked {
  readonly el = h("div", { class: "ftx-sphere-ranked" });
  readonly #on: RankedHandlers;

  constructor(handlers: RankedHandlers) {
    this.#on = handlers;
  }

  render(title: string, { points, labels, values, note }: Ranking): void {
    const select = h("button", { class: "ftx-button", type: "button" }, "Select these");
    select.addEventListener("click", () => this.#on.select(points));
    const rows = points.map((point, i) => {
      const row = h(
        "button", { type: "button", class: "ftx-sphere-entry" },
        h("span", { class: "ftx-sphere-label", dir: "auto" }, labels[i] ?? ""),
        h("span", { class: "ftx-sphere-count" }, (values[i] ?? 0).toFixed(3)),
      );
      row.addEventListener("click", () => this.#on.visit(point));
      return h("li", {}, row);
    });
    this.el.replaceChildren(
      h("p", { class: "ftx-sphere-found", dir: "auto" }, title),
      h("p", { class: "ftx-note" }, note),
      select,
      h("ol", { "aria-label": title }, ...rows),
    );
  }

  clear(): void {
    this.el.replaceChildren();
  }
}

export interface NearHandlers extends RankedHandlers {
  /** The point that is asked about; -1 for none. */
  chosen(): number;
  ask(point: number): Promise<void>;
  hide(): void;
}

/** Asks for the nearest rows of the reader's point, and lists them. */
export class NearForm {
  readonly el: HTMLElement;
  readonly #on: NearHandlers;
  readonly #ask = h("button", { class: "ftx-button", type: "button" }, "Nearest rows");
  readonly #hide = h("button", { class: "ftx-button", type: "button" }, "Hide");
  readonly #list: Ranked;
  readonly #problem = h("p", { class: "ftx-note", role: "status", "aria-live": "polite" });

  constructor(handlers: NearHandlers) {
    this.#on = handlers;
    this.#list = new Ranked(handlers);
    this.#ask.addEventListener("click", () => void this.ask());
    this.#hide.addEventListener("click", () => handlers.hide());
    this.el = h(
      "section", { class: "ftx-sphere-form", "aria-label": "Nearest rows" },
      h("div", { class: "ftx-sphere-results" }, this.#ask, this.#hide),
      this.#problem,
      this.#list.el,
    );
  }

  async ask(): Promise<void> {
    const point = this.#on.chosen();
    if (point < 0) {
      setText(this.#problem, CHOOSE_FIRST);
      return;
    }
    setText(this.#problem, "Looking for the nearest rows…");
    try {
      await this.#on.ask(point);
      setText(this.#problem, "");
    } catch (error) {
      setText(this.#problem, reasonOf(error));
    }
  }

  render(near: Neighbours | null): void {
    this.#hide.hidden = !near;
    if (near) {
      this.#list.render(`${near.points.length} rows nearest to ${near.label}`, { ...near, values: near.similarities });
    } else this.#list.clear();
  }
}

const STEPS = 24;

/** Lines over the sphere from a point to its neighbours, the nearer the heavier. */
export function drawNeighbours(context: CanvasRenderingContext2D, stage: Stage, near: Neighbours): void {
  const { point, points } = near;
  const n = stage.count;
  if (point >= n) return;
  const from = stage.at(point);
  const size = stage.pointSize() / 2;
  points.forEach((other, rank) => {
    if (other >= n) return;
    context.lineWidth = 2.4 - (1.4 * rank) / Math.max(1, points.length - 1);
    drawArc(context, stage, from, stage.at(other));
    ring(context, stage, other, size + 3);
  });
  context.lineWidth = 2.4;
  ring(context, stage, point, size + 5);
}

type Vector = readonly [number, number, number];

/** The shorter way over the sphere, faint where it passes behind. */
function drawArc(context: CanvasRenderingContext2D, stage: Stage, a: Vector, b: Vector): void {
  const cosine = Math.max(-1, Math.min(1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]));
  const angle = Math.acos(cosine);
  const sine = Math.sin(angle);
  let before: { x: number; y: number; depth: number } | null = null;
  for (let step = 0; step <= STEPS; step++) {
    const t = step / STEPS;
    const [u, v] = sine < 1e-4 ? [1 - t, t] : [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
    const here = stage.project(a[0] * u + b[0] * v, a[1] * u + b[1] * v, a[2] * u + b[2] * v);
    if (before) {
      context.globalAlpha = here.depth > 0 ? 0.85 : 0.25;
      context.beginPath();
      context.moveTo(before.x, before.y);
      context.lineTo(here.x, here.y);
      context.stroke();
    }
    before = here;
  }
}

export function ring(context: CanvasRenderingContext2D, stage: Stage, point: number, radius: number): void {
  const { x, y, depth } = stage.place(point);
  context.globalAlpha = depth > 0 ? 1 : 0.3;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}
