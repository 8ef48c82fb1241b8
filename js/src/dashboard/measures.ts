/** Which columns of a log are drawn where, and in what words. */
import { stroke, type Stroke } from "../plot/palette.ts";

export interface Measure {
  key: string;
  label: string;
  stroke: Stroke;
}

/** The main chart: the loss on training and validation rows, and the parts the total is made of. */
export const LOSSES: readonly Measure[] = [
  { key: "loss", label: "Training", stroke: stroke(0, 0) },
  { key: "validation_loss", label: "Validation", stroke: stroke(1, 1) },
  { key: "joint_loss", label: "Joint", stroke: stroke(2, 2) },
  { key: "marginal_loss", label: "Marginal", stroke: stroke(3, 3) },
  { key: "spread_loss", label: "Spread", stroke: stroke(4, 4) },
];

/** Columns that say where and when a row is, and so are no curves of their own. */
const POSITIONS = new Set([
  "epoch", "phase", "step", "steps", "time", "duration", "time_now",
  "validation_joint_loss", "validation_marginal_loss", "validation_spread_loss",
]);

const NAMES: Record<string, string> = {
  learning_rate: "Learning rate",
  gradient_norm: "Gradient norm",
  sphere_loss: "Sphere loss",
};

/** The small charts under the main one: the known ones first, then any further column. */
export function panels(columns: readonly string[]): Measure[] {
  const main = new Set(LOSSES.map(({ key }) => key));
  const rest = columns.filter((key) => !main.has(key) && !POSITIONS.has(key));
  const known = Object.keys(NAMES).filter((key) => rest.includes(key));
  const others = rest.filter((key) => !(key in NAMES));
  return [...known, ...others].map((key) => ({
    key,
    label: NAMES[key] ?? key,
    stroke: stroke(0, 0),
  }));
}

/**
 * The stroke of a measure of one run among several: then colour tells the run, and the dash the
 * measure, as it does with a single run.
 */
export function strokeOf(measure: Measure, run: number, runs: number): Stroke {
  return runs > 1 ? { color: stroke(run).color, dash: measure.stroke.dash } : measure.stroke;
}
