/** From numbers to pixels: colour scales, and the cells of a plane as an image. */
import { along, parseHex, type Rgb } from "../gl/palette.ts";
import type { Theme } from "../shared/theme.ts";
import { indexIn, type Plane } from "./cells.ts";

/* Even steps of OKLab lightness while the hue turns from violet to yellow: the colours of
   `featrix_notebook/coding.py`. */
export const VALUE_STOPS = [
  "#573b9f", "#3a5cb3", "#017bb6", "#0693ad", "#07aba8", "#3cc099", "#7dd084", "#bada6b", "#f6e057",
];
/** Confidence is told from the value by its one hue; what is sure stands out from the ground. */
export const CONFIDENCE_STOPS: Record<Theme, readonly string[]> = {
  light: ["#f1f3f8", "#c3cfe8", "#93aad6", "#6384bf", "#375f9f", "#123a75"],
  dark: ["#20242c", "#2c3f5e", "#3b5f92", "#5684c2", "#82ace2", "#c3dcfb"],
};
const MISSING: Rgb = [142, 146, 152];

/** 256 colours as the four bytes of a pixel, lowest first. */
export type Ramp = Uint32Array<ArrayBuffer>;

export function rampOf(stops: readonly string[]): Ramp {
  const colors = stops.map(parseHex);
  return Uint32Array.from({ length: 256 }, (_, i) => pixel(along(colors, i / 255)));
}

/** Code 0 is nothing at all. */
export function codeRamp(colors: readonly string[]): Ramp {
  const ramp = new Uint32Array(256);
  for (let code = 1; code < 256; code++) {
    const color = colors[code - 1];
    ramp[code] = pixel(color === undefined ? MISSING : parseHex(color));
  }
  return ramp;
}

// Bytes are red, green, blue, alpha; every machine that runs a browser is little-endian.
function pixel([r, g, b]: Rgb): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

export function rgbOf(color: number): Rgb {
  return [color & 255, (color >> 8) & 255, (color >> 16) & 255];
}

/** Place 0..1 of a value on the scale; infinities and values beyond it go to its ends. */
export function shade(value: number, low: number, high: number): number {
  if (!(high > low)) return value > high ? 1 : value < low ? 0 : 0.5;
  // Halved first: the range of two finite numbers need not be finite.
  const place = (value / 2 - low / 2) / (high / 2 - low / 2);
  return place <= 0 ? 0 : place >= 1 ? 1 : place;
}

/** Its place among the 256 colours of a ramp. */
export function shadeIndex(value: number, low: number, high: number): number {
  return Math.round(shade(value, low, high) * 255);
}

/** Write the plane's cells as pixels, row by row; a cell without a value stays transparent. */
export function paintNumbers(
  out: Uint32Array, values: ArrayLike<number>, plane: Plane, low: number, high: number, ramp: Ramp,
): void {
  let at = 0;
  for (let row = 0; row < plane.rows; row++) {
    let index = indexIn(plane, row, 0);
    for (let col = 0; col < plane.cols; col++, index += plane.colStride) {
      const value = values[index] as number;
      out[at++] = Number.isNaN(value) ? 0 : (ramp[shadeIndex(value, low, high)] as number);
    }
  }
}

export function paintCodes(out: Uint32Array, codes: Uint8Array, plane: Plane, ramp: Ramp): void {
  let at = 0;
  for (let row = 0; row < plane.rows; row++) {
    let index = indexIn(plane, row, 0);
    for (let col = 0; col < plane.cols; col++, index += plane.colStride) {
      out[at++] = ramp[codes[index] as number] as number;
    }
  }
}

/** Black or white, whichever reads better on a colour. */
export function inkOn([r, g, b]: Rgb): string {
  return 0.299 * r + 0.587 * g + 0.114 * b > 125 ? "#10131a" : "#ffffff";
}
