import { ShopaiError } from "../core/errors.js";
import { checkPredicate, checkScalar } from "../engine/duckdb.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import type { Relation } from "../table/relation.js";
import { fitEncoders, withEncoded, type OutOfFold } from "./encode.js";
import type { FitFile, Fitted, Shape } from "./fit-file.js";
import { fitImputes, withImputed } from "./impute.js";
import {
  changed,
  chosenColumns,
  planColumn,
  planOf,
  planSql,
  staged,
  extended,
  tip,
  visibleColumns,
  type Plan,
} from "./plan.js";
import { presetNamed } from "./presets/listing.js";
import type { Shaping } from "./presets/preset.js";
import { withCrosses, withDateParts, withHashed, withMissing, withRatios, withTimeSince } from "./rowwise.js";
import { fitBins, fitScalers, withBins, withScaled } from "./scale.js";
import { withHistory, withSeries } from "./series.js";
import type { Spec } from "./spec.js";
import { splitColumn, withSplit, type SplitAsk, type SplitKind } from "./split.js";
import { momentsOf, withAggregates, type Moments } from "./aggregates.js";

/** How one feature table is made: the spec, and the shape of a preset before it. */
export interface Recipe {
  spec: Spec;
  shape?: Shape;
}

export interface FeaturizeAsk {
  recipe: Recipe;
  /** The moments asked for; those of the spec, or the midnight after the last event, by default. */
  moments?: Moments;
  split?: SplitAsk;
  seed: number;
  /** Parts fitted before, to be used as they are. */
  fitted?: Fitted;
}

export interface Featurized {
  plan: Plan;
  fit: FitFile;
  /** The moments that features were worked out at, in words. */
  asOf?: string[];
}

/**
 * Makes a feature table. Rows of `split = 'train'` (all rows where there is no split) are the only ones
 * that fitted parts see.
 *
 * @param source the rows as they were read
 * @throws ShopaiError "usage", "data" by the column or key at fault
 */
export async function featurize(source: Relation, ask: FeaturizeAsk, run: Run): Promise<Featurized> {
  const { spec, shape } = ask.recipe;
  let plan = await derived(await planOf(source), spec);
  let asOf: string[] | undefined;
  if (shape) plan = await presetNamed(shape.preset)!.build!(plan, shape.options as unknown as Shaping);
  if (spec.aggregates) {
    const moments = await momentsOf(plan, spec, ask.moments);
    asOf = moments.kind === "dates" ? [...moments.dates] : undefined;
    plan = await withAggregates(plan, spec, moments);
  }
  plan = await withOwnHistory(plan, spec);
  plan = await withRowFeatures(plan, spec);
  // New rows that a stored fit is applied to are nobody's train rows.
  const split = ask.split ?? (ask.fitted ? undefined : splitOfSpec(spec, ask.seed));
  if (split) plan = await withSplit(plan, split);

  const done = await withFitted(plan, ask, run);
  plan = await finished(done.plan, spec);
  return { plan, asOf, fit: { spec, shape, trainRows: done.trainRows, fitted: done.fitted } };
}

function splitOfSpec(spec: Spec, seed: number): SplitAsk | undefined {
  if (!spec.split) return undefined;
  const { by, ratio, column } = spec.split;
  return {
    kind: by,
    ratio,
    columns: column === undefined ? splitColumns(by, spec) : [column],
    key: spec.key,
    seed,
  };
}

/** Where a split looks for its column when none is named. */
export function splitColumns(kind: SplitKind, spec: Spec): string[] {
  const given = {
    time: [spec.time],
    group: spec.entity ?? [],
    stratified: [spec.target],
    random: [],
    item: [],
    user: spec.entity ?? [],
    last: spec.entity ?? [],
    kfold: [],
  }[kind];
  const made = kind === "time" ? ["as_of", "last_time", "started_at"] : [];
  return [...given, ...made].filter((name) => name !== undefined);
}

/** Derived columns and the filter of the spec, before anything is aggregated. */
async function derived(plan: Plan, spec: Spec): Promise<Plan> {
  if (spec.derive) {
    const add: [string, string][] = [];
    for (const [name, expression] of Object.entries(spec.derive)) {
      await checkScalar(plan.engine, expression, `derive: ${name}`);
      add.push([name, `(${expression}\n)`]);
    }
    plan = await known(plan, () => changed(plan, "derived", { add }));
  }
  if (spec.where === undefined) return plan;
  await checkPredicate(plan.engine, spec.where, "where");
  const sql = `SELECT *\nFROM ${tip(plan)}\nWHERE (${spec.where}\n)`;
  return known(plan, () => extended(plan, [{ name: "chosen", sql }]));
}

/** Turns the engine's complaint about a user's expression into one about columns. */
async function known<T>(plan: Plan, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const name = /Referenced column "(.+?)" (was )?not found/.exec((cause as Error).message)?.[1];
    if (name !== undefined) planColumn(plan, name);
    throw cause;
  }
}

async function withOwnHistory(plan: Plan, spec: Spec): Promise<Plan> {
  const by = spec.series?.by ?? [];
  if (spec.series?.freq) {
    const { freq, fill, from, value } = spec.series;
    plan = await withSeries(plan, { series: by, time: spec.time!, value, freq, fill, from });
  }
  if (!spec.lags && !spec.rolling) return plan;
  return withHistory(plan, {
    series: by,
    time: spec.time!,
    lags: (spec.lags ?? []).map(({ of, by: rows }) => ({ column: of, by: rows })),
    rolling: (spec.rolling ?? []).flatMap(({ of, over, do: done }) =>
      (Array.isArray(done) ? done : [done]).map((verb) => ({ verb, column: of, over })),
    ),
  });
}

async function withRowFeatures(plan: Plan, spec: Spec): Promise<Plan> {
  if (spec.dates)
    plan = await withDateParts(
      plan,
      spec.dates.map(({ of, parts }) => ({ column: of, parts })),
    );
  if (spec.since)
    plan = await withTimeSince(
      plan,
      spec.since.map(({ of, until, as }) => ({ column: of, until, as })),
    );
  if (spec.ratios) plan = await withRatios(plan, spec.ratios);
  if (spec.crosses) plan = await withCrosses(plan, spec.crosses);
  return spec.missing ? withMissing(plan, spec.missing) : plan;
}

/** Fits on train rows (or takes what was fitted), then imputes, encodes, bins and scales, in this order. */
async function withFitted(
  plan: Plan,
  ask: FeaturizeAsk,
  run: Run,
): Promise<{ plan: Plan; fitted: Fitted; trainRows: number }> {
  const { spec } = ask.recipe;
  const hashes = (spec.encode ?? []).filter((encoder) => encoder.with === "hash");
  const fits =
    (spec.impute ?? spec.bins ?? spec.scale) !== undefined ||
    Boolean(spec.encode?.some((encoder) => encoder.with !== "hash"));
  const needsTrain = fits && ask.fitted === undefined;
  if (needsTrain) {
    run.progress.stage("working out features");
    plan = await staged(plan);
    run.progress.stage("fitting on train rows");
  }
  const hasSplit = plan.columns.some((field) => field.name === splitColumn);
  const train = (of: Plan): string =>
    hasSplit
      ? `SELECT * FROM (${planSql(of)}) WHERE ${ident(splitColumn)} = 'train'`
      : `SELECT * FROM (${planSql(of)})`;
  const trainRows = needsTrain ? await trainCount(plan, train(plan)) : 0;
  const fitted: Fitted = ask.fitted ?? { impute: [], encode: [], bins: [], scale: [] };

  if (needsTrain && spec.impute) fitted.impute = await fitImputes(plan, train(plan), spec.impute);
  if (fitted.impute.length > 0) plan = await withImputed(plan, fitted.impute);

  // Bins and scales are fitted on the columns as they are before encoders drop any.
  if (needsTrain && spec.bins) fitted.bins = await fitBins(plan, train(plan), spec.bins);
  if (needsTrain && spec.scale) fitted.scale = await fitScalers(plan, train(plan), spec.scale);
  if (needsTrain && spec.encode)
    fitted.encode = await fitEncoders(plan, train(plan), spec.encode, spec.target);
  const outOfFold: OutOfFold | undefined = needsTrain
    ? {
        train: train(plan),
        isTrain: hasSplit ? `t.${ident(splitColumn)} = 'train'` : "true",
        seed: ask.seed,
        key: ask.split?.key ?? spec.key ?? plan.key,
      }
    : undefined;
  if (fitted.bins.length > 0) plan = await withBins(plan, fitted.bins);
  if (hashes.length > 0)
    plan = await withHashed(
      plan,
      hashes.flatMap((ask) =>
        chosenColumns(plan, ask.of).map(({ name }) => ({
          column: name,
          buckets: ask.buckets ?? 16,
          keep: ask.keep || fitted.encode.some((part) => part.column === name),
        })),
      ),
    );
  if (fitted.encode.length > 0) plan = await withEncoded(plan, fitted.encode, outOfFold);
  if (fitted.scale.length > 0) plan = await withScaled(plan, fitted.scale);
  return { plan, fitted, trainRows };
}

async function trainCount(plan: Plan, train: string): Promise<number> {
  const [{ n }] = await plan.engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${train})`);
  if (n > 0n) return Number(n);
  throw new ShopaiError("data", "no row is a train row, so nothing can be fitted", {
    where: plan.source.name,
    try: "a column split that holds 'train', or --split",
  });
}

/** Columns that are worked out of the features, and the choice of columns. */
async function finished(plan: Plan, spec: Spec): Promise<Plan> {
  if (spec.then) {
    const add: [string, string][] = [];
    for (const [name, expression] of Object.entries(spec.then)) {
      await checkScalar(plan.engine, expression, `then: ${name}`);
      add.push([name, `(${expression}\n)`]);
    }
    plan = await known(plan, () => changed(plan, "named", { add }));
  }
  if (!spec.columns) return plan;
  const chosen = new Set(chosenColumns(plan, spec.columns).map((field) => field.name));
  const visible = new Set(visibleColumns(plan).map((field) => field.name));
  const drop = [...visible].filter(
    (name) => !chosen.has(name) && name !== splitColumn && !plan.key.includes(name),
  );
  return changed(plan, "columns", { drop: new Set(drop) });
}

/** Counts the rows of each part of a split, in the order train, valid, test. */
export async function splitCounts(plan: Plan): Promise<Record<string, number>> {
  const found = await plan.engine.rows<{ part: string | null; n: bigint }>(
    `SELECT ${ident(splitColumn)} AS part, count(*) AS n FROM (${planSql(plan)}) AS t GROUP BY 1 ORDER BY 1`,
  );
  const order = ["train", "valid", "test"];
  const place = (part: string | null): number =>
    part !== null && order.includes(part) ? order.indexOf(part) : 3;
  const rows = found.sort((a, b) => place(a.part) - place(b.part));
  return Object.fromEntries(rows.map(({ part, n }) => [part ?? "none", Number(n)]));
}
