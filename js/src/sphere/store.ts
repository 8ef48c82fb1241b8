/** What one sphere model knows; its views share it. `featrix_notebook/widgets/sphere.py` is the other end. */

import type { Camera } from "../gl/camera.ts";
import type { Coding } from "../gl/palette.ts";
import { SELECTED } from "../gl/scene.ts";
import { watch, type Cleanup, type Model } from "../shared/model.ts";
import { Requests } from "../shared/requests.ts";
import { bytesOf } from "../shared/wire.ts";

export interface ColorSpec extends Coding {
  /** Place in `choices`, or null when coloured by nothing on the list. */
  choice: number | null;
  label: string;
  entries: { label: string; count: number }[];
  missing: number;
  ticks: { at: number; label: string }[];
  openLow: boolean;
  openHigh: boolean;
}

export interface Spec {
  n: number;
  title: string;
  notes: string[];
  summary: string;
  choices: { label: string; group: string }[];
  color: ColorSpec;
  size: number | null;
  opacity: number;
  shapes: boolean;
  autoRotate: boolean;
  height: number;
}

export interface SphereState {
  _spec: Spec;
  _positions: DataView;
  _codes: DataView;
  _selected: DataView;
  _version: string;
}

export type Change = "positions" | "codes" | "spec" | "selected";
export type SelectMode = "replace" | "add" | "toggle";
/** Name and text of a value; null where it is missing. */
export type RowValues = [string, string | null][];

const CACHED_ROWS = 500;

export class SphereStore {
  positions = new Int16Array(0);
  codes = new Uint8Array(0);
  /** One byte a point, see SELECTED. */
  state = new Uint8Array(0);
  /** Selected points, ascending. */
  selected = new Uint32Array(0);
  /** Where the reader last looked from: a view drawn anew starts there. */
  camera: Camera | null = null;
  readonly #model: Model<SphereState>;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #requests: Requests;
  readonly #rows = new Map<number, RowValues>();
  readonly #cleanups: Cleanup[];

  constructor(model: Model<SphereState>) {
    this.#model = model;
    this.#requests = new Requests(model as unknown as Model);
    this.#readPositions();
    this.#readSelected();
    this.#cleanups = [
      watch(model, "_positions", () => {
        this.#readPositions();
        this.#readSelected();
        this.#tell("positions");
      }),
      watch(model, "_codes", () => {
        this.#readCodes();
        this.#tell("codes");
      }),
      watch(model, "_spec", () => this.#tell("spec")),
      watch(model, "_selected", () => {
        this.#readSelected();
        this.#tell("selected");
      }),
    ];
  }

  get spec(): Spec {
    return this.#model.get("_spec");
  }

  get version(): string {
    return this.#model.get("_version");
  }

  subscribe(listener: (change: Change) => void): Cleanup {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ask the kernel to colour by another choice; the codes come back as state. */
  async colorBy(choice: number): Promise<void> {
    await this.#requests.ask("color", { choice });
  }

  /** The values of a point's row, from the kernel once and then from memory. */
  async row(point: number): Promise<RowValues> {
    const known = this.#rows.get(point);
    if (known) return known;
    const { message } = await this.#requests.ask("row", { point });
    const values = message.values as RowValues;
    if (this.#rows.size >= CACHED_ROWS) {
      const oldest = this.#rows.keys().next().value;
      if (oldest !== undefined) this.#rows.delete(oldest);
    }
    this.#rows.set(point, values);
    return values;
  }

  select(points: ArrayLike<number>, mode: SelectMode): void {
    const next = mode === "replace" ? new Uint8Array(this.state.length) : this.state.slice();
    for (let i = 0; i < points.length; i++) {
      const point = points[i]!;
      next[point] = mode === "toggle" ? next[point]! ^ SELECTED : next[point]! | SELECTED;
    }
    const chosen: number[] = [];
    for (let point = 0; point < next.length; point++) {
      if (next[point]! & SELECTED) chosen.push(point);
    }
    const packed = Uint32Array.from(chosen);
    this.#model.set("_selected", new DataView(packed.buffer));
    this.#model.save_changes();
  }

  dispose(): void {
    for (const cleanup of this.#cleanups) cleanup();
    this.#requests.dispose();
    this.#listeners.clear();
  }

  #tell(change: Change): void {
    for (const listener of [...this.#listeners]) listener(change);
  }

  #readPositions(): void {
    const bytes = bytesOf(this.#model.get("_positions"));
    const points = Math.floor(bytes.length / 6);
    // Copied only when the view is not aligned to 2 bytes.
    this.positions =
      bytes.byteOffset % 2 === 0
        ? new Int16Array(bytes.buffer, bytes.byteOffset, points * 3)
        : new Int16Array(bytes.slice().buffer, 0, points * 3);
    this.state = new Uint8Array(points);
    this.#rows.clear();
    this.#readCodes();
  }

  #readCodes(): void {
    const n = this.positions.length / 3;
    const codes = bytesOf(this.#model.get("_codes"));
    if (codes.length === n) this.codes = codes;
    else {
      // The two arrive together; a host that delivers them one by one must not break the picture.
      this.codes = new Uint8Array(n);
      this.codes.set(codes.subarray(0, n));
    }
  }

  #readSelected(): void {
    const bytes = bytesOf(this.#model.get("_selected"));
    const packed = new Uint32Array(bytes.slice(0, bytes.length & ~3).buffer);
    this.selected = packed.filter((point) => point < this.state.length);
    this.state.fill(0);
    for (const point of this.selected) this.state[point] = SELECTED;
  }
}
