import assert from "node:assert/strict";
import { test } from "node:test";
import {
  between, face, HOME, MAX_ZOOM, orbit, project, radius, rotation, turn, zoomAt,
} from "../src/gl/camera.ts";

const view = { width: 600, height: 400 };
const close = (a: number, b: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(a - b) <= tolerance, `${a} is not close to ${b}`);

test("rotation is a rotation: orthonormal, right-handed", () => {
  const m = rotation({ ...HOME, yaw: 1.1, pitch: -0.7 });
  const rows = [m.slice(0, 3), m.slice(3, 6), m.slice(6, 9)] as number[][];
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      const dot = rows[i]!.reduce((sum, v, k) => sum + v * rows[j]![k]!, 0);
      close(dot, i === j ? 1 : 0);
    }
  }
  const [r, u, f] = rows as [number[], number[], number[]];
  close(r[0]! * u[1]! - r[1]! * u[0]!, f[2]!);
});

test("face brings a point to the middle, nearest the viewer, also at a pole", () => {
  const points: [number, number, number][] = [[1, 0, 0], [0.48, -0.6, 0.64], [0, 0, -1]];
  for (const p of points) {
    const seen = project(face(HOME, ...p), view, ...p);
    close(seen.x, 300, 1e-6);
    close(seen.y, 200, 1e-6);
    close(seen.depth, 1, 1e-9);
  }
});

test("the surface follows a drag", () => {
  const camera = face(HOME, 1, 0, 0);
  const after = project(orbit(camera, view, 10, -6), view, 1, 0, 0);
  close(after.x, 310, 0.1);
  close(after.y, 194, 0.1);
});

test("zooming keeps what is under the cursor, and ends at a limit", () => {
  const before = project(HOME, view, 0.1, -0.7, Math.sqrt(1 - 0.5));
  const near = zoomAt(HOME, view, 3, before.x, before.y);
  const after = project(near, view, 0.1, -0.7, Math.sqrt(1 - 0.5));
  close(after.x, before.x, 1e-6);
  close(after.y, before.y, 1e-6);
  assert.equal(zoomAt(HOME, view, 1e9, 0, 0).zoom, MAX_ZOOM);
});

test("zooming back out brings the sphere back to the middle", () => {
  const away = zoomAt(HOME, view, 8, 90, 40);
  const home = zoomAt(away, view, 1 / 8, 500, 390);
  close(home.panX, 0);
  close(home.panY, 0);
});

test("the pitch stops at the poles and the yaw wraps", () => {
  close(turn(HOME, 0, 9).pitch, Math.PI / 2);
  assert.ok(Math.abs(turn(HOME, 50, 0).yaw) <= Math.PI);
});

test("a journey goes the shorter way round", () => {
  const from = { ...HOME, yaw: 3 };
  const half = between(from, { ...HOME, yaw: -3 }, 0.5);
  close(Math.abs(half.yaw), Math.PI, 1e-9);
  close(between(from, HOME, 1).yaw, HOME.yaw, 1e-9);
});

test("the sphere fits the viewport at zoom 1", () => {
  assert.ok(radius(HOME, view) * 2 < 400);
});
