import assert from "node:assert/strict";
import test from "node:test";
import { columns, lowerBound, nearest, trace } from "../src/plot/decimate.ts";
import { Pyramid } from "../src/plot/pyramid.ts";
import { Growing, Rows } from "../src/plot/rows.ts";
import { duration, padded, short, ticks, xAxis } from "../src/plot/scales.ts";
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

/** The rows that a line is drawn through, a list for each unbroken piece. */
function drawn(y: Float64Array, x: Float64Array, from: number, to: number, pixels: number): number[][] {
  const pieces: number[][] = [];
  const line = new Pyramid("linear").extend(y);
  const end = x.length;
  const starts = columns(x, 0, end, from, to, pixels);
  const sink = {
    moveTo: (row: number) => void pieces.push([row]),
    lineTo: (row: number) => void pieces.at(-1)?.push(row),
  };
  trace(sink, line, 0, end, starts, { x: (row) => row, y: () => 0 });
  return pieces;
}

test("few rows are all drawn", () => {
  const x = count(10, (i) => i);
  assert.deepEqual(drawn(x, x, 0, 9, 100), [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
});

test("no spike is lost, however many rows there are", () => {
  const n = 100_000;
  const x = count(n, (i) => i);
  const spikes = [17, 40_001, 99_998];
  const wild = count(n, (i) => (spikes.includes(i) ? 100 : i === 50_005 ? -100 : Math.sin(i / 1000)));
  const rows = drawn(wild, x, 0, n - 1, 500).flat();
  assert.ok(rows.length <= 500 * 2 + 4);
  for (const i of [...spikes, 50_005]) assert.ok(rows.includes(i));
  assert.deepEqual(rows, [...new Set(rows)].sort((a, b) => a - b));
});

test("gaps are gaps, but not where a line has values only now and then", () => {
  const x = count(100, (i) => i);
  const holed = count(100, (i) => (i === 50 ? Number.NaN : 1));
  assert.deepEqual(drawn(holed, x, 0, 99, 200).map((piece) => piece[0]), [0, 51]);
  const fifth = count(100, (i) => (i % 5 === 0 ? 1 : Number.NaN));
  assert.deepEqual(drawn(fifth, x, 0, 99, 200), [count(20, (i) => 5 * i)].map((rows) => [...rows]));
  const dense = count(10_000, (i) => (i > 4000 && i < 6000 ? Number.NaN : i % 2 ? i : Number.NaN));
  assert.equal(drawn(dense, count(10_000, (i) => i), 0, 9999, 100).length, 2);
});

test("a lone row is a short dash", () => {
  const lone = Float64Array.from([Number.NaN, 5, Number.NaN, Number.NaN]);
  assert.deepEqual(drawn(lone, count(4, (i) => i), 0, 3, 100).at(-1), [-0.5, 2.5]);
});

test("unevenly spaced rows are decimated by position", () => {
  const x = Float64Array.from([0, ...count(1000, (i) => 500 + i / 1000), 1000]);
  const y = count(1002, (i) => i);
  const rows = drawn(y, x, 0, 1000, 10).flat();
  assert.ok(rows.includes(0) && rows.includes(1001));
  assert.ok(rows.length < 20);
});

test("extremes of a stretch are those of its rows, however it grew", () => {
  let seed = 1;
  const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1];
  const y = count(5000, () => (random() < 0.05 ? (odd[Math.floor(random() * 5)] as number) : random()));
  for (const scale of ["linear", "log"] as const) {
    const grown = new Pyramid(scale);
    for (let n = 0; n < y.length; n += 37) grown.extend(y.subarray(0, n));
    grown.extend(y);
    for (let k = 0; k < 200; k++) {
      const from = Math.floor(random() * 5000);
      const to = from + Math.floor(random() * (5000 - from));
      const rows = [...count(to - from, (i) => from + i)];
      const shown = rows.filter((i) => grown.shows(y[i] as number));
      const reach = grown.reach(from, to);
      const values = shown.map((i) => y[i] as number);
      assert.equal(reach.known, shown.length);
      assert.equal(reach.first, shown[0] ?? -1);
      assert.equal(reach.last, shown.at(-1) ?? -1);
      assert.equal(y[reach.low], shown.length ? Math.min(...values) : undefined);
      assert.equal(y[reach.high], shown.length ? Math.max(...values) : undefined);
      assert.equal(reach.infinite, rows.filter((i) => Math.abs(y[i] as number) === Number.POSITIVE_INFINITY).length);
      const under = scale === "log" ? rows.filter((i) => (y[i] as number) <= 0 && Number.isFinite(y[i])).length : 0;
      assert.equal(reach.under, under);
    }
  }
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

test("ranges have air and are never empty", () => {
  assert.deepEqual(padded(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, "linear"), [0, 1]);
  assert.equal(padded(-1e308, 1.7e308, "linear").reverse().reduce((a, b) => a - b), Number.MAX_VALUE);
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

test("ticks say what the axis counts", () => {
  assert.deepEqual([1, 50].map(xAxis("epoch").label), ["epoch 1", "50"]);
  assert.deepEqual([0, 200_000].map(xAxis("step").label), ["step 0", "200k"]);
  assert.deepEqual([0, 30, 5400].map(xAxis("time").label), ["0 s", "30 s", "1 h 30 min"]);
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
