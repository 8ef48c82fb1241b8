/** Boxes and lassos by keyboard: arrow keys move a pen, Space sets a corner, Enter selects. */

import { box, type Pixel } from "../gl/lasso.ts";
import type { Stage } from "./stage.ts";
import type { Mode } from "./toolbar.ts";

const STEP_PX = 8;
const MOVES: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export interface PenHandlers {
  /** The outline of the stage is closed; `add` to what is selected. */
  done(add: boolean): void;
  say(text: string): void;
}

export class Pen {
  readonly #stage: Stage;
  readonly #on: PenHandlers;
  #corners: Pixel[] = [];

  constructor(stage: Stage, handlers: PenHandlers) {
    this.#stage = stage;
    this.#on = handlers;
  }

  /** Whether a key meant something, in a mode that draws. */
  key(event: KeyboardEvent, mode: Mode): boolean {
    const stage = this.#stage;
    const move = MOVES[event.key];
    if (move) this.#move(move, event.shiftKey ? 5 * STEP_PX : STEP_PX);
    else if (event.key === " ") this.#set(mode);
    else if (!stage.pen) return false;
    else if (event.key === "Escape") this.drop();
    else if (event.key === "Enter" && stage.outline.length > 2) {
      this.#on.done(event.shiftKey);
      this.drop();
    } else if (event.key === "Enter") this.#on.say("Set corners with Space first");
    else return false;
    if (stage.pen) {
      const [first] = this.#corners;
      if (mode === "lasso") stage.outline = [...this.#corners, stage.pen];
      else stage.outline = first ? box(first, stage.pen) : [];
    }
    stage.drawOverlay();
    return true;
  }

  /** Put the pen away with what it has drawn. */
  drop(): void {
    this.#corners = [];
    this.#stage.pen = null;
    this.#stage.outline = [];
    this.#stage.drawOverlay();
  }

  #move([right, down]: readonly [number, number], step: number): void {
    const { width, height } = this.#stage.view;
    const { x, y } = this.#at();
    this.#stage.pen = {
      x: Math.min(width, Math.max(0, x + right * step)),
      y: Math.min(height, Math.max(0, y + down * step)),
    };
    this.#on.say(this.#place());
  }

  #set(mode: Mode): void {
    this.#stage.pen = this.#at();
    if (mode === "box") this.#corners = []; // the other one follows the pen
    this.#corners.push(this.#stage.pen);
    this.#on.say(`Corner ${this.#corners.length}: ${this.#place()}`);
  }

  /** The first time in the middle. */
  #at(): Pixel {
    const { pen, view } = this.#stage;
    return pen ?? { x: view.width / 2, y: view.height / 2 };
  }

  #place(): string {
    const { pen, view } = this.#stage;
    const percent = (part: number, whole: number): number => Math.round((100 * part) / whole);
    return `${percent(pen!.x, view.width)} % across, ${percent(pen!.y, view.height)} % down`;
  }
}
