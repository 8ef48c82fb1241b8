/** Points of the sphere from four bytes each; `featrix_notebook/packing.py` packs them. */

const UNIT = 32767;

/** Pairs of steps on the unfolded octahedron as n x 3 coordinates scaled by 32767. */
export function unpack(packed: Int16Array): Int16Array<ArrayBuffer> {
  const n = packed.length >> 1;
  const out = new Int16Array(n * 3);
  // Of signs there are masks and no branches, which of points in any order half are foretold wrongly.
  for (let i = 0, at = 0; i < n; i++, at += 3) {
    let x = packed[2 * i]!;
    let y = packed[2 * i + 1]!;
    const left = x >> 31;
    const below = y >> 31;
    const z = UNIT - ((x ^ left) - left) - ((y ^ below) - below);
    const fold = -z & (z >> 31);
    x -= (fold ^ left) - left;
    y -= (fold ^ below) - below;
    const scale = UNIT / Math.sqrt(x * x + y * y + z * z);
    out[at] = rounded(x * scale);
    out[at + 1] = rounded(y * scale);
    out[at + 2] = rounded(z * scale);
  }
  return out;
}

/** Of numbers of 16 bits, in a fraction of what `Math.round` takes. */
function rounded(value: number): number {
  return ((value + 32768.5) | 0) - 32768;
}
