/** The keyboard on the main chart: arrows read row by row, plus and minus zoom around the crosshair. */
import { nearest } from "../plot/decimate.ts";
import { fullRange } from "./curves.ts";
import type { Run } from "./run.ts";
import type { UiState } from "./store.ts";

export type Move = { to: number } | { range: [number, number] | null } | { away: true };

/** What a key does; null when it is not for the chart. */
export function moveOf(key: string, runs: readonly Run[], ui: UiState): Move | null {
  if (key === "Escape") return ui.cursor === null && ui.range === null ? null : { away: true };
  const x = places(runs, ui);
  if (!x.length) return null;
  const at = ui.cursor === null ? x.length - 1 : nearest(x, ui.cursor);
  const moves: Record<string, number> = {
    ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at + 10, PageDown: at - 10, Home: 0, End: x.length - 1,
  };
  const to = moves[key];
  if (to !== undefined) return { to: x[Math.max(0, Math.min(x.length - 1, to))] as number };
  if (key !== "+" && key !== "=" && key !== "-") return null;
  const full = fullRange(runs, ui.axis);
  const [from, until] = ui.range ?? full;
  const middle = ui.cursor ?? (from + until) / 2;
  const factor = key === "-" ? 2 : 0.5;
  return { range: within([middle - (middle - from) * factor, middle + (until - middle) * factor], full) };
}

/** A range cut to the whole; null when it is the whole. */
export function within(range: readonly [number, number], full: readonly [number, number]): [number, number] | null {
  const cut: [number, number] = [Math.max(full[0], range[0]), Math.min(full[1], range[1])];
  if (!(cut[0] < cut[1])) return null;
  return cut[0] <= full[0] && cut[1] >= full[1] ? null : cut;
}

/** The rows that the arrows go along: of the run that has most. */
function places(runs: readonly Run[], { axis }: UiState): Float64Array {
  const all = runs.filter((run) => run.has(axis)).map((run) => run.course(run.space).x(axis));
  return all.reduce((longest, x) => (x.length > longest.length ? x : longest), new Float64Array(0));
}
