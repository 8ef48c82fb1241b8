/**
 * The camera: which point of the unit sphere faces the viewer, how large the sphere is drawn, and
 * where its centre sits. Angles in radians, z is the north pole, projection is orthographic, so the
 * outline is always the unit circle and "in front" simply means depth > 0.
 */

export interface Camera {
  /** Longitude facing the viewer. */
  readonly yaw: number;
  /** Latitude facing the viewer, within a quarter turn of the equator. */
  readonly pitch: number;
  /** 1 fits the sphere into the viewport. */
  readonly zoom: number;
  /** Where the sphere's centre is drawn, in sphere radii from the viewport's centre (y up). */
  readonly panX: number;
  readonly panY: number;
}

/** Size of a viewport in CSS pixels. */
export interface Viewport {
  readonly width: number;
  readonly height: number;
}

export interface Projected {
  x: number;
  y: number;
  /** Towards the viewer: 1 nearest, -1 farthest, 0 on the outline. */
  depth: number;
}

export const HOME: Camera = { yaw: -0.6, pitch: 0.35, zoom: 1, panX: 0, panY: 0 };
export const MIN_ZOOM = 0.5;
export const MAX_ZOOM = 60;
/** Share of the half viewport that the sphere fills at zoom 1. */
const FILL = 0.9;
const QUARTER = Math.PI / 2;

const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));

/** Radius of the drawn sphere in CSS pixels. */
export function radius(camera: Camera, view: Viewport): number {
  return (FILL * camera.zoom * Math.min(view.width, view.height)) / 2;
}

/** A 3 x 3 matrix, row by row. */
export type Matrix = readonly [
  number, number, number, number, number, number, number, number, number,
];

/** Rows of the rotation from data space to the screen: right, up, towards the viewer. */
export function rotation(camera: Camera): Matrix {
  const cy = Math.cos(camera.yaw);
  const sy = Math.sin(camera.yaw);
  const cp = Math.cos(camera.pitch);
  const sp = Math.sin(camera.pitch);
  return [-sy, cy, 0, -cy * sp, -sy * sp, cp, cy * cp, sy * cp, sp];
}

/** Pixel centre of the sphere in the viewport (y down). */
export function centre(camera: Camera, view: Viewport): { x: number; y: number } {
  const r = radius(camera, view);
  return { x: view.width / 2 + camera.panX * r, y: view.height / 2 - camera.panY * r };
}

/** Where a point of the unit sphere lands in the viewport, in CSS pixels. */
export function project(
  camera: Camera,
  view: Viewport,
  x: number,
  y: number,
  z: number,
): Projected {
  const m = rotation(camera);
  const r = radius(camera, view);
  const c = centre(camera, view);
  return {
    x: c.x + r * (m[0] * x + m[1] * y + m[2] * z),
    y: c.y - r * (m[3] * x + m[4] * y + m[5] * z),
    depth: m[6] * x + m[7] * y + m[8] * z,
  };
}

/** Turn so that the surface follows a drag of (dx, dy) CSS pixels. */
export function orbit(camera: Camera, view: Viewport, dx: number, dy: number): Camera {
  const r = radius(camera, view);
  // Near a pole a circle of latitude is short: turn faster there, within reason, to keep hold of
  // the point under the cursor.
  const stretch = Math.max(Math.cos(camera.pitch), 0.3);
  return turn(camera, -dx / r / stretch, dy / r);
}

/** Turn by angles. */
export function turn(camera: Camera, yaw: number, pitch: number): Camera {
  return {
    ...camera,
    yaw: wrap(camera.yaw + yaw),
    pitch: clamp(camera.pitch + pitch, -QUARTER, QUARTER),
  };
}

/** Zoom by a factor, keeping what is under the viewport position (x, y) where it is. */
export function zoomAt(
  camera: Camera,
  view: Viewport,
  factor: number,
  x: number,
  y: number,
): Camera {
  const zoom = clamp(camera.zoom * factor, MIN_ZOOM, MAX_ZOOM);
  const before = centre(camera, view);
  const r = radius(camera, view);
  const u = (x - before.x) / r;
  const v = (before.y - y) / r;
  const next = { ...camera, zoom };
  const after = radius(next, view);
  return keepInView({
    ...next,
    panX: (x - view.width / 2) / after - u,
    panY: (view.height / 2 - y) / after - v,
  });
}

/** Bring a point of the sphere to the middle of the picture. */
export function face(camera: Camera, x: number, y: number, z: number): Camera {
  const pole = Math.hypot(x, y) < 1e-6;
  return {
    ...camera,
    yaw: pole ? camera.yaw : Math.atan2(y, x),
    pitch: Math.asin(clamp(z, -1, 1)),
    panX: 0,
    panY: 0,
  };
}

export function sameCamera(a: Camera, b: Camera): boolean {
  return (
    a.yaw === b.yaw && a.pitch === b.pitch && a.zoom === b.zoom && a.panX === b.panX && a.panY === b.panY
  );
}

/** A camera between two, along the shorter way round; t in 0..1. */
export function between(from: Camera, to: Camera, t: number): Camera {
  const mix = (a: number, b: number): number => a + (b - a) * t;
  return {
    yaw: wrap(from.yaw + wrap(to.yaw - from.yaw) * t),
    pitch: mix(from.pitch, to.pitch),
    zoom: from.zoom * Math.pow(to.zoom / from.zoom, t),
    panX: mix(from.panX, to.panX),
    panY: mix(from.panY, to.panY),
  };
}

/** The sphere may be pushed aside only as far as it is larger than the viewport. */
function keepInView(camera: Camera): Camera {
  const room = Math.max(0, 1 - 1 / camera.zoom);
  const length = Math.hypot(camera.panX, camera.panY);
  if (length <= room) return camera;
  const shrink = length === 0 ? 0 : room / length;
  return { ...camera, panX: camera.panX * shrink, panY: camera.panY * shrink };
}

/** An angle in -pi..pi. */
function wrap(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}
