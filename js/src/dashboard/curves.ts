/** What a dashboard draws: the lines of its runs, their marks, and the range they are shown in. */
import type { Mark, Table } from "../plot/lines.ts";
import type { Rows } from "../plot/rows.ts";
import { short, type XAxis } from "../plot/scales.ts";
import { strokeOf, type Measure } from "./measures.ts";
import type { Run } from "./run.ts";
import type { UiState } from "./store.ts";
import { bestOf } from "./words.ts";

const SPHERE_LOSS = "sphere_loss";

/** Learning rate and gradient are the embedding's; fitting the sphere has a schedule of its own. */
export function rowsOf(run: Run, { key }: Measure): Rows {
  return key === SPHERE_LOSS ? run.all : run.space;
}

/** The lines of the runs that have a place on the axis; colours stay theirs when others are left out. */
export function tables(
  runs: readonly Run[],
  measures: readonly Measure[],
  ui: UiState,
  rows: (run: Run) => Rows,
): Table[] {
  return runs.map((run, index) => {
    const own = rows(run);
    const drawn = run.has(ui.axis) ? measures.filter(({ key }) => !ui.hidden.has(key) && own.filled(key)) : [];
    const lines = drawn.map((measure) => ({
      line: {
        key: `${index}/${measure.key}`,
        // Among several runs the dash tells the measure, and every line the name of its run.
        label: runs.length === 1 ? measure.label : run.info.name,
        stroke: strokeOf(measure, index, runs.length),
      },
      y: own.column(measure.key),
    }));
    return { x: run.course(own).x(ui.axis), lines };
  });
}

export function marks(runs: readonly Run[], { hidden, axis }: UiState): Mark[] {
  const found: Mark[] = [];
  for (const run of runs) {
    const best = run.has(axis) ? bestOf(run) : null;
    if (!best || hidden.has(best.key)) continue;
    const label = runs.length > 1 ? "" : `best ${short(best.loss)}`;
    const x = run.course(run.space).x(axis)[best.row] as number;
    found.push({ x, y: best.loss, label, color: "--ftx-ink" });
  }
  return found;
}

/** Where the embedding is trained, of all runs. */
export function fullRange(runs: readonly Run[], axis: XAxis): [number, number] {
  return reach(runs.filter((run) => run.has(axis)).map((run) => run.course(run.space).x(axis))) ?? [0, 1];
}

/** Where a sphere is fitted, for its loss, which would be a sliver of the whole; else null. */
export function ownRange(runs: readonly Run[], measure: Measure, axis: XAxis): [number, number] | null {
  if (measure.key !== SPHERE_LOSS) return null;
  const fitted = runs.filter((run) => run.has(axis) && Number.isFinite(run.sphereStart));
  return reach(fitted.map((run) => run.course(run.all).x(axis).subarray(run.space.length)));
}

function reach(lines: readonly Float64Array[]): [number, number] | null {
  const drawn = lines.filter((x) => x.length);
  if (!drawn.length) return null;
  const from = Math.min(...drawn.map((x) => x[0] as number));
  const to = Math.max(...drawn.map((x) => x[x.length - 1] as number));
  return from < to ? [from, to] : [from - 1, from + 1];
}
