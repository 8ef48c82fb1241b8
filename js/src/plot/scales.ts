/** Ranges, ticks and number formats of the axes. */
import { format } from "d3-format";
import { ticks as linearTicks } from "d3-array";

export type YScale = "linear" | "log";

/** What a row's place along the horizontal axis says: its epoch, steps taken or seconds spent until then. */
export type XAxis = "epoch" | "step" | "time";

const WIDEST = Number.MAX_VALUE / 2;

/** An axis range with a little air; a flat line gets a range around it. */
export function padded(min: number, max: number, scale: YScale): [number, number] {
  if (!(min <= max)) return scale === "log" ? [0.1, 10] : [0, 1];
  if (scale === "log") {
    const air = max / min > 1 ? (max / min) ** 0.06 : 1.1;
    return [min / air, max * air];
  }
  const air = max > min ? (max - min) * 0.07 : Math.abs(max) * 0.1 || 1;
  const [low, high] = [min - air, max + air];
  // Beyond what a range can span, its middle is shown.
  return Number.isFinite(high - low) ? [low, high] : [Math.max(low, -WIDEST), Math.min(high, WIDEST)];
}

/** Round positions for grid lines, about `count` of them. */
export function ticks(min: number, max: number, scale: YScale, count: number): number[] {
  const decades = Math.log10(max / min);
  if (scale === "linear" || !(decades > 1.5)) return linearTicks(min, max, count);
  const digits = decades > 3 ? [1] : [1, 2, 5];
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power++) {
    for (const digit of digits) all.push(Number(`${digit}e${power}`));
  }
  const inside = all.filter((tick) => tick >= min && tick <= max);
  const step = Math.ceil(inside.length / (count * 2));
  return inside.filter((_, i) => i % step === 0);
}

const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7];
const SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 43200, 86400];

/** Distances between the ticks of a horizontal axis, and the words of its n-th tick. */
export function xAxis(axis: XAxis): { incrs: number[]; label(x: number, n: number): string } {
  if (axis === "time") return { incrs: SECONDS, label: (x) => (x === 0 ? "0 s" : duration(x)) };
  const count = (x: number): string => (x >= 1e5 ? short(x) : `${x}`);
  return { incrs: COUNTS, label: (x, n) => (n === 0 ? `${axis} ${count(x)}` : count(x)) };
}

/** A number in at most about six characters: `2.113`, `0.0008`, `3.2e-5`, `12.4k`, `1.7e308`. */
export function short(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  // There are no letters for the very large.
  if (size !== 0 && (size < 1e-3 || size >= 1e15)) return tidy(format(`.${Math.min(digits, 3) - 1}e`)(value));
  if (size >= 1e5) return format(`.${digits - 1}s`)(value);
  return tidy(format(`.${digits}r`)(value));
}

/** Cut trailing zeros of a fraction: `1.200` -> `1.2`, `3.00e-4` -> `3e-4`. */
function tidy(text: string): string {
  return text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

/** Seconds in words: `0.4 s`, `52 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 10) return `${short(seconds, 2)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  const minutes = Math.round((s % 3600) / 60);
  return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
}
