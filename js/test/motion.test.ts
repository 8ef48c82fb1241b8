import assert from "node:assert/strict";
import { test } from "node:test";
import { ALWAYS_ALL, Budget, samplePointScale } from "../src/gl/budget.ts";
import { Inertia } from "../src/gl/inertia.ts";

test("a throw goes on in its direction and comes to rest", () => {
  const inertia = new Inertia();
  for (let at = 0; at <= 80; at += 16) inertia.push(at, 8, -2);
  inertia.release(80);
  assert.ok(inertia.moving);
  let [x, y, steps] = [0, 0, 0];
  while (inertia.moving && steps++ < 1000) {
    const { dx, dy } = inertia.step(16);
    x += dx;
    y += dy;
  }
  assert.ok(x > 40 && x < 400, `travelled ${x}`);
  assert.ok(y < 0);
  assert.ok(steps < 200);
});

test("a hand that stopped before letting go does not throw", () => {
  const inertia = new Inertia();
  inertia.push(0, 30, 0);
  inertia.release(500);
  assert.equal(inertia.moving, false);
});

test("small pictures are always whole, large ones only at rest", () => {
  const budget = new Budget();
  assert.equal(budget.count(ALWAYS_ALL, true), ALWAYS_ALL);
  assert.ok(budget.count(1_000_000, true) < 50_000);
  assert.equal(budget.count(1_000_000, false), 1_000_000);
});

test("a quick machine soon draws everything while it turns", () => {
  const budget = new Budget();
  for (let i = 0; i < 20; i++) budget.frame(16.7);
  assert.equal(budget.count(1e6, true), 1_000_000);
});

test("the budget follows the frame time, down to a floor and slowly up again", () => {
  const budget = new Budget();
  const start = budget.count(1e6, true);
  budget.frame(33.3);
  const less = budget.count(1e6, true);
  assert.ok(less < start);
  for (let i = 0; i < 50; i++) budget.frame(200);
  assert.ok(budget.count(1e6, true) >= 1000);
  for (let i = 0; i < 10; i++) budget.frame(16.7);
  assert.ok(budget.count(1e6, true) < less);
  for (let i = 0; i < 200; i++) budget.frame(16.7);
  assert.equal(budget.count(1e6, true), 1_000_000);
});

test("a sample draws larger points, within reason", () => {
  assert.equal(samplePointScale(100, 100), 1);
  assert.ok(samplePointScale(10_000, 1_000_000) <= 1.5);
});
