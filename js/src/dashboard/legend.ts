/** Switches for the lines of the main chart, which also read out the value under the crosshair. */
import { h, setText } from "../shared/dom.ts";
import { short } from "../plot/scales.ts";
import type { Measure } from "./measures.ts";

const SVG = "http://www.w3.org/2000/svg";

/** A short piece of the line as it is drawn: colour and dashes. */
export function swatch(color: string, dash: readonly number[]): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "line");
  for (const [name, value] of Object.entries({ width: 22, height: 8, "aria-hidden": "true" })) {
    svg.setAttribute(name, String(value));
  }
  for (const [name, value] of Object.entries({ x1: 1, x2: 21, y1: 4, y2: 4, "stroke-width": 2.2 })) {
    line.setAttribute(name, String(value));
  }
  line.setAttribute("stroke-dasharray", dash.join(" "));
  line.style.stroke = `var(${color})`;
  svg.append(line);
  return svg;
}

export class Legend {
  readonly el = h("div", { class: "ftx-legend", role: "group", "aria-label": "Lines shown" });
  #buttons = new Map<string, { button: HTMLButtonElement; value: HTMLOutputElement }>();
  #toggle: (key: string) => void;
  #neutral = false;

  constructor(toggle: (key: string) => void) {
    this.#toggle = toggle;
  }

  /**
   * @param measures what can be shown
   * @param hidden keys that are switched off
   * @param values the number to read out beside each, NaN for none
   * @param neutral whether colour tells runs, so that here only the dash counts
   */
  update(
    measures: readonly Measure[],
    hidden: ReadonlySet<string>,
    values: ReadonlyMap<string, number>,
    neutral: boolean,
  ): void {
    const same =
      neutral === this.#neutral &&
      measures.length === this.#buttons.size &&
      measures.every(({ key }) => this.#buttons.has(key));
    if (!same) this.#build(measures, neutral);
    for (const [key, { button, value }] of this.#buttons) {
      button.setAttribute("aria-pressed", String(!hidden.has(key)));
      const number = values.get(key) ?? Number.NaN;
      setText(value, Number.isFinite(number) && !hidden.has(key) ? short(number) : "");
    }
  }

  #build(measures: readonly Measure[], neutral: boolean): void {
    this.#neutral = neutral;
    this.#buttons.clear();
    this.el.replaceChildren();
    for (const { key, label, stroke } of measures) {
      // Not live: the numbers change with every epoch and with every move of the mouse.
      const value = h("output", { "aria-live": "off" });
      const button = h("button", { type: "button", class: "ftx-button", "data-key": key });
      button.append(
        swatch(neutral ? "--ftx-ink" : stroke.color, stroke.dash),
        h("span", { class: "ftx-label" }, label),
        value,
      );
      button.addEventListener("click", () => this.#toggle(key));
      this.#buttons.set(key, { button, value });
      this.el.append(button);
    }
  }
}
