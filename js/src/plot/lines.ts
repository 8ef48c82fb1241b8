/** The lines of a chart: what is kept of them from one drawing to the next, and what of them is in sight. */
import { columns, lowerBound, nearest } from "./decimate.ts";
import type { Stroke } from "./palette.ts";
import { Pyramid } from "./pyramid.ts";
import { padded, type XAxis, type YScale } from "./scales.ts";
import { Smoothed } from "./smooth.ts";

export interface Line {
  key: string;
  /** Written where the line ends; empty for none. */
  label: string;
  stroke: Stroke;
}

/** Lines that share their positions, such as those of one run. */
export interface Table {
  x: Float64Array;
  lines: { line: Line; y: Float64Array }[];
}

/** A ring on a line, with a word beside it. */
export interface Mark {
  x: number;
  y: number;
  label: string;
  color: string;
}

export interface ChartData {
  tables: Table[];
  marks: Mark[];
  range: [number, number];
  /** What the positions are; epochs where it is not said. */
  axis?: XAxis;
  scale: YScale;
  /** 0 to below 1; with smoothing the raw line is drawn faintly underneath. */
  smoothing: number;
  /** A new number says that rows already given were replaced. */
  generation: number;
}

/** A line as it is drawn now. */
export interface Drawn {
  line: Line;
  x: Float64Array;
  raw: Pyramid;
  smooth: Pyramid | null;
  /** The rows to draw, and those of them in the visible range. */
  rows: [number, number];
  seen: [number, number];
  starts: number[] | null;
  /** Whether the raw and the smooth line are bands. */
  bands: [boolean, boolean];
}

/** What is kept of a line from one drawing to the next. */
interface Kept {
  raw: Pyramid;
  smooth: { average: Smoothed; reach: Pyramid } | null;
}

export class Lines {
  drawn: Drawn[] = [];
  /** Of the visible range: values that the log scale leaves out (zero and below), and infinite ones. */
  unshown = 0;
  infinite = 0;
  #kept = new Map<string, Kept>();
  #generation = -1;

  /** Make ready for drawing on `pixels` columns. */
  update(data: ChartData, pixels: number): void {
    if (data.generation !== this.#generation) this.#kept.clear();
    this.#generation = data.generation;
    const [from, to] = data.range;
    this.drawn = data.tables.flatMap(({ x, lines }) => {
      const seen: [number, number] = [lowerBound(x, from), lowerBound(x, to)];
      while (x[seen[1]] === to) seen[1]++;
      // One row on either side is drawn too, so that lines run to the edge.
      const rows: [number, number] = [Math.max(0, seen[0] - 1), Math.min(x.length, seen[1] + 1)];
      const starts = columns(x, rows[0], rows[1], from, to, pixels);
      return lines.map(({ line, y }) => ({ line, x, rows, seen, starts, bands: [false, false], ...this.#reach(line.key, y, data) }));
    });
  }

  /** What lies in the visible range, with a little air; and what of it cannot be shown. */
  extent(scale: YScale): [number, number] {
    this.unshown = this.infinite = 0;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (const { raw, seen } of this.drawn) {
      const { low, high, under, infinite } = raw.reach(...seen);
      this.unshown += under;
      this.infinite += infinite;
      if (low < 0) continue;
      min = Math.min(min, raw.values[low] as number);
      max = Math.max(max, raw.values[high] as number);
    }
    return padded(min, max, scale);
  }

  /** The position of a row that is nearest to `x`, of whatever line. */
  snap(x: number): number | null {
    let found: number | null = null;
    for (const { x: all } of this.drawn) {
      const at = all[nearest(all, x)];
      if (at !== undefined && (found === null || Math.abs(at - x) < Math.abs(found - x))) found = at;
    }
    return found;
  }

  /** A line and its smoothed twin; only what was added since the last time is computed. */
  #reach(key: string, y: Float64Array, { scale, smoothing }: ChartData): { raw: Pyramid; smooth: Pyramid | null } {
    let kept = this.#kept.get(key);
    if (kept?.raw.scale !== scale) {
      kept = { raw: new Pyramid(scale), smooth: null };
      this.#kept.set(key, kept);
    }
    kept.raw.extend(y);
    if (smoothing === 0) kept.smooth = null;
    else if (kept.smooth?.average.weight !== smoothing) {
      kept.smooth = { average: new Smoothed(smoothing), reach: new Pyramid(scale) };
    }
    const { raw, smooth } = kept;
    return { raw, smooth: smooth?.reach.extend(smooth.average.extend(y)) ?? null };
  }
}
