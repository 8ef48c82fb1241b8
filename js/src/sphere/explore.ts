/** What a reader can ask about the rows beyond their colours, and how the picture shows the answers. */

import { h } from "../shared/dom.ts";
import type { Figure } from "./figure.ts";
import { SearchForm } from "./search.ts";
import type { SphereStore } from "./store.ts";
import type { Tab } from "./tabs.ts";

/** Found points are ringed one by one up to so many; of more, they can be selected. */
const MOST_RINGS = 500;

export class Explore {
  readonly tabs: Tab[];
  readonly #store: SphereStore;
  readonly #figure: Figure;
  readonly #search: SearchForm;
  #found: Uint32Array = new Uint32Array(0);

  constructor(store: SphereStore, figure: Figure) {
    this.#store = store;
    this.#figure = figure;
    this.#search = new SearchForm({
      ask: (question) => store.search(question),
      found: (points) => {
        this.#found = points;
        figure.stage.drawOverlay();
      },
      visit: (point) => figure.visit(point),
      select: (points, mode) => figure.select(points, mode),
    });
    this.tabs = [{ label: "Find", body: h("div", {}, this.#search.el) }];
    figure.stage.over = (context) => this.#draw(context);
    this.render();
  }

  render(): void {
    this.#search.render(this.#store.columns);
  }

  /** Points stand for other rows than before. */
  newRows(): void {
    this.#search.clear();
    this.render();
  }

  findRows(): void {
    this.#search.focus();
  }

  #draw(context: CanvasRenderingContext2D): void {
    const { stage } = this.#figure;
    if (this.#found.length > MOST_RINGS) return;
    const radius = stage.pointSize() / 2 + 2.5;
    context.lineWidth = 1.6;
    for (const point of this.#found) {
      const { x, y, depth } = stage.place(point);
      context.globalAlpha = depth > 0 ? 1 : 0.3;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}
