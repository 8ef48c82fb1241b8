/** What one sphere model knows; its views share it. `featrix_notebook/widgets/sphere.py` is the other end. */

import { unpack } from "../gl/packing.ts";
import { watch, type Model } from "../shared/model.ts";
import type { Question } from "../shared/search.ts";
import { bytesOf } from "../shared/wire.ts";
import type { Neighbours, Ranking } from "./neighbours.ts";
import type { Mark } from "./placed.ts";
import type { ColumnInfo } from "./search.ts";
import type { Signature } from "./signatures.ts";
import { RowsStore, type ColorSpec, type RowsChange, type RowsState } from "./rows.ts";

export interface Spec {
  n: number;
  title: string;
  notes: string[];
  summary: string;
  /** Whether there is a model that places new records. */
  canPlace: boolean;
  /** Number of clusters whose signatures can be asked for. */
  clusters: number;
  choices: { label: string; group: string }[];
  color: ColorSpec;
  size: number | null;
  opacity: number;
  shapes: boolean;
  autoRotate: boolean;
  height: number;
}

export interface SphereState extends RowsState {
  _spec: Spec;
  _positions: DataView;
  _codes: DataView;
  /** What can be searched. */
  _columns?: ColumnInfo[];
  _neighbours?: Partial<Neighbours>;
  _placed?: Mark[];
}

/** `asked` is what belongs to the questions of the panel. */
export type Change = "positions" | "asked" | RowsChange;

export class SphereStore extends RowsStore<SphereState, Change> {
  constructor(model: Model<SphereState>) {
    super(model);
    this.#readPositions();
    this.readSelected();
    this.cleanups.push(
      watch(model, "_positions", () => {
        this.#readPositions();
        this.readSelected();
        this.tell("positions");
      }),
      watch(model, "_codes", () => {
        this.#readCodes();
        this.tell("codes");
      }),
      watch(model, "_spec", () => this.tell("spec")),
      watch(model, "_columns", () => this.tell("asked")),
      watch(model, "_placed", () => this.tell("asked")),
      watch(model, "_neighbours", () => this.tell("asked")),
    );
    this.openLink();
  }

  get spec(): Spec {
    return this.model.get("_spec");
  }

  get columns(): ColumnInfo[] {
    return this.model.get("_columns") ?? [];
  }

  /** The points that answer a question, in the order of the table. */
  async search(question: Question): Promise<Uint32Array> {
    const { columns } = await this.requests.ask("search", { ...question });
    return Uint32Array.from(columns.get("points") ?? []);
  }

  /** What is drawn of a point's neighbours. */
  get neighbours(): Neighbours | null {
    const near = this.model.get("_neighbours");
    return near?.point === undefined ? null : (near as Neighbours);
  }

  /** Ask for the nearest rows; they come back as state. */
  async findNeighbours(point: number): Promise<void> {
    await this.requests.ask("neighbours", { point }, null);
  }

  hideNeighbours(): void {
    this.model.set("_neighbours", {});
    this.model.save_changes();
  }

  get marks(): Mark[] {
    return this.model.get("_placed") ?? [];
  }

  /** Ask for the place of a record; its mark comes back as state. */
  async place(values: Record<string, string>): Promise<void> {
    await this.requests.ask("place", { values }, null);
  }

  unplace(id: string): void {
    this.model.set("_placed", this.marks.filter((mark) => mark.id !== id));
    this.model.save_changes();
  }

  /** What makes a group different: `selection`, or a cluster as `k/label`. */
  async findSignature(of: string): Promise<Signature> {
    const { message } = await this.requests.ask("signature", { of }, null);
    return message as unknown as Signature;
  }

  async findOutliers(): Promise<Ranking> {
    const { message } = await this.requests.ask("outliers", {}, null);
    return message as unknown as Ranking;
  }

  #readPositions(): void {
    const bytes = bytesOf(this.model.get("_positions"));
    const points = Math.floor(bytes.length / 4);
    const even = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
    this.positions = unpack(new Int16Array(even.buffer, even.byteOffset, points * 2));
    this.newRows(points);
    this.#readCodes();
  }

  #readCodes(): void {
    const n = this.positions.length / 3;
    const codes = bytesOf(this.model.get("_codes"));
    if (codes.length === n) this.codes = codes;
    else {
      // The two arrive together; a host that delivers them one by one must not break the picture.
      this.codes = new Uint8Array(n);
      this.codes.set(codes.subarray(0, n));
    }
  }
}
