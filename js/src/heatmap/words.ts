/** What a heatmap says in words: a cell, the state of the surface. */
import { axisTitle, plainNumber, tickText, type AxisSpec } from "./axis.ts";
import { flatIndex, type Cells } from "./cells.ts";
import { cellWriter } from "./scene.ts";
import type { Spec } from "./store.ts";

export interface CellWords {
  /** Each axis and what stands on it there. */
  axes: [string, string][];
  value: string;
  confidence: string | null;
  /** Of the classes that are named on the page. */
  class: string | null;
}

export function cellWords(spec: Spec, cells: Cells, position: readonly number[]): CellWords {
  const at = flatIndex(spec.shape, position);
  const value = cells.values[at] ?? Number.NaN;
  const [low, high] = spec.limits ?? [0, 1];
  const confidence = cells.confidence?.[at] ?? Number.NaN;
  const code = cells.codes?.[at] ?? 0;
  return {
    axes: position.map((index, i) => {
      const axis = spec.axes[i] as AxisSpec;
      return [axisTitle(axis), tickText(axis, index)];
    }),
    value: Number.isNaN(value) ? "not filled" : cellWriter(low, high, 4)(value) + (spec.unit ? ` ${spec.unit}` : ""),
    confidence: Number.isNaN(confidence) ? null : confidence.toFixed(3),
    class: code ? (spec.classes?.entries[code - 1]?.label ?? null) : null,
  };
}

/** A cell as one sentence, for a reader who hears it. */
export function cellSentence(spec: Spec, cells: Cells, position: readonly number[]): string {
  const words = cellWords(spec, cells, position);
  const parts = words.axes.map(([name, tick]) => `${name} ${tick}`);
  parts.push(words.value);
  if (words.class !== null) parts.push(words.class);
  if (words.confidence !== null) parts.push(`confidence ${words.confidence}`);
  if (position.every((index, i) => index === spec.optimum[i])) parts.push(bestWord(spec));
  return parts.join(", ");
}

export function bestWord({ maximize }: Spec): string {
  return maximize ? "largest value" : "smallest value";
}

/** How far the surface is; empty when it is the whole answer to the newest wish. */
export function standing(spec: Spec, behind: boolean): string {
  const total = spec.shape.reduce((product, side) => product * side, 1);
  if (spec.step > 1) {
    const ordinal = { 2: "2nd", 3: "3rd" }[spec.step] ?? `${spec.step}th`;
    return `A first look: every ${ordinal} cell${behind ? ", the rest follows …" : ""}`;
  }
  const parts: string[] = [];
  if (behind) parts.push("Asking the predictor …");
  if (spec.filled < total) parts.push(`${count(spec.filled)} of ${count(total)} cells filled`);
  if (spec.failed) parts.push(`${count(spec.failed)} could not be answered`);
  return parts.join(" · ");
}

export function count(n: number): string {
  return n.toLocaleString("en");
}

/** What a control stands at. */
export function settingText(value: number | string | null, choices: readonly string[] | undefined): string {
  if (value === null) return "missing";
  if (choices) return choices[value as number] ?? "";
  return typeof value === "number" ? plainNumber(value) : value;
}
