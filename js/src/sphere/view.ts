/** One view of a sphere: puts the figure and its panel together, and answers the reader. */

import { ALWAYS_ALL } from "../gl/budget.ts";
import { SOFTWARE_LIMIT } from "../gl/canvas2d.ts";
import { Announcer, keepKeys } from "../shared/a11y.ts";
import baseCss from "../shared/base.css";
import { h, injectStyle, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import { reasonOf } from "../shared/reason.ts";
import { Explore } from "./explore.ts";
import { Figure } from "./figure.ts";
import { Panel } from "./panel.ts";
import css from "./sphere.css";
import exploreCss from "./explore.css";
import type { Change, SphereStore } from "./store.ts";

const HELP =
  "Arrow keys turn, plus and minus zoom, 0 returns to the first view. N and P walk from point to " +
  "point, Enter selects the point, Shift and Enter adds it. B and L draw a box or a lasso: arrow keys then " +
  "move the pen, Space sets a corner, Enter selects what is inside. Escape clears. " +
  "Slash searches the rows, K shows the nearest rows of the point.";
const FIND = 1;
const ROW = 3;

export class SphereView {
  readonly #root: HTMLElement;
  readonly #store: SphereStore;
  readonly #figure: Figure;
  readonly #panel: Panel;
  readonly #explore: Explore;
  readonly #owner = new Owner();
  readonly #announcer = new Announcer(300);

  constructor(el: HTMLElement, store: SphereStore) {
    this.#store = store;
    this.#root = h("section", { class: "ftx ftx-sphere", "aria-label": "Sphere explorer" });
    el.append(this.#root);
    injectStyle(el, "base", baseCss);
    injectStyle(el, "sphere", css);
    injectStyle(el, "explore", exploreCss);
    const figure = new Figure(this.#root, store, this.#announcer, {
      changed: () => this.#renderPanel(),
      key: (event) => this.#key(event),
    });
    this.#figure = figure;
    this.#explore = new Explore(store, figure);
    this.#panel = new Panel({
      colorBy: (choice) => void this.#colorBy(choice),
      toggle: (code, only) => figure.toggle(code, only),
      range: (low, high) => figure.setRange(low, high),
      shapes: (on) => figure.setShapes(on),
      size: (pixels) => figure.setStyle({ size: pixels }),
      opacity: (value) => figure.setStyle({ opacity: value }),
      clear: () => store.select([], "replace"),
      selectShown: () => store.select(figure.shown(), "replace"),
    }, this.#explore.tabs);
    this.#root.append(figure.el, this.#panel.el, figure.summary, this.#announcer.el);
    const { spec } = store;
    figure.shapes = spec.shapes;
    figure.connect();
    figure.setStyle({ size: spec.size, opacity: spec.opacity });
    if (spec.autoRotate && !figure.stage.reducedMotion) figure.setAutoRotate(true);
    this.#owner.own(keepKeys(this.#root));
    this.#owner.own(store.subscribe((change) => this.#changed(change)));
    figure.readSpec(HELP);
    figure.readSelection();
  }

  dispose(): void {
    this.#owner.dispose();
    this.#announcer.dispose();
    this.#figure.dispose();
    this.#root.remove();
  }

  #changed(change: Change): void {
    if (change === "positions") {
      this.#figure.newRows();
      this.#explore.newRows();
    } else if (change === "codes") this.#figure.stage.changed("codes");
    else if (change === "selected") this.#figure.readSelection();
    else if (change === "camera") this.#figure.readCamera();
    else if (change === "hover") this.#figure.readHovered();
    else if (change === "asked") this.#explore.render();
    else {
      this.#figure.readSpec(HELP);
      this.#explore.render();
    }
  }

  /** Keys of the sphere that a movie has no use for. */
  #key(event: KeyboardEvent): boolean {
    if (event.key === "/") {
      this.#panel.show(FIND);
      this.#explore.findRows();
    } else if (event.key.toLowerCase() === "k") {
      this.#panel.show(ROW);
      this.#explore.findNearest();
    } else return false;
    return true;
  }

  #renderPanel(): void {
    const { spec, selected } = this.#store;
    const { stage, hidden, shapes, kind } = this.#figure;
    let drawing = "";
    if (kind === "canvas2d") {
      const part = spec.n > SOFTWARE_LIMIT ? `, an even sample of ${SOFTWARE_LIMIT.toLocaleString("en")} rows` : "";
      drawing = `Drawn in software, WebGL2 is not available${part}.`;
    } else if (spec.n > ALWAYS_ALL) {
      drawing = "An even sample while turning, all rows at rest.";
    }
    this.#panel.render({ spec, hidden, shapes, selected: selected.length, drawing });
    this.#panel.setStyle(stage.size ?? stage.pointSize(), stage.opacity);
  }

  async #colorBy(choice: number): Promise<void> {
    setText(this.#panel.error, "");
    try {
      await this.#store.colorBy(choice);
      this.#announcer.say(this.#store.spec.summary);
    } catch (error) {
      setText(this.#panel.error, reasonOf(error));
      this.#renderPanel(); // the chooser goes back to what is true
    }
  }
}
