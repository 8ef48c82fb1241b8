/**
 * Widgets of a page that move together: what the reader does in one is told to the others here, in
 * the page, with no kernel in between. `featrix_notebook/widgets/link.py` says which belong together.
 *
 * Every widget instance loads its own copy of this module, hence the meeting point on globalThis;
 * its name carries a version, raised when the interfaces of `Bus` or `Port` change.
 */
import { watch, type Cleanup, type Model } from "./model.ts";

export type What = "selection" | "hover" | "color" | "camera" | "epoch";

/** The trait `_links`. */
export interface LinkSpec {
  group: string;
  what: What[];
}

export interface LinkState {
  /** Absent where a host shows widgets one by one. */
  _links?: LinkSpec[];
}

/** Cells and rows are different things: whoever receives one looks at what it is. */
export type Told = object | number | null;

interface Message {
  readonly what: What;
  readonly value: Told;
}

interface Port {
  receive(message: Message, group: string): void;
}

interface Group {
  readonly ports: Set<Port>;
  /** What was told last, for those who come later. */
  readonly last: Map<What, Message>;
}

const MEETING_POINT = Symbol.for("featrix.link.1");

/** Carries messages between the members of each group, at once and in the order they joined. */
class Bus {
  readonly #groups = new Map<string, Group>();

  static get(): Bus {
    const page = globalThis as unknown as Record<symbol, Bus | undefined>;
    return (page[MEETING_POINT] ??= new Bus());
  }

  /** Returns what was told in the group before. */
  enter(name: string, port: Port): ReadonlySet<What> {
    const group = this.#groups.get(name) ?? { ports: new Set(), last: new Map() };
    this.#groups.set(name, group);
    group.ports.add(port);
    const last = [...group.last.values()];
    for (const message of last) port.receive(message, name);
    return new Set(last.map(({ what }) => what));
  }

  /** The last one to leave a group takes what was told in it along. */
  leave(name: string, port: Port): void {
    const group = this.#groups.get(name);
    group?.ports.delete(port);
    if (group?.ports.size === 0) this.#groups.delete(name);
    const page = globalThis as unknown as Record<symbol, Bus | undefined>;
    if (this.#groups.size === 0 && page[MEETING_POINT] === this) delete page[MEETING_POINT];
  }

  send(name: string, message: Message, from: Port): void {
    const group = this.#groups.get(name);
    if (!group) return;
    // Where a pointer was is no news to whoever comes later.
    if (message.what !== "hover") group.last.set(message.what, message);
    for (const port of [...group.ports]) if (port !== from) port.receive(message, name);
  }
}

/** One widget's part in its links. */
export class Link {
  readonly #apply: (what: What, value: Told) => void;
  readonly #stop: Cleanup;
  /** What this widget shows of each thing, as it last said or was told. */
  readonly #held = new Map<What, Told>();
  readonly #port: Port = { receive: (message, group) => this.#receive(message, group) };
  #specs: readonly LinkSpec[] = [];
  #applying = false;
  #passed: Message | null = null;

  /**
   * `apply` brings the widget to what another one shows; what is no concern of it, it leaves. What
   * the widget shares while it does so goes no further.
   */
  constructor(model: Model<LinkState>, apply: (what: What, value: Told) => void) {
    this.#apply = apply;
    this.#stop = watch(model, "_links", (specs) => this.#join(specs ?? []));
  }

  /** Take part from now on: what the widget has shared before is only where it stands. */
  open(model: Model<LinkState>): void {
    this.#join(model.get("_links") ?? []);
  }

  /** Whether anybody is told of this. */
  shares(what: What): boolean {
    return this.#specs.some((spec) => spec.what.includes(what));
  }

  /** Tell the others what the widget shows now; they are not told the same twice. */
  share(what: What, value: Told): void {
    const before = this.#held.get(what) ?? null;
    if (same(before, value)) return;
    this.#held.set(what, value);
    const nothing = before === null && empty(value);
    if (!this.#applying && !nothing) this.#pass({ what, value }, null);
  }

  dispose(): void {
    this.#stop();
    this.#join([]);
  }

  #join(specs: readonly LinkSpec[]): void {
    const before = this.#specs;
    this.#specs = specs;
    for (const { group } of before) {
      if (!specs.some((spec) => spec.group === group)) Bus.get().leave(group, this.#port);
    }
    for (const spec of specs) if (!before.some(({ group }) => group === spec.group)) this.#enter(spec);
  }

  /** Take over what the group shows; where it shows nothing yet, it takes over what is shown here. */
  #enter({ group, what }: LinkSpec): void {
    const told = Bus.get().enter(group, this.#port);
    for (const one of what) {
      const value = this.#held.get(one) ?? null;
      if (told.has(one) || one === "hover" || empty(value)) continue;
      this.#passed = { what: one, value };
      Bus.get().send(group, this.#passed, this.#port);
    }
  }

  #receive(message: Message, group: string): void {
    const { what, value } = message;
    const spec = this.#specs.find((known) => known.group === group);
    // Links may form a ring: what has been here is not taken again.
    if (!spec?.what.includes(what) || message === this.#passed) return;
    const outer = this.#applying;
    this.#applying = true;
    try {
      this.#apply(what, value);
    } finally {
      this.#applying = outer;
    }
    this.#pass(message, group);
  }

  #pass(message: Message, from: string | null): void {
    this.#passed = message;
    for (const { group, what } of this.#specs) {
      if (group !== from && what.includes(message.what)) Bus.get().send(group, message, this.#port);
    }
  }
}

function empty(value: Told): boolean {
  return value === null || (ArrayBuffer.isView(value) && value.byteLength === 0);
}

function same(a: Told, b: Told): boolean {
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [x, y] = [a as Float64Array, b as Float64Array];
    return x.length === y.length && x.every((value, i) => value === y[i]);
  }
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
