import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock, epochAt, frameAt, timeOf } from "../src/movie/clock.ts";
import { Frames } from "../src/movie/frames.ts";
import { unpack } from "../src/gl/packing.ts";
import { Path } from "../src/movie/path.ts";
import { Trails } from "../src/movie/trails.ts";

const UNIT = 32767;

/** Frames of unit vectors as the page holds them. */
function frames(...points: number[][][]): Int16Array[] {
  return points.map((frame) => Int16Array.from(frame.flatMap(([x, y, z]) => {
    const scale = UNIT / Math.hypot(x!, y!, z!);
    return [x! * scale, y! * scale, z! * scale].map(Math.round);
  })));
}

function pathOf(all: (Int16Array | null)[]): (time: number) => number[] {
  const path = new Path((index) => all[index] ?? null);
  const out = new Int16Array(all.find((frame) => frame)!.length);
  return (time) => {
    assert.ok(path.at(time, all.length - 1, out));
    return [...out].map((value) => value / UNIT);
  };
}

const distance = (a: number[], b: number[]): number => Math.hypot(...a.map((v, i) => v - b[i]!));

test("packed points come back to where they were", () => {
  const corners = [[UNIT, 0, UNIT, 0, 0], [0, UNIT, 0, UNIT, 0], [-UNIT, 0, -UNIT, 0, 0], [0, -UNIT, 0, -UNIT, 0]];
  for (const [u, v, x, y] of corners) {
    assert.deepEqual([...unpack(Int16Array.of(u!, v!))].map((c) => c + 0), [x, y, 0]);
  }
  assert.deepEqual([...unpack(Int16Array.of(0, 0))], [0, 0, UNIT]);
  assert.deepEqual([...unpack(Int16Array.of(UNIT, UNIT))].slice(2), [-UNIT]);
  let seed = 1;
  const random = (): number => ((seed = (seed * 16807) % 2147483647) / 2147483647) * 2 - 1;
  for (let i = 0; i < 500; i++) {
    const [x, y, z] = unpack(Int16Array.of(Math.round(random() * UNIT), Math.round(random() * UNIT)));
    assert.ok(Math.abs(Math.hypot(x!, y!, z!) - UNIT) < 1.5);
  }
});

test("at whole frames the points are where the frames say", () => {
  const all = frames([[1, 0, 0]], [[1, 1, 0]], [[0, 1, 1]], [[0, 0, 1]]);
  const at = pathOf(all);
  for (const [i, frame] of all.entries()) assert.deepEqual(at(i), [...frame].map((v) => v / UNIT));
});

test("between frames the points stay on the sphere", () => {
  const at = pathOf(frames([[1, 0, 0], [0, 0, 1]], [[0.2, 1, 0], [0, 0, -0.9]], [[-1, 0.1, 0.3], [1, 0, 0]]));
  for (let time = 0; time <= 2; time += 0.05) {
    const p = at(time);
    for (const i of [0, 3]) assert.ok(Math.abs(Math.hypot(p[i]!, p[i + 1]!, p[i + 2]!) - 1) < 1e-3, `${time}`);
  }
});

test("the velocity does not jump at a frame", () => {
  const at = pathOf(frames([[1, 0, 0]], [[1, 0.4, 0]], [[1, 0.5, 0.6]], [[0.4, 1, 0.9]], [[0, 1, 1]]));
  const step = 0.02; // int16 steps leave a little noise
  for (const frame of [1, 2, 3]) {
    const [before, here, after] = [at(frame - step), at(frame), at(frame + step)];
    const jump = Math.hypot(...here.map((v, i) => (after[i]! - v - (v - before[i]!)) / step));
    const speed = distance(after, before) / (2 * step);
    assert.ok(jump < 0.15 * speed, `frame ${frame}: jump ${jump} at speed ${speed}`);
  }
});

test("a point that rests between two frames does not stir, and none overshoots where it turns back", () => {
  const rests = pathOf(frames([[1, 1, 0]], [[1, 0, 0]], [[1, 0, 0]], [[1, 0, 1]]));
  for (const time of [1, 1.2, 1.5, 1.9, 2]) assert.ok(distance(rests(time), [1, 0, 0]) < 1e-4);
  const turns = pathOf(frames([[1, 0, 0]], [[1, 1, 0]], [[1, 0, 0]]));
  for (let time = 0; time <= 2; time += 0.05) assert.ok(turns(time)[1]! <= Math.SQRT1_2 + 1e-4);
});

test("opposite points move without a number that is none", () => {
  const at = pathOf(frames([[1, 0, 0]], [[-1, 0, 0]], [[1, 0, 0]]));
  for (let time = 0; time <= 2; time += 0.1) {
    assert.ok(Math.abs(distance(at(time), [0, 0, 0]) - 1) < 1e-3, `${time}`);
  }
});

test("while a frame is missing nothing is drawn in its place; its neighbours may come later", () => {
  const all: (Int16Array | null)[] = [...frames([[1, 0, 0]], [[1, 1, 0]], [[0, 1, 0]])];
  const path = new Path((index) => all[index] ?? null);
  const out = new Int16Array(3);
  const last = all[2]!;
  all[1] = null;
  assert.equal(path.at(0.5, 2, out), false);
  assert.deepEqual([...out], [0, 0, 0]);
  all[1] = frames([[1, 1, 0]])[0]!;
  all[2] = null;
  assert.ok(path.at(0.5, 2, out));
  const alone = [...out];
  all[2] = last;
  assert.ok(path.at(0.5, 2, out));
  assert.notDeepEqual([...out], alone);
});

test("missing frames are asked for in blocks, from the one on show on, and again after a failure", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const n = 30_000; // two frames a request
  const asked: [number, number][] = [];
  const answers: { give: (packed: Int16Array) => void; fail: (error: Error) => void }[] = [];
  const came: string[] = [];
  const all = new Frames((from, to) => {
    asked.push([from, to]);
    return new Promise((give, fail) => answers.push({ give, fail }));
  }, () => 3, (problem) => came.push(problem));
  const answer = async (place: number): Promise<void> => {
    answers[place]!.give(new Int16Array(2 * n * (asked[place]![1] - asked[place]![0])));
    await new Promise(setImmediate);
  };
  all.reset(n, 6);
  all.pull();
  all.pull();
  assert.deepEqual(asked, [[3, 5], [5, 6]]);
  await answer(1);
  assert.deepEqual(asked.slice(2), [[0, 2]]);
  assert.deepEqual([all.loaded, all.ready], [1, 3], "one between is still missing");
  answers[0]!.fail(new Error("busy"));
  await new Promise(setImmediate);
  assert.deepEqual(came, ["", "busy"]);
  assert.equal(asked.length, 3);
  t.mock.timers.tick(3000);
  assert.deepEqual(asked.slice(3), [[3, 5]]);
  await answer(3);
  await answer(2);
  await answer(4);
  assert.deepEqual([asked[4], asked.length], [[2, 3], 5]);
  assert.deepEqual([all.loaded, all.ready], [6, 5]);
  all.extend(8);
  all.close();
  all.pull();
  assert.equal(asked.length, 5, "nobody looks any more");
});

test("the clock plays at its speed and ends at the last frame", () => {
  const clock = new Clock();
  clock.last = 4;
  clock.toggle();
  clock.advance(500, 4);
  assert.equal(clock.time, 1);
  clock.speed = 4;
  clock.advance(250, 4);
  assert.equal(clock.time, 3);
  clock.advance(5000, 4);
  assert.equal(clock.time, 4);
  assert.ok(clock.playing);
  clock.advance(16, 4);
  assert.equal(clock.playing, false);
  clock.toggle();
  assert.equal(clock.time, 0, "from the end it begins again");
});

test("it waits for frames that have not come, and for those that a training will bring", () => {
  const clock = new Clock();
  clock.last = 9;
  clock.playing = true;
  clock.advance(5000, 2);
  assert.equal(clock.time, 2);
  clock.live = true;
  clock.time = 9;
  assert.equal(clock.advance(5000, 9), false);
  assert.ok(clock.playing);
  clock.last = 10;
  assert.ok(clock.advance(100, 10));
});

test("a loop rests at the end, then begins again", () => {
  const clock = new Clock();
  Object.assign(clock, { last: 2, loop: true, playing: true, time: 2 });
  clock.advance(600, 2);
  assert.equal(clock.time, 2);
  clock.advance(700, 2);
  assert.equal(clock.time, 0);
  assert.ok(clock.playing);
});

test("steps go to whole frames and stop there; speeds stay in their list", () => {
  const clock = new Clock();
  Object.assign(clock, { last: 5, time: 2.4, playing: true });
  clock.step(1);
  assert.deepEqual([clock.time, clock.playing], [3, false]);
  clock.step(-1);
  assert.equal(clock.time, 2);
  clock.time = 2.4;
  clock.step(-1);
  assert.equal(clock.time, 2);
  for (let i = 0; i < 9; i++) clock.step(1);
  assert.equal(clock.time, 5);
  for (let i = 0; i < 9; i++) clock.change(1);
  assert.equal(clock.speed, 8);
  for (let i = 0; i < 9; i++) clock.change(-1);
  assert.equal(clock.speed, 0.25);
});

test("epochs and times belong to one another, with gaps between epochs too", () => {
  const epochs = [0, 1, 2, 4, 8];
  assert.equal(epochAt(epochs, 3.5), 6);
  assert.equal(timeOf(epochs, 6), 3.5);
  for (const time of [0, 0.5, 1, 2.25, 4]) assert.equal(timeOf(epochs, epochAt(epochs, time)), time);
  assert.equal(timeOf(epochs, -3), 0);
  assert.equal(timeOf(epochs, 99), 4);
  assert.equal(frameAt(2.9999999), 3);
  assert.ok(Number.isNaN(epochAt([], 0)));
  assert.equal(timeOf([], 5), 0);
});

test("trails lead to where the points are, oldest first, and are drawn of the chosen points only", () => {
  const all = frames([[1, 0, 0], [0, 1, 0]], [[1, 0.3, 0], [0, 1, 0.3]], [[1, 0.6, 0], [0, 1, 0.6]]);
  const trails = new Trails((index) => all[index] ?? null);
  const lines: number[] = [];
  const noted = (_: number, y: number): void => void lines.push(y);
  const context = {
    save() {}, restore() {}, scale() {}, beginPath() {}, stroke() {}, moveTo: noted, lineTo: noted,
  } as unknown as CanvasRenderingContext2D;
  const look = {
    camera: { yaw: 0, pitch: 0, zoom: 1, panX: 0, panY: 0 }, view: { width: 100, height: 100 },
    ratio: 1, size: 4, opacity: 1, background: [0, 0, 0] as const, dim: false, count: 2,
  };
  trails.draw(context, look, 0, 2, all[0]!, [0], () => [1, 2, 3]);
  assert.equal(lines.length, 0, "at the start nothing has moved yet");
  trails.draw(context, look, 1, 2, all[1]!, [0], () => [1, 2, 3]);
  assert.equal(lines.length, 2 * 5, "five pieces a frame, one point");
});
