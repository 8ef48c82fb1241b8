/** Questions of a page to its kernel: each has an id, an answer or an error, and a time limit. */

import { listen, type Cleanup, type Model } from "./model.ts";
import { decode, isMessage, WIRE_VERSION, type Frame } from "./wire.ts";

const TIMEOUT_MS = 30_000;

interface Pending {
  resolve(answer: Frame): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class Requests {
  readonly #model: Pick<Model, "on" | "off" | "send">;
  readonly #pending = new Map<string, Pending>();
  readonly #stop: Cleanup;
  #count = 0;

  constructor(model: Pick<Model, "on" | "off" | "send">) {
    this.#model = model;
    this.#stop = listen(model as Model, (content, buffers) => this.#answer(content, buffers));
  }

  /**
   * Ask; fails with the kernel's own words, or when it does not answer in time. `limit` is null for
   * work whose length nobody knows.
   */
  ask(kind: string, body: Record<string, unknown>, limit: number | null = TIMEOUT_MS): Promise<Frame> {
    const id = `${kind}-${++this.#count}`;
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#pending.delete(id);
        reject(new Error("The kernel does not answer. Is it running, and free?"));
      };
      const timer = limit === null ? undefined : setTimeout(late, limit);
      this.#pending.set(id, { resolve, reject, timer });
      this.#model.send({ v: WIRE_VERSION, kind, id, ...body });
    });
  }

  dispose(): void {
    this.#stop();
    for (const { timer, reject } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new Error("The widget was closed."));
    }
    this.#pending.clear();
  }

  #answer(content: unknown, buffers: readonly DataView[]): void {
    if (!isMessage(content) || content.id === undefined) return;
    const pending = this.#pending.get(content.id);
    if (!pending) return;
    this.#pending.delete(content.id);
    clearTimeout(pending.timer);
    if (typeof content.error === "string") pending.reject(new Error(content.error));
    else decode(content, buffers).then(pending.resolve, pending.reject);
  }
}
