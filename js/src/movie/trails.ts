/** The way that points have just come, as lines that fade; a sample of them, or those selected. */

import { centre, radius, rotation } from "../gl/camera.ts";
import type { Look } from "../gl/scene.ts";
import type { FrameOf } from "./path.ts";
import { Path } from "./path.ts";

/** More lines than this are a fog. */
export const MOST_TRAILS = 500;
const LENGTH = 3;
const STEPS = 5;
const KEPT = LENGTH * STEPS + 4;

export class Trails {
  readonly #path: Path;
  /** Positions of all points at past moments, by moment (STEPS a frame). */
  readonly #moments = new Map<number, Int16Array>();

  constructor(frame: FrameOf) {
    this.#path = new Path(frame);
  }

  reset(): void {
    this.#path.reset();
    this.#moments.clear();
  }

  /** Paint the trails that end where the points are now. */
  draw(
    context: CanvasRenderingContext2D,
    look: Look,
    time: number,
    last: number,
    now: Int16Array,
    points: ArrayLike<number>,
    colorOf: (point: number) => readonly [number, number, number],
  ): void {
    const moments = this.#before(time, last, now);
    if (moments.length < 2) return;
    const m = rotation(look.camera);
    const r = radius(look.camera, look.view) / 32767;
    const c = centre(look.camera, look.view);
    const groups = new Map<string, number[]>();
    for (let i = 0; i < points.length; i++) {
      const key = colorOf(points[i]!).join(",");
      groups.get(key)?.push(points[i]!) ?? groups.set(key, [points[i]!]);
    }
    context.save();
    context.scale(look.ratio, look.ratio);
    context.lineCap = "round";
    for (const front of [false, true]) {
      for (let age = moments.length - 1; age > 0; age--) {
        const [from, to] = [moments[age]!, moments[age - 1]!];
        const strength = 1 - (age - 1) / (LENGTH * STEPS);
        if (strength <= 0) continue;
        context.globalAlpha = strength * (front ? 0.55 : 0.14);
        context.lineWidth = Math.max(0.6, look.size * 0.32 * (0.35 + 0.65 * strength));
        for (const [color, members] of groups) {
          context.strokeStyle = `rgb(${color})`;
          context.beginPath();
          for (const point of members) {
            const at = point * 3;
            const [x, y, z] = [to[at]!, to[at + 1]!, to[at + 2]!];
            if (m[6] * x + m[7] * y + m[8] * z >= 0 !== front) continue;
            const [u, v, w] = [from[at]!, from[at + 1]!, from[at + 2]!];
            context.moveTo(
              c.x + r * (m[0] * u + m[1] * v + m[2] * w),
              c.y - r * (m[3] * u + m[4] * v + m[5] * w),
            );
            context.lineTo(
              c.x + r * (m[0] * x + m[1] * y + m[2] * z),
              c.y - r * (m[3] * x + m[4] * y + m[5] * z),
            );
          }
          context.stroke();
        }
      }
    }
    context.restore();
  }

  /** Positions now and at moments before, newest first; each moment is computed once. */
  #before(time: number, last: number, now: Int16Array): Int16Array[] {
    const found = [now];
    const newest = Math.ceil(time * STEPS - 1e-6) - 1;
    for (let moment = newest; moment >= 0 && moment > newest - LENGTH * STEPS; moment--) {
      let positions = this.#moments.get(moment);
      if (positions?.length !== now.length) {
        positions = new Int16Array(now.length);
        if (!this.#path.at(moment / STEPS, last, positions)) break;
        this.#moments.set(moment, positions);
      }
      found.push(positions);
    }
    for (const moment of this.#moments.keys()) {
      if (this.#moments.size <= KEPT) break;
      if (moment > newest + 1 || moment < newest - LENGTH * STEPS) this.#moments.delete(moment);
    }
    return found;
  }
}
