/**
 * Finding points on the screen: the nearest to a cursor, and all inside an outline.
 *
 * Plain passes over the int16 coordinates. A pass over a million points costs a few milliseconds,
 * less than reading an id texture back from the graphics card, needs no context, and finds points
 * that lie under others; so it serves both renderers alike.
 */

import { centre, radius, rotation, type Camera, type Viewport } from "./camera.ts";
import { HIDDEN, type Palette } from "./scene.ts";

const UNIT = 32767;

export interface PickScene {
  positions: Int16Array;
  codes: Uint8Array;
  palette: Palette;
}

/** Calls `visit(point, x, y, depth)` for every shown point; x, y in CSS pixels; depth's sign counts. */
function eachShown(
  scene: PickScene,
  camera: Camera,
  view: Viewport,
  through: boolean,
  visit: (point: number, x: number, y: number, depth: number) => void,
): void {
  const { positions, codes, palette } = scene;
  const [a0, a1, a2, b0, b1, b2, c0, c1, c2] = rotation(camera);
  const r = radius(camera, view) / UNIT;
  const c = centre(camera, view);
  for (let point = 0, at = 0; point < codes.length; point++, at += 3) {
    const x = positions[at]!;
    const y = positions[at + 1]!;
    const z = positions[at + 2]!;
    const depth = c0 * x + c1 * y + c2 * z;
    if (depth < 0 && !through) continue;
    if (palette[codes[point]! * 4 + 3]! & HIDDEN) continue;
    visit(point, c.x + r * (a0 * x + a1 * y + a2 * z), c.y - r * (b0 * x + b1 * y + b2 * z), depth);
  }
}

/**
 * The shown point nearest to (x, y) within `reach` CSS pixels, or -1. The near side of the sphere
 * goes before the far side.
 */
export function nearest(
  scene: PickScene,
  camera: Camera,
  view: Viewport,
  x: number,
  y: number,
  reach: number,
): number {
  let front = -1;
  let back = -1;
  let frontDistance = reach * reach;
  let backDistance = frontDistance;
  eachShown(scene, camera, view, true, (point, px, py, depth) => {
    const distance = (px - x) * (px - x) + (py - y) * (py - y);
    if (depth >= 0) {
      if (distance <= frontDistance) {
        frontDistance = distance;
        front = point;
      }
    } else if (distance <= backDistance) {
      backDistance = distance;
      back = point;
    }
  });
  return front >= 0 ? front : back;
}

/** Points whose pixel is set in `mask` (width x height of the viewport, row by row), ascending. */
export function inside(
  scene: PickScene,
  camera: Camera,
  view: Viewport,
  mask: Uint8Array,
  through: boolean,
): Uint32Array {
  const width = Math.ceil(view.width);
  const height = Math.ceil(view.height);
  const found: number[] = [];
  eachShown(scene, camera, view, through, (point, px, py) => {
    const column = Math.floor(px);
    const row = Math.floor(py);
    if (column < 0 || row < 0 || column >= width || row >= height) return;
    if (mask[row * width + column]) found.push(point);
  });
  return Uint32Array.from(found);
}
