/** What makes a group of rows different: asked for, and listed column by column. */

import { h, setText } from "../shared/dom.ts";
import { reasonOf } from "../shared/reason.ts";

export interface Signature {
  rows: number;
  /** The strongest first; `difference` is 0 to 1. */
  traits: { column: string; difference: number; words: string }[];
}

const SELECTION = "selection";

export class SignatureForm {
  readonly el: HTMLElement;
  readonly #ask: (of: string) => Promise<Signature>;
  readonly #group = h("select", { "aria-label": "Group to compare" });
  readonly #status = h("p", { class: "ftx-sphere-found", role: "status", "aria-live": "polite" });
  readonly #list = h("ol", { class: "ftx-sphere-traits", "aria-label": "What is different", hidden: true });
  #clusters = -1;
  /** Answers to older questions come too late. */
  #asked = 0;

  constructor(ask: (of: string) => Promise<Signature>) {
    this.#ask = ask;
    const compare = h("button", { class: "ftx-button", type: "button" }, "What is different?");
    compare.addEventListener("click", () => void this.#compare());
    this.el = h(
      "section", { class: "ftx-sphere-form", "aria-label": "What makes a group different" },
      h("label", { class: "ftx-sphere-field" }, h("span", {}, "Compare with all other rows"), this.#group),
      compare, this.#status, this.#list,
    );
  }

  /** `clusters` is their number on show, 0 where there are none. */
  render(clusters: number): void {
    if (clusters === this.#clusters) return;
    this.#clusters = clusters;
    this.#group.replaceChildren(
      ...Array.from({ length: clusters }, (_, i) => h("option", { value: `${clusters}/${i}` }, `Cluster ${i}`)),
      h("option", { value: SELECTION }, "The selected rows"),
    );
    this.#forget();
  }

  #forget(): void {
    this.#asked++;
    setText(this.#status, "");
    this.#list.hidden = true;
  }

  async #compare(): Promise<void> {
    this.#forget();
    const asked = this.#asked;
    setText(this.#status, "Comparing…");
    try {
      const found = await this.#ask(this.#group.value);
      if (asked === this.#asked) this.#show(found);
    } catch (error) {
      if (asked === this.#asked) setText(this.#status, reasonOf(error));
    }
  }

  #show({ rows, traits }: Signature): void {
    const name = this.#group.selectedOptions[0]?.label ?? "";
    const many = `${name}: ${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"}`;
    setText(this.#status, traits.length ? many : `${many}. No column differs by more than chance would.`);
    this.#list.hidden = !traits.length;
    this.#list.replaceChildren(...traits.map(({ column, difference, words }) => {
      const bar = h("i", { title: `Difference ${difference.toFixed(2)} of 1`, "aria-hidden": "true" });
      bar.style.width = `${Math.max(2, 100 * difference)}%`;
      return h("li", {}, h("b", { dir: "auto" }, column), h("span", {}, words), bar);
    }));
  }
}
