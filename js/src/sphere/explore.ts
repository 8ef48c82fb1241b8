/** What a reader can ask about the rows beyond their colours, and how the picture shows the answers. */

import { h, setText } from "../shared/dom.ts";
import { reasonOf } from "../shared/reason.ts";
import type { Figure } from "./figure.ts";
import { drawNeighbours, NearForm, Ranked, ring } from "./neighbours.ts";
import { drawMarks, PlaceForm } from "./placed.ts";
import { SearchForm } from "./search.ts";
import { SignatureForm } from "./signatures.ts";
import type { SphereStore } from "./store.ts";
import type { Tab } from "./tabs.ts";

/** Found points are ringed one by one up to so many; of more, they can be selected. */
const MOST_RINGS = 500;

export class Explore {
  readonly tabs: Tab[];
  readonly #store: SphereStore;
  readonly #figure: Figure;
  readonly #search: SearchForm;
  readonly #near: NearForm;
  readonly #groups: SignatureForm;
  readonly #place: PlaceForm;
  readonly #alone: Ranked;
  readonly #aloneStatus = h("p", { class: "ftx-note", role: "status", "aria-live": "polite" });
  #found: ArrayLike<number> = [];

  constructor(store: SphereStore, figure: Figure) {
    this.#store = store;
    this.#figure = figure;
    const visit = (point: number): void => figure.visit(point);
    const select = (points: number[]): void => figure.select(points, "replace");
    this.#search = new SearchForm({
      ask: (question) => store.search(question),
      found: (points) => {
        this.#alone.clear();
        this.#ring(points);
      },
      visit,
      select: (points, mode) => figure.select(points, mode),
    });
    this.#near = new NearForm({
      chosen: () => this.#chosen(),
      ask: (point) => store.findNeighbours(point),
      hide: () => store.hideNeighbours(),
      visit,
      select,
    });
    this.#place = new PlaceForm({
      place: (values) => store.place(values),
      remove: (id) => store.unplace(id),
      face: ({ xyz }) => figure.stage.faceTo(...xyz),
      rowValues: () => this.#rowValues(),
    });
    this.#groups = new SignatureForm((of) => store.findSignature(of));
    this.#alone = new Ranked({ visit, select });
    const outliers = h("button", { class: "ftx-button", type: "button" }, "Most isolated rows");
    outliers.addEventListener("click", () => void this.#findOutliers());
    const alone = h(
      "section", { class: "ftx-sphere-form ftx-sphere-alone", "aria-label": "Most isolated rows" },
      outliers, this.#aloneStatus, this.#alone.el,
    );
    this.tabs = [
      { label: "Find", body: h("div", {}, this.#search.el, alone) },
      { label: "Groups", body: h("div", {}, this.#groups.el) },
      { label: "Row", body: h("div", {}, this.#near.el, this.#place.el) },
    ];
    figure.stage.over = (context) => this.#draw(context);
    this.render();
  }

  render(): void {
    this.#search.render(this.#store.columns);
    this.#near.render(this.#store.neighbours);
    this.#groups.render(this.#store.spec.clusters);
    this.#place.render(this.#store.columns, this.#store.marks, this.#store.spec.canPlace);
    this.#figure.stage.drawOverlay();
  }

  /** Points stand for other rows than before. */
  newRows(): void {
    this.#search.clear();
    this.render();
  }

  findRows(): void {
    this.#search.focus();
  }

  findNearest(): void {
    void this.#near.ask();
  }

  /** The point walked to, else the only one selected, else the one under the pointer. */
  #chosen(): number {
    const { selected } = this.#store;
    if (this.#figure.stage.current >= 0) return this.#figure.stage.current;
    return selected.length === 1 ? selected[0]! : this.#figure.stage.hovered;
  }

  /** The chosen row's values; the first that a row tells is its id. */
  async #rowValues(): Promise<Record<string, string> | null> {
    const point = this.#chosen();
    if (point < 0) return null;
    const values = (await this.#store.row(point)).slice(1);
    return Object.fromEntries(values.map(([, text], i) => [String(i), text ?? ""]));
  }

  async #findOutliers(): Promise<void> {
    setText(this.#aloneStatus, "Comparing the rows…");
    try {
      const ranking = await this.#store.findOutliers();
      setText(this.#aloneStatus, "");
      this.#search.clear();
      this.#alone.render(`${ranking.points.length} most isolated rows`, ranking);
      this.#ring(ranking.points);
    } catch (error) {
      setText(this.#aloneStatus, reasonOf(error));
    }
  }

  #ring(points: ArrayLike<number>): void {
    this.#found = points;
    this.#figure.stage.drawOverlay();
  }

  #draw(context: CanvasRenderingContext2D): void {
    const { stage } = this.#figure;
    const { neighbours } = this.#store;
    if (this.#found.length <= MOST_RINGS) {
      const radius = stage.pointSize() / 2 + 2.5;
      context.lineWidth = 1.6;
      for (let i = 0; i < this.#found.length; i++) ring(context, stage, this.#found[i]!, radius);
    }
    if (neighbours) drawNeighbours(context, stage, neighbours);
    drawMarks(context, stage, this.#store.marks);
  }
}
