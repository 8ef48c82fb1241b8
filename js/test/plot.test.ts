import assert from "node:assert/strict";
import test from "node:test";
import { decimate, lowerBound, nearest } from "../src/plot/decimate.ts";
import { Growing, Rows } from "../src/plot/rows.ts";
import { duration, extent, padded, short, ticks } from "../src/plot/scales.ts";
import { Smoothed } from "../src/plot/smooth.ts";

const count = (n: number, f: (i: number) => number): Float64Array => Float64Array.from({ length: n }, (_, i) => f(i));

test("positions are found by halving", () => {
  const x = [1, 2, 4, 8];
  assert.equal(lowerBound(x, 0), 0);
  assert.equal(lowerBound(x, 4), 2);
  assert.equal(lowerBound(x, 9), 4);
  assert.equal(nearest(x, 2.9), 1);
  assert.equal(nearest(x, 7), 3);
  assert.equal(nearest(x, 100), 3);
  assert.equal(nearest([], 1), -1);
});

test("few rows are all kept, with one on either side of the range", () => {
  const x = count(10, (i) => i);
  assert.deepEqual(decimate(x, [x], 3, 5, 100), [2, 3, 4, 5, 6]);
});

test("no spike is lost, however many rows there are", () => {
  const n = 100_000;
  const x = count(n, (i) => i);
  const calm = count(n, (i) => Math.sin(i / 1000));
  const spikes = [17, 40_001, 99_998];
  const wild = count(n, (i) => (spikes.includes(i) ? 100 : i === 50_005 ? -100 : 0));
  const rows = decimate(x, [calm, wild], 0, n - 1, 500);
  assert.ok(rows.length <= 500 * 7);
  for (const i of [...spikes, 50_005]) assert.ok(rows.includes(i));
  assert.equal(rows[0], 0);
  assert.equal(rows.at(-1), n - 1);
  assert.deepEqual(rows, [...new Set(rows)].sort((a, b) => a - b));
});

test("a gap stays a gap", () => {
  const n = 10_000;
  const x = count(n, (i) => i);
  const y = count(n, (i) => (i === 5001 ? Number.NaN : 1));
  assert.ok(decimate(x, [y], 0, n, 100).includes(5001));
});

test("unevenly spaced rows are decimated by position", () => {
  const x = Float64Array.from([0, ...count(1000, (i) => 500 + i / 1000), 1000]);
  const y = count(1002, (i) => i);
  const rows = decimate(x, [y], 0, 1000, 10);
  assert.ok(rows.includes(0) && rows.includes(1001));
  assert.ok(rows.length < 20);
});

test("smoothing starts at the first value and equals the closed form", () => {
  const values = count(50, (i) => Math.cos(i));
  const got = new Smoothed(0.9).extend(values);
  assert.ok(Math.abs((got[0] as number) - 1) < 1e-12);
  let sum = 0;
  let mass = 0;
  for (let i = 0; i < 50; i++) {
    sum += 0.9 ** (49 - i) * (values[i] as number);
    mass += 0.9 ** (49 - i);
  }
  assert.ok(Math.abs((got[49] as number) - sum / mass) < 1e-12);
});

test("smoothing in steps equals smoothing at once, and passes over gaps", () => {
  const values = count(100, (i) => (i % 7 === 3 ? Number.NaN : i));
  const steps = new Smoothed(0.8);
  steps.extend(values.subarray(0, 40));
  assert.deepEqual([...steps.extend(values)], [...new Smoothed(0.8).extend(values)]);
  assert.ok(Number.isNaN(steps.extend(values)[3]));
  assert.ok(Number.isFinite(steps.extend(values)[4]));
  assert.throws(() => new Smoothed(1), RangeError);
});

test("a log scale leaves out what it cannot show, and counts it", () => {
  const y = [-1, 0, 2, 8, Number.NaN, Number.POSITIVE_INFINITY];
  const all = [0, 1, 2, 3, 4, 5];
  assert.deepEqual(extent([y], all, "log"), { min: 2, max: 8, unshown: 2 });
  assert.deepEqual(extent([y], all, "linear"), { min: -1, max: 8, unshown: 0 });
});

test("ranges have air and are never empty", () => {
  assert.deepEqual(padded(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, "linear"), [0, 1]);
  const [low, high] = padded(5, 5, "linear");
  assert.ok(low < 5 && high > 5);
  const [from, to] = padded(3, 3, "log");
  assert.ok(from > 0 && from < 3 && to > 3);
});

test("ticks are round and inside", () => {
  assert.deepEqual(ticks(0, 1, "linear", 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0.5, 200, "log", 10), [0.5, 1, 2, 5, 10, 20, 50, 100, 200]);
  for (const tick of ticks(2.1, 3.4, "log", 5)) assert.ok(tick >= 2.1 && tick <= 3.4);
  assert.ok(ticks(1e-12, 1e12, "log", 5).length <= 10);
});

test("numbers are short", () => {
  assert.equal(short(2.11349), "2.113");
  assert.equal(short(0.0008), "8e-4");
  assert.equal(short(0), "0");
  assert.equal(short(100), "100");
  assert.equal(short(12), "12");
  assert.equal(short(1_234_567), "1.23M");
  assert.equal(short(Number.NaN), "–");
});

test("durations are words", () => {
  assert.equal(duration(0.42), "0.42 s");
  assert.equal(duration(52.3), "52 s");
  assert.equal(duration(200), "3 min 20 s");
  assert.equal(duration(7500), "2 h 5 min");
  assert.equal(duration(-1), "–");
});

test("columns grow and keep every value", () => {
  const column = new Growing();
  for (let i = 0; i < 1000; i++) column.push(i);
  assert.equal(column.length, 1000);
  assert.equal(column.at(999), 999);
  assert.ok(Number.isNaN(column.at(1000)));
  assert.ok(Number.isNaN(column.at(-1)));
});

test("rows come as blocks and leave as CSV", () => {
  const rows = new Rows(["epoch", 'a "b", c']);
  rows.append([1, 0.5, 2, Number.NaN]);
  assert.equal(rows.length, 2);
  assert.equal(rows.toCsv(), 'epoch,"a ""b"", c"\n1,0.5\n2,\n');
  assert.ok(rows.filled("epoch"));
  assert.ok(!rows.filled("unknown"));
  assert.throws(() => rows.append([1]), /rows of 2/);
});
