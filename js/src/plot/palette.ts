/**
 * How lines are told apart: by a colour that colour-blind readers can tell from its neighbours, by
 * a dash pattern, and by a label at the end of the line.
 */
export interface Stroke {
  /** Name of a CSS variable of base.css, which holds a light and a dark variant. */
  color: string;
  dash: number[];
}

const COLORS = ["--ftx-c0", "--ftx-c1", "--ftx-c2", "--ftx-c3", "--ftx-c4"];
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2]];

/** The n-th stroke: five colours, and a further dash pattern each time they begin again. */
export function stroke(n: number, dash = Math.floor(n / COLORS.length)): Stroke {
  return {
    color: COLORS[n % COLORS.length] as string,
    dash: DASHES[dash % DASHES.length] as number[],
  };
}

/** In forced colours everything is ink, but for the ground and the grid. */
const FORCED: Record<string, string> = { "--ftx-panel": "Canvas", "--ftx-line": "GrayText" };

/** A colour, or a system's colour, at a third of its strength. */
export function faint(color: string): string {
  return color.startsWith("#") ? `${color}4d` : `color-mix(in srgb, ${color} 30%, transparent)`;
}

/** The colour an element's style sheet gives a stroke; the system's own in forced colours. */
export function colorOf(el: Element, variable: string): string {
  if (matchMedia("(forced-colors: active)").matches) return FORCED[variable] ?? "CanvasText";
  return getComputedStyle(el).getPropertyValue(variable).trim() || "currentColor";
}
