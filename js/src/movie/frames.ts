/** The frames of a movie that are here, and the asking for those that are not. */

import { reasonOf } from "../shared/reason.ts";
import { unpack } from "../gl/packing.ts";

/** A request for frames is answered with about so many bytes. */
const BLOCK_BYTES = 256 * 1024;
/** Requests for frames on their way at once. */
const AT_ONCE = 2;
const RETRY_MS = 3000;

/** Frames from one index to before another, packed, one behind the other. */
export type Fetch = (from: number, to: number) => Promise<Int16Array>;

export class Frames {
  readonly #fetch: Fetch;
  readonly #now: () => number;
  readonly #came: (problem: string) => void;
  /** Points of a frame. */
  #n = 0;
  #frames: (Int16Array | null)[] = [];
  readonly #asked = new Set<number>();
  #pulls = 0;
  #retry = 0;
  #closed = false;

  /**
   * `now` is the index of the frame on show; `came` hears of each answer, with the reason in words
   * when it was none.
   */
  constructor(fetch: Fetch, now: () => number, came: (problem: string) => void) {
    this.#fetch = fetch;
    this.#now = now;
    this.#came = came;
  }

  at(index: number): Int16Array | null {
    return this.#frames[index] ?? null;
  }

  /** How many are here. */
  get loaded(): number {
    return this.#frames.reduce((count, frame) => count + (frame ? 1 : 0), 0);
  }

  /** The last one that is here with all between it and the one on show. */
  get ready(): number {
    let at = this.#now();
    while (this.#frames[at + 1]) at++;
    return at;
  }

  /** Other points: nothing of them is here yet. */
  reset(n: number, count: number): void {
    this.#n = n;
    this.#frames = new Array<Int16Array | null>(count).fill(null);
  }

  /** There are so many by now. */
  extend(count: number): void {
    this.#frames.length = count;
  }

  /** Ask for what is missing, those after the present one first. */
  pull(): void {
    const count = this.#frames.length;
    const block = Math.max(1, Math.floor(BLOCK_BYTES / (4 * Math.max(1, this.#n))));
    while (this.#pulls < AT_ONCE && !this.#closed && this.#n > 0) {
      const from = this.#wanted(count);
      if (from < 0) return;
      let to = from;
      while (to < count && to - from < block && this.#isMissing(to)) this.#asked.add(to++);
      this.#pulls++;
      void this.#ask(from, to);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  #isMissing(index: number): boolean {
    return !this.#frames[index] && !this.#asked.has(index);
  }

  #wanted(count: number): number {
    const start = this.#now();
    for (let i = 0; i < count; i++) {
      const index = (start + i) % count;
      if (this.#isMissing(index)) return index;
    }
    return -1;
  }

  async #ask(from: number, to: number): Promise<void> {
    let problem = "";
    try {
      this.#put(from, await this.#fetch(from, to));
    } catch (error) {
      problem = reasonOf(error);
    }
    this.#pulls--;
    for (let index = from; index < to; index++) this.#asked.delete(index);
    if (this.#closed) return;
    if (problem) {
      clearTimeout(this.#retry);
      this.#retry = globalThis.setTimeout(() => this.pull(), RETRY_MS) as unknown as number;
    } else this.pull();
    this.#came(problem);
  }

  #put(from: number, packed: Int16Array): void {
    const size = this.#n * 2;
    if (!size) return;
    for (let k = 0; (k + 1) * size <= packed.length && from + k < this.#frames.length; k++) {
      this.#frames[from + k] = unpack(packed.subarray(k * size, (k + 1) * size));
    }
  }
}
