/** Two handles on a colour bar: points outside them are hidden. */

import { h, setText } from "../shared/dom.ts";
import type { ColorSpec } from "./rows.ts";

const FIRST = 1;
const LAST = 255;

export class Range {
  readonly el = h("div", { class: "ftx-sphere-range" });
  readonly #low = handle("Lowest value shown");
  readonly #high = handle("Highest value shown");
  readonly #words = h("p", { class: "ftx-note" });
  #color: ColorSpec | null = null;

  constructor(changed: (low: number, high: number) => void) {
    const told = (moved: HTMLInputElement): void => {
      const [low, high] = [Number(this.#low.value), Number(this.#high.value)];
      // The handle that is moved stops at the other one.
      if (low > high) moved.value = String(moved === this.#low ? high : low);
      changed(Number(this.#low.value), Number(this.#high.value));
    };
    for (const input of [this.#low, this.#high]) input.addEventListener("input", () => told(input));
    this.el.append(h("div", { class: "ftx-sphere-handles" }, this.#low, this.#high), this.#words);
  }

  render(color: ColorSpec, hidden: ReadonlySet<number>): void {
    this.#color = color;
    const { low, high } = color;
    this.el.hidden = color.kind !== "number" || low == null || high == null || low === high;
    if (this.el.hidden) return;
    let [first, last] = [FIRST, LAST];
    while (first < LAST && hidden.has(first)) first++;
    while (last > first && hidden.has(last)) last--;
    this.#set(this.#low, first);
    this.#set(this.#high, last);
    const whole = first === FIRST && last === LAST;
    setText(this.#words, whole ? "" : `${this.#said(first)} to ${this.#said(last)} shown`);
  }

  #set(input: HTMLInputElement, code: number): void {
    if (input.value !== String(code)) input.value = String(code);
    input.setAttribute("aria-valuetext", this.#said(code));
  }

  #said(code: number): string {
    return valueText(this.#color!, (code - FIRST) / (LAST - FIRST));
  }
}

function handle(label: string): HTMLInputElement {
  return h("input", { type: "range", min: FIRST, max: LAST, step: 1, "aria-label": label });
}

/** The value at a place of the scale, 0 to 1, in words. */
export function valueText({ low, high, dates }: Pick<ColorSpec, "low" | "high" | "dates">, at: number): string {
  // Weighed before adding: the range of two numbers need not be a number.
  const value = (low ?? 0) * (1 - at) + (high ?? 0) * at;
  if (!dates) return String(Number(value.toPrecision(4)));
  const date = new Date(value * 1000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 10);
}
