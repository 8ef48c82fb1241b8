/**
 * Binary frames between kernel and page: a JSON message that describes its parts, and one buffer
 * a part, little-endian. `featrix_notebook/widgets/wire.py` is the other end.
 */
import { listen, type Cleanup, type Model } from "./model.ts";
import { reasonOf } from "./reason.ts";

export const WIRE_VERSION = 1;

/** A kernel that is busy answers late; one that was restarted, never. */
const ANSWER_MS = 10_000;

export type Dtype = "f4" | "f8" | "i4" | "u4" | "i2" | "u2" | "u1";
export type Codec = "raw" | "deflate" | "q16";
export type Column =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Uint8Array;

export interface Part {
  name: string;
  dtype: Dtype;
  shape: number[];
  n: number;
  codec: Codec;
  /** For `q16`: value = stored * scale + offset. */
  scale?: number;
  offset?: number;
}

export interface Message {
  v: number;
  kind: string;
  seq: number;
  id?: string;
  parts: Part[];
  [extra: string]: unknown;
}

export interface Frame {
  message: Message;
  columns: Map<string, Column>;
}

const ARRAYS = {
  f4: Float32Array,
  f8: Float64Array,
  i4: Int32Array,
  u4: Uint32Array,
  i2: Int16Array,
  u2: Uint16Array,
  u1: Uint8Array,
} as const;

/** A typed array over the bytes of a view; copied only where the alignment asks for it. */
function typed(dtype: Dtype, view: DataView, n: number, name: string): Column {
  const Type = ARRAYS[dtype];
  if (!Type) throw new Error(`Part "${name}" has the unknown dtype "${dtype}"`);
  if (view.byteLength !== n * Type.BYTES_PER_ELEMENT) {
    throw new Error(
      `Part "${name}" should hold ${n} values of ${dtype}, but has ${view.byteLength} bytes`,
    );
  }
  const buffer = view.buffer as ArrayBuffer;
  return view.byteOffset % Type.BYTES_PER_ELEMENT === 0
    ? new Type(buffer, view.byteOffset, n)
    : new Type(buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

async function inflate(view: DataView): Promise<DataView> {
  const bytes = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new DataView(await new Response(stream).arrayBuffer());
}

async function decodePart(part: Part, view: DataView): Promise<Column> {
  switch (part.codec) {
    case "raw":
      return typed(part.dtype, view, part.n, part.name);
    case "deflate":
      return typed(part.dtype, await inflate(view), part.n, part.name);
    case "q16": {
      const { scale = 1, offset = 0 } = part;
      const stored = typed("u2", view, part.n, part.name);
      return Float32Array.from(stored, (value) => value * scale + offset);
    }
    default:
      throw new Error(`Part "${part.name}" has the unknown codec "${String(part.codec)}"`);
  }
}

/** Whatever form a host delivers bytes in. */
export function bytesOf(value: DataView | ArrayBuffer | null | undefined): Uint8Array<ArrayBuffer> {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (!value || !ArrayBuffer.isView(value)) return new Uint8Array(0);
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
}

/** Whether a custom message is one of our frames (other libraries may talk on the same comm). */
export function isMessage(content: unknown): content is Message {
  const message = content as Partial<Message> | null;
  return typeof message === "object" && message !== null && typeof message.kind === "string";
}

/** Check a message against its buffers and decode every part. */
export async function decode(message: Message, buffers: readonly DataView[]): Promise<Frame> {
  if (message.v !== WIRE_VERSION) {
    throw new Error(
      `The kernel speaks version ${message.v} of the widget protocol, this page version ` +
        `${WIRE_VERSION}: restart the kernel and reload the page`,
    );
  }
  const parts = message.parts ?? [];
  if (parts.length !== buffers.length) {
    throw new Error(`A message with ${parts.length} parts came with ${buffers.length} buffers`);
  }
  const columns = new Map<string, Column>();
  for (const [i, part] of parts.entries()) {
    const size = part.shape.reduce((product, side) => product * side, 1);
    if (size !== part.n) throw new Error(`Part "${part.name}": shape and n disagree`);
    columns.set(part.name, await decodePart(part, buffers[i] as DataView));
  }
  return { message, columns };
}

export interface InboxHandlers {
  /** Everything known so far: replace what is held. */
  state(frame: Frame): void;
  /** What is new since the last frame: add it to what is held. */
  append(frame: Frame): void;
  /** Any other kind of message; these carry no sequence. */
  other?(frame: Frame): void;
  /** A frame that could not be read, in words for the reader. */
  failed(reason: string): void;
}

/**
 * Reads a model's frames in order. An `append` is used only when it follows the last frame
 * directly; otherwise, and once at the start, a `resync` asks the kernel for a `state`.
 */
export class Inbox {
  #seq: number | null = null;
  #askedAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  #queue: Promise<void> = Promise.resolve();
  #stop: Cleanup;
  #send: (content: unknown) => void;
  #handlers: InboxHandlers;

  constructor(model: Pick<Model, "on" | "off" | "send">, handlers: InboxHandlers) {
    this.#handlers = handlers;
    this.#send = (content) => model.send(content);
    this.#stop = listen(model as Model, (content, buffers) => {
      if (!isMessage(content)) return;
      // Decoding may wait (inflating): the chain keeps the order of arrival.
      this.#queue = this.#queue.then(() => this.#read(content, buffers));
    });
    this.resync();
  }

  /** Ask for everything; again only when the answer must have been lost. */
  resync(): void {
    if (performance.now() - this.#askedAt < ANSWER_MS) return;
    this.#askedAt = performance.now();
    this.#send({ v: WIRE_VERSION, kind: "resync", seq: this.#seq ?? 0 });
  }

  dispose(): void {
    this.#closed = true;
    this.#stop();
  }

  async #read(message: Message, buffers: readonly DataView[]): Promise<void> {
    if (this.#closed) return;
    const { kind, seq } = message;
    if (kind === "append" && this.#seq !== null && seq <= this.#seq) return; // in the state already
    if (kind === "append" && seq !== (this.#seq ?? Number.NaN) + 1) {
      this.resync();
      return;
    }
    try {
      const frame = await decode(message, buffers);
      if (this.#closed) return;
      if (kind === "state") {
        this.#askedAt = Number.NEGATIVE_INFINITY;
        this.#seq = seq;
        this.#handlers.state(frame);
      } else if (kind === "append") {
        this.#seq = seq;
        this.#handlers.append(frame);
      } else {
        this.#handlers.other?.(frame);
      }
    } catch (error) {
      this.#handlers.failed(reasonOf(error));
    }
  }
}
