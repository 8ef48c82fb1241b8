/** One view of a sphere: puts picture, toolbar, card and panel together, and answers the reader. */

import { ALWAYS_ALL } from "../gl/budget.ts";
import { SOFTWARE_LIMIT } from "../gl/canvas2d.ts";
import type { Pixel } from "../gl/lasso.ts";
import { buildPalette } from "../gl/palette.ts";
import { HIDDEN, type Palette, type Renderer } from "../gl/scene.ts";
import { Announcer, followForcedColors, followReducedMotion } from "../shared/a11y.ts";
import baseCss from "../shared/base.css";
import { h, injectStyle, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import { followTheme } from "../shared/theme.ts";
import { Card } from "./card.ts";
import { readColors } from "./colors.ts";
import { Gestures } from "./gestures.ts";
import { Panel } from "./panel.ts";
import css from "./sphere.css";
import { Stage } from "./stage.ts";
import type { Change, RowValues, SelectMode, SphereStore } from "./store.ts";
import { Toolbar, type Mode } from "./toolbar.ts";

const HELP =
  "Arrow keys turn, plus and minus zoom, 0 returns to the first view. N and P walk from point to " +
  "point, Enter selects the point, Shift and Enter adds it. B and L draw a box or a lasso, Escape clears.";
const NARROW_PX = 620;
let views = 0;

export class SphereView {
  readonly #root: HTMLElement;
  readonly #store: SphereStore;
  readonly #stage: Stage;
  readonly #panel: Panel;
  readonly #toolbar: Toolbar;
  readonly #card = new Card();
  readonly #owner = new Owner();
  readonly #announcer = new Announcer(300);
  readonly #hint = h("div", { class: "ftx-sphere-hint", "aria-hidden": "true" });
  readonly #badge = h("div", { class: "ftx-sphere-badge", hidden: true });
  readonly #summary = h("p", { class: "ftx-hidden", id: `ftx-sphere-${++views}` });
  readonly #hidden = new Set<number>();
  #palette: Palette = new Uint8Array(1024);
  #shapes: boolean;
  #mode: Mode = "turn";
  #through = false;
  #kind: Renderer["kind"] = "webgl2";
  #colorKey = "";
  #hintTimer = 0;

  constructor(el: HTMLElement, store: SphereStore) {
    this.#store = store;
    this.#shapes = store.spec.shapes;
    this.#root = h("section", {
      class: "ftx ftx-sphere",
      "aria-label": "Sphere explorer",
      "data-lm-suppress-shortcuts": "true",
    });
    el.append(this.#root);
    injectStyle(el, "base", baseCss);
    injectStyle(el, "sphere", css);
    const scene = () => ({
      positions: store.positions,
      codes: store.codes,
      state: store.state,
      selected: store.selected,
      palette: this.#palette,
    });
    this.#stage = new Stage(scene, readColors(this.#root));
    this.#stage.camera = store.camera ?? this.#stage.camera;
    this.#stage.onCamera = (camera) => {
      store.camera = camera;
    };
    this.#toolbar = new Toolbar({
      mode: (mode) => this.#setMode(mode),
      through: (on) => this.#setThrough(on),
      autoRotate: (on) => this.#setAutoRotate(on),
      zoom: (factor) => this.#stage.zoom(factor),
      reset: () => this.#stage.reset(),
    });
    this.#panel = new Panel({
      colorBy: (choice) => void this.#colorBy(choice),
      toggle: (code, only) => this.#toggle(code, only),
      shapes: (on) => this.#setShapes(on),
      size: (pixels) => this.#setStyle({ size: pixels }),
      opacity: (value) => this.#setStyle({ opacity: value }),
      clear: () => store.select([], "replace"),
      selectShown: () => store.select(this.#shown(), "replace"),
    });
    this.#build();
    this.#connect();
    this.#readSpec();
    this.#readSelection();
  }

  dispose(): void {
    clearTimeout(this.#hintTimer);
    this.#owner.dispose();
    this.#announcer.dispose();
    this.#stage.dispose();
    this.#root.remove();
  }

  #build(): void {
    const { el } = this.#stage;
    el.tabIndex = 0;
    el.setAttribute("role", "application");
    el.setAttribute("aria-roledescription", "sphere of points");
    el.setAttribute("aria-describedby", this.#summary.id);
    // The card and the tools lie over the picture, beside it for the pointer.
    const figure = h(
      "div", { class: "ftx-sphere-figure" }, el, this.#toolbar.el, this.#card.el, this.#badge, this.#hint,
    );
    this.#root.append(figure, this.#panel.el, this.#summary, this.#announcer.el);
  }

  #connect(): void {
    const { spec } = this.#store;
    const stage = this.#stage;
    this.#owner.own(this.#store.subscribe((change) => this.#changed(change)));
    this.#owner.own(followTheme(this.#root, () => {
      stage.colors = readColors(this.#root);
      stage.invalidate();
    }));
    this.#owner.own(followReducedMotion((reduced) => {
      stage.reducedMotion = reduced;
    }));
    this.#owner.own(followForcedColors((forced) => {
      stage.colors = readColors(this.#root);
      if (forced) this.#setShapes(true);
    }));
    const widths = new ResizeObserver(() => this.#layOut());
    widths.observe(this.#root);
    this.#owner.own(() => widths.disconnect());
    new Gestures(stage, {
      mode: () => this.#mode,
      through: () => this.#through,
      hover: (point, at) => void this.#hover(point, at),
      select: (points, mode) => this.#select(points, mode),
      key: (event) => this.#key(event),
      wheelHint: () => this.#showHint("Click the sphere first, then the wheel zooms"),
      grabbed: () => this.#toolbar.setAutoRotate(false),
    }, this.#owner);
    stage.onRenderer = (kind) => {
      this.#kind = kind;
      this.#renderPanel();
    };
    this.#setStyle({ size: spec.size, opacity: spec.opacity });
    if (spec.autoRotate && !stage.reducedMotion) this.#setAutoRotate(true);
  }

  /** Side by side where there is room; else the panel below a picture no taller than wide. */
  #layOut(): void {
    const width = this.#root.clientWidth;
    const narrow = width < NARROW_PX;
    this.#root.classList.toggle("ftx-sphere-narrow", narrow);
    const { height } = this.#store.spec;
    this.#stage.el.style.minHeight = `${narrow ? Math.min(height, Math.max(240, width)) : height}px`;
  }

  // ---------------------------------------------------------------- from the kernel

  #changed(change: Change): void {
    if (change === "positions") {
      this.#stage.hovered = this.#stage.current = -1;
      this.#card.hide();
      this.#stage.changed("positions", "codes", "state");
      this.#readSelection();
    } else if (change === "codes") this.#stage.changed("codes");
    else if (change === "selected") this.#readSelection();
    else this.#readSpec();
  }

  #readSpec(): void {
    const { spec } = this.#store;
    const key = JSON.stringify([spec.color.choice, spec.color.label, spec.color.kind]);
    if (key !== this.#colorKey) this.#hidden.clear(); // codes mean something else now
    this.#colorKey = key;
    this.#layOut();
    this.#stage.el.setAttribute("aria-label", spec.summary.split(/[.:]/, 1)[0] ?? "Sphere");
    setText(this.#summary, `${spec.summary}. ${HELP}`);
    this.#repaint();
  }

  #readSelection(): void {
    const count = this.#store.selected.length;
    this.#stage.dim = count > 0;
    this.#stage.changed("state");
    this.#renderPanel();
  }

  /** Colours, filters or shapes changed. */
  #repaint(): void {
    this.#palette = buildPalette(this.#store.spec.color, this.#hidden, this.#shapes);
    this.#stage.changed("palette");
    this.#renderPanel();
  }

  #renderPanel(): void {
    const { spec, selected } = this.#store;
    let drawing = "";
    if (this.#kind === "canvas2d") {
      const part = spec.n > SOFTWARE_LIMIT ? `, an even sample of ${SOFTWARE_LIMIT.toLocaleString("en")} rows` : "";
      drawing = `Drawn in software, WebGL2 is not available${part}.`;
    } else if (spec.n > ALWAYS_ALL) {
      drawing = "An even sample while turning, all rows at rest.";
    }
    this.#badge.hidden = this.#kind !== "canvas2d";
    setText(this.#badge, "Software drawing");
    this.#panel.render({
      spec, hidden: this.#hidden, shapes: this.#shapes, selected: selected.length, drawing,
    });
    this.#panel.setStyle(this.#stage.size ?? this.#stage.pointSize(), this.#stage.opacity);
  }

  // ---------------------------------------------------------------- from the reader

  async #colorBy(choice: number): Promise<void> {
    setText(this.#panel.error, "");
    try {
      await this.#store.colorBy(choice);
      this.#announcer.say(this.#store.spec.summary);
    } catch (error) {
      setText(this.#panel.error, error instanceof Error ? error.message : String(error));
      this.#renderPanel(); // the chooser goes back to what is true
    }
  }

  #toggle(code: number, only: boolean): void {
    const { color } = this.#store.spec;
    if (only) {
      const all = [0, ...color.entries.map((_, i) => i + 1)];
      if (color.kind === "number") for (let c = 1; c < 256; c++) all.push(c);
      const alone = all.every((other) => this.#hidden.has(other) === (other !== code));
      this.#hidden.clear();
      if (!alone) for (const other of all) if (other !== code) this.#hidden.add(other);
    } else if (!this.#hidden.delete(code)) this.#hidden.add(code);
    this.#repaint();
    const shown = this.#shown().length;
    this.#announcer.say(`${shown.toLocaleString("en")} of ${this.#store.spec.n.toLocaleString("en")} rows shown`);
  }

  #shown(): Uint32Array {
    const points: number[] = [];
    const { codes } = this.#store;
    for (let point = 0; point < codes.length; point++) if (this.#isShown(point)) points.push(point);
    return Uint32Array.from(points);
  }

  #isShown(point: number): boolean {
    return (this.#palette[this.#store.codes[point]! * 4 + 3]! & HIDDEN) === 0;
  }

  #select(points: ArrayLike<number>, mode: SelectMode): void {
    this.#store.select(points, mode);
    this.#announcer.say(`${this.#store.selected.length.toLocaleString("en")} selected`);
  }

  #setMode(mode: Mode): void {
    this.#mode = mode;
    this.#toolbar.setMode(mode);
    this.#stage.el.dataset.mode = mode;
  }

  #setThrough(on: boolean): void {
    this.#through = on;
    this.#toolbar.setThrough(on);
    this.#showHint(on ? "Box and lasso reach through the sphere" : "Box and lasso take the near side");
  }

  #setAutoRotate(on: boolean): void {
    if (on && this.#stage.reducedMotion) {
      this.#showHint("Your system asks for less motion, so nothing turns by itself");
      return;
    }
    this.#stage.autoRotate = on;
    this.#toolbar.setAutoRotate(on);
    this.#stage.invalidate();
  }

  #setShapes(on: boolean): void {
    this.#shapes = on;
    this.#repaint();
  }

  #setStyle(style: { size?: number | null; opacity?: number }): void {
    if (style.size !== undefined) this.#stage.size = style.size;
    if (style.opacity !== undefined) this.#stage.opacity = style.opacity;
    this.#stage.invalidate();
  }

  #key(event: KeyboardEvent): boolean {
    const { current } = this.#stage;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "n" || key === "p") this.#walk(key === "n" ? 1 : -1);
    else if (key === "Enter" || key === " ") {
      if (current < 0) return false;
      this.#select([current], event.shiftKey ? "toggle" : "replace");
    } else if (key === "Escape") this.#escape();
    else if (key === "b") this.#setMode(this.#mode === "box" ? "turn" : "box");
    else if (key === "l") this.#setMode(this.#mode === "lasso" ? "turn" : "lasso");
    else if (key === "t") this.#setThrough(!this.#through);
    else if (key === "r") this.#setAutoRotate(!this.#stage.autoRotate);
    else return false;
    return true;
  }

  /** First what is open, then the selection. */
  #escape(): void {
    if (this.#mode !== "turn") this.#setMode("turn");
    this.#stage.current = this.#stage.hovered = -1;
    this.#stage.drawOverlay();
    this.#card.hide();
    if (this.#store.selected.length) this.#select([], "replace");
  }

  /** Go to the next shown point in either direction, and read it out. */
  #walk(step: 1 | -1): void {
    const n = this.#store.codes.length;
    let point = this.#stage.current;
    for (let tried = 0; tried < n; tried++) {
      point = point < 0 && step < 0 ? n - 1 : (point + step + n) % n;
      if (!this.#isShown(point)) continue;
      this.#stage.current = point;
      this.#stage.face(point);
      const { width, height } = this.#stage.view;
      void this.#describe(point, { x: width / 2, y: height / 2 }).then((values) => {
        if (values) this.#announcer.say(values.slice(0, 8).map(([name, text]) => `${name}: ${text ?? "missing"}`).join(", "));
      });
      return;
    }
  }

  async #hover(point: number, at: Pixel): Promise<void> {
    if (point === this.#stage.hovered) return;
    this.#stage.hovered = point;
    this.#stage.drawOverlay();
    if (point < 0) this.#card.hide();
    else await this.#describe(point, at);
  }

  /** Show a point's card; it stays away when the reader has moved on before the kernel answers. */
  async #describe(point: number, at: Pixel): Promise<RowValues | null> {
    try {
      const values = await this.#store.row(point);
      const { hovered, current } = this.#stage;
      if (point !== hovered && point !== current) return null;
      this.#card.show(values, this.#store.spec.color.label, at, this.#stage.view);
      return values;
    } catch (error) {
      this.#showHint(error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  #showHint(text: string): void {
    setText(this.#hint, text);
    this.#hint.classList.add("ftx-sphere-hint-on");
    clearTimeout(this.#hintTimer);
    this.#hintTimer = window.setTimeout(
      () => this.#hint.classList.remove("ftx-sphere-hint-on"), 1800,
    );
  }
}
