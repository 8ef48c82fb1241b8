/**
 * The way of each point between two frames: on the sphere, with no jump of its velocity.
 *
 * A pair of frames is joined by a cubic Bezier curve on the sphere, drawn by repeated spherical
 * linear interpolation (Shoemake, SIGGRAPH 1985). A point that turns back or rests does not
 * overshoot. `featrix_notebook/movie/path.py` draws the same way in films.
 */

const UNIT = 32767;
const TINY = 1e-6;
/** Half the distance of two points beyond which they are opposite. */
const OPPOSITE = 1 - 1e-7;
/** A frame's velocity is at most so many times the shorter of the two ways beside it. */
const LIMIT = 1.5;

/** The points of a frame, n x 3 scaled by 32767; null while it is not there. */
export type FrameOf = (index: number) => Int16Array | null;

type Vector = [number, number, number];

export class Path {
  readonly #frame: FrameOf;
  #segment = -1;
  #last = -1;
  /** Per point the two inner control points of the present segment. */
  #inner = new Float32Array(0);

  constructor(frame: FrameOf) {
    this.#frame = frame;
  }

  /** Frames were replaced. */
  reset(): void {
    this.#segment = -1;
  }

  /**
   * Write the positions at a time counted in frames; `last` is the index of the last frame.
   * Returns false, and leaves `out` alone, while a frame that is needed is not there.
   */
  at(time: number, last: number, out: Int16Array): boolean {
    const clamped = Math.min(Math.max(time, 0), last);
    const segment = Math.floor(clamped);
    const t = clamped - segment;
    const from = this.#frame(segment);
    if (!from || from.length !== out.length) return false;
    if (t === 0) {
      out.set(from);
      return true;
    }
    const to = this.#frame(segment + 1);
    if (!to || to.length !== out.length) return false;
    if (segment !== this.#segment || last !== this.#last) this.#prepare(segment, last, from, to);
    draw(from, this.#inner, to, t, out);
    return true;
  }

  /** Where the neighbours are not there yet, the point leaves or arrives at rest. */
  #prepare(segment: number, last: number, from: Int16Array, to: Int16Array): void {
    this.#segment = segment;
    this.#last = last;
    const before = segment > 0 ? this.#frame(segment - 1) : null;
    const after = segment + 1 < last ? this.#frame(segment + 2) : null;
    if ((segment > 0 && !before) || (segment + 1 < last && !after)) this.#segment = -1; // look again
    const n = from.length / 3;
    if (this.#inner.length !== n * 6) this.#inner = new Float32Array(n * 6);
    const a: Vector = [0, 0, 0];
    const b: Vector = [0, 0, 0];
    const other: Vector = [0, 0, 0];
    const v: Vector = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      read(from, i, a);
      read(to, i, b);
      if (before) {
        read(before, i, other);
        velocity(other, a, b, v);
        move(a, v, 1 / 3, this.#inner, i * 6);
      } else this.#inner.set(a, i * 6);
      if (after) {
        read(after, i, other);
        velocity(a, b, other, v);
        move(b, v, -1 / 3, this.#inner, i * 6 + 3);
      } else this.#inner.set(b, i * 6 + 3);
    }
  }
}

function read(frame: Int16Array, point: number, out: Vector): void {
  const x = frame[point * 3]!;
  const y = frame[point * 3 + 1]!;
  const z = frame[point * 3 + 2]!;
  const scale = 1 / Math.sqrt(x * x + y * y + z * z || 1);
  out[0] = x * scale;
  out[1] = y * scale;
  out[2] = z * scale;
}

const back: Vector = [0, 0, 0];
const on: Vector = [0, 0, 0];

/** The tangent at `here`, in radians a frame, between what comes before and after. */
function velocity(before: Vector, here: Vector, after: Vector, out: Vector): void {
  const behind = way(here, before, back);
  const ahead = way(here, after, on);
  for (let k = 0; k < 3; k++) out[k] = (on[k]! - back[k]!) / 2;
  const size = Math.hypot(out[0], out[1], out[2]);
  const most = LIMIT * Math.min(behind, ahead);
  if (size > most) for (let k = 0; k < 3; k++) out[k] = (out[k]! * most) / size;
}

/** The tangent at a towards b, as long as the angle between them; returns that angle. */
function way(a: Vector, b: Vector, out: Vector): number {
  const cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  for (let k = 0; k < 3; k++) out[k] = b[k]! - cosine * a[k]!;
  const length = Math.hypot(out[0], out[1], out[2]);
  const angle = Math.atan2(length, cosine);
  const scale = length > TINY ? angle / length : 0;
  for (let k = 0; k < 3; k++) out[k]! *= scale;
  return length > TINY ? angle : 0;
}

function move(a: Vector, v: Vector, share: number, out: Float32Array, at: number): void {
  const angle = Math.hypot(v[0], v[1], v[2]) * Math.abs(share);
  const c = Math.cos(angle);
  const s = angle > TINY ? (Math.sin(angle) / angle) * share : share;
  for (let k = 0; k < 3; k++) out[at + k] = c * a[k]! + s * v[k]!;
}

/** De Casteljau's scheme with spherical steps, for every point. */
function draw(from: Int16Array, inner: Float32Array, to: Int16Array, t: number, out: Int16Array): void {
  const n = from.length / 3;
  const a: Vector = [0, 0, 0];
  const b: Vector = [0, 0, 0];
  const c: Vector = [0, 0, 0];
  const d: Vector = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    read(from, i, a);
    read(to, i, d);
    for (let k = 0; k < 3; k++) {
      b[k] = inner[i * 6 + k]!;
      c[k] = inner[i * 6 + 3 + k]!;
    }
    slerp(a, b, t);
    slerp(b, c, t);
    slerp(c, d, t);
    slerp(a, b, t);
    slerp(b, c, t);
    slerp(a, b, t);
    const scale = UNIT / Math.hypot(a[0], a[1], a[2]);
    for (let k = 0; k < 3; k++) out[i * 3 + k] = Math.round(a[k]! * scale);
  }
}

/** Between opposite points any way is the shortest: this one turns about an axis or the other. */
function aside(a: Vector, t: number): void {
  const [x, y, z] = a;
  const square: Vector = Math.abs(z) > 0.9 ? [0, -z, y] : [-y, x, 0];
  const scale = Math.sin(Math.PI * t) / Math.hypot(...square);
  for (let k = 0; k < 3; k++) a[k] = Math.cos(Math.PI * t) * a[k]! + scale * square[k]!;
}

/** Move a along the shortest way to b, by a share t of it. */
function slerp(a: Vector, b: Vector, t: number): void {
  const half = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) / 2;
  if (half > OPPOSITE) {
    aside(a, t);
    return;
  }
  const angle = 2 * Math.asin(Math.min(1, half));
  const sine = Math.sin(angle);
  let u = 1 - t;
  let v = t;
  if (sine > 1e-4) {
    u = Math.sin(u * angle) / sine;
    v = Math.sin(v * angle) / sine;
  }
  for (let k = 0; k < 3; k++) a[k] = u * a[k]! + v * b[k]!;
}
