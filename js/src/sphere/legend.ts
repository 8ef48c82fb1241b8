/** What the colours mean: a list that filters for categories, a colour bar for numbers. */

import { shapeOf } from "../gl/palette.ts";
import { CORNERS } from "../gl/canvas2d.ts";
import { h } from "../shared/dom.ts";
import type { ColorSpec } from "./rows.ts";

const MISSING = "#8e9298";

export interface LegendHandlers {
  /** A person switched codes off or on; `only` keeps just this one. */
  toggle(code: number, only: boolean): void;
}

/** What lies on the colour bar of a number. */
export interface OnBar {
  readonly el: HTMLElement;
  render(color: ColorSpec, hidden: ReadonlySet<number>): void;
}

export class Legend {
  readonly el = h("div", { class: "ftx-sphere-legend" });
  readonly #handlers: LegendHandlers;
  readonly #onBar: OnBar | null;
  // What is on the bar stays where they are while the rest is built anew: a person may hold it.
  readonly #strip = h("div", { class: "ftx-sphere-strip" });
  readonly #scale = h("div");
  readonly #list = h("div");

  constructor(handlers: LegendHandlers, onBar: OnBar | null = null) {
    this.#handlers = handlers;
    this.#onBar = onBar;
    this.el.append(this.#strip, ...(onBar ? [onBar.el] : []), this.#scale, this.#list);
  }

  render(color: ColorSpec, hidden: ReadonlySet<number>, shapes: boolean): void {
    const focused = this.#focusedCode();
    const number = color.kind === "number";
    this.#strip.hidden = !number;
    this.#strip.style.background = number ? `linear-gradient(to right, ${color.colors.join(", ")})` : "";
    const scale = number ? [h("div", { class: "ftx-sphere-bar" }, ...ticks(color))] : [];
    this.#scale.replaceChildren(...scale);
    this.#onBar?.render(color, hidden);
    const items = color.entries.map((entry, i) =>
      this.#item(entry.label, entry.count, i + 1, color.colors[i] ?? MISSING, hidden, shapes),
    );
    if (color.missing > 0) {
      items.push(this.#item("Missing", color.missing, 0, MISSING, hidden, false));
    }
    const list = items.length ? [h("ul", { "aria-label": "Legend: press to hide or show" }, ...items)] : [];
    this.#list.replaceChildren(...list);
    if (focused !== null) this.#button(focused)?.focus();
  }

  #item(
    label: string,
    count: number,
    code: number,
    color: string,
    hidden: ReadonlySet<number>,
    shapes: boolean,
  ): HTMLElement {
    const shown = !hidden.has(code);
    const el = h(
      "button",
      {
        type: "button",
        class: "ftx-sphere-entry",
        "aria-pressed": String(shown),
        "data-code": code,
        title: `${label}\nClick hides or shows; shift-click keeps only this one`,
      },
      swatch(color, shapes ? shapeOf(code) : 0),
      h("span", { class: "ftx-sphere-label", dir: "auto" }, label),
      h("span", { class: "ftx-sphere-count" }, count.toLocaleString("en")),
    );
    el.addEventListener("click", (event) => this.#handlers.toggle(code, event.shiftKey));
    return h("li", {}, el);
  }

  #button(code: number): HTMLButtonElement | null {
    return this.el.querySelector<HTMLButtonElement>(`[data-code="${code}"]`);
  }

  #focusedCode(): number | null {
    const root = this.el.getRootNode() as Document | ShadowRoot;
    const active = root.activeElement;
    if (!(active instanceof HTMLElement) || !this.el.contains(active)) return null;
    return Number(active.dataset.code);
  }
}

/** A colour sample in the shape its points have. */
function swatch(color: string, shape: number): Element {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-1.2 -1.2 2.4 2.4");
  svg.setAttribute("class", "ftx-sphere-swatch");
  svg.setAttribute("aria-hidden", "true");
  const corners = CORNERS[shape];
  const kind = corners ? "polygon" : "circle";
  const mark = document.createElementNS("http://www.w3.org/2000/svg", kind);
  if (corners) mark.setAttribute("points", corners.map((p) => p.join(",")).join(" "));
  else mark.setAttribute("r", "1");
  mark.setAttribute("fill", color);
  svg.append(mark);
  return svg;
}

function ticks(color: ColorSpec): HTMLElement[] {
  const last = color.ticks.length - 1;
  const labels = color.ticks.map(({ at, label }, i) => {
    const open = (i === 0 && color.openLow && at === 0 && "≤ ") || (i === last && color.openHigh && at === 1 && "≥ ") || "";
    const tick = h("span", {}, open + label);
    tick.style.left = `${at * 100}%`;
    return tick;
  });
  const parts: HTMLElement[] = [h("div", { class: "ftx-sphere-ticks" }, ...labels)];
  const ends = [color.openLow && "lower", color.openHigh && "higher"].filter(Boolean).join(" and ");
  if (ends) parts.push(h("p", { class: "ftx-note" }, `Values ${ends} than the scale take its end colour.`));
  return parts;
}
