/** What opens under the bar: saving the movie to a file, and publishing an epoch. */

import { download, h, setText } from "../shared/dom.ts";
import { reasonOf } from "../shared/reason.ts";
import { frameAt } from "./clock.ts";
import type { MovieStore } from "./store.ts";

const FORMATS: readonly (readonly [string, string, string])[] = [
  ["mp4", "MP4 video", "video/mp4"],
  ["gif", "GIF", "image/gif"],
  ["html", "Web page", "text/html"],
  ["zip", "PNG pictures", "application/zip"],
  ["png", "This epoch (PNG)", "image/png"],
];

interface Drawer {
  readonly el: HTMLElement;
  opened(): void;
}

/** Ask for a file, watch it being made, take it. */
export class SaveDrawer implements Drawer {
  readonly el = h("form", { class: "ftx-movie-drawer", "aria-label": "Save the movie", hidden: true });
  readonly #store: MovieStore;
  readonly #format = h("select", { "aria-label": "Kind of file" });
  readonly #make = h("button", { type: "submit", class: "ftx-button" }, "Make file");
  readonly #cancel = h("button", { type: "button", class: "ftx-button", hidden: true }, "Cancel");
  readonly #bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Progress" });
  readonly #said = h("span", { role: "status" });
  #stop: () => void = () => undefined;

  /** `dark` tells whether the page is dark now: the file looks as the page does. */
  constructor(store: MovieStore, dark: () => boolean) {
    this.#store = store;
    for (const [value, label] of FORMATS) this.#format.append(h("option", { value }, label));
    this.el.append(this.#format, this.#make, this.#bar, this.#cancel, this.#said);
    this.el.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#run(dark());
    });
    this.#cancel.addEventListener("click", () => this.#stop());
  }

  opened(): void {
    this.#format.focus();
  }

  async #run(dark: boolean): Promise<void> {
    const { spec, clock } = this.#store;
    const [format, , mime] = FORMATS.find(([value]) => value === this.#format.value)!;
    this.#busy(true);
    setText(this.#said, "");
    const epoch = spec.epochs[frameAt(clock.time)] ?? 0;
    const options = { dark, speed: clock.speed, epoch };
    const { file, cancel } = this.#store.make(format, options, ({ done, total }) => {
      this.#bar.max = Math.max(1, total);
      this.#bar.value = done;
    });
    this.#stop = cancel;
    try {
      const data = await file;
      const name = (spec.title || "training").replace(/[^\p{L}\p{N}_-]+/gu, "-").slice(0, 60);
      download(`${name}-${format === "png" ? `epoch-${epoch}` : "movie"}.${format}`, new Blob([data], { type: mime }));
      setText(this.#said, `Made: ${(data.length / 1e6).toFixed(1)} MB`);
    } catch (error) {
      setText(this.#said, reasonOf(error));
    }
    this.#busy(false);
  }

  #busy(on: boolean): void {
    this.#make.disabled = this.#format.disabled = on;
    this.#bar.hidden = this.#cancel.hidden = !on;
    this.#bar.value = 0;
  }
}

/** Make a model of its own of the epoch on show. */
export class PublishDrawer implements Drawer {
  readonly el = h("form", { class: "ftx-movie-drawer", "aria-label": "Publish this epoch", hidden: true });
  readonly #store: MovieStore;
  readonly #name = h("input", { type: "text", required: true, maxlength: 200, size: 22 });
  readonly #org = h("input", { type: "text", maxlength: 200, size: 14 });
  readonly #send = h("button", { type: "submit", class: "ftx-button" }, "Publish");
  readonly #said = h("span", { role: "status" });

  constructor(store: MovieStore) {
    this.#store = store;
    this.el.append(
      h("label", {}, "Name", this.#name),
      h("label", {}, "Organisation", this.#org),
      this.#send,
      this.#said,
    );
    this.el.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#run();
    });
  }

  opened(): void {
    if (!this.#name.value) this.#name.value = `${this.#store.spec.title || "model"}-epoch-${this.#epoch}`;
    this.update();
    this.#name.focus();
  }

  update(): void {
    setText(this.#send, `Publish epoch ${this.#epoch}`);
  }

  get #epoch(): number {
    const { spec, clock } = this.#store;
    return spec.epochs[frameAt(clock.time)] ?? 0;
  }

  async #run(): Promise<void> {
    this.#send.disabled = true;
    setText(this.#said, "Publishing …");
    try {
      const id = await this.#store.publish(this.#name.value, this.#org.value);
      setText(this.#said, `Published as ${id}`);
    } catch (error) {
      setText(this.#said, reasonOf(error));
    }
    this.#send.disabled = false;
  }
}
