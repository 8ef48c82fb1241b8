/** Above the picture: what the colours mean, and how far the surface is. */
import { h, setText } from "../shared/dom.ts";
import type { HeatmapStore, ViewName } from "./store.ts";
import { standing } from "./words.ts";

const NAMES: Record<ViewName, string> = { value: "Value", confidence: "Confidence", class: "Class" };

export class Toolbar {
  readonly el = h("div", { class: "ftx-heat-tools" });
  readonly #store: HeatmapStore;
  readonly #views = h("div", { class: "ftx-heat-views", role: "group", "aria-label": "Colours show" });
  readonly #classes = h("select", { "aria-label": "Probability of" });
  readonly #contours = h("button", { type: "button", class: "ftx-button", title: "Lines of equal value (C)" }, "Contours");
  /** How far the surface is. */
  readonly #status = h("p", { class: "ftx-heat-status" });
  #viewKey = "";
  #classKey = "";

  constructor(store: HeatmapStore) {
    this.#store = store;
    this.#contours.addEventListener("click", () => store.setContours(!store.contours));
    this.#classes.addEventListener("change", () => void store.chooseClass(Number(this.#classes.value)));
    this.el.append(this.#views, this.#classes, this.#contours, this.#status);
  }

  render(): void {
    const { spec, show, contours, behind } = this.#store;
    setText(this.#status, standing(spec, behind));
    const flat = spec.shape.length === 1;
    if (this.#viewKey !== spec.views.join()) {
      this.#viewKey = spec.views.join();
      this.#views.replaceChildren(...spec.views.map((view) => this.#button(view)));
    }
    this.#views.hidden = spec.views.length < 2;
    for (const button of this.#views.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === show));
    }
    this.#renderClasses();
    this.#contours.hidden = flat || show !== "value";
    this.#contours.setAttribute("aria-pressed", String(contours));
  }

  #button(view: ViewName): HTMLButtonElement {
    const button = h("button", { type: "button", class: "ftx-button", "data-view": view }, NAMES[view]);
    button.addEventListener("click", () => {
      this.#store.show = view;
    });
    return button;
  }

  #renderClasses(): void {
    const { classChoices, classChoice } = this.#store.spec;
    const key = JSON.stringify(classChoices);
    if (key !== this.#classKey) {
      this.#classKey = key;
      this.#classes.replaceChildren(...classChoices.map((label, i) => h("option", { value: i, dir: "auto" }, label)));
    }
    this.#classes.hidden = classChoices.length < 2 || this.#store.show !== "value";
    this.#classes.value = classChoice === null ? "" : String(classChoice);
  }
}
