import assert from "node:assert/strict";
import { test } from "node:test";
import { SELECTED } from "../src/gl/scene.ts";
import type { Model } from "../src/shared/model.ts";
import { SphereStore, type Change, type SphereState } from "../src/sphere/store.ts";

/** A host: keeps state, notes what is sent, and counts listeners. */
class Host {
  state: SphereState;
  sent: Record<string, unknown>[] = [];
  handlers = new Map<string, ((...args: never[]) => void)[]>();

  constructor(points: number[], codes: number[], offset = 0) {
    this.state = {
      _spec: { n: codes.length, choices: [], color: { choice: null } } as unknown as SphereState["_spec"],
      _positions: shifted(new Uint8Array(Int16Array.from(points).buffer), offset),
      _codes: shifted(Uint8Array.from(codes), offset),
      _selected: shifted(new Uint8Array(0), offset),
      _version: "",
    };
  }

  get model(): Model<SphereState> {
    return {
      get: (key) => this.state[key],
      set: (key, value) => {
        this.state[key] = value;
        this.fire(`change:${key}`);
      },
      save_changes: () => undefined,
      on: (event, f) => this.handlers.set(event, [...(this.handlers.get(event) ?? []), f]),
      off: (event, f) =>
        this.handlers.set(event, (this.handlers.get(event) ?? []).filter((g) => g !== f)),
      send: (content) => this.sent.push(content as Record<string, unknown>),
    };
  }

  fire(event: string, ...args: unknown[]): void {
    for (const f of this.handlers.get(event) ?? []) (f as (...a: unknown[]) => void)(...args);
  }
}

/** A view at an offset inside a larger buffer, as buffers of a message are. */
function shifted(bytes: Uint8Array, offset: number): DataView {
  const whole = new Uint8Array(bytes.length + offset);
  whole.set(bytes, offset);
  return new DataView(whole.buffer, offset);
}

/** Three axes of the sphere, as they are sent. */
const POINTS = [32767, 0, 0, 32767, 32767, 32767];

for (const offset of [0, 1, 2, 3]) {
  test(`positions are read at byte ${offset} of a message`, () => {
    const store = new SphereStore(new Host(POINTS, [1, 2, 0], offset).model);
    assert.deepEqual([...store.positions].map((c) => c + 0), [32767, 0, 0, 0, 32767, 0, 0, 0, -32767]);
    assert.deepEqual([...store.codes], [1, 2, 0]);
    store.dispose();
  });
}

test("selecting replaces, adds or toggles, and travels packed and ascending", () => {
  const host = new Host(POINTS, [1, 1, 1]);
  const store = new SphereStore(host.model);
  store.select([2, 0], "replace");
  assert.deepEqual([...store.selected], [0, 2]);
  store.select([1, 2], "add");
  assert.deepEqual([...store.selected], [0, 1, 2]);
  store.select([0], "toggle");
  assert.deepEqual([...store.selected], [1, 2]);
  assert.equal(host.state._selected.byteLength, 8);
  assert.deepEqual([...store.state], [0, SELECTED, SELECTED]);
  store.dispose();
});

test("a selection beyond the points is dropped, not drawn", () => {
  const host = new Host(POINTS, [1, 1, 1]);
  const store = new SphereStore(host.model);
  host.model.set("_selected", shifted(new Uint8Array(Uint32Array.of(1, 77).buffer), 3));
  assert.deepEqual([...store.selected], [1]);
  store.dispose();
});

test("codes that do not fit the points leave the rest missing", () => {
  const store = new SphereStore(new Host(POINTS, [5]).model);
  assert.deepEqual([...store.codes], [5, 0, 0]);
  store.dispose();
});

test("a row is asked for once; an error comes back as one", async () => {
  const host = new Host(POINTS, [1, 1, 1]);
  const store = new SphereStore(host.model);
  const asked = store.row(1);
  const { id } = host.sent[0]!;
  host.fire("msg:custom", { v: 1, kind: "row", id: "someone else's", values: [] }, []);
  host.fire("msg:custom", { v: 1, kind: "row", id, values: [["a", "1"], ["b", null]] }, []);
  assert.deepEqual(await asked, [["a", "1"], ["b", null]]);
  assert.deepEqual(await store.row(1), [["a", "1"], ["b", null]]);
  assert.equal(host.sent.length, 1);
  const refused = store.colorBy(9);
  host.fire("msg:custom", { v: 1, kind: "color", id: host.sent[1]!.id, error: "no such column" }, []);
  await assert.rejects(refused, /no such column/);
  store.dispose();
});

test("listeners hear what changed, and nothing is left after the end", async () => {
  const host = new Host(POINTS, [1, 1, 1]);
  const store = new SphereStore(host.model);
  const heard: Change[] = [];
  store.subscribe((change) => heard.push(change));
  host.fire("change:_codes");
  host.fire("change:_positions");
  assert.deepEqual(heard, ["codes", "positions"]);
  const open = store.row(0);
  store.dispose();
  await assert.rejects(open, /closed/);
  assert.equal([...host.handlers.values()].flat().length, 0);
});

/** A host of the three points, with row ids, linked to the others of the group. */
function linked(keys: number[]): Host {
  const host = new Host(POINTS, [1, 1, 1]);
  host.state._links = [{ group: "stores", what: ["selection", "hover", "color", "camera"] }];
  host.state._keys = shifted(new Uint8Array(Uint32Array.from(keys).buffer), 3);
  const choices = ["plan", "age"].map((label) => ({ label, group: "Columns" }));
  host.state._spec = { ...host.state._spec, choices, color: { ...host.state._spec.color, choice: 0 } };
  return host;
}

test("linked stores agree on rows, and what a kernel repeats goes no further", () => {
  const [left, right] = [linked([10, 11, 12]), linked([12, 40, 10])];
  const [one, two] = [new SphereStore(left.model), new SphereStore(right.model)];
  one.select([0, 1], "replace");
  assert.deepEqual([...two.selected], [2], "row 11 is only here");
  right.fire("change:_selected");
  assert.deepEqual([...one.selected], [0, 1]);
  two.hover(0);
  assert.equal(one.hovered, 2);
  two.hover(1);
  assert.equal(one.hovered, -1);
  one.dispose();
  two.dispose();
});

test("a colour is asked of each kernel once, however late it answers", async () => {
  const [left, right] = [linked([1, 2, 3]), linked([1, 2, 3])];
  const [one, two] = [new SphereStore(left.model), new SphereStore(right.model)];
  const asked = one.colorBy(1);
  assert.deepEqual(right.sent.map(({ kind, choice }) => [kind, choice]), [["color", 1]]);
  for (const host of [left, right]) {
    host.fire("change:_spec"); // news of something else, with the colours of before
    host.state._spec = { ...host.state._spec, color: { ...host.state._spec.color, choice: 1 } };
    host.fire("change:_spec");
    host.fire("msg:custom", { v: 1, kind: "color", id: host.sent[0]!.id, parts: [] }, []);
  }
  await asked;
  assert.deepEqual([left.sent.length, right.sent.length], [1, 1]);
  one.dispose();
  two.dispose();
});
