/** Beside the picture: the cell under the pointer, what its record says, and what may be varied. */
import { parseHex } from "../gl/palette.ts";
import { h, setText } from "../shared/dom.ts";
import { reasonOf } from "../shared/reason.ts";
import { Controls } from "./controls.ts";
import { inkOn } from "./ramp.ts";
import { LETTERS, valueTitle } from "./scene.ts";
import type { CellFacts, HeatmapStore } from "./store.ts";
import { bestWord, cellWords, count } from "./words.ts";

const WAIT_MS = 120;

export interface PanelHandlers {
  toOptimum(): void;
}

export class Panel {
  readonly el = h("div", { class: "ftx-heat-panel" });
  readonly #store: HeatmapStore;
  readonly #title = h("h2", { class: "ftx-heat-title", dir: "auto" });
  readonly #cell = h("section", { class: "ftx-heat-cell", "aria-label": "Cell" });
  readonly #legend = h("ul", { class: "ftx-heat-legend", "aria-label": "Classes" });
  readonly #best = h("button", { type: "button", class: "ftx-button", title: "Select the best cell (O)" });
  readonly #refine = h("button", { type: "button", class: "ftx-button", title: "Ask again between the neighbours of the best cell (R)" }, "Refine");
  readonly #back = h("button", { type: "button", class: "ftx-button", title: "Return to the axes before" }, "Back");
  readonly #actions = h("div", { class: "ftx-heat-actions" }, this.#best, this.#refine, this.#back);
  readonly #controls: Controls;
  #shown = "";
  #timer = 0;

  constructor(store: HeatmapStore, handlers: PanelHandlers) {
    this.#store = store;
    this.#controls = new Controls(store);
    this.#best.addEventListener("click", () => handlers.toOptimum());
    this.#refine.addEventListener("click", () => void store.refine());
    this.#back.addEventListener("click", () => void store.back());
    this.el.append(this.#title, this.#legend, this.#cell, this.#actions, this.#controls.el);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }

  render(): void {
    const { spec, show, behind } = this.#store;
    setText(this.#title, show === "class" ? "Predicted class" : show === "confidence" ? "Confidence" : valueTitle(spec));
    this.#best.hidden = spec.optimum.length === 0;
    setText(this.#best, `★ ${spec.maximize ? "Largest" : "Smallest"}`);
    this.#best.setAttribute("aria-label", `Go to the ${bestWord(spec)}`);
    this.#refine.hidden = !spec.asks;
    this.#refine.disabled = !spec.canRefine || behind;
    this.#back.hidden = !spec.canReturn;
    this.#renderLegend();
    this.#controls.render();
  }

  #renderLegend(): void {
    const { spec, show } = this.#store;
    this.#legend.hidden = show !== "class" || !spec.classes;
    if (this.#legend.hidden || !spec.classes) return;
    const { colors, entries } = spec.classes;
    const items = entries.map(({ label, count: cells }, i) => {
      const swatch = h("span", { class: "ftx-heat-swatch", "aria-hidden": "true" }, LETTERS[i] ?? "");
      const color = colors[i] ?? "#8e9298";
      swatch.style.background = color;
      swatch.style.color = inkOn(parseHex(color));
      const name = h("span", { class: "ftx-heat-name", dir: "auto", title: label }, label);
      return h("li", {}, swatch, name, h("span", { class: "ftx-note" }, count(cells)));
    });
    this.#legend.replaceChildren(...items);
  }

  /** Show the cell the reader points at, or else the selected one; the kernel adds its record. */
  showCell(position: readonly number[]): void {
    const { spec, cells, cell, show } = this.#store;
    clearTimeout(this.#timer);
    if (!position.length) {
      this.#shown = "";
      const hint = spec.asks ? "Point at a cell to read it, click to get its record in Python." : "Point at a cell to read it.";
      this.#cell.replaceChildren(h("p", { class: "ftx-note" }, hint));
      return;
    }
    const words = cellWords(spec, cells, position);
    const main = (show === "class" ? words.class : show === "confidence" ? words.confidence : null) ?? words.value;
    const value = h("strong", { class: "ftx-heat-value", dir: "auto" }, main);
    const under = [
      main === words.value ? "" : `${spec.meaning} ${words.value}`,
      main === words.class ? "" : words.class,
      words.confidence === null || main === words.confidence ? "" : `confidence ${words.confidence}`,
    ].filter(Boolean).join(" · ");
    const axes = h("dl", {}, ...words.axes.flatMap(entry));
    const head = h("div", {}, value, h("span", { class: "ftx-heat-under", dir: "auto", title: under }, under));
    const details = h("div", { class: "ftx-heat-facts" });
    this.#cell.replaceChildren(head, axes, details);
    const selected = cell.length > 0 && cell.every((index, i) => index === position[i]);
    this.#shown = position.join();
    // Not for each cell that the pointer passes.
    this.#timer = window.setTimeout(() => void this.#addFacts(position, details), selected ? 0 : WAIT_MS);
  }

  async #addFacts(position: readonly number[], into: HTMLElement): Promise<void> {
    const key = position.join();
    if (!this.#store.spec.asks && !this.#store.spec.base.length) return;
    try {
      const facts = await this.#store.facts(position);
      if (this.#shown === key) into.replaceChildren(...this.#factRows(facts));
    } catch (error) {
      if (this.#shown === key) into.replaceChildren(h("p", { class: "ftx-note" }, reasonOf(error)));
    }
  }

  #factRows(facts: CellFacts): HTMLElement[] {
    const rows: HTMLElement[] = [];
    if (facts.problem) rows.push(h("p", { class: "ftx-heat-warning" }, `Not answered: ${facts.problem}`));
    if (facts.interval) {
      const [low, high] = facts.interval.map((end) => Number(end.toPrecision(4)));
      rows.push(h("p", { class: "ftx-note" }, `In nine of ten cases between ${low} and ${high}`));
    }
    if ((facts.shares?.length ?? 0) > 2) {
      rows.push(h("dl", { class: "ftx-heat-shares" }, ...(facts.shares ?? []).flatMap(([label, share]) => bar(label, share))));
    }
    for (const warning of facts.warnings ?? []) rows.push(h("p", { class: "ftx-heat-warning", dir: "auto" }, warning));
    const taken = new Set(this.#store.spec.axes.map(({ label }) => label));
    const rest = facts.record.filter(([name]) => !taken.has(name));
    // What the sliders show need not be said twice.
    const set = new Set(this.#store.spec.controls.map(({ label }) => label));
    const own = rest.filter(([name]) => !set.has(name)).slice(0, 8);
    if (own.length) rows.push(h("dl", {}, ...own.flatMap(([name, text]) => entry([name, text ?? "missing"]))));
    return rows;
  }
}

function entry([name, text]: readonly [string, string]): HTMLElement[] {
  return [h("dt", { dir: "auto", title: name }, name), h("dd", { dir: "auto", title: text }, text)];
}

function bar(label: string, share: number): HTMLElement[] {
  const track = h("span", { class: "ftx-heat-share" });
  track.style.setProperty("--share", `${Math.round(share * 100)}%`);
  return [h("dt", { dir: "auto", title: label }, label), h("dd", {}, track, share.toFixed(3))];
}
