/** Columns of numbers that only grow, as a training log does; every row is kept. */

/** A growing Float64Array: the capacity doubles, so appending costs the same at any length. */
export class Growing {
  #store = new Float64Array(64);
  length = 0;
  /** Whether there is a number among the values. */
  filled = false;

  push(value: number): void {
    if (this.length === this.#store.length) {
      const wider = new Float64Array(this.#store.length * 2);
      wider.set(this.#store);
      this.#store = wider;
    }
    this.#store[this.length++] = value;
    this.filled ||= !Number.isNaN(value);
  }

  at(index: number): number {
    return index >= 0 && index < this.length ? (this.#store[index] as number) : Number.NaN;
  }

  /** The values so far; a view that the next `push` may leave behind. */
  get values(): Float64Array {
    return this.#store.subarray(0, this.length);
  }
}

/** Rows of named numeric columns; NaN says that a row has no such value. */
export class Rows {
  readonly names: readonly string[];
  readonly #columns: Map<string, Growing>;

  constructor(names: readonly string[]) {
    this.names = names;
    this.#columns = new Map(names.map((name) => [name, new Growing()]));
  }

  get length(): number {
    return this.#columns.get(this.names[0] ?? "")?.length ?? 0;
  }

  /** Append a row-major block of `names.length` values a row. */
  append(block: ArrayLike<number>): void {
    const width = this.names.length;
    if (width === 0 || block.length % width !== 0) {
      throw new Error(`A block of ${block.length} values does not make rows of ${width}`);
    }
    for (const [c, column] of [...this.#columns.values()].entries()) {
      for (let i = c; i < block.length; i += width) column.push(block[i] as number);
    }
  }

  has(name: string): boolean {
    return this.#columns.has(name);
  }

  column(name: string): Float64Array {
    return this.#columns.get(name)?.values ?? new Float64Array(0);
  }

  at(name: string, index: number): number {
    return this.#columns.get(name)?.at(index) ?? Number.NaN;
  }

  /** Whether a column holds at least one number. */
  filled(name: string): boolean {
    return this.#columns.get(name)?.filled ?? false;
  }

  /** All rows as CSV text; a missing value is an empty field. */
  toCsv(): string {
    const quote = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [this.names.map(quote).join(",")];
    for (let i = 0; i < this.length; i++) {
      lines.push(
        this.names.map((name) => (Number.isNaN(this.at(name, i)) ? "" : String(this.at(name, i)))).join(","),
      );
    }
    return `${lines.join("\n")}\n`;
  }
}
