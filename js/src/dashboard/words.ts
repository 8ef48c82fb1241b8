/** What a dashboard says in words: facts of the header, the summary, the announcements. */
import { duration, short, type XAxis } from "../plot/scales.ts";
import { nearest } from "../plot/decimate.ts";
import type { Action, Run, RunInfo } from "./run.ts";

const STATUS: Record<string, string> = {
  queued: "Queued",
  running: "Training",
  paused: "Paused",
  done: "Done",
  failed: "Failed",
  cancelled: "Stopped",
  data: "Recorded",
};

const UNDERWAY: Record<Action, string> = { pause: "Pausing", resume: "Resuming", stop: "Stopping" };

export function statusText(info: RunInfo, asked: Action | null): string {
  if (asked) return `${{ pause: "Pause", resume: "Resume", stop: "Stop" }[asked]} asked`;
  if (info.requested && isOpen(info)) return UNDERWAY[info.requested];
  return STATUS[info.status] ?? info.status;
}

/** Whether the run can still change. */
export function isOpen(info: RunInfo): boolean {
  return ["queued", "running", "paused"].includes(info.status);
}

export interface Best {
  /** Its index in the rows in which the embedding is trained. */
  row: number;
  epoch: number;
  loss: number;
  /** The column it was read from. */
  key: "validation_loss" | "loss";
}

/** The best epoch: the run's own word for it where there is one, else the lowest loss. */
export function bestOf(run: Run): Best | null {
  const key = run.space.filled("validation_loss") ? "validation_loss" : "loss";
  const { best_epoch: told } = run.info;
  const epochs = run.space.column("epoch");
  let row = told === null ? -1 : nearest(epochs, told);
  if (epochs[row] !== told || Number.isNaN(run.space.at(key, row))) row = run.lowest(key);
  return row < 0 ? null : { epoch: epochs[row] as number, loss: run.space.at(key, row), key, row };
}

export interface Standing {
  term: "Epoch" | "Sphere" | "Epochs";
  value: string;
}

/** How far the run is in its phase; of a finished one the epochs that were asked for. */
export function standing(run: Run): Standing {
  const { status, phase_epochs: planned, total_epochs: total } = run.info;
  const last = run.all.at("epoch", run.all.length - 1);
  const trained = run.space.at("epoch", run.space.length - 1);
  if (status === "done" && !Number.isNaN(trained)) return { term: "Epochs", value: String(trained) };
  const sphere = last > trained;
  const epoch = sphere ? last - trained : last;
  const of = planned ?? total;
  const term = sphere ? "Sphere" : "Epoch";
  if (Number.isNaN(epoch)) return { term, value: of ? `0 / ${of}` : "–" };
  return { term, value: of && of >= epoch ? `${epoch} / ${of}` : String(epoch) };
}

/** Seconds an epoch and steps a second, over the last few epochs; the first one compiles. */
export function speedText(run: Run): string {
  const seconds = run.all.column("duration");
  const steps = run.all.column("steps");
  let time = 0;
  let made = 0;
  let count = 0;
  const first = seconds.length > 1 ? 1 : 0;
  for (let i = seconds.length - 1; i >= first && count < 5; i--) {
    const value = seconds[i] as number;
    if (!(value > 0)) continue;
    time += value;
    made += Number.isFinite(steps[i]) ? (steps[i] as number) : 0;
    count++;
  }
  if (!count) return "–";
  const rate = made ? ` · ${short(made / time, 3)} steps/s` : "";
  return `${duration(time / count)}/epoch${rate}`;
}

export function timeLeftText(run: Run): string {
  const { status, seconds_left: left } = run.info;
  if (status === "running" && left !== null) return left < 1 ? "under 1 s" : duration(left);
  if (status === "running" && run.all.length) return "…";
  const times = run.all.column("time_now");
  const seconds = run.all.column("duration");
  if (status === "running" || status === "queued" || !times.length) return "–";
  const whole = (times.at(-1) as number) - (times[0] as number) + (seconds[0] || 0);
  return Number.isFinite(whole) ? duration(whole) : "–";
}

/** One sentence a run, for a reader who does not see the chart. */
export function summary(run: Run): string {
  const { info } = run;
  const last = run.space.length - 1;
  const { term, value: count } = standing(run);
  const words = term === "Epochs" ? `${count} epochs` : `${term.toLowerCase()} ${count.replace("/", "of")}`;
  const parts = [`${info.name}: ${statusText(info, null).toLowerCase()}`, words];
  for (const [key, words] of [["loss", "training loss"], ["validation_loss", "validation loss"]] as const) {
    const value = run.space.at(key, last);
    if (Number.isFinite(value)) parts.push(`${words} ${short(value)}`);
  }
  const best = bestOf(run);
  if (best) parts.push(`best ${short(best.loss)} at epoch ${best.epoch}`);
  return `${parts.join(", ")}.`;
}

/** Progress in quarters, so that a live region speaks a handful of times in a whole training. */
export function milestone(run: Run): string {
  const { status, total_epochs: total, requested } = run.info;
  const epoch = run.all.at("epoch", run.all.length - 1);
  const quarter = total && epoch > 0 && status === "running" ? Math.floor((epoch / total) * 4) : 0;
  return `${status} ${requested ?? ""} ${quarter}`;
}

const COUNTED: Record<XAxis, string> = { epoch: "epochs", step: "steps", time: "times" };

/** What the picture cannot show by itself. */
export function notes(
  runs: readonly Run[],
  axis: XAxis,
  { unshown, infinite }: { unshown: number; infinite: number },
): string {
  const said: string[] = [];
  const count = (n: number): string => (n === 1 ? "1 value" : `${n} values`);
  if (unshown) {
    said.push(`${count(unshown)} at or below zero ${unshown === 1 ? "is" : "are"} left out on the logarithmic axis.`);
  }
  if (infinite) said.push(`${count(infinite)} ${infinite === 1 ? "is" : "are"} infinite, and left out.`);
  const absent = runs.filter((run) => run.all.length && !run.has(axis)).map(({ info }) => info.name);
  if (absent.length) said.push(`Without ${COUNTED[axis]}, and so not drawn: ${absent.join(", ")}.`);
  if (axis === "time") said.push("Time spent in training; pauses do not count.");
  if (runs.some((run) => Number.isFinite(run.sphereStart))) {
    said.push(
      "After these epochs, in the sphere phase, the embedding stands and its 3D sphere is fitted, with a loss of its own.",
    );
  }
  if (runs.some((run) => run.isEnsemble)) {
    said.push(
      "After its last training loss a predictor's network is done: each further epoch adds a member, " +
        "the validation loss is that of all together, and the best epoch is the network's own.",
    );
  }
  return said.join(" ");
}
