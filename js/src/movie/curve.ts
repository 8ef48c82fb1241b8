/** The loss beside the movie: its playhead follows the movie, and the movie follows the pointer. */

import { Chart } from "../plot/chart.ts";
import type { Mark, Table } from "../plot/lines.ts";
import { nearest } from "../plot/decimate.ts";
import { stroke } from "../plot/palette.ts";
import { short } from "../plot/scales.ts";
import { h, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import type { MovieStore } from "./store.ts";

const WORDS: Record<string, string> = { loss: "training", validation_loss: "validation" };
const HEIGHT = 170;

export class Curve {
  readonly el = h("div", { class: "ftx-movie-curve" });
  readonly #store: MovieStore;
  readonly #chart: Chart;
  readonly #box = h("div", { class: "ftx-chart" });
  readonly #head = h("div", { class: "ftx-movie-playhead", "aria-hidden": "true" });
  readonly #values = h("div", { class: "ftx-movie-values" });
  readonly #note = h("p", { class: "ftx-note" });
  readonly #owner = new Owner();
  #dragging = false;
  #pointed: number | null = null;
  #generation = 0;

  constructor(store: MovieStore) {
    this.#store = store;
    this.el.append(this.#values, this.#box, this.#note);
    this.#box.append(this.#head);
    this.#chart = new Chart(this.#box, {
      height: HEIGHT,
      endLabels: false,
      onCursor: (x) => this.#point(x),
      onZoom: () => undefined,
    });
    this.#owner.on(this.#box, "pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#dragging = true;
      if (this.#pointed !== null) this.#store.seekEpoch(this.#pointed);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"] as const) {
      this.#owner.on(this.#box, end, () => {
        this.#dragging = false;
      });
    }
  }

  dispose(): void {
    this.#owner.dispose();
    this.#chart.dispose();
  }

  recolor(): void {
    this.#chart.recolor();
  }

  /** The curves are others. */
  update(): void {
    const { spec, log } = this.#store;
    const names = spec.log.slice(1);
    this.el.hidden = names.length === 0 && !spec.live;
    this.#box.hidden = log.length === 0;
    const x = log.column("epoch");
    const lines = names.map((name, i) => ({
      line: { key: name, label: WORDS[name] ?? name, stroke: stroke(i, i) },
      y: log.column(name),
    }));
    const tables: Table[] = names.length && log.length ? [{ x, lines }] : [];
    const first = Math.min(spec.epochs[0] ?? 0, x[0] ?? 0);
    const final = Math.max(spec.epochs.at(-1) ?? 1, x[x.length - 1] ?? 1);
    this.#chart.update({
      tables,
      marks: this.#best(),
      range: first < final ? [first, final] : [first - 1, first + 1],
      scale: "linear",
      smoothing: 0,
      generation: ++this.#generation,
    });
    setText(this.#note, this.#notes());
    this.move();
  }

  /** The movie moved on. */
  move(): void {
    const { epoch, log, spec } = this.#store;
    const left = Number.isFinite(epoch) ? this.#chart.place(epoch) : null;
    this.#head.hidden = left === null;
    if (left !== null) this.#head.style.transform = `translateX(${left}px)`;
    const row = log.length ? nearest(log.column("epoch"), epoch) : -1;
    const started = row >= 0 && epoch >= (log.at("epoch", 0) || 0) - 0.5;
    const names = spec.log.slice(1);
    if (this.#values.childElementCount !== names.length) {
      this.#values.replaceChildren(...names.map((name, i) => legend(WORDS[name] ?? name, i)));
    }
    for (const [i, name] of names.entries()) {
      const output = this.#values.children[i]?.querySelector("output");
      if (output) setText(output, started ? short(log.at(name, row)) : "–");
    }
  }

  #best(): Mark[] {
    const { spec, log } = this.#store;
    const key = ["validation_loss", "loss"].find((name) => log.has(name));
    if (spec.best === null || !key) return [];
    const y = log.at(key, nearest(log.column("epoch"), spec.best));
    return Number.isFinite(y) ? [{ x: spec.best, y, label: "best", color: "--ftx-ink" }] : [];
  }

  #notes(): string {
    const { sphereFrom } = this.#store.spec;
    if (sphereFrom === null) return "";
    return `From epoch ${sphereFrom} on only the sphere is fitted; its loss has a scale of its own.`;
  }

  #point(x: number | null): void {
    this.#pointed = x;
    if (this.#dragging && x !== null) this.#store.seekEpoch(x);
  }
}

/** A name with its line, in colour and dash, and a place for its value. */
function legend(label: string, i: number): HTMLElement {
  const line = h("i", { class: "ftx-movie-line", "data-line": i, "aria-hidden": "true" });
  return h("span", {}, line, h("span", { dir: "auto" }, label), h("output", { "aria-live": "off" }));
}
