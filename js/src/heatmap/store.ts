/**
 * What one heatmap knows; its views share it. `featrix_notebook/widgets/heatmap.py` is the other
 * end.
 */
import { Link, type LinkState, type Told, type What } from "../shared/link.ts";
import { watch, type Cleanup, type Model } from "../shared/model.ts";
import { reasonOf } from "../shared/reason.ts";
import { Requests } from "../shared/requests.ts";
import { bytesOf } from "../shared/wire.ts";
import { tickText, type AxisSpec } from "./axis.ts";
import { flatIndex, placeOf, planeOf, readCells, type Cells, type Plane } from "./cells.ts";

export type ViewName = "value" | "confidence" | "class";

export interface ControlSpec {
  label: string;
  kind: "number" | "category" | "text";
  /** A number, the place of a choice, or text; null for missing. */
  value: number | string | null;
  initial: number | string | null;
  low?: number;
  high?: number;
  whole?: boolean;
  choices?: string[];
}

export interface Spec {
  shape: number[];
  axes: AxisSpec[];
  meaning: string;
  unit: string;
  views: ViewName[];
  dtype: "f4" | "f8";
  hasConfidence: boolean;
  classes: { colors: string[]; entries: { label: string; count: number }[]; missing: number } | null;
  classChoices: string[];
  classChoice: number | null;
  limits: [number, number] | null;
  threshold: number | null;
  maximize: boolean;
  optimum: number[];
  filled: number;
  failed: number;
  /** More than 1 while only every so-manieth cell has been answered. */
  step: number;
  base: [string, string | null][];
  controls: ControlSpec[];
  asked: number;
  answered: number;
  problem: string | null;
  canRefine: boolean;
  canReturn: boolean;
  /** Whether there is a predictor to ask. */
  asks: boolean;
  height: number;
  summary: string;
}

export interface HeatmapState extends LinkState {
  _spec: Spec;
  _cells: DataView;
  _cell: number[];
  _hover: number[];
  _slice: number;
  _show: ViewName;
}

export type Change = "cells" | "cell" | "hover" | "slice" | "show" | "ui";

/** What the kernel says of one cell beside its value. */
export interface CellFacts {
  record: [string, string | null][];
  class?: string;
  interval?: [number, number];
  shares?: [string, number][];
  warnings?: string[];
  problem?: string;
}

/** Label of each axis, and what stands there. */
type NamedCell = [string, string][];

const EMPTY: Cells = { values: new Float32Array(0), confidence: null, codes: null };
/** A slider moves sixty times a second; more questions than this would only wait. */
const ASK_MS = 50;
const CACHED_CELLS = 500;

export class HeatmapStore {
  cells: Cells = EMPTY;
  contours = false;
  /** What went wrong with the last wish, in words. */
  problem = "";
  #cursor: readonly number[] = [];
  readonly #model: Model<HeatmapState>;
  readonly #requests: Requests;
  readonly #link: Link;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #cleanups: Cleanup[];
  readonly #facts = new Map<number, Promise<CellFacts>>();
  /** What the reader has set and the kernel has not been told. */
  readonly #wishes = new Map<number, number | string | null>();
  #sending = false;
  #timer = 0;
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(model: Model<HeatmapState>) {
    this.#model = model;
    this.#requests = new Requests(model);
    this.#read();
    this.#cleanups = [
      watch(model, "_cells", () => this.#read()),
      watch(model, "_spec", () => this.#read()),
      watch(model, "_cell", () => this.#tell("cell")),
      watch(model, "_hover", () => this.#tell("hover")),
      watch(model, "_slice", () => this.#tell("slice")),
      watch(model, "_show", () => this.#tell("show")),
    ];
    const linked = model as unknown as Model<LinkState>;
    this.#link = new Link(linked, (what, value) => this.#apply(what, value));
    this.#share("cell");
    this.#share("show");
    this.#link.open(linked);
  }

  get spec(): Spec {
    return this.#model.get("_spec");
  }

  /** What is shown; a host without this view of the data shows the values. */
  get show(): ViewName {
    const view = this.#model.get("_show");
    return this.spec.views.includes(view) ? view : "value";
  }

  set show(view: ViewName) {
    this.#save("_show", view);
  }

  get slice(): number {
    const last = (this.spec.shape[2] ?? 1) - 1;
    return Math.min(Math.max(0, this.#model.get("_slice") || 0), last);
  }

  set slice(at: number) {
    const last = (this.spec.shape[2] ?? 1) - 1;
    this.#save("_slice", Math.min(Math.max(0, at), last));
  }

  get plane(): Plane {
    return planeOf(this.spec.shape, this.slice);
  }

  /** The selected cell; empty for none. */
  get cell(): readonly number[] {
    return this.#valid(this.#model.get("_cell"));
  }

  select(position: readonly number[]): void {
    this.#save("_cell", [...position]);
  }

  /** Where the reader's keys are; it outlives a view that is drawn anew. */
  get cursor(): readonly number[] {
    return this.#cursor;
  }

  set cursor(position: readonly number[]) {
    this.#cursor = position;
    this.#share("hover");
  }

  get hover(): readonly number[] {
    return this.#valid(this.#model.get("_hover"));
  }

  /** Told to the other widgets of the page, and to the kernel only along with something else. */
  set hover(position: readonly number[]) {
    const before = this.#model.get("_hover") ?? [];
    if (before.length === position.length && before.every((index, i) => index === position[i])) return;
    this.#model.set("_hover", [...position]);
  }

  /** Whether the surface is not (yet) the answer to the newest wish. */
  get behind(): boolean {
    const { asked, answered } = this.spec;
    return asked > answered || this.#wishes.size > 0 || this.#sending;
  }

  /** What a control stands at: the reader's wish where the kernel has not taken it up yet. */
  wish(control: number): number | string | null {
    const wished = this.#wishes.get(control);
    return wished === undefined ? (this.spec.controls[control]?.value ?? null) : wished;
  }

  /** Wish for another value of a column of the record; only the newest wish is asked. */
  vary(control: number, value: number | string | null): void {
    this.#wishes.set(control, value);
    this.#tell("ui");
    this.#ask();
  }

  /** Set all columns back to what they were at first. */
  restore(): void {
    for (const [i, { value, initial }] of this.spec.controls.entries()) {
      if (value !== initial || this.#wishes.has(i)) this.#wishes.set(i, initial);
    }
    this.#tell("ui");
    this.#ask();
  }

  refine(): Promise<void> {
    return this.#do("refine");
  }

  back(): Promise<void> {
    return this.#do("back");
  }

  chooseClass(choice: number): Promise<void> {
    return this.#do("class", { choice });
  }

  setContours(on: boolean): void {
    this.contours = on;
    this.#tell("ui");
  }

  /** Record and answer of a cell, from the kernel once and then from memory. */
  facts(position: readonly number[]): Promise<CellFacts> {
    const at = flatIndex(this.spec.shape, position);
    let known = this.#facts.get(at);
    if (!known) {
      known = this.#requests.ask("cell", { at: position }).then(({ message }) => message as unknown as CellFacts);
      const oldest = this.#facts.size >= CACHED_CELLS ? this.#facts.keys().next().value : undefined;
      if (oldest !== undefined) this.#facts.delete(oldest);
      this.#facts.set(at, known);
      known.catch(() => this.#facts.delete(at));
    }
    return known;
  }

  subscribe(listener: (change: Change) => void): Cleanup {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#link.dispose();
    for (const cleanup of this.#cleanups) cleanup();
    this.#requests.dispose();
    this.#listeners.clear();
  }

  #valid(position: readonly number[] | null | undefined): readonly number[] {
    return position && placeOf(this.spec.shape, position) ? position : [];
  }

  #save<K extends keyof HeatmapState & string>(key: K, value: HeatmapState[K]): void {
    this.#model.set(key, value);
    this.#model.save_changes();
  }

  /** Cells and what they mean arrive together, but a host may deliver them one after the other. */
  #read(): void {
    const { shape, dtype, hasConfidence, classes } = this.spec;
    const n = shape.reduce((product, side) => product * side, 1);
    const layers = { dtype, hasConfidence, hasCodes: classes !== null };
    const cells = readCells(bytesOf(this.#model.get("_cells")), n, layers);
    if (!cells) return;
    this.cells = cells;
    this.#facts.clear();
    this.#tell("cells");
  }

  #tell(change: Change): void {
    this.#share(change);
    for (const listener of [...this.#listeners]) listener(change);
  }

  // -------------------------------------------------------------------- linked widgets

  #share(change: Change): void {
    if (change === "cell") this.#link.share("selection", this.#named(this.cell));
    else if (change === "hover") {
      this.#link.share("hover", this.#named(this.#cursor.length ? this.#cursor : this.hover));
    } else if (change === "show") this.#link.share("color", { show: this.show });
  }

  #apply(what: What, value: Told): void {
    const { cell, show } = (value ?? {}) as { cell?: NamedCell; show?: ViewName };
    if (what === "color" && show && this.spec.views.includes(show)) this.show = show;
    else if (what === "hover") this.hover = cell ? this.#placed(cell) : [];
    else if (what === "selection" && (cell || value === null)) {
      const position = cell ? this.#placed(cell) : [];
      if (position.length === 3) this.slice = position[2]!;
      if (position.length || this.cell.length) this.select(position);
    }
  }

  /** A cell by what stands there: another heatmap may have its axes elsewhere, and other steps. */
  #named(position: readonly number[]): { cell: NamedCell } | null {
    if (!position.length) return null;
    const { axes } = this.spec;
    return { cell: axes.map((axis, i) => [axis.label, tickText(axis, position[i]!)]) };
  }

  /** Where such a cell is here; empty where it is not. */
  #placed(cell: NamedCell): number[] {
    const position = this.spec.axes.map((axis) => {
      const text = cell.find(([label]) => label === axis.label)?.[1];
      return axis.ticks.findIndex((_, i) => tickText(axis, i) === text);
    });
    return cell.length === position.length && position.every((index) => index >= 0) ? position : [];
  }

  #ask(): void {
    if (this.#sending || this.#timer) return; // goes along with the next question
    const wait = Math.max(0, this.#sentAt + ASK_MS - performance.now());
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      void this.#send();
    }, wait);
  }

  async #send(): Promise<void> {
    if (!this.#wishes.size) return;
    const sent = new Map(this.#wishes);
    const labels = Object.fromEntries([...sent.keys()].map((i) => [i, this.spec.controls[i]?.label]));
    this.#sending = true;
    this.#sentAt = performance.now();
    await this.#do("vary", { values: Object.fromEntries(sent), labels });
    this.#sending = false;
    for (const [i, value] of sent) if (this.#wishes.get(i) === value) this.#wishes.delete(i);
    this.#tell("ui");
    if (this.#wishes.size) this.#ask();
  }

  async #do(kind: string, body: Record<string, unknown> = {}): Promise<void> {
    this.problem = "";
    try {
      await this.#requests.ask(kind, body);
    } catch (error) {
      this.problem = reasonOf(error);
    }
    this.#tell("ui");
  }
}
