/** Draws cells: their colours, and everything that tells without colours what they hold. */
import { scaleTicks } from "./axis.ts";
import { DARK, SMALL, WHITE, type Brush, type Grid } from "./brush.ts";
import { borders, indexIn, unmarked } from "./cells.ts";
import { contour } from "./contour.ts";
import { codeRamp, inkOn, paintCodes, paintNumbers, rampOf, rgbOf, shadeIndex, type Ramp } from "./ramp.ts";
import { cellWriter, LETTERS, limitsOf, numbersOf, stopsOf, type Scene } from "./scene.ts";

const MOST_NUMBERS = 600;
const LETTER_ROOM = { across: 48, down: 40 };
const LETTER = { across: 10, down: 11 };

/** One pixel a cell, enlarged when drawn; kept from one picture to the next. */
export class CellImage {
  readonly #image = document.createElement("canvas");
  #pixels = new ImageData(1, 1);
  #ramp: Ramp = new Uint32Array(256);
  #rampKey = "";

  /** Colour the cells of the scene's plane, and return the colours used. */
  draw(scene: Scene, brush: Brush, plot: Grid): Ramp {
    const { plane, cells, show } = scene;
    const { rows, cols } = plane;
    if (this.#pixels.width !== cols || this.#pixels.height !== rows) {
      this.#image.width = cols;
      this.#image.height = rows;
      this.#pixels = new ImageData(cols, rows);
    }
    const ramp = this.#rampOf(scene);
    const out = new Uint32Array(this.#pixels.data.buffer);
    if (show === "class" && cells.codes) paintCodes(out, cells.codes, plane, ramp);
    else paintNumbers(out, numbersOf(scene), plane, ...limitsOf(scene), ramp);
    (this.#image.getContext("2d") as CanvasRenderingContext2D).putImageData(this.#pixels, 0, 0);
    brush.pen.imageSmoothingEnabled = false;
    brush.pen.drawImage(this.#image, plot.x, plot.y, plot.width, plot.height);
    return ramp;
  }

  #rampOf(scene: Scene): Ramp {
    const stops = stopsOf(scene);
    const key = `${scene.show} ${stops.join()}`;
    if (key !== this.#rampKey) this.#ramp = scene.show === "class" ? codeRamp(stops) : rampOf(stops);
    this.#rampKey = key;
    return this.#ramp;
  }
}

/** Whether the cells are so large that a crosshair would only strike through what they say. */
export function isRoomy({ cellWidth, cellHeight }: Grid): boolean {
  return cellWidth >= 26 && cellHeight >= 17;
}

/** The numbers themselves, where they fit into their cells; tells whether they did. */
export function drawNumbers(scene: Scene, brush: Brush, plot: Grid, ramp: Ramp): boolean {
  const { plane } = scene;
  if (plane.rows * plane.cols > MOST_NUMBERS || !isRoomy(plot)) return false;
  const [low, high] = limitsOf(scene);
  const values = numbersOf(scene);
  const write = cellWriter(low, high);
  const labels: { text: string; value: number; row: number; col: number }[] = [];
  for (let row = 0; row < plane.rows; row++) {
    for (let col = 0; col < plane.cols; col++) {
      const value = values[indexIn(plane, row, col)] as number;
      if (!Number.isNaN(value)) labels.push({ text: write(value), value, row, col });
    }
  }
  brush.font(SMALL);
  if (brush.widest(labels.map(({ text }) => text)) + 6 > plot.cellWidth) return false;
  for (const { text, value, row, col } of labels) {
    brush.pen.fillStyle = inkOn(rgbOf(ramp[shadeIndex(value, low, high)] as number));
    centred(brush, plot, text, row, col);
  }
  return true;
}

/** Borders between the classes, and letters in them: evenly, and in each region that is left out so. */
export function drawClasses(scene: Scene, brush: Brush, plot: Grid, ramp: Ramp): void {
  const { plane, cells } = scene;
  const { codes } = cells;
  if (!codes) return;
  brush.lines(borders(codes, plane), plot, brush.color("--ftx-panel"), 2);
  const down = Math.max(1, Math.ceil(LETTER_ROOM.down / plot.cellHeight));
  const across = Math.max(1, Math.ceil(LETTER_ROOM.across / plot.cellWidth));
  brush.font(SMALL + 1, 600);
  const letter = (row: number, col: number): void => {
    const code = codes[indexIn(plane, row, col)] as number;
    if (!code) return;
    brush.pen.fillStyle = inkOn(rgbOf(ramp[code] as number));
    centred(brush, plot, LETTERS[code - 1] ?? "", row, col);
  };
  const [top, left] = [(down - 1) >> 1, (across - 1) >> 1];
  for (let row = top; row < plane.rows; row += down) {
    for (let col = left; col < plane.cols; col += across) letter(row, col);
  }
  if (plot.cellWidth < LETTER.across || plot.cellHeight < LETTER.down) return;
  const lettered = (row: number, col: number): boolean => row % down === top && col % across === left;
  for (const [row, col] of unmarked(codes, plane, lettered)) letter(row, col);
}

/** The threshold, and lines of equal value where they are wished for. */
export function drawContours(scene: Scene, brush: Brush, plot: Grid): void {
  const { spec, cells, plane } = scene;
  if (scene.contours) {
    for (const { value } of scaleTicks(...limitsOf(scene), 8)) {
      const lines = contour(cells.values, plane, value);
      brush.lines(lines, plot, "#10131a66", 2.2);
      brush.lines(lines, plot, "#ffffffdd", 0.9);
    }
  }
  if (spec.threshold === null) return;
  const lines = contour(cells.values, plane, spec.threshold);
  brush.lines(lines, plot, DARK, 4.5);
  brush.lines(lines, plot, WHITE, 2);
}

function centred(brush: Brush, plot: Grid, text: string, row: number, col: number): void {
  brush.text(text, plot.x + (col + 0.5) * plot.cellWidth, plot.y + (row + 0.5) * plot.cellHeight + 0.5, "center");
}
