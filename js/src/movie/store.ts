/** What one movie knows; its views share it. `featrix_notebook/widgets/movie.py` is the other end. */

import { HOME, sameCamera, type Camera } from "../gl/camera.ts";
import type { Told, What } from "../shared/link.ts";
import { listen, watch, type Model } from "../shared/model.ts";
import { reasonOf } from "../shared/reason.ts";
import { bytesOf, isMessage } from "../shared/wire.ts";
import { RowsStore, type ColorSpec, type RowsChange, type RowsState } from "../sphere/rows.ts";
import { Rows } from "../plot/rows.ts";
import { Clock, epochAt, frameAt, timeOf } from "./clock.ts";
import { Frames } from "./frames.ts";
import { unpack } from "../gl/packing.ts";
import { Path } from "./path.ts";

export interface MovieSpec {
  n: number;
  /** The epoch of each frame. */
  epochs: number[];
  title: string;
  notes: string[];
  summary: string;
  /** The training goes on: frames may come. */
  live: boolean;
  /** There is a model that can publish a checkpoint. */
  publish: boolean;
  /** There is a kernel that makes files. */
  saves: boolean;
  /** Columns of the log; `epoch` is the first. */
  log: string[];
  best: number | null;
  sphereFrom: number | null;
  choices: { label: string; group: string }[];
  color: ColorSpec & { perFrame: boolean };
  fps: number;
  trails: boolean;
  loop: boolean;
  size: number | null;
  opacity: number;
  height: number;
}

export interface MovieState extends RowsState {
  _spec: MovieSpec;
  /** The frame to show before any other is there. */
  _first: DataView;
  _codes: DataView;
  _log: DataView;
  _camera: Partial<Camera>;
  _hovered: number;
  epoch: number;
  playing: boolean;
}

export type MovieChange = RowsChange | "rows" | "frames" | "time" | "log";

const TOLD_MS = 200;
/** The camera is told to the kernel when it has rested so long: its films look from there. */
const REST_MS = 250;

export interface ExportProgress {
  done: number;
  total: number;
}

export class MovieStore extends RowsStore<MovieState, MovieChange> {
  readonly clock = new Clock();
  log = new Rows([]);
  /** Why the frames do not come, in words. */
  problem = "";
  trails = false;
  readonly #path = new Path((index) => this.frame(index));
  readonly #frames = new Frames(
    async (from, to) => (await this.requests.ask("frames", { from, to })).columns.get("xy") as Int16Array,
    () => frameAt(this.clock.time),
    (problem) => this.#framesCame(problem),
  );
  #codes: Uint8Array = new Uint8Array(0);
  /** One row of codes a frame, when each frame has its own. */
  #each: Uint8Array | null = null;
  #ticked = 0;
  #told = 0;
  #tellTimer = 0;
  #cameraTimer = 0;
  #shown = -1;
  #closed = false;
  readonly #jobs = new Map<string, (progress: ExportProgress) => void>();

  constructor(model: Model<MovieState>) {
    super(model);
    const { spec, clock } = this;
    Object.assign(clock, { fps: spec.fps, loop: spec.loop });
    this.trails = spec.trails;
    this.#readCamera();
    this.#readRows();
    this.#readLog();
    clock.seek(timeOf(spec.epochs, model.get("epoch")));
    clock.playing = model.get("playing");
    this.#place();
    this.cleanups.push(
      watch(model, "_spec", () => this.#readSpec()),
      watch(model, "_codes", () => this.#readCodes()),
      watch(model, "_log", () => this.#readLog()),
      watch(model, "_camera", () => {
        if (!this.#readCamera()) return;
        this.link.share("camera", this.camera);
        this.tell("camera");
      }),
      watch(model, "epoch", () => this.#goTo(model.get("epoch"))),
      watch(model, "playing", () => this.#play(model.get("playing"))),
      listen(model, (content) => {
        if (!isMessage(content) || content.kind !== "exporting") return;
        this.#jobs.get(String(content["job"]))?.(content as unknown as ExportProgress);
      }),
    );
    this.#shareEpoch();
    if (this.camera) this.link.share("camera", this.camera);
    this.openLink();
    this.#frames.pull();
  }

  get spec(): MovieSpec {
    return this.model.get("_spec");
  }

  /** How many frames are here. */
  get loaded(): number {
    return this.#frames.loaded;
  }

  frame(index: number): Int16Array | null {
    return this.#frames.at(index);
  }

  /** The epoch on show, with its fraction between two frames. */
  get epoch(): number {
    return epochAt(this.spec.epochs, this.clock.time);
  }

  override dispose(): void {
    this.#closed = true;
    clearTimeout(this.#tellTimer);
    clearTimeout(this.#cameraTimer);
    this.#frames.close();
    super.dispose();
  }

  // ---------------------------------------------------------------- time

  /**
   * Called by every view before it draws; moves on once a moment. Returns whether it will move by
   * itself: a movie that waits for frames is called again when they come.
   */
  tick(now: number): boolean {
    const { clock } = this;
    const ms = Math.min(100, now - this.#ticked);
    if (ms > 0) {
      this.#ticked = now;
      const moved = clock.advance(ms, this.#frames.ready);
      if (moved) {
        this.#place();
        this.#shareEpoch();
      }
      if (moved || !clock.playing) this.#tellKernel();
    }
    return clock.playing && (clock.time < clock.last ? this.#frames.ready > clock.time : !clock.live);
  }

  seek(time: number, stop = true): void {
    if (stop) this.clock.playing = false;
    this.clock.seek(time);
    this.#moved();
  }

  seekEpoch(epoch: number): void {
    this.seek(timeOf(this.spec.epochs, epoch));
  }

  step(direction: 1 | -1): void {
    this.clock.step(direction);
    this.#moved();
  }

  toggle(): void {
    this.clock.toggle();
    this.#ticked = performance.now();
    this.#moved();
  }

  #moved(): void {
    this.#arrive();
    this.#tellKernel();
  }

  #arrive(): void {
    this.#place();
    this.#frames.pull();
    this.#shareEpoch();
    this.tell("time");
  }

  #shareEpoch(): void {
    if (Number.isFinite(this.epoch)) this.link.share("epoch", this.epoch);
  }

  #goTo(epoch: number): void {
    if (epoch === this.spec.epochs[frameAt(this.clock.time)]) return;
    this.clock.seek(timeOf(this.spec.epochs, epoch));
    this.#arrive();
  }

  #play(playing: boolean): void {
    if (playing === this.clock.playing) return;
    this.clock.toggle();
    this.#ticked = performance.now();
    this.tell("time");
  }

  /** Bring positions and codes to the present time. */
  #place(): void {
    const { clock } = this;
    const n = this.codes.length;
    if (this.positions.length !== n * 3) this.positions = new Int16Array(n * 3);
    // While frames are missing the nearest one before stands in, else what is shown stays.
    if (!this.#path.at(clock.time, clock.last, this.positions)) {
      const stand = this.frame(frameAt(clock.time));
      if (stand?.length === n * 3) this.positions.set(stand);
    }
    const frame = Math.min(Math.round(clock.time), clock.last);
    if (this.#each && this.#each.length >= (frame + 1) * n && frame !== this.#shown) {
      this.codes = this.#each.slice(frame * n, (frame + 1) * n);
      this.#shown = frame;
      this.tell("codes");
    }
  }

  /** The kernel hears of the epoch a few times a second, and where it stops. */
  #tellKernel(): void {
    const epoch = this.spec.epochs[frameAt(this.clock.time)];
    const { playing } = this.clock;
    const same = epoch === this.model.get("epoch") && playing === this.model.get("playing");
    if (same || epoch === undefined || this.#tellTimer) return;
    const wait = Math.max(0, this.#told + TOLD_MS - performance.now());
    this.#tellTimer = globalThis.setTimeout(() => {
      this.#tellTimer = 0;
      this.#told = performance.now();
      const now = this.spec.epochs[frameAt(this.clock.time)];
      if (now === undefined) return;
      if (now !== this.model.get("epoch")) this.model.set("epoch", now);
      if (this.clock.playing !== this.model.get("playing")) {
        this.model.set("playing", this.clock.playing);
      }
      this.model.save_changes();
    }, wait) as unknown as number;
  }

  override look(camera: Camera): void {
    super.look(camera);
    clearTimeout(this.#cameraTimer);
    this.#cameraTimer = globalThis.setTimeout(() => {
      this.model.set("_camera", { ...camera });
      this.model.save_changes();
    }, REST_MS) as unknown as number;
  }

  override hover(point: number): void {
    if (point === this.hovered) return;
    super.hover(point);
    if (this.#closed) return;
    this.model.set("_hovered", point);
    this.model.save_changes();
  }

  protected override apply(what: What, value: Told): void {
    if (what !== "epoch") super.apply(what, value);
    else if (typeof value === "number") this.seekEpoch(value);
  }

  // ---------------------------------------------------------------- requests

  async publish(name: string, org: string): Promise<string> {
    const epoch = this.spec.epochs[frameAt(this.clock.time)];
    const { message } = await this.requests.ask("publish", { name, org, epoch }, null);
    return String(message["published"]);
  }

  /** Have a file made; `told` hears how far it is. The returned function cancels. */
  make(
    format: string,
    options: Record<string, unknown>,
    told: (progress: ExportProgress) => void,
  ): { file: Promise<Uint8Array<ArrayBuffer>>; cancel(): void } {
    const job = `job-${Math.random().toString(36).slice(2)}`;
    this.#jobs.set(job, told);
    const file = this.requests
      .ask("export", { format, job, ...options }, null)
      .then(({ columns }) => columns.get("file") as Uint8Array<ArrayBuffer>)
      .finally(() => this.#jobs.delete(job));
    return { file, cancel: () => this.model.send({ v: 1, kind: "cancel", job }) };
  }

  #framesCame(problem: string): void {
    this.problem = problem;
    this.#path.reset();
    this.#place();
    this.tell("frames");
  }

  // ---------------------------------------------------------------- from the kernel

  #readSpec(): void {
    const { spec, clock } = this;
    const fresh = spec.n !== this.codes.length;
    if (fresh) this.#readRows();
    const following = clock.time >= clock.last;
    clock.last = Math.max(0, spec.epochs.length - 1);
    clock.live = spec.live;
    if (fresh) clock.seek(clock.last);
    else if (following && spec.live && !clock.playing) clock.seek(clock.time);
    this.#frames.extend(spec.epochs.length);
    if (spec.color.perFrame) void this.#pullCodes();
    else this.#each = null;
    this.#frames.pull();
    this.#place();
    if (fresh) this.tell("rows");
    this.tell("spec");
  }

  /** The rows of the movie, with the one frame that travels in the state. */
  #readRows(): void {
    const { spec, clock } = this;
    this.#frames.reset(spec.n, spec.epochs.length);
    this.#path.reset();
    clock.last = Math.max(0, spec.epochs.length - 1);
    clock.live = spec.live;
    this.codes = new Uint8Array(spec.n);
    this.newRows(spec.n);
    this.#readCodes();
    this.readSelected();
    const bytes = bytesOf(this.model.get("_first")).slice();
    if (bytes.length === spec.n * 4 && spec.n) {
      this.positions = unpack(new Int16Array(bytes.buffer));
    }
    if (spec.color.perFrame) void this.#pullCodes();
  }

  #readCodes(): void {
    const codes = bytesOf(this.model.get("_codes"));
    this.#codes = new Uint8Array(this.spec.n);
    this.#codes.set(codes.subarray(0, this.spec.n));
    this.#shown = -1;
    this.#each = null;
    this.codes = this.#codes as Uint8Array<ArrayBuffer>;
    this.tell("codes");
  }

  async #pullCodes(): Promise<void> {
    if (this.#each && this.#each.length === this.spec.n * this.spec.epochs.length) return;
    try {
      const { columns } = await this.requests.ask("codes", {});
      if (!this.spec.color.perFrame) return;
      this.#each = columns.get("codes") as Uint8Array;
      this.#shown = -1;
      this.#place();
      this.tell("codes");
    } catch (error) {
      this.problem = reasonOf(error);
      this.tell("frames");
    }
  }

  #readLog(): void {
    const bytes = bytesOf(this.model.get("_log")).slice();
    const names = this.spec.log;
    const log = new Rows(names);
    const values = new Float64Array(bytes.buffer, 0, bytes.length >> 3);
    if (values.length % names.length === 0) log.append(values);
    this.log = log;
    this.tell("log");
  }

  /** Returns whether the kernel's camera is another one than the reader's. */
  #readCamera(): boolean {
    const told = this.model.get("_camera");
    if (!told || typeof told.yaw !== "number") return false;
    const camera = { ...HOME, ...told };
    if (this.camera && sameCamera(camera, this.camera)) return false;
    this.camera = camera;
    return true;
  }
}
