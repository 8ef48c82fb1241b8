import assert from "node:assert/strict";
import { test } from "node:test";
import { Link, type LinkSpec, type LinkState, type Told, type What } from "../src/shared/link.ts";
import type { Model } from "../src/shared/model.ts";
import { RowKeys } from "../src/sphere/keys.ts";

const BUS = Symbol.for("featrix.link.1");

/** A widget that shows what it is told, and shares it as widgets do. */
class Member {
  links: LinkSpec[];
  shown: Partial<Record<What, Told>> = {};
  told: What[] = [];
  #handlers = new Set<() => void>();
  readonly link: Link;

  constructor(groups: Record<string, What[]>, shown: Partial<Record<What, Told>> = {}) {
    this.links = Object.entries(groups).map(([group, what]) => ({ group, what }));
    this.link = new Link(this.model, (what, value) => {
      this.told.push(what);
      this.show(what, this.accepts(value));
    });
    for (const [what, value] of Object.entries(shown)) this.show(what as What, value);
    this.link.open(this.model);
  }

  accepts = (value: Told): Told => value;

  get model(): Model<LinkState> {
    const part = {
      get: () => this.links,
      on: (_: string, f: () => void) => void this.#handlers.add(f),
      off: (_: string, f: () => void) => void this.#handlers.delete(f),
    };
    return part as unknown as Model<LinkState>;
  }

  get listeners(): number {
    return this.#handlers.size;
  }

  show(what: What, value: Told): void {
    this.shown[what] = value;
    this.link.share(what, value);
  }

  regroup(groups: Record<string, What[]>): void {
    this.links = Object.entries(groups).map(([group, what]) => ({ group, what }));
    for (const handler of this.#handlers) handler();
  }
}

const part = (...members: Member[]): void => {
  for (const { link } of members) link.dispose();
  assert.equal(BUS in globalThis, false, "the bus is gone with its last member");
  assert.deepEqual(members.map(({ listeners }) => listeners), members.map(() => 0));
};

test("what one shows the others show, once, and nobody hears an echo", () => {
  const [a, b, c] = [new Member({ g: ["epoch"] }), new Member({ g: ["epoch"] }), new Member({ h: ["epoch"] })];
  a.show("epoch", 3);
  a.show("epoch", 3);
  assert.deepEqual([b.shown.epoch, b.told, a.told, c.told], [3, ["epoch"], [], []]);
  b.show("epoch", 0);
  assert.deepEqual([a.shown.epoch, a.told, b.told], [0, ["epoch"], ["epoch"]]);
  part(a, b, c);
});

test("only what is linked is shared", () => {
  const [a, b] = [new Member({ g: ["camera"] }), new Member({ g: ["camera"] })];
  a.show("epoch", 1);
  a.show("camera", { yaw: 1 });
  assert.deepEqual([b.told, a.link.shares("epoch"), a.link.shares("camera")], [["camera"], false, true]);
  part(a, b);
});

test("a widget that shows a part of it does not take the rest from the others", () => {
  const [a, b] = [new Member({ g: ["selection"] }), new Member({ g: ["selection"] })];
  b.accepts = () => Float64Array.of(2);
  a.show("selection", Float64Array.of(1, 2));
  b.link.share("selection", Float64Array.of(2)); // its kernel's echo, later
  assert.deepEqual(a.shown.selection, Float64Array.of(1, 2));
  b.show("selection", new Float64Array(0));
  assert.deepEqual(a.shown.selection, new Float64Array(0));
  part(a, b);
});

test("links form chains and rings, and each widget is told once", () => {
  const a = new Member({ ab: ["hover"], ca: ["hover"] });
  const b = new Member({ ab: ["hover"], bc: ["hover"] });
  const c = new Member({ bc: ["hover"], ca: ["hover"] });
  const d = new Member({ cd: ["hover"] });
  c.regroup({ bc: ["hover"], ca: ["hover"], cd: ["hover"] });
  a.show("hover", { row: 7 });
  assert.deepEqual([b, c, d].map(({ shown }) => shown.hover), [{ row: 7 }, { row: 7 }, { row: 7 }]);
  assert.deepEqual([a.told, d.told], [[], ["hover"]]);
  part(a, b, c, d);
});

test("to begin with, later ones take over what the first show", () => {
  const a = new Member({ g: ["epoch", "selection"] }, { epoch: 4, selection: new Float64Array(0) });
  const b = new Member({ g: ["epoch", "selection"] }, { epoch: 9, selection: Float64Array.of(5) });
  assert.deepEqual([b.shown.epoch, a.shown.epoch], [4, 4]);
  assert.deepEqual(a.shown.selection, Float64Array.of(5), "nothing is no selection to take over");
  a.show("epoch", 6);
  a.show("hover", { row: 1 });
  const late = new Member({ g: ["epoch", "hover"] }, { epoch: 1 });
  assert.deepEqual(late.shown, { epoch: 6 });
  part(a, b, late);
});

test("after unlinking each goes its own way", () => {
  const [a, b] = [new Member({ g: ["epoch"] }), new Member({ g: ["epoch"] })];
  b.regroup({});
  a.show("epoch", 2);
  assert.deepEqual(b.told, []);
  b.regroup({ g: ["epoch"] });
  assert.equal(b.shown.epoch, 2);
  b.regroup({});
  b.show("epoch", 8);
  assert.equal(a.shown.epoch, 2);
  part(a, b);
});

test("copies of the module meet on the page", async () => {
  const other = (await import(["../src/shared/link.ts", "copy"].join("?"))) as { Link: typeof Link };
  assert.notEqual(other.Link, Link);
  const a = new Member({ g: ["epoch"] });
  const heard: Told[] = [];
  const b = new other.Link(a.model, (_, value) => heard.push(value));
  b.open(a.model);
  a.show("epoch", 5);
  assert.deepEqual(heard, [5]);
  b.dispose();
  part(a);
});

const bytes = (data: Uint32Array | Float64Array): DataView => new DataView(data.buffer);

test("rows are found by their keys, whatever kind these are", () => {
  const ours = new RowKeys(bytes(Uint32Array.of(12, 10, 11)), 3);
  assert.deepEqual(ours.of(Uint32Array.of(0, 2)), Float64Array.of(12, 11));
  assert.deepEqual(ours.points(Float64Array.of(11, 99, 12, -5, 0.5)), Uint32Array.of(2, 0));
  const sparse = new RowKeys(bytes(Uint32Array.of(4e9, 1)), 2);
  assert.deepEqual(sparse.points(Float64Array.of(4e9, 2)), Uint32Array.of(0));
  const hashed = new RowKeys(bytes(Float64Array.of(-(2 ** 52) - 1, -2)), 2);
  assert.deepEqual(hashed.points(hashed.of(Uint32Array.of(1, 0))), Uint32Array.of(1, 0));
});

test("without keys, or with those of other rows, no row is known", () => {
  for (const [data, n] of [[undefined, 3], [bytes(Uint32Array.of(1, 2)), 3], [bytes(new Uint32Array(0)), 0]] as const) {
    const keys = new RowKeys(data, n);
    assert.equal(keys.known, false);
    assert.deepEqual(keys.points(Float64Array.of(1)), new Uint32Array(0));
  }
});
