/** A pen on a canvas that knows the colours and the type of the element it stands in. */
import { colorOf } from "../plot/palette.ts";

export const SMALL = 11;
/** Outline and fill that together show on every colour of a map. */
export const DARK = "#10131a";
export const WHITE = "#ffffff";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A box of rows and columns. */
export interface Grid extends Box {
  cellWidth: number;
  cellHeight: number;
}

export class Brush {
  readonly canvas: HTMLCanvasElement;
  readonly pen: CanvasRenderingContext2D;
  width = 0;
  height = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d") as CanvasRenderingContext2D;
  }

  /** Fit the canvas to a size in CSS pixels, and clear it. */
  begin(width: number, height: number): void {
    const { canvas, pen } = this;
    const px = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    if (canvas.width !== Math.round(width * px) || canvas.height !== Math.round(height * px)) {
      canvas.width = Math.round(width * px);
      canvas.height = Math.round(height * px);
    }
    pen.setTransform(px, 0, 0, px, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.font(SMALL);
  }

  color(variable: string): string {
    return colorOf(this.canvas, variable);
  }

  font(size: number, weight = 400): void {
    this.pen.font = `${weight} ${size}px ${getComputedStyle(this.canvas).fontFamily}`;
  }

  widest(labels: readonly string[]): number {
    return Math.max(0, ...labels.map((label) => this.pen.measureText(label).width));
  }

  /** Cut a label with an ellipsis where it is wider than there is room. */
  cut(label: string, room: number): string {
    if (this.pen.measureText(label).width <= room) return label;
    const signs = [...label];
    let low = 0;
    let high = signs.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.pen.measureText(`${signs.slice(0, middle).join("")}…`).width <= room) low = middle;
      else high = middle - 1;
    }
    return `${signs.slice(0, low).join("")}…`;
  }

  text(label: string, x: number, y: number, align: CanvasTextAlign, baseline: CanvasTextBaseline = "middle"): void {
    this.pen.textAlign = align;
    this.pen.textBaseline = baseline;
    this.pen.fillText(label, x, y);
  }

  line(x0: number, y0: number, x1: number, y1: number, color: string, width = 1): void {
    this.lines([x0, y0, x1, y1], { x: 0, y: 0, width: 0, height: 0, cellWidth: 1, cellHeight: 1 }, color, width);
  }

  /** Stroke segments x0, y0, x1, y1 given in units of cells. */
  lines(segments: readonly number[], { x, y, cellWidth, cellHeight }: Grid, color: string, width: number): void {
    if (!segments.length) return;
    const { pen } = this;
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.lineCap = "round";
    pen.beginPath();
    for (let i = 0; i < segments.length; i += 4) {
      pen.moveTo(x + (segments[i] as number) * cellWidth, y + (segments[i + 1] as number) * cellHeight);
      pen.lineTo(x + (segments[i + 2] as number) * cellWidth, y + (segments[i + 3] as number) * cellHeight);
    }
    pen.stroke();
    pen.lineCap = "butt";
  }

  frame(box: Box): void {
    this.pen.strokeStyle = this.color("--ftx-border");
    this.pen.lineWidth = 1;
    this.pen.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
  }

  /** What is seen where there is no value. */
  hatch(box: Box): void {
    const { pen } = this;
    pen.save();
    pen.beginPath();
    pen.rect(box.x, box.y, box.width, box.height);
    pen.clip();
    pen.strokeStyle = this.color("--ftx-soft");
    pen.globalAlpha = 0.45;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let x = box.x - box.height; x < box.x + box.width; x += 8) {
      pen.moveTo(x, box.y + box.height);
      pen.lineTo(x + box.height, box.y);
    }
    pen.stroke();
    pen.restore();
  }

  star(x: number, y: number, size: number): void {
    const { pen } = this;
    pen.beginPath();
    for (let i = 0; i < 10; i++) {
      const radius = i % 2 ? size * 0.45 : size;
      const angle = (i / 10) * 2 * Math.PI - Math.PI / 2;
      pen.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
    }
    pen.closePath();
    pen.lineJoin = "round";
    pen.strokeStyle = DARK;
    pen.lineWidth = 3.5;
    pen.stroke();
    pen.fillStyle = WHITE;
    pen.fill();
  }

  /** A short text on a ground of its own, kept inside the canvas. */
  pill(label: string, x: number, y: number, align: "left" | "center" | "right"): void {
    const { pen } = this;
    this.font(SMALL, 600);
    const text = this.cut(label, Math.max(40, this.width * 0.34));
    const width = pen.measureText(text).width + 10;
    const wanted = align === "left" ? x : align === "right" ? x - width : x - width / 2;
    const left = Math.max(1, Math.min(wanted, this.width - width - 1));
    const top = Math.max(1, Math.min(y - 9, this.height - 19));
    pen.fillStyle = this.color("--ftx-ink");
    pen.beginPath();
    pen.roundRect(left, top, width, 18, 4);
    pen.fill();
    pen.fillStyle = this.color("--ftx-panel");
    this.text(text, left + width / 2, top + 9.5, "center");
  }
}
