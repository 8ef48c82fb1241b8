import assert from "node:assert/strict";
import { test } from "node:test";
import { along, buildPalette, parseHex, shapeOf } from "../src/gl/palette.ts";
import { HIDDEN, SHAPES } from "../src/gl/scene.ts";

const entry = (table: Uint8Array, code: number): number[] => [...table.slice(code * 4, code * 4 + 4)];

test("categories take their own colours and missing values are grey", () => {
  const table = buildPalette({ kind: "category", colors: ["#ff0000", "#00ff00"] }, new Set(), false);
  assert.deepEqual(entry(table, 1), [255, 0, 0, 0]);
  assert.deepEqual(entry(table, 2), [0, 255, 0, 0]);
  const [r, g, b] = entry(table, 0) as [number, number, number];
  assert.ok(Math.max(r, g, b) - Math.min(r, g, b) < 16);
});

test("numbers run over the stops from code 1 to code 255", () => {
  const table = buildPalette({ kind: "number", colors: ["#000000", "#808080", "#ffffff"] }, new Set(), false);
  assert.deepEqual(entry(table, 1), [0, 0, 0, 0]);
  assert.deepEqual(entry(table, 128), [128, 128, 128, 0]);
  assert.deepEqual(entry(table, 255), [255, 255, 255, 0]);
});

test("hidden entries carry a flag beside their shape", () => {
  const table = buildPalette({ kind: "category", colors: ["#102030", "#405060"] }, new Set([2]), true);
  assert.equal(entry(table, 1)[3], 0);
  assert.equal(entry(table, 2)[3], HIDDEN | 1);
  assert.equal(shapeOf(SHAPES.length + 1), 0);
});

test("without a colour column every point has the one colour", () => {
  const table = buildPalette({ kind: "none", colors: ["#123456"] }, new Set(), false);
  assert.deepEqual(entry(table, 0), [0x12, 0x34, 0x56, 0]);
});

test("a colour is clamped to the ends of the map; a bad one is refused", () => {
  assert.deepEqual(along([[0, 0, 0], [10, 20, 30]], 7), [10, 20, 30]);
  assert.throws(() => parseHex("red"), /#rrggbb/);
});
