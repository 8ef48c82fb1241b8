/** One view of a dashboard: headers, the loss chart, the small charts, and the hand on them. */
import { Announcer, followForcedColors, keepKeys } from "../shared/a11y.ts";
import { h, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import { followTheme } from "../shared/theme.ts";
import { Chart } from "../plot/chart.ts";
import { short, type XAxis } from "../plot/scales.ts";
import { fullRange, marks, ownRange, rowsOf, tables } from "./curves.ts";
import { exportCsv, exportPng, exportSvg } from "./export.ts";
import { RunHeader } from "./header.ts";
import { moveOf, within } from "./keys.ts";
import { Legend } from "./legend.ts";
import { LOSSES, panels, type Measure } from "./measures.ts";
import { picture, type Picture } from "./picture.ts";
import { placeText, read, Readout } from "./readout.ts";
import type { Run } from "./run.ts";
import type { Change, DashboardStore } from "./store.ts";
import { followFingers } from "./touch.ts";
import { isOpen, milestone, notes, summary } from "./words.ts";

const AXES: Record<XAxis, string> = { epoch: "Epoch", step: "Step", time: "Training time" };

interface Panel {
  measure: Measure;
  el: HTMLElement;
  value: HTMLElement;
  chart: Chart;
}

export class DashboardView {
  readonly el = h("div", { class: "ftx ftx-dash", role: "region" });
  #store: DashboardStore;
  #owner = new Owner();
  #announcer = new Announcer();
  /** Speaks the values under the crosshair, as fast as keys are pressed. */
  #reader = new Announcer(100);
  #frame = 0;
  #stale = false;
  #measures: readonly Measure[] = [];
  #headers: RunHeader[] = [];
  #headerBox = h("div", { class: "ftx-header" });
  #problem = h("p", { class: "ftx-error", role: "alert" });
  #legend: Legend;
  #readout = new Readout();
  #main: Chart;
  #mainEl = h("div", { class: "ftx-chart", tabindex: 0, role: "group", "aria-roledescription": "line chart" });
  #empty = h("div", { class: "ftx-empty" });
  #note = h("p", { class: "ftx-note" });
  #summary = h("p", { class: "ftx-hidden" });
  #panelBox = h("div", { class: "ftx-panels" });
  #panels: Panel[] = [];
  #panelShape = "";
  #axis = h("select", { class: "ftx-button", "aria-label": "Along" });
  #axisBox = h("label", {}, "Along", this.#axis);
  #smoothing = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, "aria-label": "Smoothing" });
  #log = h("button", { type: "button", class: "ftx-button", title: "Logarithmic loss axis" }, "Log");
  #reset = h("button", { type: "button", class: "ftx-button" }, "Reset zoom");
  #milestones: string[] = [];

  constructor(store: DashboardStore) {
    this.#store = store;
    this.#legend = new Legend((key) => this.#toggle(key));
    this.#main = new Chart(this.#mainEl, {
      height: 300,
      endLabels: true,
      onCursor: (x) => this.#store.point(x),
      onZoom: (range) => this.#zoom(range),
    });
    const csv = h("button", { type: "button", class: "ftx-button", title: "Download every row as CSV" }, "CSV");
    const png = h("button", { type: "button", class: "ftx-button", title: "Download the charts as PNG" }, "PNG");
    const svg = h("button", { type: "button", class: "ftx-button", title: "Download the charts as SVG" }, "SVG");
    const smoothing = h("label", {}, "Smooth", this.#smoothing);
    const options = h("div", { class: "ftx-options", role: "group", "aria-label": "Chart options" });
    options.append(this.#reset, this.#axisBox, smoothing, this.#log, csv, png, svg);
    this.#mainEl.append(this.#empty);
    this.el.append(
      this.#headerBox,
      this.#problem,
      h("div", { class: "ftx-tools" }, this.#legend.el, options),
      this.#mainEl,
      this.#readout.el,
      this.#note,
      this.#panelBox,
      this.#summary,
      this.#announcer.el,
      this.#reader.el,
    );
    this.#listen(csv, png, svg);
  }

  #listen(csv: HTMLElement, png: HTMLElement, svg: HTMLElement): void {
    const { ui } = this.#store;
    this.#owner.own(this.#store.subscribe((what) => this.#later(what)));
    this.#owner.own(keepKeys(this.el));
    this.#owner.own(() => this.#announcer.dispose());
    this.#owner.own(() => this.#reader.dispose());
    this.#owner.on(this.#smoothing, "input", () => {
      ui.smoothing = Number(this.#smoothing.value);
      this.#store.changed();
    });
    this.#owner.on(this.#log, "click", () => {
      ui.scale = ui.scale === "log" ? "linear" : "log";
      this.#store.changed();
    });
    this.#owner.on(this.#reset, "click", () => {
      this.#zoom(null);
      this.#mainEl.focus();
    });
    this.#owner.on(csv, "click", () => exportCsv(this.#store.runs));
    this.#owner.on(png, "click", () => this.#take((name, drawn) => void exportPng(name, drawn)));
    this.#owner.on(svg, "click", () => this.#take(exportSvg));
    this.#owner.on(this.#axis, "change", () => this.#store.along(this.#axis.value as XAxis));
    this.#owner.own(followFingers(this.#mainEl, this.#main, {
      point: (x) => this.#store.point(x),
      zoom: (range) => this.#zoom(within(range, fullRange(this.#store.runs, ui.axis))),
    }));
    this.#owner.on(this.#mainEl, "keydown", (event) => this.#key(event));
    this.#owner.on(this.#mainEl, "blur", () => this.#store.point(null));
  }

  /** Once the element is on the page: follow its theme and draw. */
  start(): void {
    const recolor = (): void => {
      this.#main.recolor();
      for (const { chart } of this.#panels) chart.recolor();
    };
    this.#owner.own(followTheme(this.el, recolor));
    this.#owner.own(followForcedColors(recolor));
    this.#update();
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#owner.dispose();
    this.#main.dispose();
    for (const { chart } of this.#panels) chart.dispose();
    this.el.remove();
  }

  /** Several messages before the next frame are drawn once. */
  #later(what: Change): void {
    this.#stale ||= what === "data";
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#stale) this.#update();
      else this.#moveCursors();
    });
  }

  #update(): void {
    this.#stale = false;
    const { runs, ui, problem, mismatch, generation } = this.#store;
    this.#showHeaders(runs);
    setText(this.#problem, mismatch ?? problem ?? "");
    const measures = LOSSES.filter(({ key }) => runs.some((run) => run.space.filled(key)));
    this.#measures = measures;
    const range = ui.range ?? fullRange(runs, ui.axis);
    const shared = { range, axis: ui.axis, smoothing: ui.smoothing, generation };
    this.#main.update({
      ...shared,
      tables: tables(runs, measures, ui, (run) => run.space),
      marks: marks(runs, ui),
      scale: ui.scale,
    });
    this.#showPanels(runs, shared);
    setText(this.#empty, measures.length ? "" : waiting(runs));
    this.#mainEl.classList.toggle("ftx-blank", !measures.length);
    const charts = [this.#main, ...this.#panels.map(({ chart }) => chart)];
    const infinite = charts.reduce((sum, { lines }) => sum + lines.infinite, 0);
    setText(this.#note, notes(runs, ui.axis, { unshown: this.#main.lines.unshown, infinite }));
    this.#showAxes();
    this.#log.setAttribute("aria-pressed", String(ui.scale === "log"));
    this.#reset.hidden = ui.range === null;
    if (document.activeElement !== this.#smoothing) this.#smoothing.value = String(ui.smoothing);
    this.#describe(runs);
    this.#moveCursors();
  }

  #showAxes(): void {
    const axes = this.#store.axes();
    this.#axisBox.hidden = axes.length < 2;
    if (this.#axis.childElementCount !== axes.length) {
      this.#axis.replaceChildren(...axes.map((axis) => h("option", { value: axis }, AXES[axis])));
    }
    this.#axis.value = this.#store.ui.axis;
  }

  /** Draw what is on the page and hand it over with a name for its file. */
  #take(save: (name: string, drawn: Picture) => void): void {
    const { runs, ui } = this.#store;
    const shown = this.#measures.filter(({ key }) => !ui.hidden.has(key));
    const key = shown.map((measure) => ({ measure, color: runs.length > 1 ? "--ftx-ink" : measure.stroke.color }));
    const small = this.#panels.map(({ measure, chart }) => ({ title: measure.label, chart }));
    const drawn = picture(this.el, runs.map(summary), key, this.#main, small);
    if (drawn) save(runs[0]?.info.name ?? "training", drawn);
  }

  #showHeaders(runs: readonly Run[]): void {
    if (this.#headers.length !== runs.length) {
      this.#headers = runs.map((_, i) => new RunHeader(this.#store, i));
      this.#headerBox.replaceChildren(...this.#headers.map(({ el }) => el));
    }
    for (const [i, run] of runs.entries()) this.#headers[i]?.update(run);
  }

  #showPanels(
    runs: readonly Run[],
    shared: { range: [number, number]; axis: XAxis; smoothing: number; generation: number },
  ): void {
    const { ui } = this.#store;
    const names = [...new Set(runs.flatMap((run) => run.all.names.filter((name) => run.all.filled(name))))];
    const wanted = panels(names);
    const shape = JSON.stringify(wanted);
    if (shape !== this.#panelShape) {
      this.#panelShape = shape;
      for (const { chart } of this.#panels) chart.dispose();
      this.#panels = wanted.map((measure) => this.#panel(measure));
      this.#panelBox.replaceChildren(...this.#panels.map(({ el }) => el));
    }
    for (const { measure, chart } of this.#panels) {
      // A schedule has no noise to smooth away.
      const smoothing = measure.key === "learning_rate" ? 0 : shared.smoothing;
      const range = ownRange(runs, measure, ui.axis) ?? shared.range;
      const drawn = tables(runs, [measure], ui, (run) => rowsOf(run, measure));
      chart.update({ ...shared, range, smoothing, tables: drawn, marks: [], scale: "linear" });
    }
  }

  #panel(measure: Measure): Panel {
    const box = h("div", { class: "ftx-chart" });
    const value = h("output", { "aria-live": "off" });
    const title = h("div", { class: "ftx-heading", role: "heading", "aria-level": 4 }, h("span", {}, measure.label), value);
    const chart = new Chart(box, {
      height: 130,
      endLabels: false,
      onCursor: (x) => this.#store.point(x),
      // The sphere's epochs are in no other chart.
      onZoom: (range) => !ownRange(this.#store.runs, measure, this.#store.ui.axis) && this.#zoom(range),
    });
    return { measure, value, chart, el: h("div", { class: "ftx-panel" }, title, box) };
  }

  #moveCursors(): void {
    const { runs, ui } = this.#store;
    const [run] = runs.length === 1 ? runs : [];
    for (const { value, measure } of this.#panels) setText(value, run ? short(read(run, measure, ui)) : "");
    const values = new Map(run ? this.#measures.map((measure) => [measure.key, read(run, measure, ui)]) : []);
    this.#legend.update(this.#measures, ui.hidden, values, runs.length > 1);
    this.#readout.update(runs, this.#read(), ui);
    for (const chart of [this.#main, ...this.#panels.map((panel) => panel.chart)]) chart.setCursor(ui.cursor);
  }

  /** What is shown, in the order in which it is read out. */
  #read(): Measure[] {
    const { hidden } = this.#store.ui;
    return [...this.#measures.filter(({ key }) => !hidden.has(key)), ...this.#panels.map(({ measure }) => measure)];
  }

  #zoom(range: [number, number] | null): void {
    this.#store.ui.range = range;
    this.#store.changed();
  }

  #toggle(key: string): void {
    const { hidden } = this.#store.ui;
    if (!hidden.delete(key)) hidden.add(key);
    this.#store.changed();
  }

  #key(event: KeyboardEvent): void {
    const { ui, runs } = this.#store;
    const move = moveOf(event.key, runs, ui);
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    if ("range" in move) this.#zoom(move.range);
    else if ("to" in move) {
      this.#store.point(move.to);
      this.#reader.say(this.#atCursor());
    } else {
      ui.cursor = null;
      this.#zoom(null);
    }
  }

  #atCursor(): string {
    const { ui, runs } = this.#store;
    if (ui.cursor === null) return "";
    const shown = this.#measures.filter(({ key }) => !ui.hidden.has(key));
    const words = runs.map((run) => {
      const values = shown.map((measure) => `${measure.label} ${short(read(run, measure, ui))}`);
      return [...(runs.length > 1 ? [run.info.name] : []), ...values].join(", ");
    });
    return [`${AXES[ui.axis]} ${placeText(ui.axis, ui.cursor)}`, ...words].join(runs.length > 1 ? "; " : ", ");
  }

  #describe(runs: readonly Run[]): void {
    const { ui } = this.#store;
    const text = runs.map(summary).join(" ");
    setText(this.#summary, text);
    this.el.setAttribute("aria-label", `Training dashboard: ${runs.map(({ info }) => info.name).join(", ")}`);
    this.#mainEl.setAttribute("aria-label", `Loss by ${AXES[ui.axis].toLowerCase()}. ${text} Arrow keys read the values, plus and minus zoom.`);
    for (const [i, run] of runs.entries()) {
      const now = milestone(run);
      const before = this.#milestones[i];
      this.#milestones[i] = now;
      // What was there when the view opened is no news.
      if (before !== undefined && before !== now) this.#announcer.say(summary(run));
    }
  }
}

function waiting(runs: readonly Run[]): string {
  if (!runs.length) return "Waiting for the kernel …";
  return runs.some(({ info }) => isOpen(info)) ? "Waiting for the first epoch …" : "No epochs were recorded.";
}
