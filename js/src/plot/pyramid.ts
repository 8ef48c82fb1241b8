/**
 * The extremes of any stretch of a growing line, found without reading all of its rows: blocks of
 * 32 rows are summed up as they fill, blocks of these blocks likewise.
 */
import type { YScale } from "./scales.ts";

/** What there is in a stretch of rows; indices are -1 where no row has a value that can be shown. */
export interface Reach {
  low: number;
  high: number;
  first: number;
  last: number;
  /** Rows with a value that can be shown. */
  known: number;
  /** Values at or below zero, which a logarithmic axis cannot show. */
  under: number;
  infinite: number;
}

const ROWS = 32;
const FAN = 8;

interface Level {
  size: number;
  blocks: Reach[];
}

const nothing = (): Reach => ({ low: -1, high: -1, first: -1, last: -1, known: 0, under: 0, infinite: 0 });

export class Pyramid {
  readonly scale: YScale;
  values: Float64Array = new Float64Array(0);
  #levels: Level[] = [{ size: ROWS, blocks: [] }];

  constructor(scale: YScale) {
    this.scale = scale;
  }

  /** Take over a line that has grown; rows that were there before must be the same. */
  extend(values: Float64Array): this {
    this.values = values;
    for (let k = 0; k < this.#levels.length; k++) {
      const { size, blocks } = this.#levels[k] as Level;
      while ((blocks.length + 1) * size <= values.length) {
        const from = blocks.length * size;
        blocks.push(this.reach(from, from + size));
      }
      if (k === this.#levels.length - 1 && blocks.length >= FAN) {
        this.#levels.push({ size: size * FAN, blocks: [] });
      }
    }
    return this;
  }

  shows(value: number): boolean {
    return Number.isFinite(value) && (this.scale === "linear" || value > 0);
  }

  /** How many rows there are to one that has a value, on average. */
  get stride(): number {
    const { known, first, last } = this.reach(0, this.values.length);
    return known > 1 ? (last - first) / (known - 1) : 1;
  }

  /** What the rows [from, to) hold. */
  reach(from: number, to: number): Reach {
    const sum = nothing();
    for (let i = from; i < to; ) {
      const block = this.#block(i, to);
      if (block) {
        this.#merge(sum, block.reach);
        i += block.size;
      } else this.#add(sum, i++);
    }
    return sum;
  }

  /** The largest finished block that begins at row `i` and ends within `to`. */
  #block(i: number, to: number): { reach: Reach; size: number } | null {
    if (i % ROWS !== 0) return null;
    for (let k = this.#levels.length - 1; k >= 0; k--) {
      const { size, blocks } = this.#levels[k] as Level;
      const reach = i % size === 0 && i + size <= to ? blocks[i / size] : undefined;
      if (reach) return { reach, size };
    }
    return null;
  }

  #add(sum: Reach, i: number): void {
    const value = this.values[i] as number;
    if (!this.shows(value)) {
      if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) sum.infinite++;
      else if (value <= 0) sum.under++;
      return;
    }
    if (sum.first < 0) sum.first = sum.low = sum.high = i;
    else if (value < (this.values[sum.low] as number)) sum.low = i;
    else if (value > (this.values[sum.high] as number)) sum.high = i;
    sum.last = i;
    sum.known++;
  }

  #merge(sum: Reach, block: Reach): void {
    sum.known += block.known;
    sum.under += block.under;
    sum.infinite += block.infinite;
    if (block.first < 0) return;
    const { values } = this;
    if (sum.first < 0) {
      sum.first = block.first;
      sum.low = block.low;
      sum.high = block.high;
    } else {
      if ((values[block.low] as number) < (values[sum.low] as number)) sum.low = block.low;
      if ((values[block.high] as number) > (values[sum.high] as number)) sum.high = block.high;
    }
    sum.last = block.last;
  }
}
