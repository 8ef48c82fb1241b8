/** The buttons over the picture: what dragging does, and the camera's few commands. */

import { h } from "../shared/dom.ts";
import { iconButton, isPressed, press } from "./buttons.ts";

export type Mode = "turn" | "box" | "lasso";

export interface ToolbarHandlers {
  mode(mode: Mode): void;
  through(on: boolean): void;
  autoRotate(on: boolean): void;
  zoom(factor: number): void;
  reset(): void;
}

/** Paths on a 16 x 16 grid, drawn as strokes. */
const ICONS: Record<Mode | "through" | "rotate" | "in" | "out" | "reset", string> = {
  turn: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M1.8 8c2.6 2.6 9.8 2.6 12.4 0M8 1.8c-3.2 3-3.2 9.4 0 12.4",
  box: "M2.5 5V2.5H5M7 2.5h2M11 2.5h2.5V5M13.5 7v2M13.5 11v2.5H11M9 13.5H7M5 13.5H2.5V11M2.5 9V7",
  lasso: "M4.5 10.2C2.6 9.4 1.8 8.2 1.8 7c0-2.6 2.8-4.4 6.2-4.4s6.2 1.8 6.2 4.4-2.8 4.4-6.2 4.4c-.9 0-1.7-.1-2.4-.3M4.2 9.4a1.4 1.4 0 1 1 1.2 2.3c-.2 1.3-.9 2-2.2 2.4",
  through: "M2 8h9M8.5 5l3 3-3 3M14 3v10M4.5 3v2M4.5 11v2",
  rotate: "M13.6 6.2A6 6 0 0 0 3 4.8M2.4 9.8A6 6 0 0 0 13 11.2M3 1.8v3h3M13 14.2v-3h-3",
  in: "M8 3v10M3 8h10",
  out: "M3 8h10",
  reset: "M2.5 7.5 8 2.8l5.5 4.7M4 6.5v6.7h8V6.5",
};

export class Toolbar {
  readonly el = h("div", { class: "ftx-sphere-tools", role: "toolbar", "aria-label": "Sphere tools" });
  readonly #modes: Record<Mode, HTMLButtonElement>;
  readonly #through: HTMLButtonElement;
  readonly #rotate: HTMLButtonElement;

  constructor(handlers: ToolbarHandlers) {
    const mode = (name: Mode, label: string): HTMLButtonElement =>
      iconButton(ICONS[name], label, () => handlers.mode(name), false);
    this.#modes = {
      turn: mode("turn", "Drag to turn (shift-drag draws a box)"),
      box: mode("box", "Drag a box to select (B)"),
      lasso: mode("lasso", "Drag a lasso to select (L)"),
    };
    this.#through = iconButton(ICONS.through, "Select the far side as well (T)", () =>
      handlers.through(!isPressed(this.#through)), false);
    this.#rotate = iconButton(ICONS.rotate, "Turn by itself (R)", () =>
      handlers.autoRotate(!isPressed(this.#rotate)), false);
    this.el.append(
      h("span", { role: "group", "aria-label": "Dragging" }, ...Object.values(this.#modes), this.#through),
      h("span", { role: "group", "aria-label": "Camera" },
        iconButton(ICONS.in, "Zoom in (+)", () => handlers.zoom(1.3)),
        iconButton(ICONS.out, "Zoom out (-)", () => handlers.zoom(1 / 1.3)),
        iconButton(ICONS.reset, "First view (0)", () => handlers.reset()),
        this.#rotate,
      ),
    );
    this.setMode("turn");
  }

  setMode(mode: Mode): void {
    for (const [name, el] of Object.entries(this.#modes)) press(el, name === mode);
  }

  setThrough(on: boolean): void {
    press(this.#through, on);
  }

  setAutoRotate(on: boolean): void {
    press(this.#rotate, on);
  }
}
