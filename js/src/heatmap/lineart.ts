/** Draws the values along one axis as a line. */
import { plainNumber, scaleTicks } from "./axis.ts";
import { SMALL, type Brush } from "./brush.ts";
import { levelIn, pointAt, xAxisOf, type Layout } from "./layout.ts";
import { numbersOf, type Scene } from "./scene.ts";

export function drawLine(scene: Scene, brush: Brush, layout: Layout): void {
  const { plot, range } = layout;
  const values = numbersOf(scene);
  for (const { value } of scaleTicks(...range)) {
    const y = Math.round(levelIn(plot, value, range)) + 0.5;
    brush.line(plot.x, y, plot.x + plot.width, y, brush.color("--ftx-line"));
  }
  for (let col = 0; col < scene.plane.cols; col++) {
    if (!Number.isNaN(values[col])) continue;
    brush.hatch({ x: plot.x + col * plot.cellWidth, y: plot.y, width: plot.cellWidth, height: plot.height });
  }
  drawThreshold(scene, brush, layout);
  drawPath(scene, brush, layout);
  drawDots(scene, brush, layout);
}

function drawThreshold({ spec, show }: Scene, brush: Brush, { plot, range }: Layout): void {
  if (spec.threshold === null || show !== "value") return;
  const y = levelIn(plot, spec.threshold, range);
  brush.pen.setLineDash([6, 5]);
  brush.line(plot.x, y, plot.x + plot.width, y, brush.color("--ftx-ink"), 1.2);
  brush.pen.setLineDash([]);
  brush.font(SMALL);
  brush.pen.fillStyle = brush.color("--ftx-soft");
  brush.text(`threshold ${plainNumber(spec.threshold)}`, plot.x + plot.width - 4, y - 4, "right", "bottom");
}

/** Between categories there is nothing: there the line is dotted. */
function drawPath(scene: Scene, brush: Brush, layout: Layout): void {
  const { pen } = brush;
  const values = numbersOf(scene);
  pen.strokeStyle = brush.color("--ftx-c0");
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.setLineDash(xAxisOf(scene).kind === "number" ? [] : [2, 4]);
  pen.beginPath();
  let drawing = false;
  for (let col = 0; col < scene.plane.cols; col++) {
    if (Number.isNaN(values[col])) {
      drawing = false;
      continue;
    }
    const { x, y } = pointAt(scene, layout, 0, col);
    if (drawing) pen.lineTo(x, y);
    else pen.moveTo(x, y);
    drawing = true;
  }
  pen.stroke();
  pen.setLineDash([]);
}

/** A dot a cell while there is room for them, and wherever no line leads to it. */
function drawDots(scene: Scene, brush: Brush, layout: Layout): void {
  const { pen } = brush;
  const values = numbersOf(scene);
  const { cellWidth } = layout.plot;
  const size = cellWidth > 14 ? 3.5 : cellWidth > 6 ? 2 : 0;
  const gone = (col: number): boolean => Number.isNaN(values[col] ?? Number.NaN);
  pen.fillStyle = brush.color("--ftx-c0");
  for (let col = 0; col < scene.plane.cols; col++) {
    if (gone(col) || !(size || (gone(col - 1) && gone(col + 1)))) continue;
    const { x, y } = pointAt(scene, layout, 0, col);
    pen.beginPath();
    pen.arc(x, y, size || 3, 0, 2 * Math.PI);
    pen.fill();
  }
}
