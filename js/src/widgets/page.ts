/**
 * Not a widget: the host of widgets in an exported page, where there is no kernel. What a kernel
 * would answer is in the page; `featrix_notebook/pages.py` writes it.
 */
import type { Cleanup, Model, Widget } from "../shared/model.ts";
import { reasonOf } from "../shared/reason.ts";
import { search, type Question, type SearchColumn } from "../shared/search.ts";
import { WIRE_VERSION } from "../shared/wire.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Bytes travel as base64 text. */
interface Bytes {
  bytes: string;
}

interface Answer {
  /** Fields of the reply. */
  message?: Record<string, Json>;
  /** Traits that change before the reply. */
  state?: Record<string, Json | Bytes>;
  buffers?: string[];
}

export interface PageData {
  bundle: string;
  state: Record<string, Json | Bytes>;
  /** By request: `kind` and the value of its only field, such as `color/3`. */
  answers: Record<string, Answer>;
  /** Of a sphere: what it searches. Columns that found no room are null. */
  columns?: (PageColumn | null)[];
  /** Of a movie: the bytes of all frames, one after another; a request takes a part of them. */
  frames?: string;
  frameBytes?: number;
}

interface PageColumn {
  kind: SearchColumn["kind"];
  numbers?: string;
  texts?: string[];
  places?: string;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function valueOf(value: Json | Bytes): unknown {
  const text = (value as Partial<Bytes> | null)?.bytes;
  return typeof text === "string" ? new DataView(bytesOf(text).buffer) : value;
}

const KEYS: Record<string, string> = { color: "choice", row: "point", neighbours: "point", signature: "of", cell: "at" };

function columnOf(column: PageColumn | null): SearchColumn | null {
  if (!column) return null;
  const { kind, numbers = "", texts = [], places = "" } = column;
  return kind === "text"
    ? { kind, texts, places: new Int32Array(bytesOf(places).buffer) }
    : { kind, numbers: new Float64Array(bytesOf(numbers).buffer) };
}

class PageModel implements Model {
  readonly #values: Record<string, unknown> = {};
  readonly #handlers = new Map<string, Set<(...args: unknown[]) => void>>();
  readonly #data: PageData;
  readonly #frames: Uint8Array<ArrayBuffer>;
  #columns: (SearchColumn | null)[] | undefined;

  constructor(data: PageData) {
    this.#data = data;
    this.#frames = bytesOf(data.frames ?? "");
    for (const [key, value] of Object.entries(data.state)) this.#values[key] = valueOf(value);
  }

  get<K extends string>(key: K): unknown {
    return this.#values[key];
  }

  set(key: string, value: unknown): void {
    this.#values[key] = value;
    this.#fire(`change:${key}`);
  }

  save_changes(): void {
    // nobody else to tell
  }

  on(event: string, handler: (...args: never[]) => void): void {
    const handlers = this.#handlers.get(event) ?? new Set();
    handlers.add(handler as (...args: unknown[]) => void);
    this.#handlers.set(event, handlers);
  }

  off(event: string, handler: (...args: never[]) => void): void {
    this.#handlers.get(event)?.delete(handler as (...args: unknown[]) => void);
  }

  send(content: unknown): void {
    const request = content as { kind: string; id?: string; [field: string]: unknown };
    if (request.id === undefined) return;
    queueMicrotask(() => this.#answer(request));
  }

  #answer(request: { kind: string; id?: string; [field: string]: unknown }): void {
    const { kind, id } = request;
    const reply = { v: WIRE_VERSION, seq: 0, kind, id, parts: [] as object[] };
    if (kind === "frames") {
      const { from, to } = request as unknown as { from: number; to: number };
      const { frameBytes = 0 } = this.#data;
      const part = new DataView(this.#frames.buffer, from * frameBytes, (to - from) * frameBytes);
      const n = part.byteLength / 2;
      reply.parts.push({ name: "xy", dtype: "i2", shape: [n], n, codec: "raw" });
      this.#fire("msg:custom", reply, [part]);
      return;
    }
    if (kind === "search") {
      this.#search(request as unknown as Question, reply);
      return;
    }
    const field = KEYS[kind];
    const answer = this.#data.answers[field ? `${kind}/${String(request[field])}` : kind];
    for (const [key, value] of Object.entries(answer?.state ?? {})) this.#values[key] = valueOf(value);
    for (const key of Object.keys(answer?.state ?? {})) this.#fire(`change:${key}`);
    const missing = answer ? {} : { error: "This page has no kernel behind it: that needs the notebook." };
    const buffers = (answer?.buffers ?? []).map((text) => new DataView(bytesOf(text).buffer));
    this.#fire("msg:custom", { ...reply, ...missing, ...answer?.message }, buffers);
  }

  #search(question: Question, reply: { parts: object[] }): void {
    this.#columns ??= (this.#data.columns ?? []).map(columnOf);
    try {
      const points = search(this.#columns, question);
      const n = points.length;
      reply.parts.push({ name: "points", dtype: "u4", shape: [n], n, codec: "raw" });
      this.#fire("msg:custom", reply, [new DataView(points.buffer)]);
    } catch (error) {
      this.#fire("msg:custom", { ...reply, error: reasonOf(error) }, []);
    }
  }

  #fire(event: string, ...args: unknown[]): void {
    for (const handler of [...(this.#handlers.get(event) ?? [])]) handler(...args);
  }
}

/**
 * Show a widget in a notebook's output in place of its picture, which is left for paper. In a shadow
 * tree: what the host does to tables and buttons of outputs is not meant for it.
 */
export async function replace(picture: HTMLElement, data: PageData): Promise<void> {
  const el = document.createElement("div");
  picture.before(el);
  try {
    await show(data, el.attachShadow({ mode: "open" }).appendChild(document.createElement("div")));
  } catch (error) {
    el.remove();
    throw error;
  }
  const styles = document.createElement("style");
  el.className = "ftx-on-screen";
  picture.className = "ftx-on-paper";
  styles.textContent =
    "@media screen { .ftx-on-paper { display: none } } @media print { .ftx-on-screen { display: none } }";
  picture.before(styles);
}

/** Show a widget in an element of the page. */
export default async function show(data: PageData, el: HTMLElement): Promise<Cleanup> {
  const url = URL.createObjectURL(new Blob([data.bundle], { type: "text/javascript" }));
  const module = (await import(/* @vite-ignore */ url)) as { default: Widget<Record<string, unknown>> };
  URL.revokeObjectURL(url);
  const model = new PageModel(data) as unknown as Model;
  const close = await module.default.initialize({ model });
  const leave = await module.default.render({ model, el });
  return () => {
    leave();
    close();
  };
}
