/** The cells of a heatmap: one typed array a layer, and the plane of them that is on the page. */

export interface Cells {
  values: Float32Array | Float64Array;
  /** 0..1, NaN where unknown. */
  confidence: Float32Array | null;
  /** 0 for none, else a class's place from 1. */
  codes: Uint8Array | null;
}

export interface Layers {
  dtype: "f4" | "f8";
  hasConfidence: boolean;
  hasCodes: boolean;
}

/** Split the kernel's bytes into layers of `n` cells; null where they are not of that length. */
export function readCells(bytes: Uint8Array<ArrayBuffer>, n: number, layers: Layers): Cells | null {
  const width = layers.dtype === "f8" ? 8 : 4;
  const wanted = n * (width + (layers.hasConfidence ? 4 : 0) + (layers.hasCodes ? 1 : 0));
  if (bytes.length !== wanted) return null;
  // Copied only where the host's buffer is not aligned.
  const whole = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const { buffer } = whole;
  let at = whole.byteOffset;
  const Type = layers.dtype === "f8" ? Float64Array : Float32Array;
  const values = new Type(buffer, at, n);
  at += n * width;
  const confidence = layers.hasConfidence ? new Float32Array(buffer, at, n) : null;
  if (confidence) at += n * 4;
  return { values, confidence, codes: layers.hasCodes ? new Uint8Array(buffer, at, n) : null };
}

/** A plane through the cells: axis 0 downwards, axis 1 across, at one place of axis 2. */
export interface Plane {
  rows: number;
  cols: number;
  offset: number;
  rowStride: number;
  colStride: number;
}

/** One axis is a single row; of three, the plane at `slice` of the last. */
export function planeOf(shape: readonly number[], slice: number): Plane {
  const [a = 1, b, c] = shape;
  if (b === undefined) return { rows: 1, cols: a, offset: 0, rowStride: a, colStride: 1 };
  if (c === undefined) return { rows: a, cols: b, offset: 0, rowStride: b, colStride: 1 };
  return { rows: a, cols: b, offset: Math.min(slice, c - 1), rowStride: b * c, colStride: c };
}

export function indexIn(plane: Plane, row: number, col: number): number {
  return plane.offset + row * plane.rowStride + col * plane.colStride;
}

/** Position along all axes of a cell of the plane. */
export function positionOf(shape: readonly number[], slice: number, row: number, col: number): number[] {
  if (shape.length === 1) return [col];
  return shape.length === 2 ? [row, col] : [row, col, slice];
}

/** Row and column of a position, whichever plane it is in; null if it is none of the shape. */
export function placeOf(shape: readonly number[], position: readonly number[]): { row: number; col: number } | null {
  const fits =
    position.length === shape.length &&
    position.every((index, i) => Number.isInteger(index) && index >= 0 && index < (shape[i] as number));
  if (!fits) return null;
  const [first = 0, second = 0] = position;
  return shape.length === 1 ? { row: 0, col: first } : { row: first, col: second };
}

/** Place of a position in row-major order. */
export function flatIndex(shape: readonly number[], position: readonly number[]): number {
  return position.reduce((at, index, i) => at * (shape[i] as number) + index, 0);
}

/** The first cell, as [row, col], of each region of one code that has no marked cell; regions hang together along sides. */
export function unmarked(
  codes: Uint8Array,
  plane: Plane,
  marked: (row: number, col: number) => boolean,
): [number, number][] {
  const { rows, cols } = plane;
  const seen = new Uint8Array(rows * cols);
  const found: [number, number][] = [];
  for (let start = 0; start < seen.length; start++) {
    const first: [number, number] = [Math.floor(start / cols), start % cols];
    const code = codes[indexIn(plane, ...first)];
    const open = [first];
    let bare = code !== 0 && seen[start] === 0;
    for (let cell = open.pop(); cell && code !== 0; cell = open.pop()) {
      const [row, col] = cell;
      const at = row * cols + col;
      const inside = row >= 0 && col >= 0 && row < rows && col < cols;
      if (!inside || seen[at] || codes[indexIn(plane, row, col)] !== code) continue;
      seen[at] = 1;
      bare &&= !marked(row, col);
      open.push([row - 1, col], [row + 1, col], [row, col - 1], [row, col + 1]);
    }
    if (bare) found.push(first);
  }
  return found;
}

/**
 * Lines between cells of different codes, as x0, y0, x1, y1 in units of cells. Neighbours along a
 * line are joined, so that a border of a thousand cells is not a thousand strokes.
 */
export function borders(codes: Uint8Array, plane: Plane): number[] {
  const lines: number[] = [];
  const differs = (row: number, col: number, down: number, right: number): boolean => {
    const a = codes[indexIn(plane, row, col)];
    const b = codes[indexIn(plane, row + down, col + right)];
    return a !== b && a !== 0 && b !== 0;
  };
  for (let row = 0; row + 1 < plane.rows; row++) {
    for (let col = 0; col < plane.cols; col++) {
      const from = col;
      while (col < plane.cols && differs(row, col, 1, 0)) col++;
      if (col > from) lines.push(from, row + 1, col, row + 1);
    }
  }
  for (let col = 0; col + 1 < plane.cols; col++) {
    for (let row = 0; row < plane.rows; row++) {
      const from = row;
      while (row < plane.rows && differs(row, col, 0, 1)) row++;
      if (row > from) lines.push(col + 1, from, col + 1, row);
    }
  }
  return lines;
}
