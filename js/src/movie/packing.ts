/** Points of the sphere from four bytes each; `featrix_notebook/movie/packing.py` packs them. */

const UNIT = 32767;

/** Pairs of steps on the unfolded octahedron as n x 3 coordinates scaled by 32767. */
export function unpack(packed: Int16Array): Int16Array<ArrayBuffer> {
  const n = packed.length >> 1;
  const out = new Int16Array(n * 3);
  for (let i = 0, at = 0; i < n; i++, at += 3) {
    let x = packed[2 * i]! / UNIT;
    let y = packed[2 * i + 1]! / UNIT;
    const z = 1 - Math.abs(x) - Math.abs(y);
    if (z < 0) {
      const folded = (1 - Math.abs(y)) * (x >= 0 ? 1 : -1);
      y = (1 - Math.abs(x)) * (y >= 0 ? 1 : -1);
      x = folded;
    }
    const scale = UNIT / Math.hypot(x, y, z);
    out[at] = Math.round(x * scale);
    out[at + 1] = Math.round(y * scale);
    out[at + 2] = Math.round(z * scale);
  }
  return out;
}
