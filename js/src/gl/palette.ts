/** From the colours the kernel names to the 256-entry table the renderers read. */

import { HIDDEN, SHAPES, type Palette } from "./scene.ts";

export type Rgb = readonly [number, number, number];

/** How codes are to be read; the kernel decides, see `featrix_notebook/coding.py`. */
export interface Coding {
  kind: "category" | "number" | "none";
  /** "#rrggbb": one a category, or the stops of a continuous map from low to high. */
  colors: string[];
}

const MISSING: Rgb = [142, 146, 152];

export function parseHex(text: string): Rgb {
  const value = /^#([0-9a-f]{6})$/i.exec(text)?.[1];
  if (value === undefined) throw new Error(`not a #rrggbb colour: ${text}`);
  const number = Number.parseInt(value, 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/** Colour at t in 0..1 along evenly spaced stops. */
export function along(stops: readonly Rgb[], t: number): Rgb {
  const at = Math.min(1, Math.max(0, t)) * (stops.length - 1);
  const low = Math.floor(at);
  const a = stops[low]!;
  const b = stops[Math.min(low + 1, stops.length - 1)]!;
  const part = at - low;
  return [0, 1, 2].map((i) => Math.round(a[i]! + (b[i]! - a[i]!) * part)) as unknown as Rgb;
}

/** Shape number of a category code (1, 2, ...); missing values are circles. */
export function shapeOf(code: number): number {
  return code === 0 ? 0 : (code - 1) % SHAPES.length;
}

/**
 * Build the table. Code 0 is missing (grey); categories take codes 1..n; numbers spread over
 * 1..255. `hidden` holds the codes that a legend has switched off.
 */
export function buildPalette(
  coding: Coding,
  hidden: ReadonlySet<number>,
  shapes: boolean,
): Palette {
  const table = new Uint8Array(256 * 4);
  const colors = coding.colors.map(parseHex);
  for (let code = 0; code < 256; code++) {
    const color = code === 0 && coding.kind !== "none" ? MISSING : colorOf(coding, colors, code);
    const shape = shapes && coding.kind === "category" ? shapeOf(code) : 0;
    table.set([...color, shape | (hidden.has(code) ? HIDDEN : 0)], code * 4);
  }
  return table;
}

function colorOf(coding: Coding, colors: readonly Rgb[], code: number): Rgb {
  if (colors.length === 0) return MISSING;
  if (coding.kind === "number") return along(colors, (code - 1) / 254);
  return colors[Math.max(0, code - 1)] ?? MISSING;
}
