/** Dark or light: the host's own CSS variables first, the system's wish last. */
import type { Cleanup } from "./model.ts";

export type Theme = "light" | "dark";

/** Relative luminance (0..1) of a CSS colour as `getComputedStyle` writes it; null if transparent. */
export function luminance(colour: string): number | null {
  const numbers = colour.match(/[\d.]+%?/g)?.map((n) => Number.parseFloat(n));
  if (!numbers || numbers.length < 3) return null;
  const alpha = numbers.length > 3 ? (numbers[3] as number) : 1;
  if (alpha < 0.5) return null;
  const unit = colour.startsWith("color(") ? 1 : 255;
  const [r, g, b] = numbers.slice(0, 3).map((n) => {
    const c = n / unit;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The theme an element stands in: the first opaque background around it, else the system's. */
export function themeOf(el: Element): Theme {
  for (let node: Element | null = el.parentElement; node; node = parentOf(node)) {
    const light = luminance(getComputedStyle(node).backgroundColor);
    if (light !== null) return light < 0.35 ? "dark" : "light";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function parentOf(node: Element): Element | null {
  if (node.parentElement) return node.parentElement;
  const root = node.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

/**
 * Keep `data-theme` on the element equal to the theme around it, and tell `changed` at once and
 * at each change (a host that switches its theme changes attributes of `html` or `body`).
 */
export function followTheme(el: HTMLElement, changed: (theme: Theme) => void): Cleanup {
  let current: Theme | null = null;
  let pending = 0;
  const update = (): void => {
    pending = 0;
    current = themeOf(el);
    el.dataset.theme = current;
    changed(current);
  };
  const later = (): void => {
    // The host swaps its style sheets after the attribute: look once they have settled.
    if (!pending) pending = window.setTimeout(update, 60);
  };
  const observer = new MutationObserver(later);
  const attributes = { attributes: true, attributeFilter: ["class", "style", "data-theme", "data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"] };
  observer.observe(document.documentElement, attributes);
  observer.observe(document.body, attributes);
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", later);
  update();
  // Some hosts render first and attach afterwards; only then does the element stand in a theme.
  // (An observer also reports an element that is nowhere yet, once.)
  const attached = new ResizeObserver(() => {
    if (!el.isConnected) return;
    attached.disconnect();
    update();
  });
  attached.observe(el);
  return () => {
    observer.disconnect();
    attached.disconnect();
    system.removeEventListener("change", later);
    if (pending) clearTimeout(pending);
  };
}
