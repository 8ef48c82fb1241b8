/**
 * How many points to draw while the camera moves.
 *
 * Points arrive in an order whose every prefix is a fair sample, so drawing fewer means drawing a
 * shorter prefix. The budget follows the measured frame time, up to what the screen can show sixty
 * times a second; at rest everything is drawn.
 */

/** At most this many points are always drawn whole. */
export const ALWAYS_ALL = 50_000;
const FLOOR = 4_000;
const START = 12_000;
const FRAME_MS = 1000 / 60;
/** Frames come in whole ticks of the screen: one that lasted longer than this has missed a tick. */
const MISSED_MS = 1.2 * FRAME_MS;

export class Budget {
  #points = START;
  /** Quick until a tick was missed for the first time, then slow, so that few are missed. */
  #growth = 1.3;

  /** Points to draw of `total`, moving or at rest. */
  count(total: number, moving: boolean): number {
    return !moving || total <= ALWAYS_ALL ? total : Math.min(total, Math.round(this.#points));
  }

  /** Learn from the time between two frames of a movement. */
  frame(ms: number): void {
    if (ms > MISSED_MS) {
      this.#points = Math.max(FLOOR, this.#points * Math.max(0.5, FRAME_MS / ms));
      this.#growth = 1.04;
    } else this.#points = Math.min(5e7, this.#points * this.#growth);
  }
}

/** Larger points for a sample, so that a thinned sphere is not paler than the whole one. */
export function samplePointScale(drawn: number, total: number): number {
  return drawn >= total ? 1 : Math.min(1.5, Math.pow(total / drawn, 0.25));
}
