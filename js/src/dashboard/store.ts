/** The data of a dashboard, one store a model: views come and go, this stays. */
import { Link, type LinkState } from "../shared/link.ts";
import type { Model } from "../shared/model.ts";
import { decode, Inbox, isMessage, type Frame, type Message } from "../shared/wire.ts";
import { Rows } from "../plot/rows.ts";
import type { YScale } from "../plot/scales.ts";

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

export class Run {
  info: RunInfo;
  /** Every row as it came. */
  readonly all: Rows;
  /** The rows in which the embedding is trained; afterwards only its 3D sphere is. */
  readonly space: Rows;

  constructor(info: RunInfo, names: readonly string[]) {
    this.info = info;
    this.all = new Rows(names);
    this.space = new Rows(names);
  }

  /** The first epoch of the sphere's phase, NaN before it. */
  get sphereStart(): number {
    return this.all.at("epoch", this.space.length < this.all.length ? this.space.length : -1);
  }

  append(block: ArrayLike<number>): void {
    this.all.append(block);
    const width = this.all.names.length;
    const phase = this.all.names.indexOf("phase");
    for (let i = 0; i < block.length; i += width) {
      if (phase >= 0 && block[i + phase] === SPHERE) continue;
      this.space.append(Array.from({ length: width }, (_, c) => block[i + c] as number));
    }
  }
}

/** What the reader chose; it never leaves the page, and outlives a view that is drawn anew. */
export interface UiState {
  scale: YScale;
  smoothing: number;
  /** Keys of the measures that are switched off. */
  hidden: Set<string>;
  range: [number, number] | null;
  cursor: number | null;
}

export interface DashboardState extends Record<string, unknown> {
  /** The last known content as text, for pages with no kernel. */
  snapshot: { message?: unknown; buffers?: string[] };
  _version: string;
  _links?: LinkState["_links"];
}

/** A move of the crosshair redraws no lines. */
export type Change = "data" | "cursor";

interface Pending {
  action: Action;
  failed: string | null;
}

export class DashboardStore {
  runs: Run[] = [];
  /** Rises when rows already held were replaced. */
  generation = 0;
  /** What the reader asked of each run, until the kernel answers. */
  readonly asked = new Map<number, Pending>();
  problem: string | null = null;
  readonly mismatch: string | null = null;
  readonly ui: UiState = {
    scale: "linear",
    smoothing: 0,
    hidden: new Set(["joint_loss", "marginal_loss", "spread_loss"]),
    range: null,
    cursor: null,
  };
  #listeners = new Set<(what: Change) => void>();
  #inbox: Inbox;
  #model: Model<DashboardState>;
  #live = false;
  #nextId = 1;
  readonly #link: Link;
  /** Where a linked widget stands: the crosshair goes back there when the pointer leaves. */
  #shared: number | null = null;

  constructor(model: Model<DashboardState>) {
    this.#model = model;
    const version = model.get("_version");
    if (version && version !== __VERSION__) {
      this.mismatch =
        `This view was built for version ${__VERSION__}, the kernel runs ${version}: ` +
        "restart the kernel and reload the page.";
    }
    void this.#loadSnapshot();
    this.#inbox = new Inbox(model as unknown as Model, {
      state: (frame) => {
        this.#live = true;
        this.#replace(frame);
      },
      append: (frame) => this.#extend(frame),
      other: (frame) => this.#answer(frame.message),
      failed: (reason) => {
        this.problem = reason;
        this.#tell();
      },
    });
    const linked = model as unknown as Model<LinkState>;
    this.#link = new Link(linked, (what, value) => {
      if (what !== "epoch" || typeof value !== "number") return;
      this.#shared = value;
      this.point(value);
    });
    this.#link.open(linked);
  }

  /** Move the crosshair to an epoch, or away. */
  point(epoch: number | null): void {
    if (epoch !== null) this.#link.share("epoch", epoch);
    const to = epoch ?? (this.#link.shares("epoch") ? this.#shared : null);
    if (to === this.ui.cursor) return;
    this.ui.cursor = to;
    this.#tell("cursor");
  }

  /** Call `listener` after each change; the returned function ends that. */
  subscribe(listener: (what: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(what: Change = "data"): void {
    this.#tell(what);
  }

  /** Ask the kernel to pause, resume or stop a run. */
  ask(run: number, action: Action): void {
    const id = String(this.#nextId++);
    this.asked.set(run, { action, failed: null });
    this.#model.send({ v: 1, kind: "control", seq: 0, id, run, action });
    this.#tell();
  }

  dispose(): void {
    this.#link.dispose();
    this.#inbox.dispose();
    this.#listeners.clear();
  }

  async #loadSnapshot(): Promise<void> {
    const { message, buffers = [] } = this.#model.get("snapshot") ?? {};
    if (!isMessage(message)) return;
    const views = buffers.map((text) => {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      return new DataView(bytes.buffer);
    });
    const frame = await decode(message, views);
    if (!this.#live) this.#replace(frame); // the kernel may have answered in the meantime
  }

  #replace({ message, columns }: Frame): void {
    const infos = message["runs"] as RunInfo[];
    const names = message["columns"] as string[][];
    this.runs = infos.map((info, i) => new Run(info, names[i] ?? []));
    for (const [i, run] of this.runs.entries()) {
      const block = columns.get(String(i));
      if (block) run.append(block);
    }
    this.generation++;
    this.problem = null;
    this.#settle();
  }

  #extend({ message, columns }: Frame): void {
    const infos = message["runs"] as RunInfo[];
    for (const [i, run] of this.runs.entries()) {
      run.info = infos[i] ?? run.info;
      const block = columns.get(String(i));
      if (block) run.append(block);
    }
    this.#settle();
  }

  /** Drop what was asked once the kernel's own words tell it. */
  #settle(): void {
    for (const [i, run] of this.runs.entries()) {
      const pending = this.asked.get(i);
      if (!pending || pending.failed) continue;
      const { status, requested } = run.info;
      const reached =
        requested === pending.action ||
        (pending.action === "pause" && status === "paused") ||
        ["done", "failed", "cancelled"].includes(status);
      if (reached) this.asked.delete(i);
    }
    this.#tell();
  }

  #answer(message: Message): void {
    if (message.kind !== "reply") return;
    const run = message["run"] as number;
    const error = message["error"] as string | null;
    const pending = this.asked.get(run);
    if (error) this.asked.set(run, { action: pending?.action ?? "stop", failed: error });
    else this.asked.delete(run);
    this.#tell();
  }

  #tell(what: Change = "data"): void {
    for (const listener of this.#listeners) listener(what);
  }
}
