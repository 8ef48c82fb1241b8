import assert from "node:assert/strict";
import { test } from "node:test";
import { face, HOME, project } from "../src/gl/camera.ts";
import { box, fillMask, thin } from "../src/gl/lasso.ts";
import { inside, nearest } from "../src/gl/pick.ts";
import { HIDDEN } from "../src/gl/scene.ts";

const view = { width: 300, height: 200 };
const camera = face(HOME, 1, 0, 0);

function sceneOf(points: number[][], codes = points.map(() => 1)) {
  return {
    positions: Int16Array.from(points.flat().map((v) => Math.round(v * 32767))),
    codes: Uint8Array.from(codes),
    palette: new Uint8Array(1024),
  };
}

test("the nearest point wins, within reach", () => {
  const scene = sceneOf([[1, 0, 0], [0.995, 0.1, 0]]);
  const at = project(camera, view, 0.995, 0.1, 0);
  assert.equal(nearest(scene, camera, view, at.x + 1, at.y, 6), 1);
  assert.equal(nearest(scene, camera, view, 150, 100, 6), 0);
  assert.equal(nearest(scene, camera, view, 150, 170, 6), -1);
});

test("the near side goes before the far side, even when the far side is closer", () => {
  const scene = sceneOf([[-1, 0, 0], [0.9998, 0.02, 0]]);
  assert.equal(nearest(scene, camera, view, 150, 100, 6), 1);
  assert.equal(nearest(sceneOf([[-1, 0, 0]]), camera, view, 150, 100, 6), 0);
});

test("points whose legend entry is off are not found", () => {
  const scene = sceneOf([[1, 0, 0]], [3]);
  scene.palette[3 * 4 + 3] = HIDDEN;
  assert.equal(nearest(scene, camera, view, 150, 100, 6), -1);
  assert.equal(inside(scene, camera, view, new Uint8Array(300 * 200).fill(1), true).length, 0);
});

test("a box takes the near side only, unless told to go through", () => {
  const scene = sceneOf([[1, 0, 0], [-1, 0, 0], [0, 1, 0]]);
  const mask = fillMask(box({ x: 140, y: 90 }, { x: 160, y: 110 }), view);
  assert.deepEqual([...inside(scene, camera, view, mask, false)], [0]);
  assert.deepEqual([...inside(scene, camera, view, mask, true)], [0, 1]);
});

test("a mask holds the pixels whose centre is inside, clipped to the viewport", () => {
  const small = { width: 6, height: 4 };
  const mask = fillMask(box({ x: -5, y: 1 }, { x: 3, y: 3 }), small);
  assert.equal(mask.reduce((a, b) => a + b, 0), 3 * 2);
  assert.equal(mask[1 * 6 + 2], 1);
  assert.equal(mask[1 * 6 + 3], 0);
});

test("a lasso may be concave: the notch stays out", () => {
  const u = [[0, 0], [30, 0], [30, 30], [20, 30], [20, 10], [10, 10], [10, 30], [0, 30]];
  const mask = fillMask(u.map(([x, y]) => ({ x: x!, y: y! })), { width: 30, height: 30 });
  assert.equal(mask[20 * 30 + 5], 1);
  assert.equal(mask[20 * 30 + 15], 0);
  assert.equal(mask[20 * 30 + 25], 1);
});

test("fewer than three corners enclose nothing; close corners are thinned", () => {
  assert.equal(fillMask([{ x: 0, y: 0 }, { x: 9, y: 9 }], view).some(Boolean), false);
  const line = Array.from({ length: 100 }, (_, i) => ({ x: i / 10, y: 0 }));
  assert.equal(thin(line, 2).length, 5);
});
