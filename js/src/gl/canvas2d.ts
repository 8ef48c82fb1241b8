/** Points without WebGL: the same picture in plain 2D, for machines and hosts that have no more. */

import { centre, radius, rotation } from "./camera.ts";
import {
  HIDDEN, SELECTED, type Look, type Palette, type Renderer, type SceneData,
} from "./scene.ts";

/** A plain canvas paints about this many points in the time a person will wait. */
export const SOFTWARE_LIMIT = 60_000;

export class Canvas2dRenderer implements Renderer {
  readonly kind = "canvas2d";

  readonly #scene: () => SceneData & { palette: Palette };

  constructor(scene: () => SceneData & { palette: Palette }) {
    this.#scene = scene;
  }

  changed(): void {
    // nothing is kept between frames
  }

  destroy(): void {
    // nothing to free
  }

  draw(context: CanvasRenderingContext2D, look: Look): void {
    context.save();
    context.scale(look.ratio, look.ratio);
    // From far to near; what is chosen comes last on its own side of the sphere.
    for (const front of [false, true]) {
      for (const chosen of look.dim ? [false, true] : [false]) {
        this.#layer(context, look, front, chosen);
      }
    }
    context.restore();
  }

  #layer(
    context: CanvasRenderingContext2D,
    look: Look,
    front: boolean,
    chosen: boolean,
  ): void {
    const { positions, codes, state, palette } = this.#scene();
    const m = rotation(look.camera);
    const r = radius(look.camera, look.view) / 32767;
    const c = centre(look.camera, look.view);
    const colors = cssColors(palette, look.background, front ? 0 : chosen ? 0.25 : 0.55);
    const strength = look.dim && !chosen ? 0.22 : 1;
    context.globalAlpha = look.opacity * strength * (front ? 1 : chosen ? 0.8 : 0.38);
    const half = (look.size / 2) * (front ? 1 : 0.75) * (chosen ? 1.35 : 1);
    const count = Math.min(look.count, SOFTWARE_LIMIT);
    let last = -1;
    for (let point = 0, at = 0; point < count; point++, at += 3) {
      const x = positions[at]!;
      const y = positions[at + 1]!;
      const z = positions[at + 2]!;
      if (m[6] * x + m[7] * y + m[8] * z >= 0 !== front) continue;
      if (look.dim && ((state[point]! & SELECTED) !== 0) !== chosen) continue;
      const code = codes[point]!;
      const flags = palette[code * 4 + 3]!;
      if (flags & HIDDEN) continue;
      if (code !== last) context.fillStyle = colors[code]!;
      last = code;
      const px = c.x + r * (m[0] * x + m[1] * y + m[2] * z);
      const py = c.y - r * (m[3] * x + m[4] * y + m[5] * z);
      if (half < 1.3) context.fillRect(px - half, py - half, half * 2, half * 2);
      else {
        context.beginPath();
        traceShape(context, flags, px, py, half);
        context.fill();
      }
    }
  }
}

/** Add the outline of a shape of "radius" `r`; numbers as in SHAPES. */
export function traceShape(
  context: CanvasRenderingContext2D,
  shape: number,
  x: number,
  y: number,
  r: number,
): void {
  const corners: readonly (readonly [number, number])[] | undefined = CORNERS[shape];
  if (!corners) {
    context.moveTo(x + r, y);
    context.arc(x, y, r, 0, 2 * Math.PI);
    return;
  }
  corners.forEach(([dx, dy], i) =>
    i === 0 ? context.moveTo(x + dx * r, y + dy * r) : context.lineTo(x + dx * r, y + dy * r),
  );
  context.closePath();
}

/** Corners of the shapes 1..5, y down; shape 0 is a circle. */
export const CORNERS: Record<number, readonly (readonly [number, number])[]> = {
  1: [[-0.82, -0.82], [0.82, -0.82], [0.82, 0.82], [-0.82, 0.82]],
  2: [[0, -1.08], [1.08, 0], [0, 1.08], [-1.08, 0]],
  3: [[0, -1], [0.94, 0.62], [-0.94, 0.62]],
  4: [[0, 1], [0.94, -0.62], [-0.94, -0.62]],
  5: [
    [-0.34, -1], [0.34, -1], [0.34, -0.34], [1, -0.34], [1, 0.34], [0.34, 0.34],
    [0.34, 1], [-0.34, 1], [-0.34, 0.34], [-1, 0.34], [-1, -0.34], [-0.34, -0.34],
  ],
};

function cssColors(
  palette: Palette,
  background: readonly [number, number, number],
  haze: number,
): string[] {
  return Array.from({ length: 256 }, (_, code) => {
    const mixed = [0, 1, 2].map((i) =>
      Math.round(palette[code * 4 + i]! * (1 - haze) + background[i]! * haze),
    );
    return `rgb(${mixed.join(",")})`;
  });
}
