/** The bar under the picture: play, step, scrub, speed, loop, trails, and what opens a drawer. */

import { h, setText } from "../shared/dom.ts";
import { iconButton, press, setIcon } from "../sphere/buttons.ts";
import { frameAt, SPEEDS } from "./clock.ts";
import type { MovieStore } from "./store.ts";

const ICONS = {
  play: "M4.5 2.6 12.6 8l-8.1 5.4Z",
  pause: "M5 3v10M11 3v10",
  back: "M4 3v10M12 3.2 6.2 8l5.8 4.8Z",
  on: "M12 3v10M4 3.2 9.8 8 4 12.8Z",
  loop: "M3 7.5A4.5 4.5 0 0 1 7.5 3H13M11 1l2 2-2 2M13 8.5A4.5 4.5 0 0 1 8.5 13H3M5 15l-2-2 2-2",
  trails: "M2 12.5c3-.4 5-2 6.2-4.6M2 8.6c2-.2 3.4-1 4.4-2.6M10.6 3.4a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6M7.5 14c3.2-.8 5-2.6 5.8-4.6",
};

export interface TransportHandlers {
  loop(on: boolean): void;
  trails(on: boolean): void;
  drawer(name: "save" | "publish"): void;
}

export class Transport {
  readonly el = h("div", { class: "ftx-movie-transport", role: "group", "aria-label": "Playback" });
  readonly scrubber = h("input", {
    type: "range", min: 0, max: 1, step: "any", class: "ftx-movie-scrubber", "aria-label": "Epoch",
  });
  readonly #store: MovieStore;
  readonly #play: HTMLButtonElement;
  readonly #loop: HTMLButtonElement;
  readonly #trails: HTMLButtonElement;
  readonly #speed = h("select", { "aria-label": "Speed", title: "Speed ([ slower, ] faster)" });
  readonly #time = h("span", { class: "ftx-movie-time", "aria-hidden": "true" });
  readonly #save = h("button", { type: "button", class: "ftx-button" }, "Save");
  readonly #publish: HTMLButtonElement;

  constructor(store: MovieStore, handlers: TransportHandlers) {
    this.#store = store;
    const { clock } = store;
    this.#play = iconButton(ICONS.play, "Play (space)", () => store.toggle());
    this.#play.classList.add("ftx-movie-play");
    const back = iconButton(ICONS.back, "One epoch back (left arrow)", () => store.step(-1));
    const on = iconButton(ICONS.on, "One epoch on (right arrow)", () => store.step(1));
    this.#loop = iconButton(ICONS.loop, "Begin again at the end", () => handlers.loop(!clock.loop), false);
    this.#trails = iconButton(ICONS.trails, "Trails: where points come from", () => handlers.trails(!store.trails), false);
    for (const speed of SPEEDS) this.#speed.append(h("option", { value: speed }, `${speed}×`));
    this.#speed.addEventListener("change", () => {
      clock.speed = Number(this.#speed.value);
    });
    this.scrubber.addEventListener("input", () => store.seek(Number(this.scrubber.value)));
    // Let go between two frames, it comes to rest on the nearer one.
    this.scrubber.addEventListener("change", () => store.seek(Math.round(Number(this.scrubber.value))));
    this.#save.addEventListener("click", () => handlers.drawer("save"));
    this.#publish = h("button", { type: "button", class: "ftx-button" }, "Publish");
    this.#publish.addEventListener("click", () => handlers.drawer("publish"));
    this.el.append(
      h("span", { class: "ftx-movie-steps" }, back, this.#play, on),
      h("span", { class: "ftx-movie-track" }, this.scrubber),
      this.#time,
      h("span", { class: "ftx-movie-options" }, this.#speed, this.#loop, this.#trails, this.#save, this.#publish),
    );
  }

  /** Bring the bar up to what the movie does. */
  update(): void {
    const { clock, spec, loaded, epoch } = this.#store;
    const none = spec.epochs.length < 2;
    setIcon(this.#play, clock.playing ? ICONS.pause : ICONS.play, clock.playing ? "Pause (space)" : "Play (space)");
    for (const el of [this.#play, this.scrubber]) el.disabled = none && !spec.live;
    this.scrubber.max = String(Math.max(1, clock.last));
    this.scrubber.value = String(clock.time);
    this.scrubber.style.setProperty("--at", share(clock.time, clock.last));
    this.scrubber.style.setProperty("--here", share(loaded - 1, spec.epochs.length - 1));
    this.scrubber.setAttribute("aria-valuetext", words(this.#store));
    setText(this.#time, Number.isFinite(epoch) ? `${Math.round(epoch)} / ${spec.epochs.at(-1)}` : "–");
    press(this.#loop, clock.loop);
    press(this.#trails, this.#store.trails);
    const speed = String(clock.speed);
    if (this.#speed.value !== speed) this.#speed.value = speed;
    this.#publish.hidden = !spec.publish;
    this.#save.hidden = !spec.saves;
  }
}

/** What a screen reader says of the place. */
export function words({ clock, spec }: MovieStore): string {
  const epoch = spec.epochs[frameAt(clock.time)];
  return epoch === undefined ? "no epoch yet" : `epoch ${epoch} of ${spec.epochs.at(-1)}`;
}

function share(part: number, whole: number): string {
  return `${(100 * Math.min(1, Math.max(0, whole > 0 ? part / whole : 1))).toFixed(2)}%`;
}
