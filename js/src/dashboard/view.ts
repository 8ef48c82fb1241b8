/** One view of a dashboard: headers, the loss chart, the small charts, and the hand on them. */
import { Announcer, followForcedColors, keepKeys } from "../shared/a11y.ts";
import { h, setText } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";
import { followTheme } from "../shared/theme.ts";
import { Chart, type Mark, type Table } from "../plot/chart.ts";
import { nearest } from "../plot/decimate.ts";
import { short } from "../plot/scales.ts";
import { exportCsv, exportPng } from "./export.ts";
import { RunHeader } from "./header.ts";
import { Legend } from "./legend.ts";
import { LOSSES, panels, strokeOf, type Measure } from "./measures.ts";
import type { Change, DashboardStore, Run } from "./store.ts";
import { bestOf, isOpen, milestone, summary } from "./words.ts";

const SPHERE_LOSS = "sphere_loss";

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
  #main: Chart;
  #mainEl = h("div", { class: "ftx-chart", tabindex: 0, role: "group", "aria-roledescription": "line chart" });
  #empty = h("div", { class: "ftx-empty" });
  #note = h("p", { class: "ftx-note" });
  #summary = h("p", { class: "ftx-hidden" });
  #panelBox = h("div", { class: "ftx-panels" });
  #panels: Panel[] = [];
  #panelShape = "";
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
    const smoothing = h("label", {}, "Smooth", this.#smoothing);
    const options = h("div", { class: "ftx-options", role: "group", "aria-label": "Chart options" });
    options.append(this.#reset, smoothing, this.#log, csv, png);
    this.#mainEl.append(this.#empty);
    this.el.append(
      this.#headerBox,
      this.#problem,
      h("div", { class: "ftx-tools" }, this.#legend.el, options),
      this.#mainEl,
      this.#note,
      this.#panelBox,
      this.#summary,
      this.#announcer.el,
      this.#reader.el,
    );
    this.#listen(csv, png);
  }

  #listen(csv: HTMLElement, png: HTMLElement): void {
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
    this.#owner.on(png, "click", () => {
      const canvases = [this.#main.canvas, ...this.#panels.map(({ chart }) => chart.canvas)];
      void exportPng(this.el, this.#store.runs, canvases, this.#panels.map(({ measure }) => measure.label));
    });
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
    const range = ui.range ?? fullRange(runs);
    const shared = { range, smoothing: ui.smoothing, generation };
    const tables = runs.map((run, i) => this.#table(run, i, run.space, measures));
    this.#main.update({ ...shared, tables, marks: this.#marks(runs), scale: ui.scale });
    this.#showPanels(runs, shared);
    setText(this.#empty, measures.length ? "" : waiting(runs));
    this.#mainEl.classList.toggle("ftx-blank", !measures.length);
    setText(this.#note, this.#notes(runs));
    this.#log.setAttribute("aria-pressed", String(ui.scale === "log"));
    this.#reset.hidden = ui.range === null;
    if (document.activeElement !== this.#smoothing) this.#smoothing.value = String(ui.smoothing);
    this.#describe(runs);
    this.#moveCursors();
  }

  #table(run: Run, index: number, rows: Run["all"], measures: readonly Measure[]): Table {
    const { runs, ui } = this.#store;
    const visible = measures.filter(({ key }) => !ui.hidden.has(key) && rows.has(key));
    const named = visible.find(({ key }) => key === "validation_loss") ?? visible[0];
    // Among several runs the dash tells the measure, so each run needs its name only once.
    const label = (measure: Measure): string =>
      runs.length === 1 ? measure.label : measure === named ? run.info.name : "";
    const lines = visible.map((measure) => ({
      line: {
        key: `${index}/${measure.key}`,
        label: label(measure),
        stroke: strokeOf(measure, index, runs.length),
      },
      y: rows.column(measure.key),
    }));
    return { x: rows.column("epoch"), lines };
  }

  #marks(runs: readonly Run[]): Mark[] {
    const marks: Mark[] = [];
    for (const run of runs) {
      const best = bestOf(run);
      if (best && !this.#store.ui.hidden.has(best.key)) {
        const label = runs.length > 1 ? "" : `best ${short(best.loss)}`;
        marks.push({ x: best.epoch, y: best.loss, label, color: "--ftx-ink" });
      }
    }
    return marks;
  }

  #notes(runs: readonly Run[]): string {
    const notes: string[] = [];
    if (this.#main.unshown) {
      notes.push(`${this.#main.unshown} values at or below zero are left out on the logarithmic axis.`);
    }
    if (runs.some((run) => Number.isFinite(run.sphereStart))) {
      notes.push("After these epochs, in the sphere phase, the embedding stands and its 3D sphere is fitted, with a loss of its own.");
    }
    return notes.join(" ");
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
    shared: { range: [number, number]; smoothing: number; generation: number },
  ): void {
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
      const tables = runs.map((run, i) => this.#table(run, i, rowsOf(run, measure), [measure]));
      const range = measure.key === SPHERE_LOSS ? sphereRange(runs) ?? shared.range : shared.range;
      // A schedule has no noise to smooth away.
      const smoothing = measure.key === "learning_rate" ? 0 : shared.smoothing;
      chart.update({ ...shared, range, smoothing, tables, marks: [], scale: "linear" });
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
      onZoom: (range) => measure.key !== SPHERE_LOSS && this.#zoom(range),
    });
    return { measure, value, chart, el: h("div", { class: "ftx-panel" }, title, box) };
  }

  /** The numbers beside the names: at the crosshair, else the newest. Only of a single run. */
  #readout(measures: readonly Measure[]): Map<string, number> {
    const run = this.#store.runs.length === 1 ? this.#store.runs[0] : undefined;
    const { cursor } = this.#store.ui;
    const read = (rows: Run["all"], key: string): number => {
      const at = cursor === null ? rows.length - 1 : nearest(rows.column("epoch"), cursor);
      return rows.at(key, at);
    };
    if (run) {
      for (const { value, measure } of this.#panels) setText(value, short(read(rowsOf(run, measure), measure.key)));
    }
    return new Map(run ? measures.map(({ key }) => [key, read(run.space, key)]) : []);
  }

  #moveCursors(): void {
    const { runs, ui } = this.#store;
    const { cursor, hidden } = ui;
    this.#legend.update(this.#measures, hidden, this.#readout(this.#measures), runs.length > 1);
    for (const chart of [this.#main, ...this.#panels.map((panel) => panel.chart)]) chart.setCursor(cursor);
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

  /** Arrows move the crosshair by a row, plus and minus zoom around it, Escape shows everything. */
  #key(event: KeyboardEvent): void {
    const { ui, runs } = this.#store;
    const x = runs[0]?.space.column("epoch") ?? new Float64Array(0);
    if (!x.length) return;
    const at = ui.cursor === null ? x.length - 1 : nearest(x, ui.cursor);
    const moves: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: x.length - 1 };
    const to = moves[event.key];
    if (to !== undefined) {
      this.#store.point(x[Math.max(0, Math.min(x.length - 1, to))] as number);
      this.#reader.say(this.#atCursor());
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      const [from, until] = ui.range ?? fullRange(runs);
      const middle = ui.cursor ?? (from + until) / 2;
      const factor = event.key === "-" ? 2 : 0.5;
      const full = fullRange(runs);
      const range: [number, number] = [
        Math.max(full[0], middle - (middle - from) * factor),
        Math.min(full[1], middle + (until - middle) * factor),
      ];
      this.#zoom(range[0] <= full[0] && range[1] >= full[1] ? null : range);
    } else if (event.key === "Escape") {
      if (ui.cursor === null && ui.range === null) return;
      ui.cursor = null;
      this.#zoom(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #atCursor(): string {
    const { ui, runs } = this.#store;
    const run = runs[0];
    if (!run || ui.cursor === null) return "";
    const measures = LOSSES.filter(({ key }) => !ui.hidden.has(key) && run.space.filled(key));
    const values = this.#readout(measures);
    const words = measures.map(({ key, label }) => `${label} ${short(values.get(key) ?? Number.NaN)}`);
    return [`Epoch ${ui.cursor}`, ...words].join(", ");
  }

  #describe(runs: readonly Run[]): void {
    const text = runs.map(summary).join(" ");
    setText(this.#summary, text);
    this.el.setAttribute("aria-label", `Training dashboard: ${runs.map(({ info }) => info.name).join(", ")}`);
    this.#mainEl.setAttribute("aria-label", `Loss by epoch. ${text} Arrow keys read the values.`);
    for (const [i, run] of runs.entries()) {
      const now = milestone(run);
      const before = this.#milestones[i];
      this.#milestones[i] = now;
      // What was there when the view opened is no news.
      if (before !== undefined && before !== now) this.#announcer.say(summary(run));
    }
  }
}

/** The epochs in which an embedding is trained, of all runs. */
function fullRange(runs: readonly Run[]): [number, number] {
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const { space } of runs) {
    if (!space.length) continue;
    from = Math.min(from, space.at("epoch", 0));
    to = Math.max(to, space.at("epoch", space.length - 1));
  }
  if (from > to) return [0, 1];
  return from === to ? [from - 1, to + 1] : [from, to];
}

/** Learning rate and gradient are the embedding's; fitting the sphere has a schedule of its own. */
function rowsOf(run: Run, { key }: Measure): Run["all"] {
  return key === SPHERE_LOSS ? run.all : run.space;
}

/** The epochs in which a sphere is fitted: its loss would be a sliver of the whole. */
function sphereRange(runs: readonly Run[]): [number, number] | null {
  const fitted = runs.filter((run) => Number.isFinite(run.sphereStart));
  if (!fitted.length) return null;
  const from = Math.min(...fitted.map((run) => run.sphereStart));
  const to = Math.max(...fitted.map(({ all }) => all.at("epoch", all.length - 1)));
  return from < to ? [from, to] : [from - 1, from + 1];
}

function waiting(runs: readonly Run[]): string {
  if (!runs.length) return "Waiting for the kernel …";
  return runs.some(({ info }) => isOpen(info)) ? "Waiting for the first epoch …" : "No epochs were recorded.";
}
