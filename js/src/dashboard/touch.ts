/** Fingers on a chart: one reads as the mouse does, two stretch the range. A finger that moves up or
 * down scrolls the page. */
import type { Chart } from "../plot/chart.ts";
import { Owner, type Cleanup } from "../shared/model.ts";

/** The range in which the values `at` stand at the shares `to` of the width (0 left, 1 right). */
export function stretched(at: readonly [number, number], to: readonly [number, number]): [number, number] | null {
  const share = to[1] - to[0];
  if (Math.abs(share) < 0.02 || (at[1] - at[0]) / share <= 0) return null;
  const width = (at[1] - at[0]) / share;
  const from = at[0] - to[0] * width;
  return [from, from + width];
}

export function followFingers(
  el: HTMLElement,
  chart: Chart,
  does: { point(x: number | null): void; zoom(range: [number, number]): void },
): Cleanup {
  const owner = new Owner();
  /** Where each finger is, as a share of the width, and the value it holds. */
  const fingers = new Map<number, { x: number; value: number }>();
  const read = (x: number): void => does.point(chart.lines.snap(chart.valueAt(x)));
  owner.on(el, "pointerdown", (event) => {
    const x = event.pointerType === "touch" ? chart.share(event.clientX) : null;
    if (x === null) return;
    fingers.set(event.pointerId, { x, value: 0 });
    // Both hold what lies under them now: an earlier stretch has moved it.
    for (const finger of fingers.values()) finger.value = chart.valueAt(finger.x);
    if (fingers.size === 1) read(x);
  });
  owner.on(el, "pointermove", (event) => {
    const moved = fingers.get(event.pointerId);
    if (!moved) return;
    moved.x = chart.share(event.clientX) ?? moved.x;
    const [one, two] = [...fingers.values()];
    if (one && two) {
      const range = stretched([one.value, two.value], [one.x, two.x]);
      if (range) does.zoom(range);
    } else read(moved.x);
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    owner.on(el, end, (event) => {
      fingers.delete(event.pointerId);
    });
  }
  return () => owner.dispose();
}
