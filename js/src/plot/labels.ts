/** What is written on a chart: the names of the lines where they end, rings with a word. */
import uPlot from "uplot";
import type { Drawn, Line, Mark } from "./lines.ts";

/** A word on the chart, in pixels of the canvas. */
export interface Written {
  text: string;
  x: number;
  y: number;
  color: string;
}

/** The type of all words, for a canvas of `px` pixels to one of the page. */
export const font = (px: number): string => `${12 * px}px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif`;

/** The names of the lines, each where it ends, pushed apart so that no two overlap. */
export function lineEnds(plot: uPlot, lines: readonly Drawn[]): Written[] {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  ctx.font = font(px);
  const ends: { line: Line; y: number }[] = [];
  let left = bbox.left;
  for (const { line, x, raw, smooth, seen } of lines) {
    const { last } = raw.reach(...seen);
    if (!line.label || last < 0) continue;
    ends.push({ line, y: plot.valToPos((smooth ?? raw).values[last] as number, "y", true) });
    left = Math.max(left, plot.valToPos(x[last] as number, "x", true));
  }
  const gap = 15 * px;
  ends.sort((a, b) => a.y - b.y);
  let free = bbox.top;
  for (const end of ends) {
    end.y = Math.max(end.y, free);
    free = end.y + gap;
  }
  let limit = bbox.top + bbox.height;
  for (const end of ends.reverse()) {
    end.y = Math.min(end.y, limit);
    limit = end.y - gap;
  }
  const x = Math.min(left, bbox.left + bbox.width) + 8 * px;
  const room = ctx.canvas.width - x;
  return ends.map(({ line, y }) => ({ text: fit(ctx, line.label, room), x, y, color: line.stroke.color }));
}

export function drawMark(plot: uPlot, mark: Mark, color: (variable: string) => string): void {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  const x = plot.valToPos(mark.x, "x", true);
  if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
  ctx.strokeStyle = ctx.fillStyle = color(mark.color);
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
  write(ctx, mark.label, x + 6 * px, y + (above ? -8 : 8) * px, color("--ftx-panel"));
}

/** Text with a rim in the colour of the ground, readable where lines run under it. */
export function write(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, ground: string): void {
  ctx.strokeStyle = ground;
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * uPlot.pxRatio;
  ctx.strokeText(text, x, y);
  ctx.fillText(text, x, y);
}

/** Shorten a text with an ellipsis until it is no wider than `room`. */
export function fit(ctx: CanvasRenderingContext2D, text: string, room: number): string {
  if (ctx.measureText(text).width <= room) return text;
  const letters = [...text].slice(0, 40);
  while (letters.length && ctx.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return `${letters.join("")}…`;
}
