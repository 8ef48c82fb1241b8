/**
 * Exponential moving average, corrected for its start (Kingma & Ba 2015, section 3): without the
 * correction the first values would be pulled towards zero. Missing values are passed over.
 */
import { Growing } from "./rows.ts";

export class Smoothed {
  readonly weight: number;
  #average = 0;
  #mass = 0;
  #out = new Growing();

  /** @param weight 0 (no smoothing) to below 1 */
  constructor(weight: number) {
    if (!(weight >= 0 && weight < 1)) throw new RangeError(`weight must be in [0, 1), not ${weight}`);
    this.weight = weight;
  }

  /** The smoothed line of `values`; only what was added since the last call is computed. */
  extend(values: Float64Array): Float64Array {
    for (let i = this.#out.length; i < values.length; i++) {
      const value = values[i] as number;
      if (Number.isNaN(value)) {
        this.#out.push(Number.NaN);
        continue;
      }
      this.#average = this.weight * this.#average + (1 - this.weight) * value;
      this.#mass = this.weight * this.#mass + (1 - this.weight);
      this.#out.push(this.#average / this.#mass);
    }
    return this.#out.values;
  }
}
