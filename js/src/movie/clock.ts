/** Where a movie stands, counted in frames, and how it moves on. */

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8] as const;
/** How long the last frame rests before a movie that loops begins again. */
const REST_MS = 1200;

export class Clock {
  /** 0 is the first frame; between two frames a fraction. */
  time = 0;
  playing = false;
  loop = false;
  /** Frames a second at normal speed. */
  fps = 2;
  speed = 1;
  /** Index of the last frame. */
  last = 0;
  /** More frames may come: at the end the movie waits for them. */
  live = false;
  #rested = 0;

  /** Move on by `ms`, no further than the frame `ready`. Returns whether the time changed. */
  advance(ms: number, ready: number): boolean {
    if (!this.playing) return false;
    const before = this.time;
    if (this.time < this.last) {
      this.#rested = 0;
      this.time = Math.min(this.time + (ms / 1000) * this.fps * this.speed, ready, this.last);
      this.time = Math.max(this.time, before);
    } else if (!this.live) {
      this.#rested += ms;
      if (!this.loop) this.playing = false;
      else if (this.#rested >= REST_MS) this.time = this.#rested = 0;
    }
    return this.time !== before;
  }

  /** Play or pause; from the end it begins again. */
  toggle(): void {
    this.playing = !this.playing;
    if (this.playing && this.time >= this.last && !this.live) this.time = 0;
    this.#rested = 0;
  }

  seek(time: number): void {
    this.time = Math.min(Math.max(time, 0), this.last);
    this.#rested = 0;
  }

  /** To the next whole frame in either direction; the movie stops there. */
  step(direction: 1 | -1): void {
    this.playing = false;
    this.seek(direction > 0 ? Math.floor(this.time + 1e-6) + 1 : Math.ceil(this.time - 1e-6) - 1);
  }

  /** To the next speed of the list in either direction. */
  change(direction: 1 | -1): void {
    const at = SPEEDS.findIndex((speed) => speed >= this.speed - 1e-9);
    this.speed = SPEEDS[Math.min(Math.max((at < 0 ? SPEEDS.length : at) + direction, 0), SPEEDS.length - 1)]!;
  }
}

/** Index of the frame on show at a time: the one last passed. */
export function frameAt(time: number): number {
  return Math.floor(time + 1e-6);
}

/** The epoch at a time, a fraction between two frames; NaN without frames. */
export function epochAt(epochs: readonly number[], time: number): number {
  const from = epochs[frameAt(time)];
  if (from === undefined) return Number.NaN;
  const to = epochs[frameAt(time) + 1] ?? from;
  return from + (to - from) * Math.max(0, time - frameAt(time));
}

/** The time at which the movie reaches an epoch. */
export function timeOf(epochs: readonly number[], epoch: number): number {
  const after = epochs.findIndex((known) => known > epoch);
  if (after < 0) return Math.max(0, epochs.length - 1);
  if (after === 0) return 0;
  const from = epochs[after - 1]!;
  return after - 1 + (epoch - from) / (epochs[after]! - from);
}
