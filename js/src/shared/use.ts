import { Owner, type Cleanup, type Model } from "./model.ts";

const RESTS_MS = 2000; // A pointer that has not moved for so long is left lying, not used.

/**
 * Tell the kernel by the trait `_in_use` whether a reader has the focus in a view or moves the
 * pointer over it. While he does, the kernel leaves the stored output alone: the notebook would
 * draw it anew, and take from under the reader's hand what he drags and the keys he presses.
 */
export function tellUse(el: HTMLElement, model: Model): Cleanup {
  const use = model as Model<{ _in_use: boolean }>;
  let inUse = false;
  let moved = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = (): void => {
    if (Boolean(use.get("_in_use")) === inUse) return;
    use.set("_in_use", inUse);
    use.save_changes();
  };
  const look = (): void => {
    clearTimeout(timer);
    inUse = performance.now() - moved < RESTS_MS || el.matches(":focus-within");
    tell();
    // Looked at again, as an element that is disabled or removed loses the focus without an event.
    if (inUse) timer = setTimeout(look, RESTS_MS);
  };
  const point = (): void => {
    moved = performance.now();
    if (!inUse) look();
  };
  const leave = (): void => {
    moved = -Infinity;
    look();
  };
  const blur = (): void => {
    // When this is told, the focus has left one element and not come to the next.
    clearTimeout(timer);
    timer = setTimeout(look);
  };
  const owner = new Owner();
  owner.own(() => {
    clearTimeout(timer);
    inUse = false;
    tell();
  });
  owner.on(el, "pointermove", point, { capture: true });
  owner.on(el, "pointerdown", point, { capture: true });
  owner.on(el, "pointerleave", leave);
  owner.on(el, "focusin", look);
  owner.on(el, "focusout", blur);
  return () => owner.dispose();
}
