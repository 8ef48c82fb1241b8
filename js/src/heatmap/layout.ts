/** Where the parts of a picture stand. */
import { padded } from "../plot/scales.ts";
import { axisTicks, scaleTicks, tickText, type AxisSpec } from "./axis.ts";
import type { Box, Brush, Grid } from "./brush.ts";
import { indexIn } from "./cells.ts";
import { shade } from "./ramp.ts";
import { isLine, limitsOf, numbersOf, type Scene } from "./scene.ts";

const BAR_WIDTH = 14;
const STRIP_HEIGHT = 84;
const TOP = 12;

export interface Layout {
  /** The cells; of a line, what it moves in. */
  plot: Grid;
  bar: Box | null;
  /** Whether the names below are slanted. */
  slant: boolean;
  /** What a line's lower and upper end stand for. */
  range: readonly [number, number];
}

export function layOut(scene: Scene, brush: Brush): Layout {
  const { axes, shape } = scene.spec;
  const line = isLine(scene);
  const range = line ? lineRange(scene) : limitsOf(scene);
  const bar = !line && scene.show !== "class";
  const right = bar ? 24 + BAR_WIDTH + barRoom(scene, brush) : 14;
  const left = 34 + leftRoom(scene, brush, range);
  const width = Math.max(20, brush.width - left - right);
  const slant = slants(xAxisOf(scene), width, brush);
  const height = Math.max(20, brush.height - (slant ? 92 : 46) - TOP);
  const strip = shape.length === 1 && !line;
  const plot = {
    x: axes.length === 1 && !line ? left - 20 : left,
    y: strip ? TOP + Math.max(0, (height - STRIP_HEIGHT) / 2) : TOP,
    width,
    height: strip ? Math.min(STRIP_HEIGHT, height) : height,
  };
  const { rows, cols } = scene.plane;
  return {
    plot: { ...plot, cellWidth: width / cols, cellHeight: plot.height / rows },
    bar: bar ? { x: plot.x + width + 18, y: plot.y, width: BAR_WIDTH, height: plot.height } : null,
    slant,
    range,
  };
}

export function xAxisOf({ spec }: Scene): AxisSpec {
  return spec.axes[spec.shape.length === 1 ? 0 : 1] as AxisSpec;
}

export function yTickCount(height: number): number {
  return Math.max(2, Math.floor(height / 22));
}

/** Room that a name or a number below needs. */
export function xRoom(axis: AxisSpec, brush: Brush): number {
  const words = axis.ticks.slice(0, 200).map((_, i) => tickText(axis, i));
  return Math.min(axis.kind === "number" ? 52 : 110, brush.widest(words) + 14);
}

export function barTicks(scene: Scene, height: number): { value: number; label: string }[] {
  return scaleTicks(...limitsOf(scene), Math.max(2, Math.min(8, Math.floor(height / 50))));
}

/** The middle of a cell; on a line, its point. */
export function pointAt(scene: Scene, { plot, range }: Layout, row: number, col: number): { x: number; y: number } {
  const x = plot.x + (col + 0.5) * plot.cellWidth;
  if (!isLine(scene)) return { x, y: plot.y + (row + 0.5) * plot.cellHeight };
  const value = numbersOf(scene)[indexIn(scene.plane, row, col)] as number;
  return { x, y: levelIn(plot, Number.isNaN(value) ? range[0] / 2 + range[1] / 2 : value, range) };
}

/** How high a value stands in a box whose ends stand for `range`. */
export function levelIn(box: Box, value: number, [low, high]: readonly [number, number]): number {
  return box.y + box.height * (1 - shade(value, low, high));
}

function leftRoom(scene: Scene, brush: Brush, range: readonly [number, number]): number {
  const { axes, shape } = scene.spec;
  const most = Math.max(40, brush.width * 0.3);
  if (shape.length > 1) {
    const labels = axisTicks(axes[0] as AxisSpec, yTickCount(brush.height)).map(({ label }) => label);
    return Math.min(most, brush.widest(labels));
  }
  if (!isLine(scene)) return 0;
  return Math.min(most, brush.widest(scaleTicks(...range).map(({ label }) => label)));
}

function barRoom(scene: Scene, brush: Brush): number {
  const labels = barTicks(scene, brush.height).map(({ label }) => label);
  return Math.min(90, 12 + brush.widest(labels)) + 10;
}

/** Whether the names are too long to stand side by side, and few enough to be slanted. */
function slants(axis: AxisSpec, width: number, brush: Brush): boolean {
  if (axis.kind === "number" || axis.ticks.length * 16 > width) return false;
  return brush.widest(axis.ticks as string[]) + 10 > width / axis.ticks.length;
}

function lineRange(scene: Scene): [number, number] {
  if (scene.show === "confidence") return [0, 1];
  const [low, high] = limitsOf(scene);
  const { threshold } = scene.spec;
  return threshold === null
    ? padded(low, high, "linear")
    : padded(Math.min(low, threshold), Math.max(high, threshold), "linear");
}
