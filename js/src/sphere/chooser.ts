/** The list of what the points can be coloured by. */

import { h } from "../shared/dom.ts";
import type { ColorSpec } from "./rows.ts";

export interface ChooserState {
  choices: { label: string; group: string }[];
  color: Pick<ColorSpec, "choice" | "label">;
}

export class Chooser {
  readonly #select = h("select", { "aria-label": "Colour by" });
  readonly el = h("label", { class: "ftx-sphere-field" }, h("span", {}, "Colour by"), this.#select);
  #shown = "";

  constructor(choose: (choice: number) => void) {
    this.#select.addEventListener("change", () => choose(Number(this.#select.value)));
  }

  render({ choices, color }: ChooserState): void {
    const key = JSON.stringify([choices, color.choice === null && color.label]);
    if (key !== this.#shown) {
      this.#shown = key;
      const groups = new Map<string, HTMLOptGroupElement>();
      for (const [i, { label, group }] of choices.entries()) {
        if (!groups.has(group)) groups.set(group, h("optgroup", { label: group }));
        groups.get(group)!.append(h("option", { value: i }, label));
      }
      this.#select.replaceChildren(...groups.values());
      if (color.choice === null) {
        this.#select.prepend(h("option", { value: -1, disabled: true }, color.label || "one colour"));
      }
    }
    this.#select.value = String(color.choice ?? -1);
    this.#select.disabled = choices.length === 0;
  }
}
