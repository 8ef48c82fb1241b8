import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";
import { decode, Inbox, type Frame, type Message, type Part } from "../src/shared/wire.ts";

const part = (more: Partial<Part> = {}): Part => ({ name: "x", dtype: "f4", shape: [3], n: 3, codec: "raw", ...more });
const message = (kind: string, seq: number, parts: Part[] = []): Message => ({ v: 1, kind, seq, parts });
const bytes = (array: ArrayBufferView): DataView => new DataView(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);

test("a buffer is read at its own offset, aligned or not", async () => {
  const values = Float32Array.from([1.5, -2, 3]);
  for (const offset of [0, 1, 4]) {
    const around = new Uint8Array(offset + 12 + 5);
    around.set(new Uint8Array(values.buffer), offset);
    const { columns } = await decode(message("state", 1, [part()]), [new DataView(around.buffer, offset, 12)]);
    assert.deepEqual([...(columns.get("x") ?? [])], [1.5, -2, 3]);
  }
});

test("deflated and quantised parts come back", async () => {
  const u2 = Uint16Array.from([0, 32768, 65535]);
  const parts = [
    part({ name: "packed", codec: "deflate" }),
    part({ name: "steps", codec: "q16", scale: 0.5, offset: 10 }),
  ];
  const packed = new Uint8Array(deflateSync(Buffer.from(Float32Array.from([1, 2, 3]).buffer)));
  const { columns } = await decode(message("state", 1, parts), [bytes(packed), bytes(u2)]);
  assert.deepEqual([...(columns.get("packed") ?? [])], [1, 2, 3]);
  assert.deepEqual([...(columns.get("steps") ?? [])], [10, 16394, 32777.5]);
});

test("what does not fit is refused in words", async () => {
  const view = bytes(new Float32Array(3));
  await assert.rejects(decode({ ...message("state", 1), v: 2 }, []), /restart the kernel/);
  await assert.rejects(decode(message("state", 1, [part()]), []), /0 buffers/);
  await assert.rejects(decode(message("state", 1, [part({ n: 4, shape: [4] })]), [view]), /should hold 4/);
  await assert.rejects(decode(message("state", 1, [part({ shape: [2] })]), [view]), /disagree/);
  await assert.rejects(decode(message("state", 1, [part({ dtype: "c8" as never })]), [view]), /unknown dtype/);
  await assert.rejects(decode(message("state", 1, [part({ codec: "zip" as never })]), [view]), /unknown codec/);
});

/** A model whose kernel is the test. */
class Kernel {
  sent: { kind: string }[] = [];
  handlers = new Set<(content: unknown, buffers: readonly DataView[]) => void>();
  on = (_: string, handler: (...args: never[]) => void): void => void this.handlers.add(handler as never);
  off = (_: string, handler: (...args: never[]) => void): void => void this.handlers.delete(handler as never);
  send = (content: unknown): void => void this.sent.push(content as { kind: string });
  say(content: unknown): void {
    for (const handler of this.handlers) handler(content, []);
  }
}

function listener(): { kernel: Kernel; inbox: Inbox; heard: string[] } {
  const kernel = new Kernel();
  const heard: string[] = [];
  const note = (frame: Frame): void => void heard.push(`${frame.message.kind} ${frame.message.seq}`);
  const inbox = new Inbox(kernel, { state: note, append: note, other: note, failed: (reason) => heard.push(reason) });
  return { kernel, inbox, heard };
}

const settled = (): Promise<void> => new Promise((done) => setTimeout(done, 5));

test("a page that opens late asks for everything, then follows", async () => {
  const { kernel, heard } = listener();
  assert.equal(kernel.sent[0]?.kind, "resync");
  kernel.say(message("append", 7)); // cannot be placed yet
  kernel.say(message("state", 7));
  kernel.say(message("append", 7)); // is in the state already
  kernel.say(message("append", 8));
  await settled();
  assert.deepEqual(heard, ["state 7", "append 8"]);
  assert.equal(kernel.sent.length, 1);
});

test("a gap is noticed and mended", async () => {
  const { kernel, heard } = listener();
  kernel.say(message("state", 1));
  kernel.say(message("append", 3));
  kernel.say(message("append", 4));
  await settled();
  assert.deepEqual(heard, ["state 1"]);
  assert.equal(kernel.sent.length, 2);
  kernel.say(message("state", 4));
  kernel.say(message("append", 5));
  await settled();
  assert.deepEqual(heard, ["state 1", "state 4", "append 5"]);
});

test("other messages pass, foreign ones are ignored, faults are told", async () => {
  const { kernel, heard } = listener();
  kernel.say({ method: "custom" });
  kernel.say(null);
  kernel.say(message("reply", 0));
  kernel.say({ ...message("state", 1), v: 9 });
  await settled();
  assert.equal(heard[0], "reply 0");
  assert.match(heard[1] ?? "", /version 9/);
});

test("after its end nothing is heard", async () => {
  const { kernel, inbox, heard } = listener();
  kernel.say(message("state", 1));
  inbox.dispose();
  kernel.say(message("append", 2));
  await settled();
  assert.deepEqual(heard, []);
  assert.equal(kernel.handlers.size, 0);
});
