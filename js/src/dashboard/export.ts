/** Files a reader can take away: every row as CSV, the picture as PNG. */
import { download } from "../shared/dom.ts";
import type { Run } from "./store.ts";
import { summary } from "./words.ts";

/** A name that every file system takes. */
export function fileName(name: string, suffix: string): string {
  const plain = name.normalize("NFKC").replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "");
  return `${plain.slice(0, 60) || "training"}.${suffix}`;
}

/** One file a run. */
export function exportCsv(runs: readonly Run[]): void {
  for (const { info, all } of runs) {
    download(fileName(info.name, "csv"), new Blob([all.toCsv()], { type: "text/csv" }));
  }
}

/** The charts as they are on the page, under one line of text for each run. */
export async function exportPng(
  el: HTMLElement,
  runs: readonly Run[],
  canvases: readonly (HTMLCanvasElement | null)[],
  titles: readonly string[],
): Promise<void> {
  const [main, ...small] = canvases;
  if (!main) return;
  const px = main.width / main.clientWidth || 1;
  const style = getComputedStyle(el);
  const line = 22 * px;
  const margin = 16 * px;
  const perRow = Math.max(1, Math.round(main.width / (small[0]?.width ?? main.width)));
  const rows = Math.ceil(small.length / perRow);
  const lower = (small[0]?.height ?? 0) + line;
  const picture = document.createElement("canvas");
  picture.width = main.width + 2 * margin;
  picture.height = 2 * margin + line * runs.length + main.height + rows * lower;
  const ctx = picture.getContext("2d");
  if (!ctx) return;
  ctx.fillStyle = style.backgroundColor;
  ctx.fillRect(0, 0, picture.width, picture.height);
  ctx.fillStyle = style.color;
  ctx.textBaseline = "top";
  ctx.font = `${13 * px}px ${style.fontFamily}`;
  for (const [i, run] of runs.entries()) {
    ctx.fillText(summary(run), margin, margin + i * line, main.width);
  }
  const top = margin + runs.length * line;
  ctx.drawImage(main, margin, top);
  const step = main.width / perRow;
  for (const [i, canvas] of small.entries()) {
    const x = margin + (i % perRow) * step;
    const y = top + main.height + Math.floor(i / perRow) * lower;
    ctx.fillText(titles[i] ?? "", x, y, step);
    if (canvas) ctx.drawImage(canvas, x, y + line);
  }
  const blob = await new Promise<Blob | null>((done) => picture.toBlob(done, "image/png"));
  if (blob) download(fileName(runs[0]?.info.name ?? "training", "png"), blob);
}
