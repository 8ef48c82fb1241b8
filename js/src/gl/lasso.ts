/** Outlines drawn with the pointer, filled into a mask of the viewport's pixels. */

import type { Viewport } from "./camera.ts";

export interface Pixel {
  x: number;
  y: number;
}

/** The four corners of the box between two pixels. */
export function box(from: Pixel, to: Pixel): Pixel[] {
  return [from, { x: to.x, y: from.y }, to, { x: from.x, y: to.y }];
}

/** Drop points that move the outline by less than `step` pixels. */
export function thin(outline: readonly Pixel[], step = 2): Pixel[] {
  const kept: Pixel[] = [];
  for (const pixel of outline) {
    const last = kept[kept.length - 1];
    if (!last || Math.hypot(pixel.x - last.x, pixel.y - last.y) >= step) kept.push(pixel);
  }
  return kept;
}

/**
 * Fill a closed outline by the even-odd rule, sampling pixel centres.
 *
 * Returns ceil(width) x ceil(height) bytes, 1 inside. An outline of fewer than three corners
 * encloses nothing.
 */
export function fillMask(outline: readonly Pixel[], view: Viewport): Uint8Array {
  const width = Math.ceil(view.width);
  const height = Math.ceil(view.height);
  const mask = new Uint8Array(width * height);
  if (outline.length < 3) return mask;
  for (let row = 0; row < height; row++) {
    const crossings = crossingsOf(outline, row + 0.5);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const start = Math.max(0, Math.ceil(crossings[i]! - 0.5));
      const end = Math.min(width, Math.ceil(crossings[i + 1]! - 0.5));
      if (end > start) mask.fill(1, row * width + start, row * width + end);
    }
  }
  return mask;
}

/** Where the outline crosses the horizontal line at `y`, from left to right. */
function crossingsOf(outline: readonly Pixel[], y: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < outline.length; i++) {
    const a = outline[i]!;
    const b = outline[(i + 1) % outline.length]!;
    if (a.y > y !== b.y > y) found.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  }
  return found.sort((left, right) => left - right);
}
