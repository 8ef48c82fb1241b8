/** Where a surface crosses a level: marching squares between the centres of its cells. */
import { indexIn, type Plane } from "./cells.ts";

/** Sides of a square: 0 top, 1 right, 2 bottom, 3 left; by which corners are above (1 2 4 8). */
const SIDES: readonly (readonly [number, number][])[] = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], [[0, 1], [2, 3]], [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], [],
];

/**
 * Segments x0, y0, x1, y1 in units of cells: the centre of the first cell is at 0.5, 0.5. Squares
 * with a corner that is no finite number are left out.
 */
export function contour(values: ArrayLike<number>, plane: Plane, level: number): number[] {
  const lines: number[] = [];
  for (let row = 0; row + 1 < plane.rows; row++) {
    for (let col = 0; col + 1 < plane.cols; col++) {
      const a = values[indexIn(plane, row, col)] as number;
      const b = values[indexIn(plane, row, col + 1)] as number;
      const c = values[indexIn(plane, row + 1, col + 1)] as number;
      const d = values[indexIn(plane, row + 1, col)] as number;
      if (!Number.isFinite(a + b + c + d)) continue;
      const above = (a >= level ? 1 : 0) | (b >= level ? 2 : 0) | (c >= level ? 4 : 0) | (d >= level ? 8 : 0);
      for (const [from, to] of SIDES[above] as readonly [number, number][]) {
        for (const side of [from, to]) {
          if (side === 0) lines.push(col + 0.5 + part(a, b, level), row + 0.5);
          else if (side === 1) lines.push(col + 1.5, row + 0.5 + part(b, c, level));
          else if (side === 2) lines.push(col + 0.5 + part(d, c, level), row + 1.5);
          else lines.push(col + 0.5, row + 0.5 + part(a, d, level));
        }
      }
    }
  }
  return lines;
}

/** How far between two values the level lies. */
function part(from: number, to: number, level: number): number {
  return from === to ? 0.5 : (level - from) / (to - from);
}
