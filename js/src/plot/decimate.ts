/**
 * Min-max decimation: a line of any length is drawn through at most two rows a pixel column, its
 * lowest and its highest there, so that every spike is kept.
 */
import type { Pyramid } from "./pyramid.ts";

/** Where a line goes: a `Path2D` on the page, text in an SVG file. */
export interface Sink {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** First index of the sorted `x` in [low, high) that is not below `value`; `high` for none. */
export function lowerBound(x: ArrayLike<number>, value: number, low = 0, high = x.length): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((x[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the row whose x is nearest to `value`; -1 when there are no rows. */
export function nearest(x: ArrayLike<number>, value: number): number {
  const right = lowerBound(x, value);
  if (right === 0) return x.length ? 0 : -1;
  if (right === x.length) return right - 1;
  return value - (x[right - 1] as number) <= (x[right] as number) - value ? right - 1 : right;
}

/** Like `nearest`; -1 also where `value` lies outside the rows by more than the distance between two of them. */
export function rowAt(x: ArrayLike<number>, value: number): number {
  const n = x.length;
  const step = n > 1 ? ((x[n - 1] as number) - (x[0] as number)) / (n - 1) : 0;
  const beyond = value < (x[0] as number) - step || value > (x[n - 1] as number) + step;
  return beyond ? -1 : nearest(x, value);
}

/**
 * Where each of `count` equal columns of [from, to] begins in the rows [first, end), for lines that
 * share the positions `x`; null when there are so few rows that each is drawn.
 */
export function columns(
  x: ArrayLike<number>,
  first: number,
  end: number,
  from: number,
  to: number,
  count: number,
): number[] | null {
  if (end - first <= 2 * count) return null;
  const width = (to - from) / count;
  const starts = [first];
  for (let k = 1, i = first; k <= count; k++) {
    const edge = from + k * width;
    // Rows are about evenly spaced: the next edge is a few rows on, which doubling steps find.
    let step = 1;
    while (i + step < end && (x[i + step] as number) < edge) step *= 2;
    i = lowerBound(x, edge, i, Math.min(end, i + step));
    if (i > (starts[starts.length - 1] as number)) starts.push(i);
    if (i >= end) return starts;
  }
  starts.push(end);
  return starts;
}

/**
 * Draw a line through the rows [first, end), or through the extremes of each of `starts`.
 *
 * Where values are missing, the line has a gap, unless that is how often this line has values at
 * all, such as a validation loss of every fifth epoch. A lone row is a short dash.
 */
export function trace(
  sink: Sink,
  line: Pyramid,
  first: number,
  end: number,
  starts: readonly number[] | null,
  place: { x(row: number): number; y(value: number): number },
): void {
  const gap = 1.5 * line.stride;
  let before = -1;
  let open = -1; // the row a line was begun at, while nothing has followed
  const close = (): void => {
    if (open < 0) return;
    const [x, y] = [place.x(open), place.y(line.values[open] as number)];
    sink.moveTo(x - 1.5, y);
    sink.lineTo(x + 1.5, y);
  };
  const draw = (row: number, begin: boolean): void => {
    const [x, y] = [place.x(row), place.y(line.values[row] as number)];
    if (begin) {
      close();
      sink.moveTo(x, y);
      open = row;
    } else {
      sink.lineTo(x, y);
      open = -1;
    }
  };
  if (starts === null) {
    for (let i = first; i < end; i++) {
      if (!line.shows(line.values[i] as number)) continue;
      draw(i, before < 0 || i - before > gap);
      before = i;
    }
  } else {
    for (let k = 0; k + 1 < starts.length; k++) {
      const reach = line.reach(starts[k] as number, starts[k + 1] as number);
      if (reach.first < 0) continue;
      const [one, two] = reach.low < reach.high ? [reach.low, reach.high] : [reach.high, reach.low];
      draw(one, before < 0 || reach.first - before > gap);
      if (two !== one) draw(two, false);
      before = reach.last;
    }
  }
  close();
}
