/** One run of a dashboard: what is known of it, and its rows with their places on each axis. */
import { rowAt } from "../plot/decimate.ts";
import { Rows } from "../plot/rows.ts";
import type { XAxis } from "../plot/scales.ts";

export type Action = "pause" | "resume" | "stop";

/** What is known of a run beside its curve; `featrix_notebook/live.py` (RunInfo) is the source. */
export interface RunInfo {
  name: string;
  /** queued, running, paused, done, failed, cancelled; `data` for a log with no run behind it. */
  status: string;
  requested: Action | null;
  error: string | null;
  /** How the data arrives, in words, when it is worth saying. */
  note: string | null;
  total_epochs: number | null;
  /** Of the phase that is being trained. */
  phase_epochs: number | null;
  best_epoch: number | null;
  seconds_left: number | null;
  /** Whether the run can be paused, resumed and stopped. */
  controls: boolean;
}

/** In the column `phase`: the sphere is fitted to an embedding that no longer changes. */
const SPHERE = 1;
/** Of a predictor: further members join its network. */
const ENSEMBLE = 2;

const PLACES = ["step", "time"];

/** Rows, and beside them where each stands in steps and in seconds; NaN while nobody has said. */
export class Course {
  readonly rows: Rows;
  readonly #places = new Rows(PLACES);

  constructor(names: readonly string[]) {
    this.rows = new Rows(names);
  }

  append(row: readonly number[], places: readonly number[]): void {
    this.rows.append(row);
    this.#places.append(places);
  }

  x(axis: XAxis): Float64Array {
    return axis === "epoch" ? this.rows.column("epoch") : this.#places.column(axis);
  }

  /** The row a crosshair at `x` reads; -1 when it stands beside the rows. */
  at(axis: XAxis, x: number): number {
    return rowAt(this.x(axis), x);
  }
}

export class Run {
  info: RunInfo;
  /** Every row as it came. */
  readonly all: Rows;
  /** The rows in which the embedding is trained; afterwards only its 3D sphere is. */
  readonly space: Rows;
  readonly #all: Course;
  readonly #space: Course;
  /** Index in `space` of the lowest loss, for each of the two. */
  readonly #lowest = new Map<string, number>();
  readonly #names: readonly string[];
  #step = 0;
  #time = 0;
  #begin = Number.NaN;
  /** Which axes each row so far has a place on, and no row a smaller one than the row before. */
  #known = new Set<XAxis>(["step", "time"]);

  constructor(info: RunInfo, names: readonly string[]) {
    this.info = info;
    this.#names = names;
    this.#all = new Course(names);
    this.#space = new Course(names);
    this.all = this.#all.rows;
    this.space = this.#space.rows;
  }

  /** The first epoch of the sphere's phase, NaN before it. */
  get sphereStart(): number {
    return this.all.at("epoch", this.space.length < this.all.length ? this.space.length : -1);
  }

  /** Whether the last rows are those of an ensemble. */
  get isEnsemble(): boolean {
    return this.all.at("phase", this.all.length - 1) === ENSEMBLE;
  }

  course(rows: Rows): Course {
    return rows === this.all ? this.#all : this.#space;
  }

  /** Whether the rows can be drawn along an axis. */
  has(axis: XAxis): boolean {
    if (axis === "epoch") return !this.#isCountedInSteps;
    return this.#known.has(axis);
  }

  /** A log that knows steps but no epochs: both columns say the same. */
  get #isCountedInSteps(): boolean {
    const { all } = this;
    if (!all.filled("step")) return false;
    return [0, all.length - 1].every((row) => all.at("step", row) === all.at("epoch", row));
  }

  /** Index in `space` of the lowest value of a loss, -1 for none. */
  lowest(key: string): number {
    return this.#lowest.get(key) ?? -1;
  }

  append(block: ArrayLike<number>): void {
    const width = this.#names.length;
    const phase = this.#names.indexOf("phase");
    if (width === 0 || block.length % width !== 0) {
      throw new Error(`A block of ${block.length} values does not make rows of ${width}`);
    }
    for (let i = 0; i < block.length; i += width) {
      const row = Array.from({ length: width }, (_, c) => block[i + c] as number);
      const places = this.#place(row);
      this.#all.append(row, places);
      if (phase >= 0 && row[phase] === SPHERE) continue;
      this.#space.append(row, places);
      for (const key of ["loss", "validation_loss"]) this.#compare(key);
    }
  }

  #compare(key: string): void {
    const row = this.space.length - 1;
    const value = this.space.at(key, row);
    const best = this.space.at(key, this.lowest(key));
    if (Number.isFinite(value) && !(value >= best)) this.#lowest.set(key, row);
  }

  /** Steps taken and seconds spent at the end of a row. */
  #place(row: readonly number[]): [number, number] {
    const get = (name: string): number => row[this.#names.indexOf(name)] ?? Number.NaN;
    const [step, steps, time, seconds, clock] = ["step", "steps", "time", "duration", "time_now"].map(get) as [
      number, number, number, number, number,
    ];
    this.#begin = Number.isNaN(this.#begin) ? clock : this.#begin;
    // Pauses are no training: the sum of the epochs comes before what the clock says.
    this.#step = this.#next("step", this.#step, step, this.#step + steps);
    this.#time = this.#next("time", this.#time, time, this.#time + seconds, clock - this.#begin);
    return [this.#step, this.#time];
  }

  #next(axis: XAxis, before: number, ...told: number[]): number {
    const value = told.find((place) => Number.isFinite(place));
    if (value === undefined || value < before) {
      this.#known.delete(axis);
      return before;
    }
    return value;
  }
}
