/** Draws a heatmap, or the line of one axis, into two canvases: the cells, and what moves over them. */
import { h } from "../shared/dom.ts";
import { tickText, type AxisSpec } from "./axis.ts";
import { Brush, DARK, WHITE } from "./brush.ts";
import { CellImage, drawClasses, drawContours, drawNumbers, isRoomy } from "./cellart.ts";
import { indexIn, placeOf } from "./cells.ts";
import { drawAxes, drawBar } from "./frame.ts";
import { layOut, levelIn, pointAt, xAxisOf, type Layout } from "./layout.ts";
import { drawLine } from "./lineart.ts";
import { cellWriter, isLine, limitsOf, numbersOf, type Scene } from "./scene.ts";

/** What lies over the cells. */
export interface Marks {
  pointed: readonly number[];
  selected: readonly number[];
}

interface Place {
  row: number;
  col: number;
}

const LEAST_RING = 9;

export class Picture {
  readonly el = h("div", { class: "ftx-heat-picture" });
  readonly #below = new Brush(h("canvas", { class: "ftx-heat-canvas", "aria-hidden": "true" }));
  readonly #above = new Brush(h("canvas", { class: "ftx-heat-canvas", "aria-hidden": "true" }));
  readonly #image = new CellImage();
  #scene: Scene | null = null;
  #layout: Layout | null = null;

  constructor() {
    this.el.append(this.#below.canvas, this.#above.canvas);
  }

  /** Draw everything but the marks; `width` and `height` in CSS pixels. */
  draw(scene: Scene, width: number, height: number): void {
    const brush = this.#below;
    brush.begin(width, height);
    this.#above.begin(width, height);
    const layout = layOut(scene, brush);
    this.#scene = scene;
    this.#layout = layout;
    const { plot, bar } = layout;
    let numbered = false;
    if (isLine(scene)) drawLine(scene, brush, layout);
    else {
      brush.hatch(plot);
      const ramp = this.#image.draw(scene, brush, plot);
      if (scene.show === "class") drawClasses(scene, brush, plot, ramp);
      else numbered = drawNumbers(scene, brush, plot, ramp);
      if (scene.show === "value") drawContours(scene, brush, plot);
      brush.frame(plot);
    }
    if (scene.show === "value") this.#drawStar(scene, layout, numbered);
    drawAxes(scene, brush, layout);
    if (bar) drawBar(scene, brush, bar);
  }

  /** Row and column under a point of the picture; null beside the cells. */
  cellAt(x: number, y: number): Place | null {
    if (!this.#layout) return null;
    const { plot } = this.#layout;
    const inside = x >= plot.x && y >= plot.y && x < plot.x + plot.width && y < plot.y + plot.height;
    if (!inside) return null;
    return {
      row: isLine(this.#scene as Scene) ? 0 : Math.floor((y - plot.y) / plot.cellHeight),
      col: Math.floor((x - plot.x) / plot.cellWidth),
    };
  }

  /** Draw the crosshair and the rings over the picture as it is. */
  drawMarks({ pointed, selected }: Marks): void {
    const brush = this.#above;
    brush.begin(brush.width, brush.height);
    if (!this.#scene || !this.#layout) return;
    const chosen = this.#inPlane(selected);
    const under = this.#inPlane(pointed);
    if (under) this.#drawCross(this.#scene, this.#layout, under);
    if (chosen) this.#drawRing(this.#scene, this.#layout, chosen, 2.5);
    if (!under) return;
    this.#drawRing(this.#scene, this.#layout, under, 1.5);
    this.#drawPills(this.#scene, this.#layout, under);
  }

  #inPlane(position: readonly number[]): Place | null {
    const { spec, plane } = this.#scene as Scene;
    return position.length === 3 && position[2] !== plane.offset ? null : placeOf(spec.shape, position);
  }

  /** Marks the optimum; beside the cell's number, where there is one. */
  #drawStar(scene: Scene, layout: Layout, numbered: boolean): void {
    const place = this.#inPlane(scene.spec.optimum);
    if (!place) return;
    const { plot } = layout;
    const { x, y } = pointAt(scene, layout, place.row, place.col);
    const lift = numbered ? Math.min(14, plot.cellHeight / 2 - 2) : 0;
    const [left, right] = [plot.x + 7, plot.x + plot.width - 7];
    this.#below.star(Math.max(left, Math.min(right, x)), Math.max(plot.y + 7, y - lift), numbered ? 6 : 9);
  }

  #drawCross(scene: Scene, layout: Layout, { row, col }: Place): void {
    const { plot } = layout;
    if (!isLine(scene) && isRoomy(plot)) return;
    const { x, y } = pointAt(scene, layout, row, col);
    const lines = [x, plot.y, x, plot.y + plot.height];
    if (scene.spec.shape.length > 1) lines.push(plot.x, y, plot.x + plot.width, y);
    const whole = { x: 0, y: 0, width: 0, height: 0, cellWidth: 1, cellHeight: 1 };
    if (isLine(scene)) this.#above.lines(lines, whole, this.#above.color("--ftx-soft"), 1);
    else {
      this.#above.lines(lines, whole, "#10131a99", 3);
      this.#above.lines(lines, whole, WHITE, 1);
    }
  }

  #drawRing(scene: Scene, layout: Layout, { row, col }: Place, width: number): void {
    const { plot } = layout;
    const { pen } = this.#above;
    const { x, y } = pointAt(scene, layout, row, col);
    pen.beginPath();
    if (isLine(scene)) pen.arc(x, y, 4 + width, 0, 2 * Math.PI);
    else {
      // A cell of a pixel or two is ringed from outside.
      const across = Math.max(plot.cellWidth, LEAST_RING);
      const down = Math.max(plot.cellHeight, LEAST_RING);
      pen.rect(x - across / 2, y - down / 2, across, down);
    }
    pen.strokeStyle = DARK;
    pen.lineWidth = width + 3;
    pen.stroke();
    pen.strokeStyle = WHITE;
    pen.lineWidth = width;
    pen.stroke();
  }

  /** What stands on the axes and on the colour scale at the crosshair. */
  #drawPills(scene: Scene, layout: Layout, { row, col }: Place): void {
    const { plot, bar } = layout;
    const { x, y } = pointAt(scene, layout, row, col);
    const brush = this.#above;
    brush.pill(tickText(xAxisOf(scene), col), x, plot.y + plot.height + 14, "center");
    if (scene.spec.shape.length > 1) {
      brush.pill(tickText(scene.spec.axes[0] as AxisSpec, row), plot.x - 3, y, "right");
    }
    const value = numbersOf(scene)[indexIn(scene.plane, row, col)] as number;
    if (Number.isNaN(value)) return;
    const limits = limitsOf(scene);
    const words = cellWriter(...limits, 3)(value);
    if (bar) brush.pill(words, bar.x + bar.width + 3, levelIn(bar, value, limits), "left");
    else if (isLine(scene)) brush.pill(words, plot.x - 3, y, "right");
  }
}
