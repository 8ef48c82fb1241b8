/** The sphere itself, behind the points: soft shading, graticule and outline, in plain 2D. */

import { centre, radius, rotation, type Matrix } from "./camera.ts";
import type { Look } from "./scene.ts";

export interface BackdropColors {
  /** Lit and shaded sides of the ball, and its lines; any CSS colour. */
  light: string;
  shade: string;
  line: string;
}

const STEPS = 72;
const TURN = 2 * Math.PI;

export function drawBackdrop(
  context: CanvasRenderingContext2D,
  look: Look,
  colors: BackdropColors,
): void {
  const r = radius(look.camera, look.view);
  const c = centre(look.camera, look.view);
  context.save();
  context.scale(look.ratio, look.ratio);
  const glow = context.createRadialGradient(
    c.x - r * 0.35, c.y - r * 0.45, r * 0.05, c.x, c.y, r,
  );
  glow.addColorStop(0, colors.light);
  glow.addColorStop(1, colors.shade);
  context.fillStyle = glow;
  context.beginPath();
  context.arc(c.x, c.y, r, 0, TURN);
  context.fill();

  context.strokeStyle = colors.line;
  context.lineWidth = 1;
  const m = rotation(look.camera);
  for (const front of [false, true]) {
    context.globalAlpha = front ? 0.75 : 0.22;
    context.beginPath();
    for (let lon = 0; lon < 180; lon += 30) traceCircle(context, meridian(lon), m, c, r, front);
    for (let lat = -60; lat <= 60; lat += 30) traceCircle(context, parallel(lat), m, c, r, front);
    context.stroke();
  }
  context.globalAlpha = 1;
  context.beginPath();
  context.arc(c.x, c.y, r, 0, TURN);
  context.stroke();
  context.restore();
}

type Point = readonly [number, number, number];

/** The full circle through both poles at a longitude, in degrees. */
function meridian(longitude: number): Point[] {
  const lon = (longitude * Math.PI) / 180;
  return ring((t) => [Math.cos(t) * Math.cos(lon), Math.cos(t) * Math.sin(lon), Math.sin(t)]);
}

function parallel(latitude: number): Point[] {
  const lat = (latitude * Math.PI) / 180;
  return ring((t) => [Math.cos(lat) * Math.cos(t), Math.cos(lat) * Math.sin(t), Math.sin(lat)]);
}

function ring(at: (t: number) => Point): Point[] {
  return Array.from({ length: STEPS + 1 }, (_, i) => at((i / STEPS) * TURN));
}

/** Add the part of a closed line that lies on the asked side of the sphere. */
function traceCircle(
  context: CanvasRenderingContext2D,
  line: readonly Point[],
  m: Matrix,
  c: { x: number; y: number },
  r: number,
  front: boolean,
): void {
  let down = false;
  for (const [x, y, z] of line) {
    if (m[6] * x + m[7] * y + m[8] * z >= 0 !== front) {
      down = false;
      continue;
    }
    const px = c.x + r * (m[0] * x + m[1] * y + m[2] * z);
    const py = c.y - r * (m[3] * x + m[4] * y + m[5] * z);
    if (down) context.lineTo(px, py);
    else context.moveTo(px, py);
    down = true;
  }
}
