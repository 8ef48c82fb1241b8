/** Files a reader can take away: every row as CSV, the picture as SVG or PNG. */
import { download } from "../shared/dom.ts";
import type { Picture } from "./picture.ts";
import type { Run } from "./run.ts";

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

export function exportSvg(name: string, { svg }: Picture): void {
  download(fileName(name, "svg"), new Blob([svg], { type: "image/svg+xml" }));
}

/** The same drawing in twice as many pixels. */
export async function exportPng(name: string, { svg, width, height }: Picture): Promise<void> {
  const image = new Image(width, height);
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  image.src = url;
  await image.decode().finally(() => URL.revokeObjectURL(url));
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (blob) download(fileName(name, "png"), blob);
}
