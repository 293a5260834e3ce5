import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { sha256, stableJson } from "../core/hash.js";
import { ShopaiError } from "../core/errors.js";
import { version } from "../core/version.js";
import { writeAtomically } from "../table/atomic.js";
import { specSchema, type Spec } from "./spec.js";

/** A category and its number; null is the missing value, a category like any other. */
export type Level = [level: string | null, value: number];

const number = z.number();
const level = z.tuple([z.string().nullable(), number]);
const imputePart = z.strictObject({
  step: z.literal("impute"),
  column: z.string(),
  value: z.union([z.string(), number, z.boolean()]),
});
const encodePart = z.discriminatedUnion("step", [
  z.strictObject({
    step: z.literal("one-hot"),
    column: z.string(),
    levels: z.array(z.string()),
    names: z.array(z.string()),
    other: z.string().optional(),
    keep: z.boolean(),
  }),
  z.strictObject({
    step: z.literal("ordinal"),
    column: z.string(),
    levels: z.array(z.string()),
    keep: z.boolean(),
  }),
  z.strictObject({
    step: z.literal("frequency"),
    column: z.string(),
    levels: z.array(level),
    keep: z.boolean(),
  }),
  z.strictObject({
    step: z.literal("target"),
    column: z.string(),
    target: z.string(),
    prior: number,
    smoothing: number,
    folds: number,
    levels: z.array(level),
    keep: z.boolean(),
  }),
]);
const binsPart = z.strictObject({
  step: z.literal("bins"),
  column: z.string(),
  name: z.string(),
  descending: z.boolean(),
  cuts: z.array(number),
});
const scalePart = z.discriminatedUnion("step", [
  z.strictObject({ step: z.literal("log1p"), column: z.string() }),
  z.strictObject({ step: z.literal("quantile"), column: z.string(), cuts: z.array(number).min(2) }),
  ...(["standard", "minmax", "robust"] as const).map((step) =>
    z.strictObject({ step: z.literal(step), column: z.string(), centre: number, spread: number }),
  ),
]);

export type ImputePart = z.infer<typeof imputePart>;
export type EncodePart = z.infer<typeof encodePart>;
export type BinsPart = z.infer<typeof binsPart>;
export type ScalePart =
  | { step: "log1p"; column: string }
  | { step: "quantile"; column: string; cuts: number[] }
  | { step: "standard" | "minmax" | "robust"; column: string; centre: number; spread: number };

/** Everything that was learnt from train rows, in the order it is applied. */
export interface Fitted {
  impute: ImputePart[];
  encode: EncodePart[];
  bins: BinsPart[];
  scale: ScalePart[];
}

/** What shaped the table: a preset and its options, or nothing for a plain spec. */
export interface Shape {
  preset: string;
  options: Record<string, unknown>;
}

/** A stored fit: it holds the whole recipe, so that `--apply` alone repeats it on other rows. */
export interface FitFile {
  spec: Spec;
  shape?: Shape;
  trainRows: number;
  fitted: Fitted;
}

const format = "shopai-fit";
const formatVersion = 1;

const fitSchema = z.strictObject({
  format: z.literal(format),
  format_version: z.literal(formatVersion),
  created_by: z.string(),
  spec: specSchema,
  shape: z.strictObject({ preset: z.string(), options: z.record(z.string(), z.unknown()) }).optional(),
  train_rows: z.number().int(),
  fitted: z.strictObject({
    impute: z.array(imputePart),
    encode: z.array(encodePart),
    bins: z.array(binsPart),
    scale: z.array(scalePart),
  }),
  sha256: z.string(),
});

/** Writes a fit as JSON with sorted keys: equal fits give equal bytes. */
export async function writeFit(path: string, fit: FitFile): Promise<void> {
  const content = {
    format,
    format_version: formatVersion,
    created_by: `shopai ${version}`,
    spec: fit.spec,
    shape: fit.shape,
    train_rows: fit.trainRows,
    fitted: fit.fitted,
  };
  const text = stableJson({ ...content, sha256: sha256(stableJson(content)) }, 1);
  await writeAtomically(path, async (temporary) => writeFileSync(temporary, `${text}\n`));
}

/** Reads a fit. @throws ShopaiError "data" when it is not there, "model" when it is damaged or of another version */
export function readFit(path: string): FitFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ShopaiError("data", "no such fit file", {
      where: path,
      try: "--fit <json> on the training rows first",
      cause,
    });
  }
  const refuse = (message: string): ShopaiError =>
    new ShopaiError("model", message, { where: path, try: "fitting again with --fit" });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse("the fit file is not whole JSON");
  }
  const { format: kind, format_version: number } = (value ?? {}) as Record<string, unknown>;
  if (kind !== format) throw refuse("the file is no fit of featurize");
  if (number !== formatVersion)
    throw refuse(`the fit file has version ${String(number)}, and this program reads ${formatVersion}`);
  const { sha256: sum, ...content } = value as Record<string, unknown>;
  if (sum !== sha256(stableJson(content))) throw refuse("the fit file was changed after it was written");
  const parsed = fitSchema.safeParse(value);
  if (!parsed.success) throw refuse(`the fit file cannot be read: ${parsed.error.issues[0].message}`);
  const { spec, shape, train_rows, fitted } = parsed.data;
  return { spec, shape, trainRows: train_rows, fitted: fitted as Fitted };
}
