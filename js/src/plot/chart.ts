/** A line chart over uPlot: decimated, smoothed, with honest scales, marks and labelled line ends. */
import uPlot from "uplot";
import { decimate } from "./decimate.ts";
import { colorOf, type Stroke } from "./palette.ts";
import { extent, padded, short, ticks, type YScale } from "./scales.ts";
import { Smoothed } from "./smooth.ts";

export interface Line {
  key: string;
  /** Written where the line ends; empty for none. */
  label: string;
  stroke: Stroke;
}

/** Lines that share their positions, such as those of one run. */
export interface Table {
  x: Float64Array;
  lines: { line: Line; y: Float64Array }[];
}

/** A ring on a line, with a word beside it. */
export interface Mark {
  x: number;
  y: number;
  label: string;
  color: string;
}

export interface ChartData {
  tables: Table[];
  marks: Mark[];
  range: [number, number];
  scale: YScale;
  /** 0 to below 1; with smoothing the raw line is drawn faintly underneath. */
  smoothing: number;
  /** A new number says that rows already given were replaced. */
  generation: number;
}

export interface ChartOptions {
  height: number;
  endLabels: boolean;
  onCursor(x: number | null): void;
  /** The range dragged out by the reader, or null for everything. */
  onZoom(range: [number, number] | null): void;
}

const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export class Chart {
  /** How many values the log scale leaves out of the picture (zero and below). */
  unshown = 0;
  #el: HTMLElement;
  #options: ChartOptions;
  #plot: uPlot | null = null;
  #shape = "";
  #lines: Line[] = [];
  #data: ChartData | null = null;
  #smoothed = new Map<string, Smoothed>();
  #generation = -1;
  #colors = new Map<string, string>();
  #width = 0;
  #sizes: ResizeObserver;

  constructor(el: HTMLElement, options: ChartOptions) {
    this.#el = el;
    this.#options = options;
    this.#sizes = new ResizeObserver(() => this.#resize());
    this.#sizes.observe(el);
  }

  get canvas(): HTMLCanvasElement | null {
    return this.#plot?.ctx.canvas ?? null;
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
  }

  /** Where a position stands, in CSS pixels from the element's left; null when it is not shown. */
  place(x: number): number | null {
    const plot = this.#plot;
    const { min, max } = plot?.scales["x"] ?? {};
    if (!plot || typeof min !== "number" || typeof max !== "number" || x < min || x > max) return null;
    return plot.over.offsetLeft + plot.valToPos(x, "x");
  }

  #resize(): void {
    if (!this.#data || this.#el.clientWidth === this.#width) return;
    this.#plot?.setSize({ width: Math.max(40, this.#el.clientWidth), height: this.#options.height });
    this.update(this.#data);
  }

  /** uPlot fixes series and the kind of scale when made: make it anew only when these change. */
  #build(data: ChartData): void {
    const narrow = this.#width < 480;
    const lines = data.tables.flatMap((table) => table.lines.map(({ line }) => line));
    const shape = JSON.stringify([data.scale, narrow, lines]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#lines = lines;
    this.#plot?.destroy();
    const columns: uPlot.AlignedData = [[], ...lines.flatMap(() => [[], []])];
    this.#plot = new uPlot(this.#settings(data.scale, lines, narrow), columns, this.#el);
  }

  #settings(scale: YScale, lines: Line[], narrow: boolean): uPlot.Options {
    const { height, endLabels } = this.#options;
    const ink = (): string => this.#color("--ftx-soft");
    const grid = { stroke: () => this.#color("--ftx-line"), width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: FONT, gap: 6 };
    return {
      width: this.#width,
      height,
      padding: [12, endLabels ? (narrow ? 76 : 96) : 20, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        // On a row, never between two: what is read out is what stands there.
        move: (u, left, top) => {
          const x = left < 0 ? undefined : u.data[0][u.posToIdx(left)];
          return [x === undefined ? left : u.valToPos(x, "x"), top];
        },
        drag: { x: true, y: false, setScale: false, dist: 5 },
        points: { size: 7 },
        bind: { dblclick: () => () => (this.#options.onZoom(null), null) },
      },
      scales: { x: { time: false, auto: false }, y: { auto: false, distr: scale === "log" ? 3 : 1 } },
      axes: [
        {
          ...axis,
          size: 30,
          space: 60,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6],
          values: (_, at) => at.map((x, i) => (i === 0 ? `epoch ${x}` : `${x}`)),
        },
        {
          ...axis,
          size: 52,
          splits: (_, __, min, max) => ticks(min, max, scale, Math.max(2, Math.round(height / 55))),
          filter: (_, at) => at,
          values: (_, at) => at.map((y) => short(y, 4)),
        },
      ],
      series: [{}, ...lines.map((l) => this.#series(l, false)), ...lines.map((l) => this.#series(l, true))],
      hooks: {
        setCursor: [(u) => this.#moved(u)],
        setSelect: [(u) => this.#selected(u)],
        draw: [(u) => this.#decorate(u)],
      },
    };
  }

  #series(line: Line, smooth: boolean): uPlot.Series {
    const faint = (): boolean => !smooth && (this.#data?.smoothing ?? 0) > 0;
    return {
      label: line.label,
      scale: "y",
      dash: line.stroke.dash,
      width: smooth || !this.#options.endLabels ? 1.75 : 2,
      alpha: 1,
      stroke: () => this.#color(line.stroke.color) + (faint() ? "4d" : ""),
      // A lone row between gaps has no line to show it.
      points: { show: (u) => (u.data[0].length < 3), size: 5, fill: () => this.#color(line.stroke.color) },
    };
  }

  #draw(data: ChartData): void {
    const plot = this.#plot;
    if (!plot) return;
    if (data.generation !== this.#generation) this.#smoothed.clear();
    this.#generation = data.generation;
    const [from, to] = data.range;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    this.unshown = 0;
    const aligned = data.tables.map((table): uPlot.AlignedData => {
      const raw = table.lines.map(({ y }) => y);
      const smooth = table.lines.map(({ line, y }) => this.#smooth(line.key, y, data.smoothing));
      const rows = decimate(table.x, raw, from, to, Math.max(50, plot.bbox.width / uPlot.pxRatio || this.#width));
      const seen = rows.filter((i) => (table.x[i] as number) >= from && (table.x[i] as number) <= to);
      const reach = extent(raw, seen, data.scale);
      min = Math.min(min, reach.min);
      max = Math.max(max, reach.max);
      this.unshown += reach.unshown;
      const pick = (line: Float64Array | null): (number | null)[] =>
        rows.map((i) => (line && shown(line[i] as number, data.scale) ? (line[i] as number) : null));
      return [rows.map((i) => table.x[i] as number), ...raw.map(pick), ...smooth.map(pick)];
    });
    const [low, high] = padded(min, max, data.scale);
    plot.batch(() => {
      plot.setData(this.#join(data.tables, aligned), false);
      plot.setScale("x", { min: from, max: to > from ? to : from + 1 });
      plot.setScale("y", { min: low, max: high });
    });
  }

  /** One table over all positions, with the columns in the order of the series: raw, then smooth. */
  #join(tables: Table[], aligned: uPlot.AlignedData[]): uPlot.AlignedData {
    if (aligned.length === 1) return aligned[0] as uPlot.AlignedData;
    if (aligned.length === 0) return [[]];
    const [x, ...columns] = uPlot.join(aligned);
    const raw: typeof columns = [];
    const smooth: typeof columns = [];
    let at = 0;
    for (const { lines } of tables) {
      raw.push(...columns.slice(at, at + lines.length));
      smooth.push(...columns.slice(at + lines.length, at + 2 * lines.length));
      at += 2 * lines.length;
    }
    return [x, ...raw, ...smooth];
  }

  #smooth(key: string, values: Float64Array, weight: number): Float64Array | null {
    if (weight === 0) return null;
    let smoothed = this.#smoothed.get(key);
    if (smoothed?.weight !== weight) {
      smoothed = new Smoothed(weight);
      this.#smoothed.set(key, smoothed);
    }
    return smoothed.extend(values);
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
    this.#options.onCursor(left < 0 ? null : plot.posToVal(left, "x"));
  }

  #selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) return;
    const range: [number, number] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#options.onZoom(range);
  }

  #decorate(plot: uPlot): void {
    const { ctx } = plot;
    const px = uPlot.pxRatio;
    ctx.save();
    ctx.font = FONT.replace("12px", `${12 * px}px`);
    ctx.setLineDash([]);
    for (const mark of this.#data?.marks ?? []) this.#drawMark(plot, mark, px);
    if (this.#options.endLabels) this.#drawEnds(plot, px);
    ctx.restore();
  }

  #drawMark(plot: uPlot, mark: Mark, px: number): void {
    const { ctx, bbox } = plot;
    const x = plot.valToPos(mark.x, "x", true);
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
    const color = this.#color(mark.color);
    ctx.strokeStyle = ctx.fillStyle = color;
    ctx.lineWidth = px;
    const y = plot.valToPos(mark.y, "y", true);
    if (!Number.isFinite(y) || y < bbox.top || y > bbox.top + bbox.height) return;
    ctx.lineWidth = 2 * px;
    ctx.beginPath();
    ctx.arc(x, y, 5 * px, 0, 2 * Math.PI);
    ctx.stroke();
    // Where the lines end their names stand, and the word would crowd them.
    if (x > bbox.left + bbox.width - 90 * px) return;
    const above = y > bbox.top + 26 * px;
    ctx.textAlign = "left";
    ctx.textBaseline = above ? "bottom" : "top";
    this.#write(ctx, mark.label, x + 6 * px, y + (above ? -8 : 8) * px, px);
  }

  /** Text with a rim in the colour of the ground, readable where lines run under it. */
  #write(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, px: number): void {
    ctx.strokeStyle = this.#color("--ftx-panel");
    ctx.lineJoin = "round";
    ctx.lineWidth = 4 * px;
    ctx.strokeText(text, x, y);
    ctx.fillText(text, x, y);
  }

  /** Name each line where it ends, pushed apart so that no two names overlap. */
  #drawEnds(plot: uPlot, px: number): void {
    const { ctx, bbox } = plot;
    const smoothed = (this.#data?.smoothing ?? 0) > 0;
    const ends: { line: Line; y: number }[] = [];
    let left = bbox.left;
    for (const [i, line] of this.#lines.entries()) {
      const values = plot.data[1 + i + (smoothed ? this.#lines.length : 0)] ?? [];
      let last = values.length - 1;
      while (last >= 0 && typeof values[last] !== "number") last--;
      if (!line.label || last < 0) continue;
      ends.push({ line, y: plot.valToPos(values[last] as number, "y", true) });
      left = Math.max(left, plot.valToPos(plot.data[0][last] as number, "x", true));
    }
    const gap = 15 * px;
    const bottom = bbox.top + bbox.height;
    ends.sort((a, b) => a.y - b.y);
    let free = bbox.top;
    for (const end of ends) {
      end.y = Math.max(end.y, free);
      free = end.y + gap;
    }
    let limit = bottom;
    for (const end of ends.reverse()) {
      end.y = Math.min(end.y, limit);
      limit = end.y - gap;
    }
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    left = Math.min(left, bbox.left + bbox.width) + 8 * px;
    const room = ctx.canvas.width - left;
    for (const { line, y } of ends) {
      ctx.fillStyle = this.#color(line.stroke.color);
      this.#write(ctx, fit(ctx, line.label, room), left, y, px);
    }
  }
}

function shown(value: number, scale: YScale): boolean {
  return Number.isFinite(value) && (scale === "linear" || value > 0);
}

/** Shorten a text with an ellipsis until it is no wider than `room`. */
function fit(ctx: CanvasRenderingContext2D, text: string, room: number): string {
  if (ctx.measureText(text).width <= room) return text;
  const letters = [...text].slice(0, 40);
  while (letters.length && ctx.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return `${letters.join("")}…`;
}
