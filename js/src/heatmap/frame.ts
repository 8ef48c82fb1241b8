/** Draws what stands around the cells: axes with their ticks and names, and the colour scale. */
import { axisTicks, axisTitle, scaleTicks, type AxisSpec, type Tick } from "./axis.ts";
import { DARK, SMALL, WHITE, type Box, type Brush } from "./brush.ts";
import { barTicks, levelIn, xAxisOf, xRoom, yTickCount, type Layout } from "./layout.ts";
import { isLine, limitsOf, stopsOf, valueTitle, type Scene } from "./scene.ts";

const SLANT = 0.7;

export function drawAxes(scene: Scene, brush: Brush, layout: Layout): void {
  const { axes, shape } = scene.spec;
  const { plot, range, slant } = layout;
  drawXTicks(scene, brush, layout);
  const below = plot.y + plot.height + (slant ? 86 : 38);
  drawTitle(brush, axisTitle(xAxisOf(scene)), plot.width, plot.x + plot.width / 2, below, 0);
  if (shape.length > 1) {
    const axis = axes[0] as AxisSpec;
    drawYTicks(brush, layout, axisTicks(axis, yTickCount(plot.height)).map(({ at, label }) => ({
      at: plot.y + at * plot.cellHeight, label,
    })));
    drawTitle(brush, axisTitle(axis), plot.height, 16, plot.y + plot.height / 2, -Math.PI / 2);
  } else if (isLine(scene)) {
    drawYTicks(brush, layout, scaleTicks(...range).map(({ value, label }) => ({
      at: levelIn(plot, value, range), label,
    })));
    const title = scene.show === "confidence" ? "confidence" : valueTitle(scene.spec);
    drawTitle(brush, title, plot.height, 16, plot.y + plot.height / 2, -Math.PI / 2);
  }
}

export function drawBar(scene: Scene, brush: Brush, bar: Box): void {
  const { pen } = brush;
  const stops = stopsOf(scene);
  const gradient = pen.createLinearGradient(0, bar.y + bar.height, 0, bar.y);
  for (const [i, stop] of stops.entries()) gradient.addColorStop(i / (stops.length - 1), stop);
  pen.fillStyle = gradient;
  pen.fillRect(bar.x, bar.y, bar.width, bar.height);
  brush.frame(bar);
  brush.font(SMALL);
  pen.fillStyle = brush.color("--ftx-soft");
  const limits = limitsOf(scene);
  const end = bar.x + bar.width;
  for (const { value, label } of barTicks(scene, brush.height)) {
    const level = levelIn(bar, value, limits);
    brush.line(end + 1, level, end + 4, level, brush.color("--ftx-border"));
    brush.text(brush.cut(label, 90), end + 8, level, "left");
  }
  const { threshold } = scene.spec;
  if (threshold === null || scene.show !== "value" || threshold < limits[0] || threshold > limits[1]) return;
  const level = levelIn(bar, threshold, limits);
  brush.line(bar.x - 3, level, end + 3, level, DARK, 4.5);
  brush.line(bar.x - 3, level, end + 3, level, WHITE, 2);
}

function drawTitle(brush: Brush, title: string, room: number, x: number, y: number, turned: number): void {
  const { pen } = brush;
  brush.font(12, 500);
  pen.save();
  pen.translate(x, y);
  pen.rotate(turned);
  pen.fillStyle = brush.color("--ftx-ink");
  brush.text(brush.cut(title, room), 0, 0, "center", "alphabetic");
  pen.restore();
}

function drawXTicks(scene: Scene, brush: Brush, { plot, slant }: Layout): void {
  const { pen } = brush;
  const axis = xAxisOf(scene);
  brush.font(SMALL);
  const room = xRoom(axis, brush);
  const most = slant ? scene.plane.cols : Math.max(2, Math.floor(plot.width / room));
  const bottom = plot.y + plot.height;
  const step = scene.plane.cols / Math.min(most, scene.plane.cols);
  for (const { at, label } of axisTicks(axis, most)) {
    const x = plot.x + at * plot.cellWidth;
    brush.line(x, bottom + 1, x, bottom + 5, brush.color("--ftx-border"));
    pen.fillStyle = brush.color("--ftx-soft");
    if (!slant) {
      brush.text(brush.cut(label, Math.max(24, Math.ceil(step) * plot.cellWidth - 8)), x, bottom + 14, "center");
      continue;
    }
    pen.save();
    pen.translate(x + 3, bottom + 10);
    pen.rotate(-SLANT);
    brush.text(brush.cut(label, Math.min(86, (x - 4) / Math.cos(SLANT))), 0, 4, "right");
    pen.restore();
  }
}

function drawYTicks(brush: Brush, { plot }: Layout, ticks: readonly Tick[]): void {
  brush.font(SMALL);
  for (const { at, label } of ticks) {
    brush.line(plot.x - 5, at, plot.x - 1, at, brush.color("--ftx-border"));
    brush.pen.fillStyle = brush.color("--ftx-soft");
    brush.text(brush.cut(label, plot.x - 30), plot.x - 8, at, "right");
  }
}
