/** A line chart over uPlot: decimated, smoothed, with honest scales, marks and labelled line ends. */
import uPlot from "uplot";
import { rowAt, trace, type Sink } from "./decimate.ts";
import { drawMark, font, lineEnds, write, type Written } from "./labels.ts";
import { Lines, type ChartData, type Line, type Mark } from "./lines.ts";
import { colorOf, faint } from "./palette.ts";
import { short, ticks, xAxis, type XAxis, type YScale } from "./scales.ts";
import { h } from "../shared/dom.ts";

export interface ChartOptions {
  height: number;
  endLabels: boolean;
  onCursor(x: number | null): void;
  /** The range dragged out by the reader, or null for everything. */
  onZoom(range: [number, number] | null): void;
}

/** From how many times the width of the chart on a line is a band. */
const BAND = 4;

/** A path that knows how long it is. */
class Measured implements Sink {
  readonly path = new Path2D();
  length = 0;
  #x = 0;
  #y = 0;

  moveTo(x: number, y: number): void {
    this.path.moveTo(x, y);
    this.#x = x;
    this.#y = y;
  }

  lineTo(x: number, y: number): void {
    this.path.lineTo(x, y);
    this.length += Math.abs(x - this.#x) + Math.abs(y - this.#y);
    this.#x = x;
    this.#y = y;
  }
}

export interface Tick {
  value: number;
  label: string;
}

export class Chart {
  readonly lines = new Lines();
  /** What the axes say now. */
  readonly ticks: { x: Tick[]; y: Tick[] } = { x: [], y: [] };
  #el: HTMLElement;
  #options: ChartOptions;
  #plot: uPlot | null = null;
  #shape = "";
  #data: ChartData | null = null;
  #dots: HTMLElement[] = [];
  #colors = new Map<string, string>();
  #width = 0;
  #sizes: ResizeObserver;

  constructor(el: HTMLElement, options: ChartOptions) {
    this.#el = el;
    this.#options = options;
    this.#sizes = new ResizeObserver(() => this.#resize());
    this.#sizes.observe(el);
  }

  get plot(): uPlot | null {
    return this.#plot;
  }

  get marks(): readonly Mark[] {
    return this.#data?.marks ?? [];
  }

  dispose(): void {
    this.#sizes.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** Draw again with the colours the style sheet gives now. */
  recolor(): void {
    this.#colors.clear();
    this.#plot?.redraw(false, true);
  }

  update(data: ChartData): void {
    this.#data = data;
    this.#width = this.#el.clientWidth;
    if (this.#width < 40) return; // not on the page yet: the resize observer will call again
    this.#build(data);
    this.#draw(data);
  }

  /** Show the crosshair at a position of another chart, or hide it. */
  setCursor(x: number | null): void {
    const plot = this.#plot;
    if (!plot) return;
    const left = x === null ? -10 : plot.valToPos(x, "x");
    plot.setCursor({ left, top: x === null ? -10 : 0 }, false);
    this.#placeDots(x);
  }

  /** Where a position stands, in CSS pixels from the element's left; null when it is not shown. */
  place(x: number): number | null {
    const plot = this.#plot;
    const { min, max } = plot?.scales["x"] ?? {};
    if (!plot || typeof min !== "number" || typeof max !== "number" || x < min || x > max) return null;
    return plot.over.offsetLeft + plot.valToPos(x, "x");
  }

  /** How far right a point of the page lies in the plot, 0 to 1; null before there is one. */
  share(clientX: number): number | null {
    const box = this.#plot?.over.getBoundingClientRect();
    return box?.width ? Math.max(0, Math.min(1, (clientX - box.left) / box.width)) : null;
  }

  /** The position at a share of the width. */
  valueAt(share: number): number {
    const [from, to] = this.#range();
    return from + share * (to - from);
  }

  #resize(): void {
    if (!this.#data || this.#el.clientWidth === this.#width) return;
    this.#plot?.setSize({ width: Math.max(40, this.#el.clientWidth), height: this.#options.height });
    this.update(this.#data);
  }

  /** uPlot fixes series and the kind of scale when made: make it anew only when these change. */
  #build(data: ChartData): void {
    const narrow = this.#width < 480;
    const axis = data.axis ?? "epoch";
    const lines = data.tables.flatMap((table) => table.lines.map(({ line }) => line));
    const shape = JSON.stringify([data.scale, axis, narrow, lines]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#plot?.destroy();
    // The lines are drawn from their own rows: uPlot is told the range only.
    const columns: uPlot.AlignedData = [[0, 1], ...lines.flatMap(() => [[null, null], [null, null]])];
    this.#plot = new uPlot(this.#settings(data.scale, axis, lines, narrow), columns, this.#el);
    this.#dots = lines.map(({ stroke }) => {
      const dot = h("i", { class: "ftx-dot" });
      dot.style.background = `var(${stroke.color})`;
      return dot;
    });
    this.#plot.over.append(...this.#dots);
  }

  #settings(scale: YScale, along: XAxis, lines: Line[], narrow: boolean): uPlot.Options {
    const { height, endLabels } = this.#options;
    const { incrs, label } = xAxis(along);
    const ink = (): string => this.#color("--ftx-soft");
    const grid = { stroke: () => this.#color("--ftx-line"), width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: font(1), gap: 6 };
    return {
      width: this.#width,
      height,
      padding: [12, endLabels ? (narrow ? 76 : 96) : 20, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        // On a row, never between two: what is read out is what stands there.
        move: (u, left, top) => {
          const x = left < 0 ? null : this.lines.snap(u.posToVal(left, "x"));
          return [x === null ? left : u.valToPos(x, "x"), top];
        },
        drag: { x: true, y: false, setScale: false, dist: 5 },
        points: { show: false },
        bind: { dblclick: () => () => (this.#options.onZoom(null), null) },
      },
      scales: { x: { time: false, auto: false }, y: { auto: false, distr: scale === "log" ? 3 : 1 } },
      axes: [
        {
          ...axis,
          size: 30,
          space: along === "time" ? 84 : 60,
          incrs,
          values: (_, at) => this.#label("x", at, label),
        },
        {
          ...axis,
          size: 52,
          splits: (_, __, min, max) => ticks(min, max, scale, Math.max(2, Math.round(height / 55))),
          filter: (_, at) => at,
          values: (_, at) => this.#label("y", at, (y) => short(y, 4)),
        },
      ],
      series: [{}, ...lines.map((l, i) => this.#series(l, i, false)), ...lines.map((l, i) => this.#series(l, i, true))],
      hooks: {
        setCursor: [(u) => this.#moved(u)],
        setSelect: [(u) => this.#selected(u)],
        draw: [(u) => this.#decorate(u)],
      },
    };
  }

  #label(axis: "x" | "y", at: number[], word: (value: number, n: number) => string): string[] {
    this.ticks[axis] = at.map((value, n) => ({ value, label: word(value, n) }));
    return this.ticks[axis].map(({ label }) => label);
  }

  #series(line: Line, at: number, smooth: boolean): uPlot.Series {
    const pale = (): boolean => !smooth && (this.#data?.smoothing ?? 0) > 0;
    const color = (): string => this.#color(line.stroke.color);
    return {
      label: line.label,
      scale: "y",
      stroke: () => (pale() ? faint(color()) : color()),
      paths: (plot) => {
        const stroke = this.#path(plot, at, smooth);
        return stroke && { stroke };
      },
      points: { show: false },
    };
  }

  /**
   * Draw a line into `sink`; false when there is none, as without smoothing there is no smooth one.
   *
   * @param unit how many pixels of the canvas make one of the sink's units
   */
  trace(at: number, smooth: boolean, sink: Sink, unit: number): boolean {
    const drawn = this.lines.drawn[at];
    const reach = smooth ? drawn?.smooth : drawn?.raw;
    const plot = this.#plot;
    if (!plot || !drawn || !reach) return false;
    const { left, top, width, height } = plot.bbox;
    const [from, to] = this.#range();
    const { min = 0, max = 1 } = plot.scales["y"] as { min?: number; max?: number };
    const along = width / (to - from);
    const log = reach.scale === "log";
    const bottom = log ? Math.log10(min) : min;
    const up = height / ((log ? Math.log10(max) : max) - bottom);
    const y = (value: number): number => (top + height - ((log ? Math.log10(value) : value) - bottom) * up) / unit;
    const x = (row: number): number => (left + ((drawn.x[row] as number) - from) * along) / unit;
    trace(sink, reach, drawn.rows[0], drawn.rows[1], drawn.starts, { x, y });
    return true;
  }

  /** Width and dashes of a line. */
  look(at: number, smooth: boolean): { width: number; dash: number[] } {
    const drawn = this.lines.drawn[at];
    if (drawn?.bands[Number(smooth)]) return { width: 1, dash: [] };
    return { width: smooth || !this.#options.endLabels ? 1.75 : 2, dash: drawn?.line.stroke.dash ?? [] };
  }

  /**
   * A line that goes up and down all the time is drawn as a band of thin strokes: dashes could not
   * be seen in it, and strokes of more than a pixel take many times as long.
   */
  #path(plot: uPlot, at: number, smooth: boolean): Path2D | null {
    const path = new Measured();
    const drawn = this.lines.drawn[at];
    if (!drawn || !this.trace(at, smooth, path, 1)) return null;
    drawn.bands[Number(smooth)] = path.length > BAND * plot.bbox.width;
    Object.assign(plot.series[1 + at + (smooth ? this.lines.drawn.length : 0)] ?? {}, this.look(at, smooth));
    return path.path;
  }

  #range(): [number, number] {
    const [from, to] = this.#data?.range ?? [0, 1];
    return [from, to > from ? to : from + 1];
  }

  #draw(data: ChartData): void {
    const plot = this.#plot;
    if (!plot) return;
    const [from, to] = this.#range();
    this.lines.update({ ...data, range: [from, to] }, Math.max(50, Math.round(plot.bbox.width) || this.#width));
    const [low, high] = this.lines.extent(data.scale);
    plot.batch(() => {
      plot.setData([[from, to], ...plot.data.slice(1)] as uPlot.AlignedData, false);
      plot.setScale("x", { min: from, max: to });
      plot.setScale("y", { min: low, max: high });
    });
  }

  /** A dot on each line where the crosshair stands. */
  #placeDots(x: number | null): void {
    const plot = this.#plot;
    for (const [i, dot] of this.#dots.entries()) {
      const drawn = this.lines.drawn[i];
      const row = drawn && x !== null ? rowAt(drawn.x, x) : -1;
      const value = drawn?.raw.values[row] ?? Number.NaN;
      dot.hidden = !plot || !drawn || !drawn.raw.shows(value) || row < drawn.seen[0] || row >= drawn.seen[1];
      if (dot.hidden || !plot || !drawn) continue;
      dot.style.transform = `translate(${plot.valToPos(drawn.x[row] as number, "x")}px, ${plot.valToPos(value, "y")}px)`;
    }
  }

  #color(variable: string): string {
    let color = this.#colors.get(variable);
    if (color === undefined) {
      color = colorOf(this.#el, variable);
      this.#colors.set(variable, color);
    }
    return color;
  }

  #moved(plot: uPlot): void {
    const left = plot.cursor.left ?? -1;
    const x = left < 0 ? null : this.lines.snap(plot.posToVal(left, "x"));
    this.#placeDots(x);
    this.#options.onCursor(x);
  }

  #selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) return;
    const range: [number, number] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#options.onZoom(range);
  }

  /** The names at the ends of the lines. */
  ends(): Written[] {
    return this.#plot && this.#options.endLabels ? lineEnds(this.#plot, this.lines.drawn) : [];
  }

  #decorate(plot: uPlot): void {
    const { ctx } = plot;
    ctx.save();
    ctx.font = font(uPlot.pxRatio);
    ctx.setLineDash([]);
    for (const mark of this.marks) drawMark(plot, mark, (variable) => this.#color(variable));
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const { text, x, y, color } of this.ends()) {
      ctx.fillStyle = this.#color(color);
      write(ctx, text, x, y, this.#color("--ftx-panel"));
    }
    ctx.restore();
  }
}
