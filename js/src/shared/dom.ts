/** Small DOM helpers. Text always goes in as text, so names from a table can never be markup. */

type Attributes = Record<string, string | number | boolean | null>;

/** Make an element: `h("button", {type: "button"}, "Pause")`. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    el.setAttribute(name, value === true ? "" : String(value));
  }
  el.append(...children);
  return el;
}

/** Set text only when it differs, so that a live region or a selection is not disturbed. */
export function setText(el: Element, text: string): void {
  if (el.textContent !== text) el.textContent = text;
}

/** Put a style sheet once into the document or shadow root the element lives in. */
export function injectStyle(el: Element, id: string, css: string): void {
  const root = el.getRootNode();
  const home = root instanceof ShadowRoot ? root : document.head;
  const key = `featrix-${id}-${__VERSION__}`;
  if (home.querySelector(`style[data-key="${CSS.escape(key)}"]`)) return;
  home.append(h("style", { "data-key": key }, css));
}

/** Offer a file to the reader of the page. */
export function download(filename: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = h("a", { href: url, download: filename });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
