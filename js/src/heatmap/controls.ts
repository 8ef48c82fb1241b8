/** Sliders and choices for the columns of the record that the axes do not vary. */
import { tickStep } from "d3-array";
import { h, setText } from "../shared/dom.ts";
import type { ControlSpec, HeatmapStore } from "./store.ts";
import { settingText } from "./words.ts";

const SHOWN = 6;
const STEPS = 200;

type Input = HTMLInputElement | HTMLSelectElement;

interface Row {
  input: Input;
  output: HTMLElement;
  clear: HTMLButtonElement;
}

export class Controls {
  readonly el = h("section", { class: "ftx-heat-whatif", "aria-label": "What if" });
  readonly #store: HeatmapStore;
  readonly #list = h("div", { class: "ftx-heat-controls" });
  readonly #rest = h("details", { class: "ftx-heat-more" });
  readonly #reset = h("button", { type: "button", class: "ftx-button" }, "Reset");
  #inputs: Row[] = [];
  #key = "";

  constructor(store: HeatmapStore) {
    this.#store = store;
    this.#reset.addEventListener("click", () => store.restore());
    const head = h("div", { class: "ftx-heat-head" }, h("h3", {}, "What if"), this.#reset);
    this.el.append(head, this.#list, this.#rest);
  }

  render(): void {
    const { controls } = this.#store.spec;
    this.el.hidden = controls.length === 0;
    const key = JSON.stringify(controls.map(({ label, kind, low, high, choices }) => [label, kind, low, high, choices]));
    if (key !== this.#key) this.#build(controls);
    this.#key = key;
    let changed = false;
    for (const [i, control] of controls.entries()) {
      this.#update(i, control);
      changed ||= this.#store.wish(i) !== control.initial;
    }
    this.#reset.disabled = !changed;
  }

  #build(controls: readonly ControlSpec[]): void {
    this.#inputs = [];
    const rows = controls.map((control, i) => this.#row(control, i));
    this.#list.replaceChildren(...rows.slice(0, SHOWN));
    const more = rows.slice(SHOWN);
    this.#rest.hidden = more.length === 0;
    this.#rest.replaceChildren(
      h("summary", {}, `${more.length} more ${more.length === 1 ? "column" : "columns"}`),
      h("div", { class: "ftx-heat-controls" }, ...more),
    );
  }

  #row(control: ControlSpec, i: number): HTMLElement {
    const output = h("output", { dir: "auto" });
    const input = this.#input(control);
    input.setAttribute("aria-label", control.label);
    const clear = h(
      "button",
      { type: "button", class: "ftx-heat-clear", title: "Leave this column out of the record", "aria-label": `${control.label}: missing` },
      "×",
    );
    const event = control.kind === "number" ? "input" : "change";
    input.addEventListener(event, () => this.#store.vary(i, read(control, input)));
    clear.addEventListener("click", () => {
      this.#store.vary(i, null);
      input.focus();
    });
    this.#inputs.push({ input, output, clear });
    const name = h("span", { class: "ftx-heat-name", dir: "auto", title: control.label }, control.label);
    return h("div", { class: "ftx-heat-control", "data-kind": control.kind }, name, output, clear, input);
  }

  #input(control: ControlSpec): Input {
    if (control.kind === "category") {
      const select = h("select", {});
      select.append(h("option", { value: "" }, "missing"));
      for (const [at, choice] of (control.choices ?? []).entries()) {
        select.append(h("option", { value: at, dir: "auto" }, choice));
      }
      return select;
    }
    if (control.kind === "text") return h("input", { type: "text", dir: "auto", maxlength: 300 });
    // "any", so that it stands where the record does, which need not be on a step.
    const step = control.whole && stepOf(control) === 1 ? 1 : "any";
    return h("input", { type: "range", min: control.low ?? 0, max: control.high ?? 1, step });
  }

  #update(i: number, control: ControlSpec): void {
    const { input, output, clear } = this.#inputs[i] as Row;
    const value = this.#store.wish(i);
    const words = settingText(value, control.choices);
    if (control.kind === "number") setText(output, words);
    clear.disabled = value === null;
    input.classList.toggle("ftx-heat-missing", value === null);
    if (control.kind === "number") {
      input.setAttribute("aria-valuetext", words);
      const { low = 0, high = 1 } = control;
      const wanted = String(value ?? (low + high) / 2);
      if (Number(input.value) !== Number(wanted)) input.value = wanted;
    } else {
      const wanted = value === null ? "" : String(value);
      const typing = control.kind === "text" && (input.getRootNode() as Document | ShadowRoot).activeElement === input;
      if (!typing && input.value !== wanted) input.value = wanted;
    }
  }
}

function read(control: ControlSpec, input: Input): number | string | null {
  if (input.value === "") return null;
  if (control.kind === "text") return input.value;
  return control.kind === "number" ? rounded(Number(input.value), control) : Number(input.value);
}

/** The round step nearest to where a slider was dragged. */
export function rounded(value: number, control: ControlSpec): number {
  const { low = 0, high = 1 } = control;
  const step = stepOf(control);
  const near = step > 0 ? Number((Math.round(value / step) * step).toPrecision(12)) : value;
  return Math.min(high, Math.max(low, near));
}

function stepOf({ low = 0, high = 1, whole = false }: ControlSpec): number {
  const step = tickStep(low, high, STEPS);
  return whole ? Math.max(1, Math.round(step)) : step;
}
