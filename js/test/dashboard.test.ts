import assert from "node:assert/strict";
import test from "node:test";
import { fileName } from "../src/dashboard/export.ts";
import { panels } from "../src/dashboard/measures.ts";
import { Run, type RunInfo } from "../src/dashboard/store.ts";
import { bestOf, milestone, speedText, standing, statusText, summary, timeLeftText } from "../src/dashboard/words.ts";
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
  assert.deepEqual(bestOf(run()), { epoch: 2, loss: 2.5, key: "validation_loss" });
  assert.deepEqual(bestOf(run({ best_epoch: 3 })), { epoch: 3, loss: 2.6, key: "validation_loss" });
  assert.equal(bestOf(new Run(info(), NAMES)), null);
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
