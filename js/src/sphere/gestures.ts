/** Pointer, wheel and keyboard on the picture, turned into commands. */

import { box, fillMask, thin, type Pixel } from "../gl/lasso.ts";
import type { Owner } from "../shared/model.ts";
import { Pen } from "./pen.ts";
import type { Stage } from "./stage.ts";
import type { SelectMode } from "./rows.ts";
import type { Mode } from "./toolbar.ts";

const CLICK_PX = 4;
const REST_MS = 70;
const TURN_STEP = Math.PI / 36;

export interface GestureHandlers {
  mode(): Mode;
  through(): boolean;
  hover(point: number, at: Pixel): void;
  select(points: ArrayLike<number>, mode: SelectMode): void;
  /** A command key, before the camera's keys are looked at; returns whether it meant something. */
  key(event: KeyboardEvent): boolean;
  /** Someone tried the wheel without focus. */
  wheelHint(): void;
  grabbed(): void;
  say(text: string): void;
}

export class Gestures {
  readonly #stage: Stage;
  readonly #on: GestureHandlers;
  readonly #pen: Pen;
  readonly #pointers = new Map<number, Pixel>();
  #start: Pixel | null = null;
  #drawing: Mode | null = null;
  #travelled = 0;
  #rest = 0;

  constructor(stage: Stage, handlers: GestureHandlers, owner: Owner) {
    this.#stage = stage;
    this.#on = handlers;
    this.#pen = new Pen(stage, {
      done: (add) => this.#selectInside(add ? "add" : "replace"),
      say: (text) => handlers.say(text),
    });
    const { el } = stage;
    owner.on(el, "pointerdown", (event) => this.#down(event));
    owner.on(el, "pointermove", (event) => this.#moved(event));
    owner.on(el, "pointerup", (event) => this.#up(event, true));
    owner.on(el, "pointercancel", (event) => this.#up(event, false));
    owner.on(el, "pointerleave", (event) => {
      // A finger leaves whenever it is lifted: what it has tapped stays to be read.
      if (event.pointerType !== "touch") this.#leave();
    });
    owner.on(el, "wheel", (event) => this.#wheel(event), { passive: false });
    owner.on(el, "keydown", (event) => this.#key(event));
    owner.own(() => clearTimeout(this.#rest));
  }

  #at(event: MouseEvent): Pixel {
    const bounds = this.#stage.el.getBoundingClientRect();
    return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return;
    const { el } = this.#stage;
    el.focus({ preventScroll: true });
    el.setPointerCapture(event.pointerId);
    this.#leave();
    const at = this.#at(event);
    this.#pointers.set(event.pointerId, at);
    if (this.#pointers.size > 1) {
      this.drop();
      return;
    }
    this.drop();
    this.#start = at;
    this.#travelled = 0;
    const mode = event.shiftKey && this.#on.mode() === "turn" ? "box" : this.#on.mode();
    this.#drawing = mode === "turn" ? null : mode;
    this.#on.grabbed();
    this.#stage.grab();
  }

  #moved(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    const at = this.#at(event);
    if (!before) {
      if (event.pointerType !== "touch") this.#hoverAtRest(at);
      return;
    }
    if (this.#pointers.size === 2) this.#pinch(event.pointerId, at);
    this.#pointers.set(event.pointerId, at);
    if (this.#pointers.size > 1 || !this.#start) return;
    this.#travelled += Math.hypot(at.x - before.x, at.y - before.y);
    if (this.#drawing) this.#draw(at);
    else if (this.#travelled > CLICK_PX) {
      this.#stage.drag(event.timeStamp, at.x - before.x, at.y - before.y);
    }
  }

  #draw(at: Pixel): void {
    const stage = this.#stage;
    stage.outline =
      this.#drawing === "box" ? box(this.#start!, at) : thin([...stage.outline, at]);
    stage.drawOverlay();
  }

  #pinch(moved: number, to: Pixel): void {
    const other = [...this.#pointers].find(([id]) => id !== moved)?.[1];
    const from = this.#pointers.get(moved);
    if (!other || !from) return;
    const before = Math.hypot(from.x - other.x, from.y - other.y);
    const after = Math.hypot(to.x - other.x, to.y - other.y);
    if (before > 0) this.#stage.zoom(after / before, (to.x + other.x) / 2, (to.y + other.y) / 2);
  }

  #up(event: PointerEvent, completed: boolean): void {
    if (!this.#pointers.delete(event.pointerId) || this.#pointers.size > 0) return;
    const stage = this.#stage;
    const mode: SelectMode = event.shiftKey ? "add" : "replace";
    stage.letGo(event.timeStamp);
    if (!this.#start) return;
    this.#start = null;
    if (completed && this.#travelled <= CLICK_PX) this.#click(event);
    else if (completed && this.#drawing) this.#selectInside(mode);
    this.drop();
  }

  #selectInside(mode: SelectMode): void {
    const stage = this.#stage;
    const mask = fillMask(stage.outline, stage.view);
    this.#on.select(stage.inside(mask, this.#on.through()), mode);
  }

  #click(event: PointerEvent): void {
    const at = this.#at(event);
    const point = this.#stage.pick(at.x, at.y);
    if (point < 0) return;
    this.#on.select([point], event.shiftKey ? "toggle" : "replace");
    this.#on.hover(point, at);
  }

  /** What is being drawn, by hand or by key, is not wanted any more. */
  drop(): void {
    this.#start = null;
    this.#drawing = null;
    this.#pen.drop();
  }

  /** Looking for the point under the pointer waits until the pointer rests. */
  #hoverAtRest(at: Pixel): void {
    clearTimeout(this.#rest);
    this.#rest = window.setTimeout(() => this.#on.hover(this.#stage.pick(at.x, at.y), at), REST_MS);
  }

  #leave(): void {
    clearTimeout(this.#rest);
    this.#on.hover(-1, { x: 0, y: 0 });
  }

  #wheel(event: WheelEvent): void {
    const { el } = this.#stage;
    // Without focus the wheel belongs to the page: a notebook must not get stuck on a picture.
    if ((el.getRootNode() as Document | ShadowRoot).activeElement !== el) {
      this.#on.wheelHint();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0016; // a pinch on a trackpad arrives as ctrl + wheel
    const at = this.#at(event);
    this.#stage.zoom(Math.exp(-event.deltaY * lines * speed), at.x, at.y);
    this.#leave();
  }

  #key(event: KeyboardEvent): void {
    if (event.target !== this.#stage.el || event.ctrlKey || event.metaKey || event.altKey) return;
    const mode = this.#on.mode();
    const isDrawn = mode !== "turn" && this.#pen.key(event, mode);
    if (isDrawn || this.#on.key(event) || this.#cameraKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  #cameraKey(event: KeyboardEvent): boolean {
    const stage = this.#stage;
    const step = TURN_STEP * (event.shiftKey ? 3 : 1);
    const turns: Record<string, readonly [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, step],
      ArrowDown: [0, -step],
    };
    const turn = turns[event.key];
    if (turn) stage.turn(...turn);
    else if (event.key === "+" || event.key === "=") stage.zoom(1.2);
    else if (event.key === "-" || event.key === "_") stage.zoom(1 / 1.2);
    else if (event.key === "0" || event.key === "Home") stage.reset();
    else return false;
    return true;
  }
}
