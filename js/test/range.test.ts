import assert from "node:assert/strict";
import { test } from "node:test";
import { valueText } from "../src/sphere/range.ts";

test("a place of the scale is told as its value", () => {
  assert.equal(valueText({ low: 10, high: 20 }, 0.25), "12.5");
  assert.equal(valueText({ low: 0, high: 1 / 3 }, 1), "0.3333");
  assert.equal(valueText({ low: 0, high: 86_400 * 31, dates: true }, 1), "1970-02-01");
});

test("a scale wider than numbers go still has a middle", () => {
  assert.equal(valueText({ low: -1.7e308, high: 1.7e308 }, 0.5), "0");
  assert.equal(valueText({ low: 0, high: 1e300, dates: true }, 1), "");
});
