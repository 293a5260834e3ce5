import { z } from "zod";
import { checkYaml, yamlError, type YamlSource } from "../core/yaml-source.js";
import { datePartNames } from "./rowwise.js";
import { rollingVerbs } from "./series.js";
import { splitKinds } from "./split.js";
import { verbs, type Verb } from "./windows.js";

/** One name or a list of names, as a list. */
const names = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === "string" ? [value] : value));
const counts = z
  .union([z.number(), z.array(z.number())])
  .transform((value) => (typeof value === "number" ? [value] : value))
  .pipe(z.array(z.number().int().min(1).max(100_000)));

const windowText = z.string().regex(/^(all|[1-9]\d{0,4}[hdw])$/, "a window is 7d, 12h, 4w or all");
const windowTexts = z
  .union([windowText, z.array(windowText)])
  .transform((value) => (typeof value === "string" ? [value] : value));

const verbKeys = Object.fromEntries(verbs.map((verb) => [verb, names.optional()])) as unknown as Record<
  Verb,
  z.ZodOptional<typeof names>
>;
const aggregate = z.union([
  z.enum(["count", "recency", "frequency", "first", "last", "tenure"]),
  z.strictObject({
    ...verbKeys,
    where: z.string().optional(),
    as: z.string().optional(),
    windows: windowTexts.optional(),
  }),
]);

/** Encoders and the options that each takes. */
const encoderOptions = {
  "one-hot": ["max", "min_count"],
  ordinal: ["order"],
  frequency: [],
  target: ["folds", "smoothing"],
  hash: ["buckets"],
} as const satisfies Record<string, readonly string[]>;
const encoderNames = Object.keys(encoderOptions) as [keyof typeof encoderOptions];

const scaler = z.enum(["standard", "minmax", "robust", "log1p", "quantile"]);
export type Scaler = z.infer<typeof scaler>;

/** A feature table as people describe it in YAML (docs/features.md). */
export const specSchema = z.strictObject({
  entity: names.optional(),
  time: z.string().optional(),
  as_of: names.optional(),
  where: z.string().optional(),
  derive: z.record(z.string(), z.string()).optional(),
  windows: windowTexts.optional(),
  aggregates: z.array(aggregate).optional(),
  series: z
    .strictObject({
      by: names.default([]),
      value: z.string().optional(),
      freq: z.enum(["D", "W", "M"]).optional(),
      fill: z.enum(["zero", "none"]).default("zero"),
      from: z.enum(["own", "table"]).default("own"),
    })
    .optional(),
  lags: z.array(z.strictObject({ of: z.string(), by: counts })).optional(),
  rolling: z
    .array(
      z.strictObject({
        of: z.string(),
        over: counts,
        do: z.union([z.enum(rollingVerbs), z.array(z.enum(rollingVerbs))]).default("mean"),
      }),
    )
    .optional(),
  dates: z
    .array(
      z.strictObject({
        of: z.string(),
        parts: z.array(z.enum(datePartNames)).default(["month", "day_of_week", "is_weekend"]),
      }),
    )
    .optional(),
  since: z.array(z.strictObject({ of: z.string(), until: z.string(), as: z.string().optional() })).optional(),
  ratios: z.array(z.strictObject({ of: z.string(), per: z.string(), as: z.string().optional() })).optional(),
  crosses: z.array(z.strictObject({ of: z.array(z.string()).min(2), as: z.string().optional() })).optional(),
  missing: names.optional(),
  impute: z
    .array(
      z.strictObject({
        of: names,
        with: z.union([
          z.enum(["mean", "median", "mode"]),
          z.strictObject({ constant: z.union([z.string(), z.number(), z.boolean()]) }),
        ]),
      }),
    )
    .optional(),
  encode: z
    .array(
      z.strictObject({
        of: names,
        with: z.enum(encoderNames),
        /** one-hot: the most frequent levels that get a column, and how often a level must occur. */
        max: z.number().int().min(1).max(1000).optional(),
        min_count: z.number().int().min(1).optional(),
        /** ordinal: the levels from the lowest. */
        order: z.array(z.union([z.string(), z.number(), z.boolean()]).transform(String)).optional(),
        /** target: folds of the train rows, and the weight of the prior in rows. */
        folds: z.number().int().min(2).max(100).optional(),
        smoothing: z.number().min(0).optional(),
        buckets: z.number().int().min(2).max(1024).optional(),
        keep: z.boolean().default(false),
      }),
    )
    .optional(),
  scale: z
    .array(
      z.strictObject({ of: names, with: scaler, landmarks: z.number().int().min(2).max(1000).default(100) }),
    )
    .optional(),
  bins: z
    .array(
      z.strictObject({
        of: z.string(),
        into: z.number().int().min(2).max(100).default(5),
        descending: z.boolean().default(false),
        as: z.string().optional(),
      }),
    )
    .optional(),
  then: z.record(z.string(), z.string()).optional(),
  target: z.string().optional(),
  key: names.optional(),
  split: z
    .strictObject({
      by: z.enum(splitKinds),
      ratio: z.array(z.number()).default([0.8, 0.1, 0.1]),
      column: z.string().optional(),
    })
    .optional(),
  columns: names.optional(),
});
export type Spec = z.output<typeof specSchema>;

/** Checks a feature spec. @throws ShopaiError "usage" with line, column, caret and the nearest word */
export function specOf(source: YamlSource): Spec {
  const spec = checkYaml(source, specSchema);
  spec.aggregates?.forEach((entry, i) => {
    if (typeof entry === "string") return;
    const given = verbs.filter((verb) => entry[verb] !== undefined);
    const at = ["aggregates", i];
    if (given.length !== 1)
      throw yamlError(source, at, `an aggregate names one of ${verbs.join(", ")}; here are ${given.length}`, {
        try: "- { sum: amount }",
      });
    if ((entry.where !== undefined || given[0] === "share") && entry.as === undefined)
      throw yamlError(source, at, `${given[0]} with a condition needs a name`, { try: "as: n_purchases" });
    if (given[0] === "share" && entry.where === undefined)
      throw yamlError(source, at, "a share needs the condition of its part", {
        try: "where: event = 'purchase'",
      });
    if (entry.as !== undefined && entry[given[0]]!.length > 1)
      throw yamlError(source, [...at, "as"], "one name cannot serve several columns", {
        try: "one entry per column",
      });
  });
  spec.encode?.forEach((entry, i) => {
    const own: readonly string[] = encoderOptions[entry.with];
    const foreign = Object.values(encoderOptions)
      .flat()
      .find((name) => entry[name] !== undefined && !own.includes(name));
    if (foreign)
      throw yamlError(source, ["encode", i, foreign], `the encoder ${entry.with} takes no ${foreign}`, {
        at: "key",
        try: own.length > 0 ? own.join(", ") : `leaving ${foreign} out`,
      });
  });
  const needs = (key: keyof Spec, other: keyof Spec): void => {
    if (spec[key] !== undefined && spec[other] === undefined)
      throw yamlError(source, [key], `${key} needs the key "${other}"`, {
        at: "key",
        try: `${other}: <column>`,
      });
  };
  needs("aggregates", "entity");
  needs("aggregates", "time");
  needs("series", "time");
  needs("lags", "time");
  needs("rolling", "time");
  if (spec.encode?.some((encoder) => encoder.with === "target") && spec.target === undefined)
    throw yamlError(source, ["encode"], 'target encoding needs the key "target"', {
      at: "key",
      try: "target: <column>",
    });
  return spec;
}
