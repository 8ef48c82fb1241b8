/**
 * What a widget of points knows of its rows, whichever it is: codes, selection, the values of a row.
 * `featrix_notebook/widgets/rows.py` is the other end.
 */

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

export interface RowsState {
  _selected: DataView;
  _version: string;
}

export type RowsChange = "spec" | "codes" | "selected";
export type SelectMode = "replace" | "add" | "toggle";
/** Name and text of a value; null where it is missing. */
export type RowValues = [string, string | null][];

const CACHED_ROWS = 500;

export abstract class RowsStore<State extends RowsState, Change extends string> {
  positions = new Int16Array(0);
  codes = new Uint8Array(0);
  /** One byte a point, see SELECTED. */
  state = new Uint8Array(0);
  /** Selected points, ascending. */
  selected = new Uint32Array(0);
  /** Where the reader last looked from: a view drawn anew starts there. */
  camera: Camera | null = null;
  protected readonly model: Model<State>;
  protected readonly requests: Requests;
  protected readonly cleanups: Cleanup[] = [];
  readonly #listeners = new Set<(change: Change | RowsChange) => void>();
  readonly #rows = new Map<number, RowValues>();

  constructor(model: Model<State>) {
    this.model = model;
    this.requests = new Requests(model as unknown as Model);
    this.cleanups.push(
      watch(model, "_selected", () => {
        this.readSelected();
        this.tell("selected");
      }),
    );
  }

  get version(): string {
    return this.model.get("_version");
  }

  subscribe(listener: (change: Change | RowsChange) => void): Cleanup {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ask the kernel to colour by another choice; the codes come back as state. */
  async colorBy(choice: number): Promise<void> {
    await this.requests.ask("color", { choice });
  }

  /** The values of a point's row, from the kernel once and then from memory. */
  async row(point: number): Promise<RowValues> {
    const known = this.#rows.get(point);
    if (known) return known;
    const { message } = await this.requests.ask("row", { point });
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
    this.model.set("_selected", new DataView(packed.buffer) as State["_selected"]);
    this.model.save_changes();
  }

  dispose(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.requests.dispose();
    this.#listeners.clear();
  }

  protected tell(change: Change | RowsChange): void {
    for (const listener of [...this.#listeners]) listener(change);
  }

  /** There are other rows now. */
  protected newRows(count: number): void {
    this.state = new Uint8Array(count);
    this.#rows.clear();
  }

  protected readSelected(): void {
    const bytes = bytesOf(this.model.get("_selected"));
    const packed = new Uint32Array(bytes.slice(0, bytes.length & ~3).buffer);
    this.selected = packed.filter((point) => point < this.state.length);
    this.state.fill(0);
    for (const point of this.selected) this.state[point] = SELECTED;
  }
}
