import type { Cleanup, Model } from "./model.ts";

/**
 * Tell the kernel whether the reader's pointer or focus is in a view, by the trait `_in_use`. While
 * it is, the kernel leaves the stored output alone: the notebook would draw it anew, and take from
 * under the reader's hand what he drags and the keys he presses.
 */
export function tellUse(el: HTMLElement, model: Model): Cleanup {
  const use = model as Model<{ _in_use: boolean }>;
  const tell = (inUse: boolean): void => {
    if (Boolean(use.get("_in_use")) === inUse) return;
    use.set("_in_use", inUse);
    use.save_changes();
  };
  const come = (): void => tell(true);
  const leave = (event: PointerEvent): void => {
    if (!event.buttons && !el.matches(":focus-within")) tell(false);
  };
  const blur = (event: FocusEvent): void => {
    if (!el.contains(event.relatedTarget as Node | null) && !el.matches(":hover")) tell(false);
  };
  el.addEventListener("pointerenter", come);
  el.addEventListener("focusin", come);
  el.addEventListener("pointerleave", leave);
  el.addEventListener("focusout", blur);
  return () => {
    el.removeEventListener("pointerenter", come);
    el.removeEventListener("focusin", come);
    el.removeEventListener("pointerleave", leave);
    el.removeEventListener("focusout", blur);
    tell(false);
  };
}
