import assert from "node:assert/strict";
import { test } from "node:test";
import { axisTicks, placeOn, plainNumber, scaleTicks, tickText, type AxisSpec } from "../src/heatmap/axis.ts";
import {
  borders, flatIndex, indexIn, placeOf, planeOf, positionOf, readCells, unmarked,
} from "../src/heatmap/cells.ts";
import { contour } from "../src/heatmap/contour.ts";
import {
  codeRamp, inkOn, paintCodes, paintNumbers, rampOf, rgbOf, shade, VALUE_STOPS,
} from "../src/heatmap/ramp.ts";
import { cellWriter } from "../src/heatmap/scene.ts";
import { rounded } from "../src/heatmap/controls.ts";
import { HeatmapStore, type HeatmapState, type Spec } from "../src/heatmap/store.ts";
import { cellSentence, standing } from "../src/heatmap/words.ts";
import type { Model } from "../src/shared/model.ts";

const number = (ticks: number[], label = "age", unit = ""): AxisSpec => ({ label, unit, kind: "number", ticks });
const category = (ticks: string[], label = "plan"): AxisSpec => ({ label, unit: "", kind: "category", ticks });
const range = (n: number, from = 0, step = 1): number[] => Array.from({ length: n }, (_, i) => from + i * step);

/** The kernel's bytes, at an odd place of a larger message. */
function message(...parts: ArrayBufferView[]): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const whole = new Uint8Array(size + 3);
  let at = 3;
  for (const part of parts) {
    whole.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  return whole.subarray(3);
}

test("cells are read from wherever a host puts them", () => {
  const values = Float32Array.of(0.5, Number.NaN, -1, 2);
  const confidence = Float32Array.of(0, 1, 0.25, Number.NaN);
  const codes = Uint8Array.of(1, 0, 2, 2);
  const bytes = message(values, confidence, codes);
  const cells = readCells(bytes, 4, { dtype: "f4", hasConfidence: true, hasCodes: true });
  assert.deepEqual([...cells!.values], [...values]);
  assert.deepEqual([...cells!.confidence!], [...confidence]);
  assert.deepEqual([...cells!.codes!], [...codes]);
  const wide = readCells(message(Float64Array.of(1e300, 2)), 2, { dtype: "f8", hasConfidence: false, hasCodes: false });
  assert.deepEqual([...wide!.values], [1e300, 2]);
  assert.equal(readCells(bytes, 5, { dtype: "f4", hasConfidence: true, hasCodes: true }), null);
});

test("a plane of three axes steps over the last", () => {
  const shape = [2, 3, 4];
  const plane = planeOf(shape, 2);
  for (let row = 0; row < 2; row++) {
    for (let col = 0; col < 3; col++) {
      const position = positionOf(shape, 2, row, col);
      assert.equal(indexIn(plane, row, col), flatIndex(shape, position));
      assert.deepEqual(placeOf(shape, position), { row, col });
    }
  }
  assert.deepEqual([planeOf([5], 0).rows, planeOf([5], 0).cols], [1, 5]);
  assert.deepEqual(positionOf([5], 0, 0, 3), [3]);
  for (const wrong of [[2, 0, 0], [0, 0], [0, 0, -1], [0, 0.5, 0]]) assert.equal(placeOf(shape, wrong), null);
});

test("a contour runs between cells by how far their values are from the level", () => {
  const plane = planeOf([2, 3], 0);
  const lines = contour([0, 1, 2, 0, 1, 2], plane, 0.25);
  assert.deepEqual(lines, [0.75, 0.5, 0.75, 1.5]);
  assert.deepEqual(contour([0, Number.NaN, 2, 0, 1, 2], plane, 0.25), []);
  assert.deepEqual(contour([0, 0, 0, 0, 0, 0], plane, 0), []);
  assert.deepEqual(contour([5], planeOf([1, 1], 0), 1), []);
});

test("a contour of a hill is closed", () => {
  const n = 21;
  const hill = range(n * n).map((i) => -((Math.floor(i / n) - 10) ** 2) - ((i % n) - 10) ** 2);
  const lines = contour(hill, planeOf([n, n], 0), -40.5);
  const ends = new Map<string, number>();
  for (let i = 0; i < lines.length; i += 2) {
    const key = `${lines[i]!.toFixed(6)} ${lines[i + 1]!.toFixed(6)}`;
    ends.set(key, (ends.get(key) ?? 0) + 1);
    const radius = Math.hypot(lines[i]! - 10.5, lines[i + 1]! - 10.5);
    assert.ok(Math.abs(radius - Math.sqrt(40.5)) < 0.1);
  }
  assert.ok([...ends.values()].every((count) => count === 2));
});

test("borders stand between classes, joined, and not around unfilled cells", () => {
  const codes = Uint8Array.of(1, 1, 1, 2, 2, 0);
  assert.deepEqual(borders(codes, planeOf([2, 3], 0)), [0, 1, 2, 1]);
  assert.deepEqual(borders(Uint8Array.of(1, 2), planeOf([1, 2], 0)), [1, 0, 1, 1]);
});

test("colours run over the limits, and infinities take their ends", () => {
  assert.deepEqual([shade(0, 0, 2), shade(1, 0, 2), shade(9, 0, 2), shade(-9, 0, 2)], [0, 0.5, 1, 0]);
  assert.deepEqual([shade(Infinity, 0, 2), shade(-Infinity, 0, 2), shade(3, 3, 3)], [1, 0, 0.5]);
  assert.equal(shade(0, -1.7e308, 1.7e308), 0.5);
  const ramp = rampOf(VALUE_STOPS);
  const out = new Uint32Array(3);
  paintNumbers(out, [0, Number.NaN, 1], planeOf([1, 3], 0), 0, 1, ramp);
  assert.deepEqual([out[0], out[1], out[2]], [ramp[0], 0, ramp[255]]);
  assert.deepEqual(rgbOf(ramp[0]!), [0x57, 0x3b, 0x9f]);
  assert.deepEqual(rgbOf(ramp[255]!), [0xf6, 0xe0, 0x57]);
  assert.notEqual(inkOn(rgbOf(ramp[0]!)), inkOn(rgbOf(ramp[255]!)));
});

test("a class without a colour of its own is grey, and none is nothing", () => {
  const ramp = codeRamp(["#ff0000"]);
  const out = new Uint32Array(3);
  paintCodes(out, Uint8Array.of(0, 1, 2), planeOf([3], 0), ramp);
  assert.equal(out[0], 0);
  assert.deepEqual(rgbOf(out[1]!), [255, 0, 0]);
  assert.deepEqual(rgbOf(out[2]!), [142, 146, 152]);
});

test("each region of a class that has no letter is found once", () => {
  const codes = Uint8Array.from([
    1, 1, 2, 2,
    1, 2, 1, 2,
    0, 2, 2, 1,
  ]);
  const plane = planeOf([3, 4], 0);
  assert.deepEqual(unmarked(codes, plane, (row, col) => row === 0 && col === 1), [[0, 2], [1, 1], [1, 2], [2, 3]]);
  assert.deepEqual(unmarked(codes, plane, () => true), []);
});

test("ticks of numbers are round and stand where they belong", () => {
  const ticks = axisTicks(number(range(73, 18)), 8);
  assert.deepEqual(ticks.map(({ label }) => label), ["20", "30", "40", "50", "60", "70", "80", "90"]);
  assert.equal(ticks[0]!.at, 2.5);
  const falling = axisTicks(number(range(73, 90, -1)), 8);
  assert.equal(falling[0]!.at, 70.5);
  const uneven = number([1, 10, 100, 1000]);
  assert.equal(placeOn(uneven.ticks as number[], 55), 2);
  assert.deepEqual(axisTicks(number([0.5, 1.25]), 10), [{ at: 0.5, label: "0.5" }, { at: 1.5, label: "1.25" }]);
  assert.deepEqual(axisTicks(number([7]), 10), [{ at: 0.5, label: "7" }]);
  const few = axisTicks(number(range(12, 0, 5)), 18);
  assert.deepEqual(few.map(({ at, label }) => [at, label]), range(12).map((i) => [i + 0.5, String(5 * i)]));
  for (let count = 2; count < 30; count++) assert.ok(axisTicks(number(range(90)), count).length <= count);
});

test("names are thinned evenly when there are too many", () => {
  const axis = category(range(300).map((i) => `k${i}`));
  const ticks = axisTicks(axis, 20);
  assert.equal(ticks.length, 20);
  assert.deepEqual(ticks[1], { at: 15.5, label: "k15" });
  assert.equal(tickText(axis, 299), "k299");
});

test("numbers are written as a person would", () => {
  assert.deepEqual(
    [2024, 0, -3, 0.1 + 0.2, 1234.5678, 123_456, 3.2e-7, 12_345_678, -1.7e308, Infinity].map(plainNumber),
    ["2024", "0", "−3", "0.3", "1234.6", "123456", "3.2e-7", "12.3M", "−1.7e+308", "∞"],
  );
  assert.deepEqual(scaleTicks(0, 1).map(({ label }) => label), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  assert.deepEqual(scaleTicks(5, 5).map(({ label }) => label), ["5"]);
  assert.equal(scaleTicks(-1.7e308, 1.7e308).length, 2);
  assert.equal(cellWriter(0, 1)(0.12345), "0.12");
  assert.deepEqual([-0.01, -0.5].map(cellWriter(-1, 1)), ["0.0", "−0.5"]);
  assert.equal(cellWriter(80, 135)(105.72), "106");
  assert.equal(cellWriter(0.001, 0.002)(0.00123), "0.00123");
});

test("a slider gives round numbers between its ends", () => {
  const at = (value: number, low: number, high: number, whole = false): number =>
    rounded(value, { label: "x", kind: "number", value: null, initial: null, low, high, whole });
  assert.deepEqual([at(60.4317, 18.25, 118.75), at(18.25, 18.25, 118.75), at(118.75, 18.25, 118.75)], [60.5, 18.5, 118.75]);
  assert.deepEqual([at(3.4, 0, 9, true), at(5234, 0, 10_000, true), at(0.30000001, 0, 1)], [3, 5250, 0.3]);
  assert.equal(at(5, 5, 5), 5);
});

const SPEC: Spec = {
  shape: [2, 2],
  axes: [number([20, 40], "age", "years"), category(["basic", "gold"])],
  meaning: "probability of churned = yes",
  unit: "",
  views: ["value", "confidence", "class"],
  dtype: "f4",
  hasConfidence: true,
  classes: { colors: ["#111111", "#222222"], entries: [{ label: "no", count: 2 }, { label: "yes", count: 1 }], missing: 1 },
  classChoices: ["no", "yes"],
  classChoice: 1,
  limits: [0, 1],
  threshold: 0.4,
  maximize: true,
  optimum: [1, 1],
  filled: 3,
  failed: 0,
  step: 1,
  base: [],
  controls: [
    { label: "charge", kind: "number", value: 65, initial: 65, low: 18, high: 119 },
    { label: "plan", kind: "category", value: 0, initial: 0, choices: ["a", "b"] },
  ],
  asked: 1,
  answered: 1,
  problem: null,
  canRefine: true,
  canReturn: false,
  asks: true,
  height: 400,
  summary: "",
};

/** A host that answers at once, or when it is told to. */
class Host implements Pick<Model<HeatmapState>, "get"> {
  readonly state: HeatmapState;
  readonly sent: Record<string, unknown>[] = [];
  readonly saved: string[] = [];
  #handlers = new Map<string, Set<(...args: never[]) => void>>();

  constructor(spec: Partial<Spec> = {}) {
    const bytes = message(
      Float32Array.of(0.1, Number.NaN, 0.3, 0.9), Float32Array.of(0.8, Number.NaN, 0.2, 1), Uint8Array.of(1, 0, 1, 2),
    );
    this.state = {
      _spec: { ...SPEC, ...spec }, _cells: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      _cell: [], _hover: [], _slice: 0, _show: "value",
    };
  }

  get<K extends keyof HeatmapState & string>(key: K): HeatmapState[K] {
    return this.state[key];
  }

  set<K extends keyof HeatmapState & string>(key: K, value: HeatmapState[K]): void {
    this.state[key] = value;
    this.fire(`change:${key}`);
  }

  save_changes(): void {
    this.saved.push("saved");
  }

  on(event: string, handler: (...args: never[]) => void): void {
    if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
    this.#handlers.get(event)!.add(handler);
  }

  off(event: string, handler: (...args: never[]) => void): void {
    this.#handlers.get(event)?.delete(handler);
  }

  get listeners(): number {
    return [...this.#handlers.values()].reduce((sum, handlers) => sum + handlers.size, 0);
  }

  send(content: unknown): void {
    this.sent.push(content as Record<string, unknown>);
  }

  answer(i: number, body: Record<string, unknown> = {}): void {
    const { kind, id } = this.sent[i] as { kind: string; id: string };
    this.fire("msg:custom", { v: 1, kind, id, parts: [], ...body }, []);
  }

  fire(event: string, ...args: unknown[]): void {
    for (const handler of this.#handlers.get(event) ?? []) (handler as (...given: unknown[]) => void)(...args);
  }
}

const later = (ms = 80): Promise<void> => new Promise((done) => setTimeout(done, ms));
Object.assign(globalThis, { window: globalThis });

test("a drag of a slider asks once at a time, and last for the newest", async () => {
  const host = new Host();
  const store = new HeatmapStore(host as Model<HeatmapState>);
  for (let value = 66; value < 80; value++) store.vary(0, value);
  assert.equal(store.wish(0), 79);
  assert.ok(store.behind);
  await later();
  assert.deepEqual(host.sent.map(({ values }) => values), [{ 0: 79 }]);
  for (let value = 80; value < 100; value++) store.vary(0, value);
  store.vary(1, null);
  await later();
  assert.equal(host.sent.length, 1, "a question is under way");
  host.answer(0);
  await later();
  assert.deepEqual(host.sent[1], {
    v: 1, kind: "vary", id: "vary-2", values: { 0: 99, 1: null }, labels: { 0: "charge", 1: "plan" },
  });
  host.answer(1);
  await later(5);
  assert.equal(store.behind, false);
  store.dispose();
  assert.equal(host.listeners, 0);
});

test("what the kernel refuses is told, and the control goes back", async () => {
  const host = new Host();
  const store = new HeatmapStore(host as Model<HeatmapState>);
  store.vary(0, 70);
  await later();
  host.answer(0, { error: "'charge' cannot be set to 70." });
  await later(5);
  assert.equal(store.problem, "'charge' cannot be set to 70.");
  assert.equal(store.wish(0), 65);
  store.dispose();
});

test("a cell is asked for once, and again when the surface is another", async () => {
  const host = new Host();
  const store = new HeatmapStore(host as Model<HeatmapState>);
  const first = store.facts([1, 0]);
  void store.facts([1, 0]);
  assert.equal(host.sent.length, 1);
  host.answer(0, { record: [["age", "40"]] });
  assert.deepEqual((await first).record, [["age", "40"]]);
  host.set("_spec", { ...SPEC, answered: 2 });
  void store.facts([1, 0]).catch(() => undefined);
  assert.equal(host.sent.length, 2);
  store.dispose();
});

test("hovering is told to the page and not to the kernel", () => {
  const host = new Host();
  const store = new HeatmapStore(host as Model<HeatmapState>);
  const changes: string[] = [];
  store.subscribe((change) => changes.push(change));
  store.hover = [1, 1];
  store.hover = [1, 1];
  assert.deepEqual(changes, ["hover"]);
  assert.deepEqual(host.saved, []);
  store.select([0, 1]);
  assert.deepEqual(host.saved, ["saved"]);
  host.set("_cell", [9, 9]);
  assert.deepEqual([...store.cell], []);
  store.dispose();
});

test("cells and their description may arrive one after the other", () => {
  const host = new Host();
  const store = new HeatmapStore(host as Model<HeatmapState>);
  host.set("_spec", { ...SPEC, shape: [1, 2], hasConfidence: false, classes: null });
  assert.equal(store.cells.values.length, 4, "the earlier cells stay until the new ones are there");
  host.set("_cells", new DataView(Float32Array.of(1, 2).buffer));
  assert.deepEqual([...store.cells.values], [1, 2]);
  store.dispose();
});

test("a cell is told in a sentence", () => {
  const store = new HeatmapStore(new Host() as unknown as Model<HeatmapState>);
  assert.equal(
    cellSentence(SPEC, store.cells, [1, 1]),
    "age (years) 40, plan gold, 0.9000, yes, confidence 1.000, largest value",
  );
  assert.equal(cellSentence(SPEC, store.cells, [0, 1]), "age (years) 20, plan gold, not filled");
  store.dispose();
});

test("how far the surface is", () => {
  assert.equal(standing(SPEC, false), "3 of 4 cells filled");
  assert.equal(standing({ ...SPEC, filled: 4, failed: 2 }, false), "2 could not be answered");
  assert.equal(standing({ ...SPEC, filled: 4 }, true), "Asking the predictor …");
  assert.match(standing({ ...SPEC, step: 5 }, true), /^A first look: every 5th cell/);
  assert.equal(standing({ ...SPEC, filled: 4 }, false), "");
});
