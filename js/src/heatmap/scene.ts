/** What a picture of a heatmap is drawn from. */
import type { Theme } from "../shared/theme.ts";
import { minus, plainNumber } from "./axis.ts";
import type { Cells, Plane } from "./cells.ts";
import { CONFIDENCE_STOPS, VALUE_STOPS } from "./ramp.ts";
import type { Spec, ViewName } from "./store.ts";

export interface Scene {
  spec: Spec;
  cells: Cells;
  plane: Plane;
  show: ViewName;
  contours: boolean;
  theme: Theme;
}

/** By which classes are told apart beside their colours. */
export const LETTERS = "ABCDEFGHIJKL";

/** One axis is a line, unless it is the classes that are shown. */
export function isLine({ spec, show }: Scene): boolean {
  return spec.shape.length === 1 && show !== "class";
}

export function stopsOf({ show, theme, spec }: Scene): readonly string[] {
  if (show === "class") return spec.classes?.colors ?? [];
  return show === "confidence" ? CONFIDENCE_STOPS[theme] : VALUE_STOPS;
}

export function numbersOf({ cells, show }: Scene): ArrayLike<number> {
  return (show === "confidence" ? cells.confidence : null) ?? cells.values;
}

export function limitsOf({ spec, show }: Scene): [number, number] {
  return show === "confidence" ? [0, 1] : (spec.limits ?? [0, 1]);
}

export function valueTitle(spec: Spec): string {
  const { meaning, unit } = spec;
  const words = meaning.charAt(0).toUpperCase() + meaning.slice(1);
  return unit ? `${words} (${unit})` : words;
}

/** As many digits as tell the values of a range apart. */
export function cellWriter(low: number, high: number, digits = 2): (value: number) => string {
  const span = high - low;
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (!(span > 0) || size >= 1e6 || size < 1e-3) return plainNumber;
  const decimals = Math.max(0, Math.min(8, digits - Math.ceil(Math.log10(span))));
  return (value) => {
    if (!Number.isFinite(value)) return plainNumber(value);
    const text = value.toFixed(decimals);
    return minus(Number(text) === 0 ? text.replace("-", "") : text); // zero has no sign
  };
}
