/** One view of a training movie: picture, curve, bar and drawers, and the keys for all of it. */

import { Announcer, keepKeys } from "../shared/a11y.ts";
import chartCss from "../plot/chart.css";
import baseCss from "../shared/base.css";
import { h, injectStyle, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import { reasonOf } from "../shared/reason.ts";
import { Chooser } from "../sphere/chooser.ts";
import { Figure } from "../sphere/figure.ts";
import { Legend } from "../sphere/legend.ts";
import sphereCss from "../sphere/sphere.css";
import uplotCss from "uplot/dist/uPlot.min.css";
import { frameAt } from "./clock.ts";
import { Curve } from "./curve.ts";
import { PublishDrawer, SaveDrawer } from "./drawers.ts";
import css from "./movie.css";
import type { MovieChange, MovieStore } from "./store.ts";
import { MOST_TRAILS, Trails } from "./trails.ts";
import { Transport, words } from "./transport.ts";

const HELP =
  "Space plays and pauses, left and right arrow step by one epoch, Home and End go to the first and " +
  "last, square brackets change the speed. Shift and arrow keys turn the sphere, plus and minus zoom, " +
  "0 returns to the first view. N and P walk from point to point, Enter selects the point. B and L " +
  "draw a box or a lasso: arrow keys then move the pen, Space sets a corner, Enter selects. Escape clears.";

export class MovieView {
  readonly #root: HTMLElement;
  readonly #store: MovieStore;
  readonly #figure: Figure;
  readonly #trails: Trails;
  readonly #curve: Curve;
  readonly #transport: Transport;
  readonly #save: SaveDrawer;
  readonly #publish: PublishDrawer;
  readonly #owner = new Owner();
  readonly #announcer = new Announcer(300);
  readonly #caption = h("div", { class: "ftx-movie-caption", "aria-hidden": "true" });
  readonly #title = h("div", { class: "ftx-sphere-title", dir: "auto" });
  readonly #facts = h("div", { class: "ftx-note" });
  readonly #notes = h("div", { class: "ftx-sphere-notes" });
  readonly #problem = h("p", { class: "ftx-error", role: "alert" });
  readonly #chooser: Chooser;
  readonly #legend: Legend;
  readonly #count = h("div", { class: "ftx-sphere-selected", role: "status", "aria-live": "polite" });
  readonly #clear = h("button", { class: "ftx-button", type: "button" }, "Clear");
  #reduced = false;
  /** The time on show, and whether it played then. */
  #shown = -1;
  #played = false;

  constructor(el: HTMLElement, store: MovieStore) {
    this.#store = store;
    this.#root = h("section", { class: "ftx ftx-sphere ftx-movie", "aria-label": "Training movie" });
    el.append(this.#root);
    injectStyle(el, "base", baseCss);
    injectStyle(el, "chart", `${uplotCss}\n${chartCss}`);
    injectStyle(el, "sphere", sphereCss);
    injectStyle(el, "movie", css);
    this.#trails = new Trails((index) => store.frame(index));
    this.#curve = new Curve(store);
    this.#legend = new Legend({ toggle: (code, only) => this.#figure.toggle(code, only) });
    this.#chooser = new Chooser((choice) => void this.#colorBy(choice));
    this.#figure = new Figure(this.#root, store, this.#announcer, {
      changed: () => this.#renderPanel(),
      recolor: () => this.#curve.recolor(),
      reducedMotion: (reduced) => this.#setReduced(reduced),
    });
    this.#transport = new Transport(store, {
      loop: (on) => {
        store.clock.loop = on;
        this.#transport.update();
      },
      trails: (on) => {
        store.trails = on;
        this.#moved();
      },
      drawer: (name) => this.#open(name),
    });
    this.#save = new SaveDrawer(store, () => this.#root.dataset.theme === "dark");
    this.#publish = new PublishDrawer(store);
    this.#build();
    this.#connect();
  }

  dispose(): void {
    this.#owner.dispose();
    this.#announcer.dispose();
    this.#curve.dispose();
    this.#figure.dispose();
    this.#root.remove();
  }

  #build(): void {
    const { el } = this.#figure;
    el.append(this.#caption);
    this.#clear.addEventListener("click", () => this.#store.select([], "replace"));
    const panel = h(
      "div", { class: "ftx-sphere-panel ftx-movie-panel" },
      h("div", {}, this.#title, this.#facts, this.#notes),
      this.#curve.el,
      this.#chooser.el,
      this.#legend.el,
      h("div", { class: "ftx-sphere-selection" }, this.#count, this.#clear),
      this.#problem,
    );
    this.#root.append(
      h("div", { class: "ftx-movie-main" }, el, panel),
      h("div", { class: "ftx-movie-foot" }, this.#transport.el, this.#save.el, this.#publish.el),
      this.#figure.summary,
      this.#announcer.el,
    );
  }

  #connect(): void {
    const store = this.#store;
    const { stage } = this.#figure;
    stage.beforeFrame = () => this.#tick();
    stage.under = (context, look) => {
      if (!store.trails) return;
      const chosen = store.selected.length ? store.selected : this.#figure.shown();
      const { positions, clock } = store;
      this.#trails.draw(
        context, look, clock.time, clock.last, positions, chosen.subarray(0, MOST_TRAILS),
        (point) => this.#figure.colorOf(point),
      );
    };
    // In the capturing phase: a slider or a picture with the focus must not take the movie's keys.
    this.#owner.on(this.#root, "keydown", (event) => this.#key(event), { capture: true });
    this.#owner.own(keepKeys(this.#root));
    this.#owner.own(store.subscribe((change) => this.#changed(change)));
    this.#figure.connect();
    this.#figure.setStyle({ size: store.spec.size, opacity: store.spec.opacity });
    this.#figure.readSpec(HELP);
    this.#figure.readSelection();
    this.#curve.update();
    this.#moved();
  }

  // ---------------------------------------------------------------- time

  /** Before each frame: move on, and show what moved. */
  #tick(): boolean {
    const { clock } = this.#store;
    const moving = this.#store.tick(performance.now());
    // Another view may have moved the clock on.
    if (clock.time !== this.#shown) this.#show();
    if (clock.playing !== this.#played) {
      this.#transport.update();
      if (this.#played && clock.time >= clock.last) this.#announcer.say(`${words(this.#store)}, the end`);
      this.#played = clock.playing;
    }
    return moving;
  }

  /** The reader, the kernel or another view went somewhere. */
  #moved(): void {
    this.#show();
    this.#figure.stage.invalidate();
  }

  #show(): void {
    const { spec, clock } = this.#store;
    this.#shown = clock.time;
    this.#figure.stage.changed("positions");
    const epoch = spec.epochs[frameAt(clock.time)];
    setText(this.#caption, epoch === undefined ? "Waiting for the first epoch …" : `Epoch ${epoch}`);
    this.#transport.update();
    this.#publish.update();
    this.#curve.move();
  }

  /** Nothing moves by itself for readers who asked for that; they step. */
  #setReduced(reduced: boolean): void {
    this.#reduced = reduced;
    if (reduced && this.#store.clock.playing) this.#store.toggle();
  }

  // ---------------------------------------------------------------- from the store

  #changed(change: MovieChange): void {
    const { stage } = this.#figure;
    if (change === "time") this.#moved();
    else if (change === "codes") stage.changed("codes");
    else if (change === "selected") this.#figure.readSelection();
    else if (change === "camera") this.#figure.readCamera();
    else if (change === "hover") this.#figure.readHovered();
    else if (change === "log") this.#curve.update();
    else if (change === "rows") {
      this.#trails.reset();
      this.#figure.newRows();
    } else if (change === "frames") {
      this.#trails.reset();
      this.#moved();
      setText(this.#problem, this.#store.problem);
    } else {
      this.#figure.readSpec(HELP);
      this.#curve.update();
      this.#moved();
    }
  }

  #renderPanel(): void {
    const { spec, selected } = this.#store;
    const { hidden, shapes, kind } = this.#figure;
    setText(this.#title, spec.title);
    this.#title.hidden = !spec.title;
    const rows = `${spec.n.toLocaleString("en")} ${spec.n === 1 ? "row" : "rows"}`;
    const frames = `${spec.epochs.length.toLocaleString("en")} ${spec.epochs.length === 1 ? "epoch" : "epochs"}`;
    setText(this.#facts, `${rows}, ${frames}${spec.live ? ", training" : ""}`);
    const notes = [...spec.notes, kind === "canvas2d" && "Drawn in software, WebGL2 is not available."];
    this.#notes.replaceChildren(...notes.filter((note) => note !== false).map((note) => h("p", {}, note)));
    this.#chooser.render(spec);
    this.#chooser.el.hidden = spec.choices.length === 0;
    this.#legend.render(spec.color, hidden, shapes);
    setText(this.#count, selected.length ? `${selected.length.toLocaleString("en")} selected` : "");
    this.#clear.hidden = selected.length === 0;
  }

  // ---------------------------------------------------------------- from the reader

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    const typing = target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && target.type === "text");
    if (typing || !this.#does(event, target)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #does(event: KeyboardEvent, target: HTMLElement): boolean {
    const store = this.#store;
    const { clock } = store;
    if (event.key === " " && !(target instanceof HTMLButtonElement)) this.#playPause();
    else if (event.shiftKey) return false; // the sphere's own
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.#step(event.key === "ArrowRight" ? 1 : -1);
    else if (event.key === "Home" || event.key === "End") {
      store.seek(event.key === "Home" ? 0 : clock.last);
      this.#announcer.say(words(store));
    } else if (event.key === "[" || event.key === "]") {
      clock.change(event.key === "]" ? 1 : -1);
      this.#transport.update();
      this.#announcer.say(`Speed ${clock.speed}`);
    } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && target === this.#transport.scrubber) {
      this.#step(event.key === "ArrowUp" ? 1 : -1);
    } else return false;
    return true;
  }

  #playPause(): void {
    if (this.#reduced && !this.#store.clock.playing) {
      this.#figure.hint("Your system asks for less motion: step with the arrow keys");
      return;
    }
    this.#store.toggle();
    this.#announcer.say(this.#store.clock.playing ? "Playing" : `Paused, ${words(this.#store)}`);
  }

  #step(direction: 1 | -1): void {
    this.#store.step(direction);
    this.#announcer.say(words(this.#store));
  }

  #open(name: "save" | "publish"): void {
    const [one, other] = name === "save" ? [this.#save, this.#publish] : [this.#publish, this.#save];
    other.el.hidden = true;
    one.el.hidden = !one.el.hidden;
    if (!one.el.hidden) one.opened();
  }

  async #colorBy(choice: number): Promise<void> {
    setText(this.#problem, "");
    try {
      await this.#store.colorBy(choice);
      this.#announcer.say(this.#store.spec.summary);
    } catch (error) {
      setText(this.#problem, reasonOf(error));
      this.#renderPanel(); // the chooser goes back to what is true
    }
  }
}
