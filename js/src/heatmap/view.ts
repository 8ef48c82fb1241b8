/** One view of a heatmap: picture, toolbar, panel, and the hand on them. */
import { Announcer, followForcedColors, keepKeys } from "../shared/a11y.ts";
import baseCss from "../shared/base.css";
import { h, injectStyle, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import { followTheme, type Theme } from "../shared/theme.ts";
import { axisTitle, tickText, type AxisSpec } from "./axis.ts";
import { placeOf, positionOf } from "./cells.ts";
import css from "./heatmap.css";
import { Panel } from "./panel.ts";
import { Picture } from "./picture.ts";
import type { Change, HeatmapStore, ViewName } from "./store.ts";
import { Toolbar } from "./toolbar.ts";
import { cellSentence } from "./words.ts";

const HELP =
  "Arrow keys read the cells, Home and End go to the ends of a row, Enter selects, O goes to the best cell, " +
  "R looks closer around it, V changes what the colours show, C draws lines of equal value, Escape clears.";
const NARROW_PX = 640;
const DRAG_PX = 6;
let views = 0;

export class HeatmapView {
  readonly #store: HeatmapStore;
  readonly #owner = new Owner();
  readonly #picture = new Picture();
  readonly #toolbar: Toolbar;
  readonly #panel: Panel;
  readonly #announcer = new Announcer(1500);
  /** Reads out the cells, as fast as keys are pressed. */
  readonly #reader = new Announcer(100);
  readonly #root = h("section", { class: "ftx ftx-heat", "aria-label": "Prediction heatmap" });
  readonly #stage = h("div", {
    class: "ftx-heat-stage", tabindex: 0, role: "application", "aria-roledescription": "heatmap",
  });
  readonly #summary = h("p", { class: "ftx-hidden", id: `ftx-heat-${++views}` });
  readonly #problem = h("p", { class: "ftx-error", role: "alert" });
  readonly #slices = h("div", { class: "ftx-heat-slices" });
  readonly #slice = h("input", { type: "range", min: 0, step: 1 });
  readonly #sliceName = h("span", { class: "ftx-heat-name", dir: "auto" });
  readonly #sliceValue = h("output", { dir: "auto" });
  #theme: Theme = "light";
  #frame = 0;
  #stale = true;
  #said = "";
  #down: { x: number; y: number } | null = null;

  constructor(el: HTMLElement, store: HeatmapStore) {
    this.#store = store;
    this.#toolbar = new Toolbar(store);
    this.#panel = new Panel(store, { toOptimum: () => this.#toOptimum() });
    this.#stage.append(this.#picture.el);
    this.#stage.setAttribute("aria-describedby", this.#summary.id);
    this.#slices.append(this.#sliceName, this.#slice, this.#sliceValue);
    this.#root.append(
      h("div", { class: "ftx-heat-figure" }, this.#toolbar.el, this.#stage, this.#slices, this.#problem),
      this.#panel.el, this.#summary, this.#announcer.el, this.#reader.el,
    );
    el.append(this.#root);
    injectStyle(el, "base", baseCss);
    injectStyle(el, "heatmap", css);
    this.#listen();
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#owner.dispose();
    this.#panel.dispose();
    this.#announcer.dispose();
    this.#reader.dispose();
    this.#root.remove();
  }

  #listen(): void {
    const stage = this.#stage;
    const on = this.#owner;
    on.own(this.#store.subscribe((change) => this.#changed(change)));
    on.own(followTheme(this.#root, (theme) => {
      this.#theme = theme;
      this.#later();
    }));
    on.own(followForcedColors(() => this.#later()));
    on.own(keepKeys(this.#root));
    const sizes = new ResizeObserver(() => this.#later());
    sizes.observe(this.#root);
    on.own(() => sizes.disconnect());
    on.on(stage, "pointermove", (event) => this.#point(event));
    on.on(stage, "pointerdown", (event) => {
      this.#down = { x: event.clientX, y: event.clientY };
      this.#point(event);
    });
    on.on(stage, "pointerup", (event) => this.#release(event));
    on.on(stage, "pointercancel", () => this.#leave());
    on.on(stage, "pointerleave", () => this.#leave());
    on.on(stage, "keydown", (event) => this.#key(event));
    on.on(stage, "blur", () => this.#moveCursor([]));
    on.on(this.#slice, "input", () => {
      this.#store.slice = Number(this.#slice.value);
    });
  }

  #changed(change: Change): void {
    if (change === "cell" || change === "hover") {
      this.#drawMarks();
      return;
    }
    this.#later();
  }

  /** Several messages before the next frame are drawn once. */
  #later(): void {
    this.#stale = true;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#stale) this.#draw();
    });
  }

  #draw(): void {
    this.#stale = false;
    const { spec, cells, plane, show, contours } = this.#store;
    this.#root.classList.toggle("ftx-heat-narrow", this.#root.clientWidth < NARROW_PX);
    this.#toolbar.render();
    this.#panel.render();
    this.#renderSlices();
    const narrow = this.#root.clientWidth < NARROW_PX;
    const height = narrow ? Math.min(spec.height, Math.max(260, this.#root.clientWidth * 0.9)) : spec.height;
    this.#stage.style.height = `${height}px`;
    const width = this.#stage.clientWidth;
    // A host may render before it attaches: the observer comes back with a size.
    if (width > 0) this.#picture.draw({ spec, cells, plane, show, contours, theme: this.#theme }, width, height);
    this.#stage.setAttribute("aria-label", spec.summary.split(". ", 1)[0] ?? "Heatmap");
    setText(this.#summary, `${spec.summary}. ${HELP}`);
    this.#showStanding();
    this.#drawMarks();
  }

  #showStanding(): void {
    const { spec, behind, problem } = this.#store;
    this.#root.toggleAttribute("aria-busy", behind);
    const trouble = problem || spec.problem || "";
    const earlier = spec.problem && spec.filled ? " The picture shows the last answer." : "";
    setText(this.#problem, trouble + (problem ? "" : earlier));
    const key = `${spec.answered} ${spec.filled}`;
    if (this.#said && this.#said !== key && !behind) this.#announcer.say(spec.summary);
    if (!behind) this.#said = key;
  }

  #renderSlices(): void {
    const { spec, slice } = this.#store;
    const axis = spec.axes[2];
    this.#slices.hidden = axis === undefined;
    if (!axis) return;
    this.#slice.max = String(axis.ticks.length - 1);
    this.#slice.value = String(slice);
    const words = tickText(axis, slice);
    this.#slice.setAttribute("aria-label", axisTitle(axis));
    this.#slice.setAttribute("aria-valuetext", words);
    setText(this.#sliceName, axisTitle(axis));
    setText(this.#sliceValue, words);
  }

  #drawMarks(): void {
    const { hover, cell, cursor } = this.#store;
    const pointed = cursor.length ? cursor : hover;
    this.#picture.drawMarks({ pointed, selected: cell });
    this.#panel.showCell(pointed.length ? pointed : cell);
  }

  // -------------------------------------------------------------------- the pointer

  #positionAt(event: PointerEvent): number[] {
    const box = this.#stage.getBoundingClientRect();
    const place = this.#picture.cellAt(event.clientX - box.left, event.clientY - box.top);
    return place ? positionOf(this.#store.spec.shape, this.#store.slice, place.row, place.col) : [];
  }

  #point(event: PointerEvent): void {
    const keyed = this.#store.cursor.length > 0;
    this.#store.cursor = [];
    const before = this.#store.hover;
    this.#store.hover = this.#positionAt(event);
    if (keyed && before === this.#store.hover) this.#drawMarks(); // nobody else tells of it
  }

  #leave(): void {
    this.#down = null;
    this.#store.hover = [];
  }

  #release(event: PointerEvent): void {
    const down = this.#down;
    this.#down = null;
    if (!down || Math.hypot(event.clientX - down.x, event.clientY - down.y) > DRAG_PX) return;
    this.#select(this.#positionAt(event));
    if (event.pointerType === "touch") this.#store.hover = [];
  }

  #select(position: readonly number[]): void {
    const { cell } = this.#store;
    const again = cell.length > 0 && cell.every((index, i) => index === position[i]);
    this.#store.select(again ? [] : position);
  }

  // -------------------------------------------------------------------- the keyboard

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.#act(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #act(key: string): boolean {
    const moves: Record<string, [number, number]> = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      Home: [0, Number.NEGATIVE_INFINITY], End: [0, Number.POSITIVE_INFINITY],
    };
    const move = moves[key];
    if (move) this.#step(...move);
    else if (key === "PageUp" || key === "PageDown") return this.#turn(key === "PageUp" ? -1 : 1);
    else if (key === "Enter" || key === " ") {
      if (!this.#store.cursor.length) return false;
      this.#select(this.#store.cursor);
      this.#reader.say(this.#store.cell.length ? "Selected" : "Not selected");
    } else if (key === "Escape") {
      this.#store.select([]);
      this.#moveCursor([]);
    } else return this.#shortcut(key.toLowerCase());
    return true;
  }

  #shortcut(key: string): boolean {
    const { spec, show } = this.#store;
    if (key === "o") this.#toOptimum();
    else if (key === "r" && spec.canRefine) void this.#store.refine();
    else if (key === "v" && spec.views.length > 1) {
      const next = (spec.views.indexOf(show) + 1) % spec.views.length;
      this.#store.show = spec.views[next] as ViewName;
      this.#reader.say(this.#store.show);
    } else if (key === "c") this.#store.setContours(!this.#store.contours);
    else return false;
    return true;
  }

  #step(down: number, right: number): void {
    const { spec, slice, plane, cursor, hover, cell } = this.#store;
    const from = [cursor, hover, cell, spec.optimum].find((position) => placeOf(spec.shape, position));
    const place = placeOf(spec.shape, from ?? []);
    const clamp = (index: number, size: number): number => Math.max(0, Math.min(size - 1, index));
    const row = place ? clamp(place.row + down, plane.rows) : 0;
    const col = place ? clamp(place.col + right, plane.cols) : 0;
    this.#moveCursor(positionOf(spec.shape, slice, row, col));
  }

  #turn(by: number): boolean {
    const { spec, cursor } = this.#store;
    if (spec.shape.length < 3) return false;
    this.#store.slice += by;
    const { slice } = this.#store;
    this.#reader.say(`${axisTitle(spec.axes[2] as AxisSpec)} ${tickText(spec.axes[2] as AxisSpec, slice)}`);
    if (cursor.length) this.#store.cursor = [...cursor.slice(0, 2), slice];
    return true;
  }

  #moveCursor(position: number[]): void {
    if (!position.length && !this.#store.cursor.length) return;
    this.#store.cursor = position;
    this.#drawMarks();
    if (position.length) this.#reader.say(cellSentence(this.#store.spec, this.#store.cells, position));
  }

  #toOptimum(): void {
    const { spec } = this.#store;
    if (!placeOf(spec.shape, spec.optimum)) return;
    if (spec.optimum.length === 3) this.#store.slice = spec.optimum[2] as number;
    this.#store.select(spec.optimum);
    this.#reader.say(cellSentence(spec, this.#store.cells, spec.optimum));
  }
}
