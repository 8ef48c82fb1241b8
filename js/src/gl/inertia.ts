/** A thrown camera: speed measured over the last moments of a drag, then fading away. */

const MEMORY_MS = 80;
const FADE_MS = 260;
/** Below this many pixels a second the throw counts as finished. */
const STILL = 6;

interface Sample {
  at: number;
  dx: number;
  dy: number;
}

export class Inertia {
  #samples: Sample[] = [];
  #vx = 0;
  #vy = 0;

  /** Note a movement of the drag in progress. Times in ms, distances in CSS pixels. */
  push(at: number, dx: number, dy: number): void {
    this.#samples.push({ at, dx, dy });
    this.#samples = this.#samples.filter((s) => at - s.at <= MEMORY_MS);
  }

  /** The hand lets go: keep the recent speed, unless the hand had stopped first. */
  release(at: number): void {
    const recent = this.#samples.filter((s) => at - s.at <= MEMORY_MS);
    this.#samples = [];
    this.#vx = sum(recent, "dx") / (MEMORY_MS / 1000);
    this.#vy = sum(recent, "dy") / (MEMORY_MS / 1000);
  }

  stop(): void {
    this.#samples = [];
    this.#vx = this.#vy = 0;
  }

  get moving(): boolean {
    return Math.hypot(this.#vx, this.#vy) > STILL;
  }

  /** Pixels travelled in the next `ms`; the speed fades exponentially. */
  step(ms: number): { dx: number; dy: number } {
    if (!this.moving) {
      this.stop();
      return { dx: 0, dy: 0 };
    }
    const keep = Math.exp(-ms / FADE_MS);
    const travelled = (FADE_MS / 1000) * (1 - keep);
    const out = { dx: this.#vx * travelled, dy: this.#vy * travelled };
    this.#vx *= keep;
    this.#vy *= keep;
    return out;
  }
}

function sum(samples: Sample[], key: "dx" | "dy"): number {
  return samples.reduce((total, s) => total + s[key], 0);
}
