/** The card beside a point: its row's values, as text. It stays inside the picture. */

import { h, setText } from "../shared/dom.ts";
import type { RowValues } from "./rows.ts";

const GAP = 14;
const MOST_VALUES = 10;

export class Card {
  readonly el = h("div", { class: "ftx-sphere-card", hidden: true });
  readonly #list = h("dl");
  readonly #more = h("p", { class: "ftx-note" });

  constructor() {
    this.el.append(this.#list, this.#more);
  }

  /** Show values beside (x, y), a position within a stage of the given size. */
  show(
    values: RowValues,
    first: string,
    at: { x: number; y: number },
    stage: { width: number; height: number },
  ): void {
    const ordered = values.filter(([name]) => name === first);
    ordered.push(...values.filter(([name]) => name !== first));
    const shown = ordered.slice(0, MOST_VALUES);
    this.#list.replaceChildren(
      ...shown.flatMap(([name, text]) => [
        h("dt", { dir: "auto" }, name),
        text === null
          ? h("dd", { class: "ftx-sphere-missing" }, "missing")
          : h("dd", { dir: "auto" }, text),
      ]),
    );
    const rest = ordered.length - shown.length;
    setText(this.#more, rest > 0 ? `and ${rest} more` : "");
    this.#more.hidden = rest <= 0;
    this.el.hidden = false;
    this.#place(at, stage);
  }

  hide(): void {
    this.el.hidden = true;
  }

  #place(at: { x: number; y: number }, stage: { width: number; height: number }): void {
    this.el.style.maxHeight = `${stage.height - 16}px`;
    this.el.style.maxWidth = `${Math.min(320, stage.width - 16)}px`;
    const { offsetWidth: width, offsetHeight: height } = this.el;
    const right = at.x + GAP;
    const left = right + width > stage.width - 8 ? at.x - GAP - width : right;
    const top = at.y - height / 2;
    this.el.style.left = `${clamp(left, 8, stage.width - width - 8)}px`;
    this.el.style.top = `${clamp(top, 8, stage.height - height - 8)}px`;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(value, high));
}
