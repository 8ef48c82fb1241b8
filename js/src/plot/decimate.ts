/**
 * Min-max decimation: few points to draw, with every spike kept. Each bucket of the visible range
 * (about a pixel) gives its first and last row, and for each line its lowest and its highest.
 */

/** First index of the sorted `x` that is not below `value`. */
export function lowerBound(x: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = x.length;
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

/**
 * Indices of the rows to draw, rising.
 *
 * @param x sorted positions
 * @param lines values of each line at `x`; NaN is a gap
 * @param from,to the visible range; one row on either side is kept, so that lines run to the edge
 * @param buckets how many buckets the range is cut into
 */
export function decimate(
  x: ArrayLike<number>,
  lines: readonly ArrayLike<number>[],
  from: number,
  to: number,
  buckets: number,
): number[] {
  const first = Math.max(0, lowerBound(x, from) - 1);
  const last = Math.min(x.length - 1, lowerBound(x, to) + 1);
  const kept: number[] = [];
  if (last - first < buckets * 2) {
    for (let i = first; i <= last; i++) kept.push(i);
    return kept;
  }
  const width = (to - from) / buckets;
  let start = first;
  while (start <= last) {
    const edge = from + (Math.floor(((x[start] as number) - from) / width) + 1) * width;
    let end = start + 1;
    while (end <= last && (x[end] as number) < edge) end++;
    keepBucket(lines, start, end, kept);
    start = end;
  }
  return kept;
}

/** Append the rows of [start, end) that matter to any line. */
function keepBucket(lines: readonly ArrayLike<number>[], start: number, end: number, kept: number[]): void {
  const rows = new Set([start, end - 1]);
  for (const line of lines) {
    let low = -1;
    let high = -1;
    let gap = -1;
    for (let i = start; i < end; i++) {
      const value = line[i] as number;
      if (Number.isNaN(value)) gap = i;
      else {
        if (low < 0 || value < (line[low] as number)) low = i;
        if (high < 0 || value > (line[high] as number)) high = i;
      }
    }
    for (const i of [low, high, gap]) if (i >= 0) rows.add(i);
  }
  kept.push(...[...rows].sort((a, b) => a - b));
}
