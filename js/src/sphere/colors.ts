import { parseHex } from "../gl/palette.ts";
import type { StageColors } from "./stage.ts";

/** The picture's colours, from the style sheet, so that theme and forced colours are in one place. */
export function readColors(root: Element): StageColors {
  const style = getComputedStyle(root);
  const get = (name: string): string => style.getPropertyValue(`--ftx-sphere-${name}`).trim();
  const pen = document.createElement("canvas").getContext("2d")!;
  const solid = (color: string): string => {
    pen.fillStyle = "#808080";
    pen.fillStyle = color; // normalises any CSS colour; ignores what is none
    return pen.fillStyle;
  };
  const background = solid(get("far"));
  return {
    light: solid(get("light")),
    shade: solid(get("shade")),
    line: solid(get("line")),
    ring: solid(get("ring")),
    background: /^#[0-9a-f]{6}$/.test(background) ? parseHex(background) : [128, 128, 128],
  };
}
