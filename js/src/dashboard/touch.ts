/** Fingers on a chart: one reads as the mouse does, two stretch the range. A finger that moves up or
 * down scrolls the page. */
import type { Chart } from "../plot/chart.ts";
import { Owner } from "../shared/model.ts";

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
): Owner {
  const owner = new Owner();
  const fingers = new Map<number, { x: number; value: number }>();
  const put = (event: PointerEvent, begin: boolean): void => {
    const share = chart.share(event.clientX);
    const before = fingers.get(event.pointerId);
    if (share === null || (!begin && !before)) return;
    fingers.set(event.pointerId, { x: share, value: before?.value ?? chart.valueAt(share) });
  };
  owner.on(el, "pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    put(event, true);
    // Both hold what lies under them now: an earlier stretch has moved it.
    for (const finger of fingers.values()) finger.value = chart.valueAt(finger.x);
    if (fingers.size === 1) does.point(chart.lines.snap(chart.valueAt(chart.share(event.clientX) ?? 0)));
  });
  owner.on(el, "pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    put(event, false);
    const [one, two] = [...fingers.values()];
    if (one && two) {
      const range = stretched([one.value, two.value], [one.x, two.x]);
      if (range) does.zoom(range);
    } else if (one) does.point(chart.lines.snap(chart.valueAt(one.x)));
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    owner.on(el, end, (event) => {
      fingers.delete(event.pointerId);
    });
  }
  return owner;
}
