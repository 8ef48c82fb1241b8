/** The charts as one SVG drawing: lines of text for the runs, a key, the main chart, the small ones. */
import uPlot from "uplot";
import type { Chart } from "../plot/chart.ts";
import type { Sink } from "../plot/decimate.ts";
import { fit, font } from "../plot/labels.ts";
import { colorOf } from "../plot/palette.ts";
import type { Measure } from "./measures.ts";

const MARGIN = 16;
const LINE = 20;

export interface Part {
  title: string;
  chart: Chart;
}

export interface Picture {
  width: number;
  height: number;
  svg: string;
}

class PathText implements Sink {
  d = "";

  moveTo(x: number, y: number): void {
    this.d += `M${x.toFixed(2)} ${y.toFixed(2)}`;
  }

  lineTo(x: number, y: number): void {
    this.d += `L${x.toFixed(2)} ${y.toFixed(2)}`;
  }
}

/** Text as XML can hold it; names come from anywhere. */
export function escaped(text: string): string {
  const plain = text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
  const codes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return plain.replace(/[&<>"]/g, (sign: string) => codes[sign] as string);
}

/** Words in lines of at most `width` pixels. */
function wrapped(ctx: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (!line || ctx.measureText(longer).width <= width) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line].map((one) => fit(ctx, one, width));
}

function write(text: string, x: number, y: number, color: string, more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="${color}" ${more}>${escaped(text)}</text>`;
}

/**
 * @param el where the charts stand, for its colours
 * @param lines what is said of the runs, a paragraph each
 * @param key the measures of the main chart, and the colours they are drawn in
 */
export function picture(
  el: HTMLElement,
  lines: readonly string[],
  key: readonly { measure: Measure; color: string }[],
  main: Chart,
  small: readonly Part[],
): Picture | null {
  const { plot } = main;
  const ctx = document.createElement("canvas").getContext("2d");
  if (!plot || !ctx) return null;
  ctx.font = font(1);
  const color = (variable: string): string => escaped(colorOf(el, variable));
  const width = plot.width + 2 * MARGIN;
  let y = MARGIN;
  const parts: string[] = [];
  for (const line of lines.flatMap((text) => wrapped(ctx, text, plot.width))) {
    parts.push(write(line, MARGIN, (y += LINE) - 6, color("--ftx-ink")));
  }
  parts.push(keyOf(ctx, key, color, (y += LINE) - 10));
  parts.push(drawing(main, MARGIN, (y += 6), color));
  y += plot.height;
  const shown = small.filter(({ chart }) => chart.plot);
  const each = shown[0]?.chart.plot;
  const perRow = each ? Math.max(1, Math.round(plot.width / each.width)) : 1;
  for (const [i, part] of shown.entries()) {
    const x = MARGIN + (i % perRow) * (plot.width / perRow);
    const top = y + Math.floor(i / perRow) * ((each?.height ?? 0) + LINE);
    parts.push(write(fit(ctx, part.title, each?.width ?? 0), x, top + LINE - 6, color("--ftx-soft")));
    parts.push(drawing(part.chart, x, top + LINE, color));
  }
  const height = y + Math.ceil(shown.length / perRow) * ((each?.height ?? 0) + LINE) + MARGIN;
  const style = `font-size="12" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"`;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${style}>` +
    `<title>${escaped(lines.join(" "))}</title>` +
    `<rect width="100%" height="100%" fill="${escaped(getComputedStyle(el).backgroundColor)}"/>${parts.join("\n")}</svg>\n`;
  return { width, height, svg };
}

function keyOf(
  ctx: CanvasRenderingContext2D,
  key: readonly { measure: Measure; color: string }[],
  color: (variable: string) => string,
  y: number,
): string {
  let x = MARGIN;
  return key
    .map(({ measure, color: variable }) => {
      const ink = color(variable);
      const dash = `stroke-dasharray="${measure.stroke.dash.join(" ")}"`;
      const line = `<path d="M${x} ${y}h22" stroke="${ink}" stroke-width="2" ${dash}/>`;
      const word = write(measure.label, x + 28, y + 4, color("--ftx-ink"));
      x += 28 + ctx.measureText(measure.label).width + 18;
      return line + word;
    })
    .join("");
}

/** One chart, in the same places as on the page. */
function drawing(chart: Chart, left: number, top: number, color: (variable: string) => string): string {
  const { plot } = chart;
  if (!plot) return "";
  const px = uPlot.pxRatio;
  const box = {
    x: plot.bbox.left / px, y: plot.bbox.top / px, width: plot.bbox.width / px, height: plot.bbox.height / px,
  };
  const [soft, ink, line, ground] = ["--ftx-soft", "--ftx-ink", "--ftx-line", "--ftx-panel"].map(color);
  const clip = `clip-${left.toFixed(0)}-${top.toFixed(0)}`;
  const parts = [
    `<g transform="translate(${left} ${top})">`,
    `<clipPath id="${clip}"><rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}"/></clipPath>`,
  ];
  for (const { value, label } of chart.ticks.x) {
    const x = box.x + plot.valToPos(value, "x");
    parts.push(`<path d="M${x.toFixed(1)} ${box.y}v${box.height}" stroke="${line}"/>`);
    parts.push(write(label, x, box.y + box.height + 18, soft as string, 'text-anchor="middle"'));
  }
  for (const { value, label } of chart.ticks.y) {
    const y = box.y + plot.valToPos(value, "y");
    parts.push(`<path d="M${box.x} ${y.toFixed(1)}h${box.width}" stroke="${line}"/>`);
    parts.push(write(label, box.x - 6, y + 4, soft as string, 'text-anchor="end"'));
  }
  parts.push(`<g clip-path="url(#${clip})" fill="none" stroke-linejoin="round">`);
  for (const smooth of [false, true]) {
    for (const [i, drawn] of chart.lines.drawn.entries()) {
      const path = new PathText();
      if (!chart.trace(i, smooth, path, px) || !path.d) continue;
      const faint = !smooth && drawn.smooth ? ' stroke-opacity="0.3"' : "";
      const { dash, width } = chart.look(i, smooth);
      const look = `stroke="${color(drawn.line.stroke.color)}" stroke-width="${width}" stroke-dasharray="${dash.join(" ")}"`;
      parts.push(`<path d="${path.d}" ${look}${faint}/>`);
    }
  }
  for (const mark of chart.marks) {
    const [x, y] = [box.x + plot.valToPos(mark.x, "x"), box.y + plot.valToPos(mark.y, "y")];
    parts.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="5" stroke-width="2" stroke="${color(mark.color)}"/>`);
  }
  parts.push("</g>");
  const rim = `stroke="${ground}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"`;
  for (const end of chart.ends()) parts.push(write(end.text, end.x / px, end.y / px + 4, color(end.color), rim));
  for (const mark of chart.marks) {
    const x = box.x + plot.valToPos(mark.x, "x");
    if (!mark.label || x > box.x + box.width - 90 || x < box.x) continue;
    parts.push(write(mark.label, x + 6, box.y + plot.valToPos(mark.y, "y") - 10, ink as string, rim));
  }
  return `${parts.join("")}</g>`;
}
