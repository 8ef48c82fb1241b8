/** The form that finds rows by their values, and what is done with those found. */

import { h, setText } from "../shared/dom.ts";
import { reasonOf } from "../shared/reason.ts";
import { operatorsOf, type ColumnKind, type Question } from "../shared/search.ts";
import type { SelectMode } from "./rows.ts";

export interface SearchHandlers {
  ask(question: Question): Promise<Uint32Array>;
  /** Other points are found now. */
  found(points: Uint32Array): void;
  visit(point: number): void;
  select(points: Uint32Array, mode: SelectMode): void;
}

export interface ColumnInfo {
  label: string;
  kind: ColumnKind;
}

const WORDS: Record<string, string> = { missing: "is missing", present: "is present", differs: "differs from" };
const ANY = -1;

/** Enter in a field of a form; hosts may keep it from becoming a submit, and a submit would leave the page. */
export function onEnter(form: HTMLFormElement, act: () => void): void {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}

export class SearchForm {
  readonly el: HTMLFormElement;
  readonly #on: SearchHandlers;
  readonly #column = h("select", { "aria-label": "Column to search" });
  readonly #operator = h("select", { "aria-label": "Comparison" });
  readonly #value = h("input", { type: "search", "aria-label": "Value to look for", autocomplete: "off", spellcheck: "false" });
  readonly #status = h("p", { class: "ftx-sphere-found", role: "status", "aria-live": "polite" });
  readonly #before = h("button", { class: "ftx-button", type: "button", "aria-label": "Previous row found" }, "‹");
  readonly #after = h("button", { class: "ftx-button", type: "button", "aria-label": "Next row found" }, "›");
  readonly #at = h("span", { class: "ftx-note" });
  readonly #results: HTMLElement;
  #columns: ColumnInfo[] = [];
  #shown = "";
  #found: Uint32Array = new Uint32Array(0);
  #place = -1;
  /** Answers to older questions come too late. */
  #asked = 0;

  constructor(handlers: SearchHandlers) {
    this.#on = handlers;
    const select = h("button", { class: "ftx-button", type: "button" }, "Select");
    const add = h("button", { class: "ftx-button", type: "button" }, "Add to selection");
    select.addEventListener("click", () => handlers.select(this.#found, "replace"));
    add.addEventListener("click", () => handlers.select(this.#found, "add"));
    this.#before.addEventListener("click", () => this.#step(-1));
    this.#after.addEventListener("click", () => this.#step(1));
    this.#results = h(
      "div", { class: "ftx-sphere-results", hidden: true },
      h("div", { class: "ftx-sphere-steps" }, this.#before, this.#at, this.#after), select, add,
    );
    const find = h("button", { class: "ftx-button", type: "button" }, "Find");
    find.addEventListener("click", () => void this.#search());
    this.el = h(
      "form", { class: "ftx-sphere-form", role: "search", "aria-label": "Search the rows" },
      h("label", { class: "ftx-sphere-field" }, h("span", {}, "Search"), this.#column),
      h("div", { class: "ftx-sphere-pair" }, this.#operator, this.#value),
      find,
      this.#status,
      this.#results,
    );
    this.#column.addEventListener("change", () => this.#offerOperators());
    this.#operator.addEventListener("change", () => this.#showValue());
    onEnter(this.el, () => void this.#search());
    this.#value.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.clear();
    });
  }

  focus(): void {
    this.#value.focus();
    this.#value.select();
  }

  render(columns: ColumnInfo[]): void {
    const key = JSON.stringify(columns);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#columns = columns;
    this.#column.replaceChildren(
      h("option", { value: ANY }, "Any column"),
      ...columns.map(({ label }, i) => h("option", { value: i }, label)),
    );
    this.#offerOperators();
  }

  /** Forget what was found: the points stand for other rows, or the reader is done with it. */
  clear(): void {
    this.#asked++;
    this.#value.value = "";
    setText(this.#status, "");
    this.#take(new Uint32Array(0));
  }

  #offerOperators(): void {
    const before = this.#operator.value;
    const kind = this.#columns[Number(this.#column.value)]?.kind ?? "any";
    const offered = operatorsOf(kind);
    this.#operator.replaceChildren(...offered.map((name) => h("option", { value: name }, WORDS[name] ?? name)));
    if (offered.includes(before)) this.#operator.value = before;
    this.#value.placeholder = { number: "a number", date: "2024-01-31", text: "text", any: "value" }[kind];
    this.#showValue();
  }

  #showValue(): void {
    this.#value.hidden = ["missing", "present"].includes(this.#operator.value);
  }

  async #search(): Promise<void> {
    const asked = ++this.#asked;
    const column = Number(this.#column.value);
    setText(this.#status, "Searching…");
    try {
      const points = await this.#on.ask({
        column: column === ANY ? null : column,
        operator: this.#operator.value,
        value: this.#value.hidden ? "" : this.#value.value,
      });
      if (asked !== this.#asked) return;
      this.#take(points);
      setText(this.#status, `${points.length.toLocaleString("en")} ${points.length === 1 ? "row" : "rows"} found`);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#take(new Uint32Array(0));
      setText(this.#status, reasonOf(error));
    }
  }

  #take(points: Uint32Array): void {
    this.#found = points;
    this.#place = -1;
    this.#results.hidden = !points.length;
    setText(this.#at, "");
    this.#on.found(points);
  }

  #step(by: 1 | -1): void {
    const n = this.#found.length;
    this.#place = this.#place < 0 && by < 0 ? n - 1 : (this.#place + by + n) % n;
    setText(this.#at, `${(this.#place + 1).toLocaleString("en")} of ${n.toLocaleString("en")}`);
    this.#on.visit(this.#found[this.#place]!);
  }
}
