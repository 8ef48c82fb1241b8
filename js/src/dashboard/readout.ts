/** Several runs side by side: what each of their lines says under the crosshair, else at its end. */
import { h, setText } from "../shared/dom.ts";
import { stroke } from "../plot/palette.ts";
import { duration, short, type XAxis } from "../plot/scales.ts";
import { rowsOf } from "./curves.ts";
import { swatch } from "./legend.ts";
import type { Measure } from "./measures.ts";
import type { Run } from "./run.ts";
import type { UiState } from "./store.ts";

const HEADS: Record<XAxis, string> = { epoch: "Epoch", step: "Step", time: "Time" };

/** A position in words, as a column of numbers can hold it. */
export function placeText(axis: XAxis, x: number): string {
  if (Number.isNaN(x)) return "–";
  if (axis !== "time") return short(x, 7);
  return x < 100 ? `${short(x, 3)} s` : duration(x);
}

/** What a run's line says at the crosshair, and where that is. */
export function read(run: Run, measure: Measure | null, { axis, cursor }: UiState): number {
  const rows = measure ? rowsOf(run, measure) : run.space;
  const course = run.course(rows);
  const at = cursor === null ? rows.length - 1 : course.at(axis, cursor);
  return measure ? rows.at(measure.key, at) : (course.x(axis)[at] ?? Number.NaN);
}

export class Readout {
  readonly el = h("div", { class: "ftx-readout", tabindex: 0, role: "group", "aria-label": "Values of all runs" });
  #shape = "";
  #cells: HTMLElement[][] = [];

  update(runs: readonly Run[], measures: readonly Measure[], ui: UiState): void {
    this.el.hidden = runs.length < 2;
    if (this.el.hidden) return;
    const shape = JSON.stringify([ui.axis, measures, runs.map(({ info }) => info.name)]);
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#build(runs, measures, ui.axis);
    }
    for (const [i, run] of runs.entries()) {
      const drawn = run.has(ui.axis);
      const place = drawn ? placeText(ui.axis, read(run, null, ui)) : "–";
      const values = measures.map((measure) => (drawn ? short(read(run, measure, ui)) : "–"));
      for (const [k, text] of [place, ...values].entries()) {
        const cell = this.#cells[i]?.[k];
        if (cell) setText(cell, text);
      }
    }
  }

  #build(runs: readonly Run[], measures: readonly Measure[], axis: XAxis): void {
    const head = h("tr", {}, h("th", { scope: "col" }, "Run"), h("th", { scope: "col" }, HEADS[axis]));
    head.append(...measures.map(({ label }) => h("th", { scope: "col" }, label)));
    this.#cells = runs.map(() => [axis, ...measures].map(() => h("td")));
    const rows = runs.map(({ info }, i) => {
      const name = h("span", { class: "ftx-label", dir: "auto", title: info.name }, info.name);
      return h("tr", {}, h("th", { scope: "row" }, swatch(stroke(i).color, []), name), ...(this.#cells[i] as HTMLElement[]));
    });
    this.el.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)));
  }
}
