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

export class Legend {
  readonly el = h("div", { class: "ftx-sphere-legend" });
  readonly #handlers: LegendHandlers;

  constructor(handlers: LegendHandlers) {
    this.#handlers = handlers;
  }

  render(color: ColorSpec, hidden: ReadonlySet<number>, shapes: boolean): void {
    const focused = this.#focusedCode();
    const parts: HTMLElement[] = [];
    if (color.kind === "number") parts.push(colorBar(color));
    const items = color.entries.map((entry, i) =>
      this.#item(entry.label, entry.count, i + 1, color.colors[i] ?? MISSING, hidden, shapes),
    );
    if (color.missing > 0) {
      items.push(this.#item("Missing", color.missing, 0, MISSING, hidden, false));
    }
    if (items.length) {
      parts.push(h("ul", { "aria-label": "Legend: press to hide or show" }, ...items));
    }
    this.el.replaceChildren(...parts);
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

function colorBar(color: ColorSpec): HTMLElement {
  const strip = h("div", { class: "ftx-sphere-strip" });
  strip.style.background = `linear-gradient(to right, ${color.colors.join(", ")})`;
  const last = color.ticks.length - 1;
  const ticks = color.ticks.map(({ at, label }, i) => {
    const open = (i === 0 && color.openLow && at === 0 && "≤ ") || (i === last && color.openHigh && at === 1 && "≥ ") || "";
    const tick = h("span", {}, open + label);
    tick.style.left = `${at * 100}%`;
    return tick;
  });
  const ends = [color.openLow && "lower", color.openHigh && "higher"].filter(Boolean).join(" and ");
  const bar = h(
    "div",
    { class: "ftx-sphere-bar" },
    strip,
    h("div", { class: "ftx-sphere-ticks" }, ...ticks),
  );
  if (ends) bar.append(h("p", { class: "ftx-note" }, `Values ${ends} than the scale take its end colour.`));
  return bar;
}
