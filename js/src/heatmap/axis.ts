/** Ticks of the axes and of the colour scale. */
import { format } from "d3-format";
import { ticks as linearTicks } from "d3-array";
import { short } from "../plot/scales.ts";

export interface AxisSpec {
  label: string;
  unit: string;
  /** Numbers rise or fall along the axis; anything else is text. */
  kind: "number" | "category";
  ticks: (number | string)[];
}

export interface Tick {
  /** In units of cells: the centre of the first cell is 0.5. */
  at: number;
  label: string;
}

export function axisTitle({ label, unit }: AxisSpec): string {
  return unit ? `${label} (${unit})` : label;
}

/** What stands at a cell. */
export function tickText(axis: AxisSpec, index: number): string {
  const tick = axis.ticks[index];
  if (tick === undefined) return "";
  return typeof tick === "number" ? plainNumber(tick) : tick;
}

/** A number as a person would write it: years without a comma, no more digits than it has. */
export function plainNumber(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return compact(value, 4);
  return minus(String(Number(value.toPrecision(Math.max(5, Math.trunc(size).toString().length)))));
}

/** A number too large or too small to be written out. */
function compact(value: number, digits: number): string {
  return Math.abs(value) >= 1e15 ? format(`.${digits - 1}~e`)(value) : short(value, digits);
}

/** The sign that the other numbers of the page have. */
export function minus(text: string): string {
  return text.replace(/^-/, "−");
}

/** So short a number is written at its cell wherever there is room for all of them. */
const BRIEF = 4;

/** At most `count` ticks: of each cell where they fit, else round numbers, else every n-th cell. */
export function axisTicks(axis: AxisSpec, count: number): Tick[] {
  const { ticks } = axis;
  const n = ticks.length;
  const fits = n <= count && ticks.every((_, i) => tickText(axis, i).length <= BRIEF);
  if (axis.kind === "number" && n > 2 && n > count / 2 && !fits) {
    const round = roundTicks(ticks as number[], Math.max(2, count));
    if (round.length > 1) return round;
  }
  const step = Math.max(1, Math.ceil(n / Math.max(1, count)));
  const shown: Tick[] = [];
  for (let i = 0; i < n; i += step) shown.push({ at: i + 0.5, label: tickText(axis, i) });
  return shown;
}

function roundTicks(numbers: readonly number[], count: number): Tick[] {
  const first = numbers[0] as number;
  const last = numbers[numbers.length - 1] as number;
  const [low, high] = first < last ? [first, last] : [last, first];
  if (!Number.isFinite(high - low)) return [];
  let values = linearTicks(low, high, count);
  // What is asked for is a hint: there may come half as many again.
  for (let fewer = count - 1; values.length > count && fewer > 0; fewer--) values = linearTicks(low, high, fewer);
  const write = writer(values);
  return values.map((value) => ({ at: placeOn(numbers, value), label: write(value) }));
}

/** Where a number stands along an axis, between the centres of its neighbours. */
export function placeOn(numbers: readonly number[], value: number): number {
  const falls = (numbers[0] as number) > (numbers[numbers.length - 1] as number);
  let low = 0;
  let high = numbers.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (falls ? (numbers[middle] as number) >= value : (numbers[middle] as number) <= value) low = middle;
    else high = middle;
  }
  const a = numbers[low] as number;
  const b = numbers[high] as number;
  return low + 0.5 + (a === b ? 0 : (value - a) / (b - a));
}

/** One way to write all of some evenly spaced numbers. */
export function writer(values: readonly number[]): (value: number) => string {
  const step = values.length > 1 ? Math.abs((values[1] as number) - (values[0] as number)) : 0;
  const size = Math.max(...values.map(Math.abs), 0);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return (value) => compact(value, 3);
  const decimals = step > 0 ? Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9))) : 3;
  const write = format(`.${decimals}f`);
  return (value) => write(Math.abs(value) < step / 1e6 ? 0 : value);
}

export interface ScaleTick {
  value: number;
  label: string;
}

/** Round numbers on the colour scale. */
export function scaleTicks(low: number, high: number, count = 5): ScaleTick[] {
  if (!(high > low) || !Number.isFinite(high - low)) {
    const ends = high > low ? [low, high] : [low];
    return ends.map((value) => ({ value, label: plainNumber(value) }));
  }
  const values = linearTicks(low, high, count);
  const write = writer(values);
  return values.map((value) => ({ value, label: write(value) }));
}
