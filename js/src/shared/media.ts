import type { Cleanup } from "./model.ts";

/** Tell whether a media query holds, at once and at each change. */
export function watchMedia(query: string, changed: (holds: boolean) => void): Cleanup {
  const list = matchMedia(query);
  const handler = (): void => changed(list.matches);
  list.addEventListener("change", handler);
  handler();
  return () => list.removeEventListener("change", handler);
}
