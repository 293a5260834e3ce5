import { readFileSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
import { missingFile } from "../table/source.js";
import { percentileInterval } from "./bootstrap.js";
import type { FullScore } from "./scorecard.js";

/**
 * What makes two measurements comparable unit by unit: the same units (a digest of truths in their
 * order) resampled by the same stream. The values on the resamples are stored beside the metrics, so that
 * the differences of two models are paired without keeping either model's predictions.
 */
export interface Pairing {
  units: string;
  seed: number;
  resamples: number;
  /** Values on the resamples by metric: 32-bit floats, little-endian, in base64. */
  replicates: Record<string, string>;
}

export function pairingOf(score: FullScore, units: string, seed: number): Pairing {
  return {
    units,
    seed,
    resamples: score.resamples,
    replicates: Object.fromEntries(
      Object.entries(score.replicates).map(([name, values]) => [
        name,
        Buffer.from(Float32Array.from(values).buffer).toString("base64"),
      ]),
    ),
  };
}

export interface Difference {
  value: number | null;
  before: number | null;
  /** value - before. */
  difference: number | null;
  /** 95 % percentile interval of the paired difference; null when the measurements cannot be paired. */
  interval: [number, number] | null;
}

export interface Comparison {
  file: string;
  /** Whether intervals of differences could be worked out on common resamples. */
  paired: boolean;
  differences: Record<string, Difference>;
}

interface MetricsFile {
  task: string;
  metrics: Record<string, number | null>;
  pairing?: Pairing;
}

/**
 * Compares a score with the one in a metrics file.
 *
 * @throws ShopaiError "data" when the file holds no metrics, or those of another task
 */
export function compareWith(
  file: string,
  task: string,
  score: FullScore,
  pairing: Pairing,
): { comparison: Comparison; warning?: string } {
  const before = readMetrics(file);
  if (before.task !== task)
    throw new ShopaiError("data", `the metrics are of a ${before.task} model, and this is ${task}`, {
      where: file,
      try: "a metrics file that evaluate wrote for the same task",
    });
  const reason = whyUnpaired(before.pairing, pairing);
  const differences: Record<string, Difference> = {};
  for (const [name, value] of Object.entries(score.metrics)) {
    if (!Object.hasOwn(before.metrics, name)) continue;
    const old = before.metrics[name];
    differences[name] = {
      value,
      before: old,
      difference: value === null || old === null ? null : value - old,
      interval: reason ? null : pairedInterval(score.replicates[name], before.pairing!.replicates[name]),
    };
  }
  return {
    comparison: { file, paired: reason === undefined, differences },
    warning: reason && `the differences from ${file} are not paired: ${reason}`,
  };
}

/** Why two measurements cannot be paired; undefined when they can. */
export function whyUnpaired(before: Pairing | undefined, now: Pairing): string | undefined {
  if (!before) return "the file holds no resamples";
  if (before.units !== now.units) return "it was measured on other rows";
  if (before.seed !== now.seed) return `it was measured with --seed ${before.seed}, this with ${now.seed}`;
  return before.resamples === 0 || now.resamples === 0 ? "there are no resamples" : undefined;
}

/** 95 % percentile interval of now - before on common resamples; texts are replicates as they are stored. */
export function pairedInterval(
  now: Float64Array | string | undefined,
  stored: string | undefined,
): [number, number] | null {
  if (typeof now === "string") return pairedInterval(Float64Array.from(replicatesIn(now)), stored);
  if (now === undefined || stored === undefined) return null;
  const before = replicatesIn(stored);
  const common = Math.min(now.length, before.length);
  return percentileInterval(Float64Array.from({ length: common }, (_, i) => Math.fround(now[i]) - before[i]));
}

function replicatesIn(stored: string): Float32Array {
  const bytes = new Uint8Array(Buffer.from(stored, "base64"));
  return new Float32Array(bytes.buffer, 0, Math.floor(bytes.length / 4));
}

function readMetrics(file: string): MetricsFile {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") throw missingFile(file);
    throw new ShopaiError("data", `the file cannot be read: ${(cause as Error).message}`, {
      where: file,
      cause,
    });
  }
  try {
    const content = JSON.parse(text) as Partial<MetricsFile>;
    if (typeof content.task === "string" && content.metrics !== null && typeof content.metrics === "object")
      return content as MetricsFile;
  } catch {
    // Not JSON at all is answered like JSON of another kind.
  }
  throw new ShopaiError("data", "the file holds no metrics", {
    where: file,
    try: "a file that evaluate wrote with -o",
  });
}
