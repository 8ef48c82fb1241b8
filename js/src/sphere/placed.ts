/** New records on the sphere: typed in, marked, listed, taken away. */

import { h, setText } from "../shared/dom.ts";
import { reasonOf } from "../shared/reason.ts";
import { CHOOSE_FIRST } from "./neighbours.ts";
import { onEnter, type ColumnInfo } from "./search.ts";
import type { Stage } from "./stage.ts";

/** One entry of the trait `_placed`. */
export interface Mark {
  id: string;
  label: string;
  xyz: [number, number, number];
  values: [string, string][];
}

export interface PlaceHandlers {
  /** Texts by the number of their column. */
  place(values: Record<string, string>): Promise<void>;
  remove(id: string): void;
  face(mark: Mark): void;
  /** The values of the reader's point, by the number of their column; null without one. */
  rowValues(): Promise<Record<string, string> | null>;
}

const MOST_FIELDS = 60;

export class PlaceForm {
  readonly el: HTMLElement;
  readonly #on: PlaceHandlers;
  readonly #fields = h("div", { class: "ftx-sphere-fields" });
  readonly #status = h("p", { class: "ftx-note", role: "status", "aria-live": "polite" });
  readonly #marks = h("ul", { class: "ftx-sphere-marks", "aria-label": "Records placed" });
  readonly #form: HTMLFormElement;
  readonly #details: HTMLDetailsElement;
  #shown = "";

  constructor(handlers: PlaceHandlers) {
    this.#on = handlers;
    const take = h("button", { class: "ftx-button", type: "button" }, "Copy the row");
    take.title = "Fill in the values of the row you chose";
    take.addEventListener("click", () => void this.#take());
    const place = h("button", { class: "ftx-button", type: "button" }, "Place");
    place.addEventListener("click", () => void this.#place());
    this.#form = h(
      "form", { class: "ftx-sphere-form", "aria-label": "A new record" },
      this.#fields,
      h("div", { class: "ftx-sphere-results" }, place, take),
    );
    onEnter(this.#form, () => void this.#place());
    this.#details = h("details", { class: "ftx-sphere-place" }, h("summary", {}, "Place a new record"), this.#form);
    this.el = h(
      "section", { class: "ftx-sphere-form ftx-sphere-alone", "aria-label": "New records" },
      this.#details, this.#status, this.#marks,
    );
  }

  render(columns: ColumnInfo[], marks: Mark[], possible: boolean): void {
    this.el.hidden = !possible && !marks.length;
    this.#details.hidden = !possible;
    const key = JSON.stringify(columns);
    if (key !== this.#shown) {
      this.#shown = key;
      this.#fields.replaceChildren(...columns.slice(0, MOST_FIELDS).map(({ label }, i) =>
        h("label", {}, h("span", { dir: "auto", title: label }, label),
          h("input", { name: i, autocomplete: "off", placeholder: "not known" }))));
    }
    this.#marks.replaceChildren(...marks.map((mark) => this.#item(mark)));
  }

  #item(mark: Mark): HTMLElement {
    const values = mark.values.map(([name, text]) => `${name}: ${text}`).join("\n");
    const face = h("button", { type: "button", class: "ftx-sphere-entry", title: values },
      h("span", { "aria-hidden": "true" }, "◆"), h("span", { class: "ftx-sphere-label", dir: "auto" }, mark.label));
    const remove = h("button", { type: "button", class: "ftx-button", "aria-label": `Remove ${mark.label}` }, "×");
    face.addEventListener("click", () => this.#on.face(mark));
    remove.addEventListener("click", () => this.#on.remove(mark.id));
    return h("li", {}, face, remove);
  }

  get #inputs(): HTMLInputElement[] {
    return [...this.#fields.querySelectorAll("input")];
  }

  async #place(): Promise<void> {
    const filled = this.#inputs.filter((input) => input.value.trim());
    setText(this.#status, "Asking the model…");
    try {
      await this.#on.place(Object.fromEntries(filled.map(({ name, value }) => [name, value])));
      setText(this.#status, "Placed.");
    } catch (error) {
      setText(this.#status, reasonOf(error));
    }
  }

  async #take(): Promise<void> {
    const values = await this.#on.rowValues();
    setText(this.#status, values ? "" : CHOOSE_FIRST);
    if (values) for (const input of this.#inputs) input.value = values[input.name] ?? "";
  }
}

/** Diamonds with their words, larger than any point; faint behind the sphere. */
export function drawMarks(context: CanvasRenderingContext2D, stage: Stage, marks: readonly Mark[]): void {
  const size = Math.max(7, stage.pointSize());
  context.font = "600 12px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const { xyz, label } of marks) {
    const { x, y, depth } = stage.project(...xyz);
    context.globalAlpha = depth > 0 ? 1 : 0.35;
    context.beginPath();
    context.moveTo(x, y - size);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.lineTo(x - size, y);
    context.closePath();
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = stage.colors.light;
    context.stroke();
    context.strokeText(label, x + size + 5, y);
    context.fillStyle = stage.colors.ring;
    context.fill();
    context.fillText(label, x + size + 5, y);
  }
}
