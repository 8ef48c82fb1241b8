/**
 * How many points to draw while the camera moves.
 *
 * Points arrive in an order whose every prefix is a fair sample, so drawing fewer means drawing a
 * shorter prefix. The budget follows the measured frame time; at rest everything is drawn.
 */

/** At most this many points are always drawn whole. */
export const ALWAYS_ALL = 50_000;
const FLOOR = 4_000;
const START = 12_000;
const SLOW_MS = 34;
const FAST_MS = 20;

export class Budget {
  #points = START;

  /** Points to draw of `total`, moving or at rest. */
  count(total: number, moving: boolean): number {
    return !moving || total <= ALWAYS_ALL ? total : Math.min(total, Math.round(this.#points));
  }

  /** Learn from the time between two frames of a movement. */
  frame(ms: number): void {
    if (ms > SLOW_MS) this.#points = Math.max(FLOOR, this.#points * Math.max(0.5, SLOW_MS / ms));
    else if (ms < FAST_MS) this.#points = Math.min(5e7, this.#points * 1.3);
  }
}

/** Larger points for a sample, so that a thinned sphere is not paler than the whole one. */
export function samplePointScale(drawn: number, total: number): number {
  return drawn >= total ? 1 : Math.min(1.5, Math.pow(total / drawn, 0.25));
}
