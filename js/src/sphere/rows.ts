/**
 * What a widget of points knows of its rows, whichever it is: codes, selection, the values of a row.
 * `featrix_notebook/widgets/rows.py` is the other end.
 */

import type { Camera } from "../gl/camera.ts";
import type { Coding } from "../gl/palette.ts";
import { SELECTED } from "../gl/scene.ts";
import { Link, type LinkState, type Told, type What } from "../shared/link.ts";
import { watch, type Cleanup, type Model } from "../shared/model.ts";
import { Requests } from "../shared/requests.ts";
import { bytesOf } from "../shared/wire.ts";
import { RowKeys } from "./keys.ts";

export interface ColorSpec extends Coding {
  /** Place in `choices`, or null when coloured by nothing on the list. */
  choice: number | null;
  label: string;
  entries: { label: string; count: number }[];
  missing: number;
  ticks: { at: number; label: string }[];
  /** Ends of the scale of a number, of dates in seconds since 1970. */
  low?: number | null;
  high?: number | null;
  dates?: boolean;
  openLow: boolean;
  openHigh: boolean;
}

export interface RowsState extends LinkState {
  _selected: DataView;
  /** See `RowKeys`; empty while the widget is linked to no other. */
  _keys?: DataView;
  _version: string;
}

export type RowsChange = "spec" | "codes" | "selected" | "camera" | "hover";
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
  /** The point that the reader points at, here or in a linked widget; -1 for none. */
  hovered = -1;
  protected readonly link: Link;
  protected readonly model: Model<State>;
  protected readonly requests: Requests;
  protected readonly cleanups: Cleanup[] = [];
  readonly #listeners = new Set<(change: Change | RowsChange) => void>();
  readonly #rows = new Map<number, RowValues>();
  #keys = new RowKeys(undefined, 0);
  #keysFrom: DataView | undefined;
  /** Choices of a colour on their way. */
  #coloring = 0;

  abstract readonly spec: { choices: { label: string; group: string }[]; color: ColorSpec };

  constructor(model: Model<State>) {
    this.model = model;
    this.requests = new Requests(model as unknown as Model);
    this.cleanups.push(
      watch(model, "_selected", () => {
        this.readSelected();
        this.tell("selected");
      }),
      watch(model, "_keys", () => this.#shareSelection()),
    );
    this.link = new Link(model as unknown as Model<LinkState>, (what, value) => this.apply(what, value));
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
    this.#coloring++;
    try {
      const answer = this.requests.ask("color", { choice });
      this.#shareColor(choice);
      await answer;
    } finally {
      this.#coloring--;
    }
  }

  /** The reader looks from elsewhere. */
  look(camera: Camera): void {
    this.camera = camera;
    this.link.share("camera", camera);
    if (this.link.shares("camera")) this.tell("camera");
  }

  /** The reader points at another point, or with -1 at none. */
  hover(point: number): void {
    if (point === this.hovered) return;
    this.hovered = point;
    if (this.#rowKeys.known) {
      const row = point < 0 ? null : { row: this.#rowKeys.of(Uint32Array.of(point))[0]! };
      this.link.share("hover", row);
    }
    if (this.link.shares("hover")) this.tell("hover");
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
    this.link.dispose();
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.requests.dispose();
    this.#listeners.clear();
  }

  protected tell(change: Change | RowsChange): void {
    if (change === "spec") this.#rows.clear(); // a prediction that colours the points is told with their row
    // Colours asked for in the page are shared when they are asked for: answers come in any order.
    if (change === "spec" && !this.#coloring) this.#shareColor(this.spec.color.choice);
    for (const listener of [...this.#listeners]) listener(change);
  }

  /** There are other rows now. */
  protected newRows(count: number): void {
    this.state = new Uint8Array(count);
    this.#rows.clear();
    this.#keysFrom = undefined;
    this.hovered = -1;
  }

  protected readSelected(): void {
    const bytes = bytesOf(this.model.get("_selected"));
    const packed = new Uint32Array(bytes.slice(0, bytes.length & ~3).buffer);
    this.selected = packed.filter((point) => point < this.state.length);
    this.state.fill(0);
    for (const point of this.selected) this.state[point] = SELECTED;
    this.#shareSelection();
  }

  /** Take part in the links, with everything in place. */
  protected openLink(): void {
    this.#shareColor(this.spec.color.choice);
    this.link.open(this.model as unknown as Model<LinkState>);
  }

  /** Show what a linked widget shows. */
  protected apply(what: What, value: Told): void {
    if (what === "camera") this.look(value as Camera);
    else if (what === "color") this.#takeColor(value as { label?: string; group?: string });
    else if (what === "selection" && value instanceof Float64Array) {
      const points = this.#rowKeys.points(value).sort();
      const held = this.selected;
      if (points.length !== held.length || points.some((point, i) => point !== held[i])) {
        this.select(points, "replace");
      }
    } else if (what === "hover") {
      const { row } = (value ?? {}) as { row?: number };
      this.hover(row === undefined ? -1 : this.#rowKeys.points(Float64Array.of(row))[0] ?? -1);
    }
  }

  get #rowKeys(): RowKeys {
    const data = this.model.get("_keys");
    if (data !== this.#keysFrom) this.#keys = new RowKeys(data, this.state.length);
    this.#keysFrom = data;
    return this.#keys;
  }

  #shareSelection(): void {
    if (this.#rowKeys.known) this.link.share("selection", this.#rowKeys.of(this.selected));
  }

  #shareColor(place: number | null): void {
    const choice = place === null ? undefined : this.spec.choices[place];
    if (choice) this.link.share("color", { label: choice.label, group: choice.group });
  }

  #takeColor({ label, group }: { label?: string; group?: string }): void {
    const { choices, color } = this.spec;
    const place = choices.findIndex((choice) => choice.label === label && choice.group === group);
    if (place < 0 || place === color.choice) return;
    this.colorBy(place).catch(() => undefined); // it keeps its colours, and its legend says which
  }
}
