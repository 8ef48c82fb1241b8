/** Buttons with a small drawing in place of a word; the word is their label. */

import { h } from "../shared/dom.ts";

const SVG = "http://www.w3.org/2000/svg";

export function isPressed(el: HTMLButtonElement): boolean {
  return el.getAttribute("aria-pressed") === "true";
}

export function press(el: HTMLButtonElement, on: boolean): void {
  const value = String(on);
  if (el.getAttribute("aria-pressed") !== value) el.setAttribute("aria-pressed", value);
}

/** `path` is drawn as a stroke on a 16 x 16 grid; `pressed` is null for a button that is no switch. */
export function iconButton(
  path: string,
  label: string,
  act: () => void,
  pressed: boolean | null = null,
): HTMLButtonElement {
  const el = h("button", {
    class: "ftx-sphere-tool",
    type: "button",
    "aria-pressed": pressed === null ? null : String(pressed),
  });
  setIcon(el, path, label);
  el.addEventListener("click", act);
  return el;
}

/** Give a button another drawing and label. */
export function setIcon(el: HTMLButtonElement, path: string, label: string): void {
  if (el.title === label) return;
  el.title = label;
  el.setAttribute("aria-label", label);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  el.replaceChildren(svg);
}
