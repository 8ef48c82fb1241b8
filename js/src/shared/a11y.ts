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

/**
 * Keep the keys pressed inside `root` from the shortcuts of JupyterLab, which would take the arrows
 * for moving between cells before they arrive. It looks for the mark from the focused element
 * outwards and stops at the first shortcut that fits, so that the mark must be on that element.
 */
export function keepKeys(root: HTMLElement): Cleanup {
  const mark = ({ target }: FocusEvent): void => {
    if (target instanceof HTMLElement) target.dataset.lmSuppressShortcuts = "true";
  };
  root.addEventListener("focusin", mark);
  return () => root.removeEventListener("focusin", mark);
}
