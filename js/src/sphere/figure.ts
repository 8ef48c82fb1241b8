/** The picture with all that belongs to it: tools, card, hints, walking, choosing, hiding. */

import { buildPalette } from "../gl/palette.ts";
import { HIDDEN, type Palette, type Renderer } from "../gl/scene.ts";
import { sameCamera, type Camera } from "../gl/camera.ts";
import type { Pixel } from "../gl/lasso.ts";
import { followForcedColors, followReducedMotion, type Announcer } from "../shared/a11y.ts";
import { h, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import { reasonOf } from "../shared/reason.ts";
import { followTheme } from "../shared/theme.ts";
import { Card } from "./card.ts";
import { readColors } from "./colors.ts";
import { Gestures } from "./gestures.ts";
import type { ColorSpec, RowValues, SelectMode } from "./rows.ts";
import { Stage } from "./stage.ts";
import { Toolbar, type Mode } from "./toolbar.ts";

/** The part of a store that a figure draws from. */
export interface FigureStore {
  readonly spec: { n: number; summary: string; color: ColorSpec; height: number };
  readonly positions: Int16Array;
  readonly codes: Uint8Array;
  readonly state: Uint8Array;
  readonly selected: Uint32Array;
  readonly camera: Camera | null;
  readonly hovered: number;
  look(camera: Camera): void;
  hover(point: number): void;
  row(point: number): Promise<RowValues>;
  select(points: ArrayLike<number>, mode: SelectMode): void;
}

export interface FigureHandlers {
  /** A key before the figure looks at it; returns whether it meant something. */
  key(event: KeyboardEvent): boolean;
  /** What a panel says has changed: filters, shapes, selection, style or the way of drawing. */
  changed(): void;
  /** The colours of the page are others. */
  recolor(): void;
  reducedMotion(reduced: boolean): void;
}

export interface FigureStyle {
  size?: number | null;
  opacity?: number;
}

const NOTHING: FigureHandlers = {
  key: () => false,
  changed: () => undefined,
  recolor: () => undefined,
  reducedMotion: () => undefined,
};
const NARROW_PX = 620;
let figures = 0;

export class Figure {
  readonly el = h("div", { class: "ftx-sphere-figure" });
  readonly stage: Stage;
  readonly hidden = new Set<number>();
  readonly summary = h("p", { class: "ftx-hidden", id: `ftx-sphere-${++figures}` });
  shapes = false;
  kind: Renderer["kind"] = "webgl2";
  readonly #root: HTMLElement;
  readonly #store: FigureStore;
  readonly #announcer: Announcer;
  readonly #on: FigureHandlers;
  readonly #toolbar: Toolbar;
  readonly #card = new Card();
  readonly #owner = new Owner();
  readonly #hint = h("div", { class: "ftx-sphere-hint", "aria-hidden": "true" });
  readonly #badge = h("div", { class: "ftx-sphere-badge", hidden: true }, "Software drawing");
  #gestures: Gestures | undefined;
  #palette: Palette = new Uint8Array(1024);
  #mode: Mode = "turn";
  #through = false;
  #colorKey = "";
  #hintTimer = 0;

  /** `root` carries the style sheet's colours and is on the page already. */
  constructor(
    root: HTMLElement,
    store: FigureStore,
    announcer: Announcer,
    handlers: Partial<FigureHandlers>,
  ) {
    this.#root = root;
    this.#store = store;
    this.#announcer = announcer;
    this.#on = { ...NOTHING, ...handlers };
    const scene = () => ({
      positions: store.positions,
      codes: store.codes,
      state: store.state,
      selected: store.selected,
      palette: this.#palette,
    });
    this.stage = new Stage(scene, readColors(root));
    this.stage.camera = store.camera ?? this.stage.camera;
    this.stage.onCamera = (camera) => store.look(camera);
    this.#toolbar = new Toolbar({
      mode: (mode) => this.#setMode(mode),
      through: (on) => this.#setThrough(on),
      autoRotate: (on) => this.setAutoRotate(on),
      zoom: (factor) => this.stage.zoom(factor),
      reset: () => this.stage.reset(),
    });
    const { el } = this.stage;
    el.tabIndex = 0;
    el.setAttribute("role", "application");
    el.setAttribute("aria-roledescription", "sphere of points");
    el.setAttribute("aria-describedby", this.summary.id);
    // The card and the tools lie over the picture, beside it for the pointer.
    this.el.append(el, this.#toolbar.el, this.#card.el, this.#badge, this.#hint);
  }

  /** Follow theme, wishes and hands; once everything is in place. */
  connect(): void {
    const { stage } = this;
    this.#owner.own(followTheme(this.#root, () => this.#recolor()));
    this.#owner.own(followReducedMotion((reduced) => {
      stage.reducedMotion = reduced;
      this.#on.reducedMotion(reduced);
    }));
    this.#owner.own(followForcedColors((forced) => {
      this.#recolor();
      if (forced) this.setShapes(true);
    }));
    const widths = new ResizeObserver(() => this.layOut());
    widths.observe(this.#root);
    this.#owner.own(() => widths.disconnect());
    this.#gestures = new Gestures(stage, {
      mode: () => this.#mode,
      through: () => this.#through,
      hover: (point, at) => void this.#hover(point, at),
      select: (points, mode) => this.select(points, mode),
      key: (event) => this.#on.key(event) || this.#key(event),
      wheelHint: () => this.hint("Click the sphere first, then the wheel zooms"),
      grabbed: () => this.#toolbar.setAutoRotate(false),
      say: (text) => this.#announcer.say(text),
    }, this.#owner);
    stage.onRenderer = (kind) => {
      this.kind = kind;
      this.#badge.hidden = kind !== "canvas2d";
      this.#on.changed();
    };
    stage.connect();
  }

  dispose(): void {
    clearTimeout(this.#hintTimer);
    this.#store.hover(-1);
    this.#owner.dispose();
    this.stage.dispose();
  }

  /** Side by side where there is room; else the panel below a picture no taller than wide. */
  layOut(): void {
    const width = this.#root.clientWidth;
    const narrow = width < NARROW_PX;
    this.#root.classList.toggle("ftx-sphere-narrow", narrow);
    const { height } = this.#store.spec;
    this.stage.el.style.minHeight = `${narrow ? Math.min(height, Math.max(240, width)) : height}px`;
    this.#root.style.setProperty("--ftx-sphere-height", `${height}px`);
  }

  // ---------------------------------------------------------------- from the store

  /** Points stand for other rows than before. */
  newRows(): void {
    this.stage.hovered = this.stage.current = this.stage.linked = -1;
    this.#card.hide();
    this.stage.changed("positions", "codes", "state");
    this.readSelection();
  }

  readSpec(help: string): void {
    const { spec } = this.#store;
    const key = JSON.stringify([spec.color.choice, spec.color.label, spec.color.kind]);
    if (key !== this.#colorKey) this.hidden.clear(); // codes mean something else now
    this.#colorKey = key;
    this.layOut();
    this.stage.el.setAttribute("aria-label", spec.summary.split(/[.:]/, 1)[0] ?? "Sphere");
    setText(this.summary, `${spec.summary}. ${help}`);
    this.#repaint();
  }

  readSelection(): void {
    this.stage.dim = this.#store.selected.length > 0;
    this.stage.changed("state");
    this.#on.changed();
  }

  /** Look from where the store says: another view, a linked widget or the kernel moved. */
  readCamera(): void {
    const { camera } = this.#store;
    if (!camera || sameCamera(camera, this.stage.camera)) return;
    this.stage.follow(camera);
    this.#toolbar.setAutoRotate(false);
  }

  readHovered(): void {
    this.stage.linked = this.#store.hovered;
    this.stage.drawOverlay();
  }

  #recolor(): void {
    this.stage.colors = readColors(this.#root);
    this.stage.invalidate();
    this.#on.recolor();
  }

  /** Colours, filters or shapes changed. */
  #repaint(): void {
    this.#palette = buildPalette(this.#store.spec.color, this.hidden, this.shapes);
    this.stage.changed("palette");
    this.#on.changed();
  }

  // ---------------------------------------------------------------- from the reader

  toggle(code: number, only: boolean): void {
    const { color } = this.#store.spec;
    if (only) {
      const all = [0, ...color.entries.map((_, i) => i + 1)];
      if (color.kind === "number") for (let c = 1; c < 256; c++) all.push(c);
      const alone = all.every((other) => this.hidden.has(other) === (other !== code));
      this.hidden.clear();
      if (!alone) for (const other of all) if (other !== code) this.hidden.add(other);
    } else if (!this.hidden.delete(code)) this.hidden.add(code);
    this.#filtered();
  }

  #filtered(): void {
    this.#repaint();
    const shown = this.shown().length;
    this.#announcer.say(`${shown.toLocaleString("en")} of ${this.#store.spec.n.toLocaleString("en")} rows shown`);
  }

  /** Of a number, hide all codes but those from `low` to `high`. */
  setRange(low: number, high: number): void {
    for (let code = 1; code < 256; code++) {
      if (code < low || code > high) this.hidden.add(code);
      else this.hidden.delete(code);
    }
    this.#filtered();
  }

  /** The points that the legend does not hide. */
  shown(): Uint32Array {
    const points: number[] = [];
    const { codes } = this.#store;
    for (let point = 0; point < codes.length; point++) if (this.isShown(point)) points.push(point);
    return Uint32Array.from(points);
  }

  isShown(point: number): boolean {
    return (this.#palette[this.#store.codes[point]! * 4 + 3]! & HIDDEN) === 0;
  }

  /** The colour of a point, as three numbers of 0 to 255. */
  colorOf(point: number): readonly [number, number, number] {
    const at = this.#store.codes[point]! * 4;
    return [this.#palette[at]!, this.#palette[at + 1]!, this.#palette[at + 2]!];
  }

  select(points: ArrayLike<number>, mode: SelectMode): void {
    this.#store.select(points, mode);
    this.#announcer.say(`${this.#store.selected.length.toLocaleString("en")} selected`);
  }

  setAutoRotate(on: boolean): void {
    if (on && this.stage.reducedMotion) {
      this.hint("Your system asks for less motion, so nothing turns by itself");
      return;
    }
    this.stage.autoRotate = on;
    this.#toolbar.setAutoRotate(on);
    this.stage.invalidate();
  }

  setShapes(on: boolean): void {
    this.shapes = on;
    this.#repaint();
  }

  setStyle(style: FigureStyle): void {
    if (style.size !== undefined) this.stage.size = style.size;
    if (style.opacity !== undefined) this.stage.opacity = style.opacity;
    this.stage.invalidate();
  }

  /** A word over the picture, for a moment. */
  hint(text: string): void {
    setText(this.#hint, text);
    this.#hint.classList.add("ftx-sphere-hint-on");
    clearTimeout(this.#hintTimer);
    this.#hintTimer = window.setTimeout(
      () => this.#hint.classList.remove("ftx-sphere-hint-on"), 1800,
    );
  }

  #setMode(mode: Mode): void {
    this.#mode = mode;
    this.#toolbar.setMode(mode);
    this.stage.el.dataset.mode = mode;
    this.#gestures?.drop();
  }

  #setThrough(on: boolean): void {
    this.#through = on;
    this.#toolbar.setThrough(on);
    this.hint(on ? "Box and lasso reach through the sphere" : "Box and lasso take the near side");
  }

  #key(event: KeyboardEvent): boolean {
    const { current } = this.stage;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "n" || key === "p") this.#walk(key === "n" ? 1 : -1);
    else if (key === "Enter" || key === " ") {
      if (current < 0) return false;
      this.select([current], event.shiftKey ? "toggle" : "replace");
    } else if (key === "Escape") this.#escape();
    else if (key === "b") this.#setMode(this.#mode === "box" ? "turn" : "box");
    else if (key === "l") this.#setMode(this.#mode === "lasso" ? "turn" : "lasso");
    else if (key === "t") this.#setThrough(!this.#through);
    else if (key === "r") this.setAutoRotate(!this.stage.autoRotate);
    else return false;
    return true;
  }

  /** First what is open, then the selection. */
  #escape(): void {
    if (this.#mode !== "turn") this.#setMode("turn");
    this.stage.current = this.stage.hovered = -1;
    this.#store.hover(-1);
    this.stage.drawOverlay();
    this.#card.hide();
    if (this.#store.selected.length) this.select([], "replace");
  }

  /** Go to the next shown point in either direction, and read it out. */
  #walk(step: 1 | -1): void {
    const n = this.#store.codes.length;
    let point = this.stage.current;
    for (let tried = 0; tried < n; tried++) {
      point = point < 0 && step < 0 ? n - 1 : (point + step + n) % n;
      if (this.isShown(point)) return this.visit(point);
    }
  }

  /** Bring a point to the front, and read it out. */
  visit(point: number): void {
    this.stage.current = point;
    this.#store.hover(point);
    this.stage.face(point);
    const { width, height } = this.stage.view;
    void this.#describe(point, { x: width / 2, y: height / 2 }).then((values) => {
      if (values) this.#announcer.say(values.slice(0, 8).map(([name, text]) => `${name}: ${text ?? "missing"}`).join(", "));
    });
  }

  async #hover(point: number, at: Pixel): Promise<void> {
    if (point === this.stage.hovered) return;
    this.stage.hovered = point;
    this.stage.drawOverlay();
    this.#store.hover(point);
    if (point < 0) this.#card.hide();
    else await this.#describe(point, at);
  }

  /** Show a point's card; it stays away when the reader has moved on before the kernel answers. */
  async #describe(point: number, at: Pixel): Promise<RowValues | null> {
    try {
      const values = await this.#store.row(point);
      const { hovered, current } = this.stage;
      if (point !== hovered && point !== current) return null;
      this.#card.show(values, this.#store.spec.color.label, at, this.stage.view);
      return values;
    } catch (error) {
      this.hint(reasonOf(error));
      return null;
    }
  }
}
