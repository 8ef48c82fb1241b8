/** What every widget needs for people who do not see it, or do not use a mouse. */
import { h, setText } from "./dom.ts";
import { watchMedia } from "./media.ts";
import type { Cleanup } from "./model.ts";

/** A polite live region: `say` is spoken when the reader is idle, and at most every `gap` ms. */
export class Announcer {
  readonly el = h("div", { class: "ftx-hidden", role: "status", "aria-live": "polite" });
  #gap: number;
  #last = Number.NEGATIVE_INFINITY;
  #timer = 0;

  constructor(gap = 5000) {
    this.#gap = gap;
  }

  say(text: string): void {
    clearTimeout(this.#timer);
    const wait = this.#last + this.#gap - performance.now();
    if (wait > 0) {
      this.#timer = window.setTimeout(() => this.say(text), wait);
      return;
    }
    this.#last = performance.now();
    setText(this.el, text);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }
}

/** Tell whether the reader asked for less motion, now and at each change. */
export function followReducedMotion(changed: (reduced: boolean) => void): Cleanup {
  return watchMedia("(prefers-reduced-motion: reduce)", changed);
}

/** Tell whether the system replaces all colours (high contrast), now and at each change. */
export function followForcedColors(changed: (forced: boolean) => void): Cleanup {
  return watchMedia("(forced-colors: active)", changed);
}
