/** What a renderer is given, whichever kind it is. Arrays are borrowed, never copied or changed. */

import type { Camera, Viewport } from "./camera.ts";

/** Bits of a point's state byte. */
export const SELECTED = 1;

export interface SceneData {
  /** n x 3 coordinates, unit sphere scaled by 32767, in drawing order. */
  positions: Int16Array;
  /** A palette index a point; 0 means missing. */
  codes: Uint8Array;
  /** A bit field a point, see SELECTED. */
  state: Uint8Array;
  /** The selected points, ascending. */
  selected: Uint32Array;
}

/** 256 x RGBA; alpha holds the shape number, plus HIDDEN where a legend entry is switched off. */
export type Palette = Uint8Array;
export const HIDDEN = 128;
export const SHAPES = ["circle", "square", "diamond", "triangle", "wedge", "cross"] as const;

export interface Look {
  camera: Camera;
  view: Viewport;
  /** Device pixels a CSS pixel. */
  ratio: number;
  /** Diameter of a point facing the viewer, in CSS pixels. */
  size: number;
  /** 0..1; below 1 overlapping points add up. */
  opacity: number;
  /** Colour that points on the far side fade towards, 0..255. */
  background: readonly [number, number, number];
  /** Is anything selected, so that the rest steps back? */
  dim: boolean;
  /** Draw points 0..count-1. */
  count: number;
}

/** Which part of a scene changed since it was last drawn. */
export type ScenePart = "positions" | "codes" | "state" | "palette";

/** Draws one widget view's points into a 2D canvas. */
export interface Renderer {
  readonly kind: "webgl2" | "canvas2d";
  changed(...parts: ScenePart[]): void;
  /** Paint over what is already in the context; nothing is cleared. */
  draw(context: CanvasRenderingContext2D, look: Look): void;
  destroy(): void;
}
