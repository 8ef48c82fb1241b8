/** Names of rows that all widgets of a page agree on; `featrix_notebook/widgets/rows.py` gives them. */
import { bytesOf } from "../shared/wire.ts";

/** Up to so many times the number of points a key is found by its place in a table. */
const SPARSE = 4;

export class RowKeys {
  readonly #keys: Uint32Array | Float64Array;
  #find: ((key: number) => number) | null = null;

  /** The bytes of the trait: a uint32 or a float64 a point, or nothing while nobody is linked. */
  constructor(data: DataView | undefined, points: number) {
    const bytes = data ? bytesOf(data).slice() : new Uint8Array(0);
    if (points && bytes.length === points * 4) this.#keys = new Uint32Array(bytes.buffer);
    else if (points && bytes.length === points * 8) this.#keys = new Float64Array(bytes.buffer);
    else this.#keys = new Uint32Array(0);
  }

  /** Whether rows can be told apart by others. */
  get known(): boolean {
    return this.#keys.length > 0;
  }

  of(points: Uint32Array): Float64Array {
    return Float64Array.from(points, (point) => this.#keys[point]!);
  }

  /** The points that are these rows, as far as they are here. */
  points(keys: Float64Array): Uint32Array {
    if (!keys.length || !this.known) return new Uint32Array(0);
    this.#find ??= finder(this.#keys);
    const found = new Uint32Array(keys.length);
    let count = 0;
    for (const key of keys) {
      const point = this.#find(key);
      if (point >= 0) found[count++] = point;
    }
    return found.subarray(0, count);
  }
}

function finder(keys: Uint32Array | Float64Array): (key: number) => number {
  let highest = 0;
  for (const key of keys) highest = Math.max(highest, key);
  if (keys instanceof Uint32Array && highest <= SPARSE * keys.length + 1024) {
    const table = new Int32Array(highest + 1).fill(-1);
    keys.forEach((key, point) => (table[key] = point));
    return (key) => table[key] ?? -1;
  }
  const map = new Map<number, number>();
  keys.forEach((key: number, point: number) => map.set(key, point));
  return (key) => map.get(key) ?? -1;
}
