/** Pages of a panel, one shown at a time. */

import { h } from "../shared/dom.ts";

export interface Tab {
  label: string;
  body: HTMLElement;
}

let count = 0;

export class Tabs {
  readonly el: HTMLElement;
  readonly #tabs: readonly Tab[];
  readonly #buttons: HTMLButtonElement[];

  constructor(label: string, tabs: readonly Tab[]) {
    this.#tabs = tabs;
    this.#buttons = tabs.map(({ label: name, body }, place) => {
      const id = `ftx-tab-${++count}`;
      body.id = `${id}-body`;
      body.setAttribute("role", "tabpanel");
      body.setAttribute("aria-labelledby", id);
      body.classList.add("ftx-sphere-page");
      const button = h("button", { type: "button", role: "tab", id, "aria-controls": body.id }, name);
      button.addEventListener("click", () => this.show(place));
      return button;
    });
    const list = h("div", { class: "ftx-sphere-tabs", role: "tablist", "aria-label": label }, ...this.#buttons);
    list.addEventListener("keydown", (event) => this.#key(event));
    this.el = h("div", { class: "ftx-sphere-pages" }, list, ...tabs.map(({ body }) => body));
    this.show(0);
  }

  show(place: number): void {
    for (const [i, button] of this.#buttons.entries()) {
      button.setAttribute("aria-selected", String(i === place));
      button.tabIndex = i === place ? 0 : -1;
      this.#tabs[i]!.body.hidden = i !== place;
    }
  }

  #key(event: KeyboardEvent): void {
    const at = this.#buttons.findIndex((button) => button.getAttribute("aria-selected") === "true");
    const last = this.#buttons.length - 1;
    const to: Record<string, number> = {
      ArrowLeft: at ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last,
    };
    const place = to[event.key];
    if (place === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(place);
    this.#buttons[place]!.focus();
  }
}
