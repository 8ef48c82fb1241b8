import assert from "node:assert/strict";
import test from "node:test";
import { fileName } from "../src/dashboard/export.ts";
import { panels } from "../src/dashboard/measures.ts";
import { Run, type RunInfo } from "../src/dashboard/run.ts";
import { escaped } from "../src/dashboard/picture.ts";
import { moveOf } from "../src/dashboard/keys.ts";
import type { UiState } from "../src/dashboard/store.ts";
import { stretched } from "../src/dashboard/touch.ts";
import { bestOf, milestone, notes, speedText, standing, statusText, summary, timeLeftText } from "../src/dashboard/words.ts";
import { luminance } from "../src/shared/theme.ts";

const info = (more: Partial<RunInfo> = {}): RunInfo => ({
  name: "churn", status: "running", requested: null, error: null, note: null,
  total_epochs: 10, phase_epochs: 7, best_epoch: null, seconds_left: 75, controls: true, ...more,
});

const NAMES = ["epoch", "phase", "loss", "validation_loss", "duration", "steps", "time_now"];

function run(more: Partial<RunInfo> = {}): Run {
  const made = new Run(info(more), NAMES);
  made.append([
    [1, 0, 3, 3.2, 0.5, 100, 1000],
    [2, 0, 2, 2.5, 0.5, 100, 1000.5],
    [3, 0, 1.5, 2.6, 0.5, 100, 1001],
    [4, 1, 1.5, 2.5, 0.5, 100, 1001.5],
  ].flat());
  return made;
}

test("rows of the sphere's phase are kept apart from the embedding's", () => {
  const made = run();
  assert.equal(made.all.length, 4);
  assert.equal(made.space.length, 3);
  assert.equal(made.sphereStart, 4);
  assert.ok(Number.isNaN(new Run(info(), NAMES).sphereStart));
});

test("the best epoch is the run's own word, else the lowest loss", () => {
  assert.deepEqual(bestOf(run()), { row: 1, epoch: 2, loss: 2.5, key: "validation_loss" });
  assert.deepEqual(bestOf(run({ best_epoch: 3 })), { row: 2, epoch: 3, loss: 2.6, key: "validation_loss" });
  assert.equal(bestOf(new Run(info(), NAMES)), null);
});

test("the lowest loss is found as rows come, past gaps", () => {
  const made = new Run(info(), ["epoch", "loss"]);
  made.append([1, Number.NaN, 2, 4, 3, Number.NEGATIVE_INFINITY]);
  assert.equal(made.lowest("loss"), 1);
  made.append([4, 3, 5, 3.5, 6, Number.NaN]);
  assert.equal(made.lowest("loss"), 3);
  assert.equal(made.lowest("validation_loss"), -1);
  assert.throws(() => made.append([1]), /rows of 2/);
});

test("rows stand in steps and in seconds of training", () => {
  const made = run();
  const course = made.course(made.all);
  assert.deepEqual([...course.x("step")], [100, 200, 300, 400]);
  assert.deepEqual([...course.x("time")], [0.5, 1, 1.5, 2]);
  assert.deepEqual([...made.course(made.space).x("step")], [100, 200, 300]);
  assert.equal(course.at("time", 1.1), 1);
  assert.equal(course.at("time", 9), -1);
  assert.ok(made.has("step") && made.has("time") && made.has("epoch"));
  const bare = new Run(info(), ["epoch", "loss"]);
  bare.append([1, 3, 2, 2]);
  assert.ok(!bare.has("step") && !bare.has("time"));
  const clock = new Run(info(), ["epoch", "loss", "time_now"]);
  clock.append([1, 3, 1000, 2, 2, 1004]);
  assert.deepEqual([...clock.course(clock.all).x("time")], [0, 4]);
  const stepped = new Run(info(), ["epoch", "step", "loss"]);
  stepped.append([100, 100, 3, 200, 200, 2]);
  assert.ok(stepped.has("step") && !stepped.has("epoch"));
  const back = new Run(info(), ["epoch", "step", "loss"]);
  back.append([1, 100, 3, 2, 50, 2]);
  assert.ok(!back.has("step"));
});

test("keys move, zoom and reset along the axis that is shown", () => {
  const ui: UiState = { axis: "step", scale: "linear", smoothing: 0, hidden: new Set(), range: null, cursor: null };
  const runs = [run()];
  assert.deepEqual(moveOf("ArrowLeft", runs, ui), { to: 200 });
  assert.deepEqual(moveOf("Home", runs, { ...ui, cursor: 300 }), { to: 100 });
  assert.deepEqual(moveOf("+", runs, { ...ui, cursor: 100 }), { range: [100, 200] });
  assert.deepEqual(moveOf("-", runs, { ...ui, range: [100, 200], cursor: 100 }), { range: null });
  assert.equal(moveOf("Escape", runs, ui), null);
  assert.deepEqual(moveOf("Escape", runs, { ...ui, cursor: 1 }), { away: true });
  assert.equal(moveOf("x", runs, ui), null);
  assert.equal(moveOf("Home", [new Run(info(), NAMES)], ui), null);
});

test("two fingers keep what lies under them", () => {
  assert.deepEqual(stretched([20, 40], [0.25, 0.75]), [10, 50]);
  assert.equal(stretched([20, 40], [0.5, 0.51]), null);
  assert.equal(stretched([20, 40], [0.75, 0.25]), null);
});

test("what is left out is said", () => {
  assert.equal(notes([], "epoch", { unshown: 0, infinite: 0 }), "");
  assert.match(notes([], "epoch", { unshown: 1, infinite: 2 }), /^1 value at or below zero is left .* 2 values are infinite/);
  const bare = new Run(info({ name: "bare" }), ["epoch", "loss"]);
  bare.append([1, 1]);
  assert.match(notes([run(), bare], "step", { unshown: 0, infinite: 0 }), /Without steps, and so not drawn: bare\./);
});

test("names are text in a drawing, whatever they hold", () => {
  assert.equal(escaped('<b a="1">&\u0000\ud800x😀'), "&lt;b a=&quot;1&quot;&gt;&amp;\ufffd\ufffdx😀");
});

test("facts in words", () => {
  assert.equal(speedText(run()), "0.5 s/epoch · 200 steps/s");
  const compiled = new Run(info(), NAMES);
  compiled.append([1, 0, 3, 3, 30, 100, 1000, 2, 0, 3, 3, 0.5, 100, 1001]);
  assert.equal(speedText(compiled), "0.5 s/epoch · 200 steps/s");
  assert.equal(timeLeftText(run()), "1 min 15 s");
  assert.equal(timeLeftText(run({ seconds_left: null })), "…");
  assert.equal(timeLeftText(run({ status: "done" })), "2 s");
  assert.equal(
    summary(run()),
    "churn: training, sphere 1 of 7, training loss 1.5, validation loss 2.6, best 2.5 at epoch 2.",
  );
});

test("a predictor's ensemble is told of", () => {
  const made = new Run(info({ best_epoch: 1 }), NAMES);
  const none = { unshown: 0, infinite: 0 };
  made.append([1, 0, 3, 4, 1, 1, 1]);
  assert.equal(notes([made], "epoch", none), "");
  made.append([2, 2, Number.NaN, 2, 1, 1, 2]);
  assert.match(notes([made], "epoch", none), /each further epoch adds a member/);
  assert.equal(bestOf(made)?.epoch, 1);
});

test("epochs are counted within their phase", () => {
  assert.deepEqual(standing(run()), { term: "Sphere", value: "1 / 7" });
  assert.deepEqual(standing(run({ status: "done" })), { term: "Epochs", value: "3" });
  const made = new Run(info(), NAMES);
  assert.deepEqual(standing(made), { term: "Epoch", value: "0 / 7" });
  made.append([2, 0, 2, 2.5, 0.5, 100, 1000.5]);
  assert.deepEqual(standing(made), { term: "Epoch", value: "2 / 7" });
  made.info = info({ phase_epochs: null });
  assert.equal(standing(made).value, "2 / 10");
  made.info = info({ phase_epochs: null, total_epochs: null });
  assert.equal(standing(made).value, "2");
});

test("what was asked shows until it is done", () => {
  assert.equal(statusText(info(), "pause"), "Pause asked");
  assert.equal(statusText(info({ requested: "pause" }), null), "Pausing");
  assert.equal(statusText(info({ status: "paused" }), null), "Paused");
  assert.equal(statusText(info({ status: "done", requested: "stop" }), null), "Done");
});

test("announcements come in quarters", () => {
  const spoken = new Set<string>();
  const made = new Run(info({ total_epochs: 400 }), NAMES);
  for (let epoch = 1; epoch <= 400; epoch++) {
    made.append([epoch, 0, 1, 1, 1, 1, 1]);
    spoken.add(milestone(made));
  }
  assert.equal(spoken.size, 5);
});

test("known columns come first, positions are no curves", () => {
  const keys = panels(["epoch", "phase", "accuracy", "loss", "gradient_norm", "learning_rate", "steps"]);
  assert.deepEqual(keys.map(({ key }) => key), ["learning_rate", "gradient_norm", "accuracy"]);
});

test("file names are safe", () => {
  assert.equal(fileName("../../etc/passwd", "csv"), "etc-passwd.csv");
  assert.equal(fileName("<b>", "png"), "b.png");
  assert.equal(fileName("…", "png"), "training.png");
  assert.equal(fileName("мой run", "csv"), "мой-run.csv");
});

test("backgrounds are dark, light or see-through", () => {
  assert.equal(luminance("rgba(0, 0, 0, 0)"), null);
  assert.equal(luminance("rgb(255, 255, 255)"), 1);
  assert.ok((luminance("rgb(17, 19, 24)") ?? 1) < 0.05);
  assert.ok((luminance("color(srgb 1 1 1)") ?? 0) > 0.99);
});
