import assert from "node:assert/strict";
import { test } from "node:test";
import { operatorsOf, search, type SearchColumn } from "../src/shared/search.ts";

const DAY = 86_400;
const COLUMNS: (SearchColumn | null)[] = [
  { kind: "text", texts: ["Basic", "pro", "42"], places: Int32Array.of(0, 1, -1, 2, 1) },
  { kind: "number", numbers: Float64Array.of(1, NaN, 42, -3.5, 1200) },
  { kind: "date", numbers: Float64Array.of(0, DAY + 60, NaN, 2 * DAY, 2 * DAY) },
  null,
];

const ask = (column: number | null, operator: string, value = ""): number[] => [
  ...search(COLUMNS, { column, operator, value }),
];

test("text contains without minding capitals, and equals exactly", () => {
  assert.deepEqual(ask(0, "contains", "BAS"), [0]);
  assert.deepEqual(ask(0, "equals", "basic"), []);
  assert.deepEqual(ask(0, "equals", "pro"), [1, 4]);
});

test("what is missing only answers that it is", () => {
  assert.deepEqual(ask(0, "differs", "pro"), [0, 3]);
  assert.deepEqual(ask(0, "missing"), [2]);
  assert.deepEqual(ask(1, "<", "1e9"), [0, 2, 3, 4]);
  assert.deepEqual(ask(1, "differs", "42"), [0, 3, 4]);
  assert.deepEqual(ask(1, "present"), [0, 2, 3, 4]);
});

test("numbers compare as numbers, however they are written", () => {
  assert.deepEqual(ask(1, ">=", " 1,200 "), [4]);
  assert.deepEqual(ask(1, "equals", "42.0"), [2]);
  assert.throws(() => ask(1, ">", "many"), /no number/);
  assert.throws(() => ask(1, ">", ""), /what to look for/);
  assert.throws(() => ask(1, "contains", "4"), /cannot be asked/);
});

test("a date alone means the whole day", () => {
  assert.deepEqual(ask(2, "equals", "1970-01-02"), [1]);
  assert.deepEqual(ask(2, "<=", "1970-01-02"), [0, 1]);
  assert.deepEqual(ask(2, ">", "1970-01-02 00:00"), [1, 3, 4]);
  assert.throws(() => ask(2, "<", "yesterday"), /no date/);
});

test("any column is each that the question makes sense for", () => {
  assert.deepEqual(ask(null, "contains", "42"), [2, 3]);
  assert.deepEqual(ask(null, "equals", "pro"), [1, 4]);
  assert.deepEqual(ask(null, "missing"), [1, 2]);
  assert.throws(() => ask(null, "contains", ""), /what to look for/);
  assert.throws(() => search([null], { column: null, operator: "missing", value: "" }), /notebook/);
});

test("a column the page has no room for says so", () => {
  assert.throws(() => ask(3, "missing"), /does not hold/);
});

test("every operator on offer can be asked", () => {
  for (const [column, kind] of [[0, "text"], [1, "number"], [2, "date"], [null, "any"]] as const) {
    for (const operator of operatorsOf(kind)) ask(column, operator, kind === "date" ? "1970-01-01" : "1");
  }
});
