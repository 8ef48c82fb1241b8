/** The slim column beside the picture: colour chooser, legend, point style, selection. */

import { h, setText } from "../shared/dom.ts";
import { Chooser } from "./chooser.ts";
import { Legend } from "./legend.ts";
import { Range } from "./range.ts";
import { Tabs, type Tab } from "./tabs.ts";
import type { Spec } from "./store.ts";

export interface PanelHandlers {
  colorBy(choice: number): void;
  toggle(code: number, only: boolean): void;
  range(low: number, high: number): void;
  shapes(on: boolean): void;
  size(pixels: number): void;
  opacity(value: number): void;
  clear(): void;
  selectShown(): void;
}

export interface PanelState {
  spec: Spec;
  hidden: ReadonlySet<number>;
  shapes: boolean;
  selected: number;
  /** What a reader should know about how this is drawn; "" for nothing. */
  drawing: string;
}

export class Panel {
  readonly el = h("div", { class: "ftx-sphere-panel ftx-sphere-tabbed" });
  readonly error = h("p", { class: "ftx-error", role: "alert" });
  readonly #tabs: Tabs;
  readonly #title = h("div", { class: "ftx-sphere-title", dir: "auto" });
  readonly #rows = h("div", { class: "ftx-note" });
  readonly #notes = h("div", { class: "ftx-sphere-notes" });
  readonly #chooser: Chooser;
  readonly #legend: Legend;
  readonly #shapes = h("input", { type: "checkbox" });
  readonly #shapesRow = h("label", { class: "ftx-sphere-check" }, this.#shapes, "Shapes as well as colours");
  readonly #size = h("input", { type: "range", min: 1, max: 20, step: 0.5, "aria-label": "Point size" });
  readonly #opacity = h("input", { type: "range", min: 0.05, max: 1, step: 0.05, "aria-label": "Opacity" });
  readonly #count = h("div", { class: "ftx-sphere-selected", role: "status", "aria-live": "polite" });
  readonly #clear = h("button", { class: "ftx-button", type: "button" }, "Clear");
  readonly #all = h("button", { class: "ftx-button", type: "button" }, "Select shown");

  /** `tabs` come beside the page of colours. */
  constructor(handlers: PanelHandlers, tabs: readonly Tab[]) {
    this.#legend = new Legend({ toggle: handlers.toggle }, new Range(handlers.range));
    this.#chooser = new Chooser(handlers.colorBy);
    this.#shapes.addEventListener("change", () => handlers.shapes(this.#shapes.checked));
    this.#size.addEventListener("input", () => handlers.size(Number(this.#size.value)));
    this.#opacity.addEventListener("input", () => handlers.opacity(Number(this.#opacity.value)));
    this.#clear.addEventListener("click", handlers.clear);
    this.#all.addEventListener("click", handlers.selectShown);
    const style = h(
      "div",
      { class: "ftx-sphere-style" },
      this.#shapesRow,
      h("label", {}, h("span", {}, "Size"), this.#size),
      h("label", {}, h("span", {}, "Opacity"), this.#opacity),
    );
    const look = h("div", {}, this.#chooser.el, this.#legend.el, style);
    this.#tabs = new Tabs("What the panel shows", [{ label: "Colour", body: look }, ...tabs]);
    this.el.append(
      h("div", { class: "ftx-sphere-head" }, this.#title, this.#rows, this.#notes),
      this.#tabs.el,
      h("div", { class: "ftx-sphere-selection" }, this.#count, this.#clear, this.#all),
      this.error,
    );
  }

  /** Show a page: 0 for the colours. */
  show(tab: number): void {
    this.#tabs.show(tab);
  }

  setStyle(size: number, opacity: number): void {
    this.#size.value = String(size);
    this.#opacity.value = String(opacity);
  }

  render(state: PanelState): void {
    const { spec } = state;
    setText(this.#title, spec.title);
    this.#title.hidden = !spec.title;
    setText(this.#rows, `${spec.n.toLocaleString("en")} ${spec.n === 1 ? "row" : "rows"}`);
    const notes = [...spec.notes, state.drawing].filter(Boolean);
    this.#notes.replaceChildren(...notes.map((note) => h("p", {}, note)));
    this.#chooser.render(spec);
    this.#legend.render(spec.color, state.hidden, state.shapes);
    this.#shapes.checked = state.shapes;
    this.#shapesRow.hidden = spec.color.kind !== "category";
    setText(this.#count, `${state.selected.toLocaleString("en")} selected`);
    this.#clear.disabled = state.selected === 0;
    this.#all.disabled = spec.n === 0;
  }
}
