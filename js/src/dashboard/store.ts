/** The data of a dashboard, one store a model: views come and go, this stays. */
import { Link, type LinkState } from "../shared/link.ts";
import type { Model } from "../shared/model.ts";
import { decode, Inbox, isMessage, type Frame, type Message } from "../shared/wire.ts";
import type { XAxis, YScale } from "../plot/scales.ts";
import { Run, type Action, type RunInfo } from "./run.ts";

/** A kernel that is interrupted or busy answers late; one that was restarted, never. */
const ANSWER_MS = 30_000;

/** What the reader chose; it never leaves the page, and outlives a view that is drawn anew. */
export interface UiState {
  axis: XAxis;
  scale: YScale;
  smoothing: number;
  /** Keys of the measures that are switched off. */
  hidden: Set<string>;
  /** Along the axis, as is the cursor; null for everything. */
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
    axis: "epoch",
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
  readonly #waiting = new Set<ReturnType<typeof setTimeout>>();
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
      this.point(this.#placeOf(value));
    });
    this.#link.open(linked);
  }

  /** Move the crosshair to a position on the axis, or away. */
  point(x: number | null): void {
    const epoch = x === null ? null : this.#epochAt(x);
    if (epoch !== null) this.#link.share("epoch", epoch);
    const away = this.#link.shares("epoch") && this.#shared !== null ? this.#placeOf(this.#shared) : null;
    const to = x ?? away;
    if (to === this.ui.cursor) return;
    this.ui.cursor = to;
    this.#tell("cursor");
  }

  /** The axes along which any run can be drawn. */
  axes(): XAxis[] {
    const drawn = this.runs.filter(({ all }) => all.length);
    return (["epoch", "step", "time"] as const).filter((axis) => drawn.some((run) => run.has(axis)));
  }

  /** Draw along another axis; the crosshair stays on its row, the whole range is shown. */
  along(axis: XAxis): void {
    const { ui } = this;
    const epoch = ui.cursor === null ? null : this.#epochAt(ui.cursor);
    ui.axis = axis;
    ui.range = null;
    ui.cursor = epoch === null ? null : this.#placeOf(epoch);
    this.#tell();
  }

  /** The epoch of the row at a position, of the first run that has one there. */
  #epochAt(x: number): number | null {
    if (this.ui.axis === "epoch") return x;
    for (const run of this.runs) {
      const epoch = run.space.at("epoch", run.course(run.space).at(this.ui.axis, x));
      if (!Number.isNaN(epoch)) return epoch;
    }
    return null;
  }

  /** The position of an epoch, in the first run that has it. */
  #placeOf(epoch: number): number | null {
    if (this.ui.axis === "epoch") return epoch;
    for (const run of this.runs) {
      const course = run.course(run.space);
      const place = course.x(this.ui.axis)[course.at("epoch", epoch)];
      if (place !== undefined) return place;
    }
    return null;
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
    const asked: Pending = { action, failed: null };
    this.asked.set(run, asked);
    this.#model.send({ v: 1, kind: "control", seq: 0, id, run, action });
    const late = setTimeout(() => {
      this.#waiting.delete(late);
      if (this.asked.get(run) !== asked || asked.failed) return;
      asked.failed = `Could not ${action}: the kernel does not answer. Is it running, and free?`;
      this.#tell();
    }, ANSWER_MS);
    this.#waiting.add(late);
    this.#tell();
  }

  dispose(): void {
    for (const timer of this.#waiting) clearTimeout(timer);
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
    this.#chooseAxis();
    this.#settle();
  }

  #extend({ message, columns }: Frame): void {
    const infos = message["runs"] as Partial<RunInfo>[];
    for (const [i, run] of this.runs.entries()) {
      // Only what has changed of it travels.
      Object.assign(run.info, infos[i]);
      const block = columns.get(String(i));
      if (block) run.append(block);
    }
    this.#chooseAxis();
    this.#settle();
  }

  /** Stay on the axis the reader chose as long as there is such an axis. */
  #chooseAxis(): void {
    const [first] = this.axes();
    if (first && !this.axes().includes(this.ui.axis)) this.along(first);
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
