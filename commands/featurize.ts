import { existsSync } from "node:fs";
import { ShopaiError } from "../src/core/errors.js";
import { counted } from "../src/core/quantity.js";
import { readYaml } from "../src/core/yaml-source.js";
import type { Run } from "../src/engine/run.js";
import { momentText, type Moments } from "../src/features/aggregates.js";
import {
  featurize,
  splitColumns,
  splitCounts,
  type Featurized,
  type Recipe,
} from "../src/features/featurize.js";
import { readFit, writeFit } from "../src/features/fit-file.js";
import { planSql, relationOfPlan, staged, visibleColumns } from "../src/features/plan.js";
import { presetNamed, presetNames } from "../src/features/presets/listing.js";
import type { PresetOptions } from "../src/features/presets/preset.js";
import { recipeOfPreset } from "../src/features/recipe.js";
import { roleNames, type RoleOptions } from "../src/features/roles.js";
import { specOf, type Spec } from "../src/features/spec.js";
import { splitKinds, type SplitAsk } from "../src/features/split.js";
import {
  defineCommand,
  option,
  outNeeded,
  readingOptions,
  telling,
  type Result,
  type OptionsOf,
} from "../src/pipeline/command.js";
import { formatOfPath } from "../src/table/format.js";
import { openTable } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import type { Relation } from "../src/table/relation.js";
import { writeTable } from "../src/table/write.js";
import { summaries } from "./summaries.js";

const roleOptions = {
  user: option.text("the user or customer column", { arg: "<column>" }).optional(),
  item: option.text("the item or product column", { arg: "<column>" }).optional(),
  time: option.text("the time column", { arg: "<column>" }).optional(),
  rating: option.text("the rating column", { arg: "<column>" }).optional(),
  value: option.text("the column of money, or of what a series counts", { arg: "<column>" }).optional(),
  price: option
    .text("the unit price column (with --quantity, when there is no value)", { arg: "<column>" })
    .optional(),
  quantity: option.text("the quantity column", { arg: "<column>" }).optional(),
  order: option.text("the order or invoice column", { arg: "<column>" }).optional(),
  event: option.text("the event type column", { arg: "<column>" }).optional(),
  text: option.text("the text column", { arg: "<column>" }).optional(),
  page: option.text("the page column", { arg: "<column>" }).optional(),
};

const options = {
  ...readingOptions,
  out: option
    .path("feature table to write; its ending picks the format", { short: "o", table: true })
    .optional(),
  spec: option.path("YAML that describes the features", { arg: "<yaml>" }).optional(),
  preset: option.choice("a ready-made feature table", presetNames).optional(),
  asOf: option
    .names("moments before which events count: dates, or a table of (entity, as_of) rows", {
      arg: "<date|table>",
    })
    .optional(),
  split: option.choice("add a column split with train, valid, test", splitKinds).optional(),
  ratio: option
    .numbers("shares of the parts: two (train, test) or three", { min: 0, max: 1 })
    .default([0.8, 0.1, 0.1]),
  folds: option.integer("folds of --split kfold", { min: 2, max: 1000 }).default(5),
  target: option
    .text("the target: classes of a stratified split, and what target encoding learns", { arg: "<column>" })
    .optional(),
  group: option.text("the column whose groups a group split keeps whole", { arg: "<column>" }).optional(),
  key: option
    .names("columns that name a row, for splits that survive new rows (default: its place in the file)")
    .optional(),
  fit: option.path("write what was learnt from train rows to this file", { arg: "<json>" }).optional(),
  apply: option.path("use a fit file instead of learning", { arg: "<json>" }).optional(),
  ...roleOptions,
  series: option.names("columns that tell series apart (preset series)").optional(),
  freq: option.choice("length of a period: day, week from Monday, month", ["D", "W", "M"]).default("D"),
  fill: option.choice("periods without rows: 0, or left out", ["zero", "none"]).default("zero"),
  from: option
    .choice("where a series begins: its own first period, or the first of the table", ["own", "table"])
    .default("own"),
  lags: option.numbers("lags to add to a series, in periods", { min: 1, max: 100000 }).optional(),
  rolling: option
    .numbers("rolling means to add to a series, in periods before", { min: 1, max: 100000 })
    .optional(),
  windows: option.names("windows of the preset behaviour: 7d, 12h, 4w, all", { arg: "<7d,30d>" }).optional(),
  events: option
    .names("event types that get columns (default: the 8 most frequent of train rows)")
    .optional(),
  weights: option.pairs("weight of an event type in interactions, view=1; others are left out").optional(),
  halfLife: option
    .real("days after which an interaction weighs half", { min: 0.001, arg: "<days>" })
    .optional(),
  minUser: option.integer("k-core: least items of a user", { min: 0 }).optional(),
  minItem: option.integer("k-core: least users of an item", { min: 0 }).optional(),
  gap: option
    .real("minutes without an event that end a session", { min: 0.001, arg: "<minutes>" })
    .default(30),
  conversion: option.names("event types that count as a conversion").optional(),
  form: option.choice("baskets as lists, or one row per order and item", ["list", "long"]).default("list"),
  ngrams: option
    .numbers("tokens of a text are character n-grams of these lengths", { min: 1, max: 10 })
    .optional(),
  sql: option.flag("print the plan as SQL instead of running it").default(false),
};
type Options = OptionsOf<typeof options>;

const command = defineCommand({
  name: "featurize",
  summary: summaries.featurize,
  inputs: { usage: "<file...>", min: 1, max: Infinity, help: "tables of events, orders or rows" },
  examples: [
    "shopai featurize orders.parquet --preset rfm --as-of 2011-02-01 -o rfm.parquet",
    "shopai featurize orders.parquet --preset series --series sku --freq D -o demand.parquet",
    "shopai featurize events.parquet --preset behaviour --as-of labels.parquet -o features.parquet",
    "shopai featurize rows.parquet --spec features.yaml --split stratified --target bought --fit fit.json -o table.parquet",
    "shopai featurize ratings.csv --split item --item item --ratio 0.75,0.25 -o split.parquet",
    "shopai featurize new.parquet --apply fit.json -o table.parquet",
  ],
  options,
  reads: (o) => [
    ...o.in,
    ...[o.spec, o.apply].filter((path) => path !== undefined),
    ...(o.asOf ?? []).filter((text) => formatOfPath(text)),
  ],
  writes: (o) => (o.sql ? [] : [outOf(o), ...(o.fit ? [o.fit] : [])]),
  async run(o, run) {
    checkWays(o);
    const stored = o.apply === undefined ? undefined : readFit(o.apply);
    const spec = o.spec === undefined ? undefined : specOf(readYaml(o.spec));
    const moments = await momentsAsked(o, run);
    const engine = await run.engine();
    run.progress.stage(`reading ${o.in.join(" ")}`);
    const source = await openTable(engine, o.in, { ...o, signal: run.signal });
    const asked = stored
      ? { recipe: { spec: stored.spec, shape: stored.shape }, moments, roles: {} }
      : await recipeAsked(o, source, moments, spec, run);
    const { recipe, moments: settled, roles } = asked;
    const split = splitAsked(o, recipe.spec);
    const made = await featurize(
      source,
      { recipe, moments: settled, split, seed: o.seed, fitted: stored?.fitted },
      run,
    );
    if (o.sql) return { json: { sql: planSql(made.plan) }, text: `${planSql(made.plan)}\n` };

    const out = outOf(o);
    run.progress.stage(`writing ${out}`);
    const hasSplit = visibleColumns(made.plan).some((field) => field.name === "split");
    const plan = hasSplit ? await staged(made.plan) : made.plan;
    const relation = await relationOfPlan(plan);
    const provenance = provenanceOf("featurize", telling(command, o), o.seed, relation.inputs);
    const { rows } = await writeTable(relation, out, provenance, { format: o.format });
    if (o.fit) await writeFit(o.fit, made.fit);
    const parts = hasSplit ? await splitCounts(plan) : undefined;
    for (const [part, count] of Object.entries(parts ?? {}))
      if (count === 0) run.warn(`no row went into ${part}`);
    run.progress.done(counted(rows, "row"));
    return resultOf(o, out, made, relation, rows, parts, roles);
  },
});
export default command;

const outOf = ({ out }: { out?: string }): string => outNeeded(out, "featurize", command.examples[0]);

/** Exactly one way of saying what to make. */
function checkWays(o: Options): void {
  if (o.spec === undefined && o.preset === undefined && o.apply === undefined && o.split === undefined)
    throw new ShopaiError("usage", "featurize needs --spec, --preset, --apply or --split", {
      try: `--preset ${presetNames.join("|")}`,
    });
  if (o.apply !== undefined && (o.spec !== undefined || o.preset !== undefined || o.fit !== undefined))
    throw new ShopaiError(
      "usage",
      "--apply repeats the recipe of its fit file, so --spec, --preset and --fit do not go with it",
      {
        try: `shopai featurize ${o.in.join(" ")} --apply ${o.apply} -o ${o.out ?? "features.parquet"}`,
      },
    );
}

/** Dates, or a table of moments when the text is a file. */
async function momentsAsked(o: Options, run: Run): Promise<Moments | undefined> {
  if (!o.asOf) return undefined;
  const [first] = o.asOf;
  if (o.asOf.length === 1 && first === "row") return { kind: "row" };
  if (o.asOf.length > 1 || !(formatOfPath(first) || existsSync(first)))
    return { kind: "dates", dates: o.asOf.map(momentText) };
  const rows = await openTable(await run.engine(), [first], { signal: run.signal });
  return { kind: "table", rows, column: "as_of" };
}

interface Asked {
  recipe: Recipe;
  moments?: Moments;
  roles: RoleOptions;
}

/** The recipe of the preset or the spec. */
async function recipeAsked(
  o: Options,
  source: Relation,
  moments: Moments | undefined,
  spec: Spec | undefined,
  run: Run,
): Promise<Asked> {
  const own: Spec | undefined =
    spec || o.target !== undefined || o.key
      ? { ...spec, ...given({ target: o.target, key: o.key }) }
      : undefined;
  if (o.preset === undefined)
    return { recipe: { spec: { ...given({ time: o.time }), ...own } }, moments, roles: {} };

  const preset = presetNamed(o.preset)!;
  const roles = Object.fromEntries(roleNames.map((role) => [role, o[role]])) as RoleOptions;
  const found = await recipeOfPreset(source, {
    preset,
    roles,
    options: presetOptions(o),
    spec: own,
    moments,
    split: o.split && { kind: o.split, ratio: o.ratio, key: o.key, seed: o.seed, columns: namedSplit(o) },
  });
  run.progress.done(
    found.guessed.length > 0 ? `columns by their names: ${found.guessed.join(" ")}` : undefined,
  );
  return { recipe: found.recipe, moments: found.moments, roles: found.roles };
}

function presetOptions(o: Options): PresetOptions {
  const { series, windows, events, halfLife, minUser, minItem, freq, fill, from } = o;
  const { lags, rolling, gap, conversion, form, ngrams } = o;
  const weights =
    o.weights &&
    Object.fromEntries(Object.entries(o.weights).map(([type, weight]) => [type, weightOf(type, weight)]));
  const history = { lags, rolling, gap, conversion, form, ngrams };
  return { series, windows, events, weights, halfLife, minUser, minItem, freq, fill, from, ...history };
}

const given = <T extends object>(values: T): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;

function weightOf(type: string, weight: string | number | boolean): number {
  if (typeof weight === "number" && weight > 0) return weight;
  throw new ShopaiError("usage", `--weights ${type} must be a number above 0, got ${weight}`, {
    try: `--weights ${type}=1`,
  });
}

function namedSplit(o: Options): string[] | undefined {
  const column = {
    // Other kinds name their column in `columns`, and a preset may have used the time up.
    time: o.split === "last" ? o.time : undefined,
    group: o.group,
    stratified: o.target,
    random: undefined,
    item: o.item,
    user: o.user,
    last: o.user,
    kfold: undefined,
  }[o.split ?? "random"];
  return column === undefined ? undefined : [column];
}

function splitAsked(o: Options, spec: Spec): SplitAsk | undefined {
  if (!o.split) return undefined;
  const columns = [...(namedSplit(o) ?? []), ...splitColumns(o.split, spec)];
  return {
    kind: o.split,
    ratio: o.ratio,
    columns,
    // Other kinds name their column in `columns`, and a preset may have used the time up.
    time: o.split === "last" ? o.time : undefined,
    folds: o.folds,
    key: o.key ?? spec.key,
    seed: o.seed,
  };
}

function resultOf(
  o: Options,
  out: string,
  made: Featurized,
  relation: Relation,
  rows: number,
  parts: Record<string, number> | undefined,
  roles: RoleOptions,
): Result {
  const { fitted, trainRows } = made.fit;
  const learnt = Object.values(fitted).flat() as { step: string; column: string }[];
  const columns = relation.schema.map((field) => ({ name: field.name, type: field.type }));
  const pairs: [string, string | number][] = [
    ["rows", rows],
    ["columns", columns.length],
  ];
  if (made.asOf) pairs.push(["as of", made.asOf.join(", ")]);
  for (const [part, count] of Object.entries(parts ?? {})) pairs.push([part, count]);
  if (learnt.length > 0) pairs.push([o.apply ? "applied parts" : "fitted parts", learnt.length]);
  return {
    wroteStdout: out === "-",
    json: {
      out,
      rows,
      columns,
      as_of: made.asOf,
      roles,
      split: parts,
      train_rows: learnt.length > 0 && !o.apply ? trainRows : undefined,
      fitted: learnt.map(({ step, column }) => ({ step, column })),
    },
    blocks: [
      { kind: "title", text: out },
      { kind: "pairs", rows: pairs },
    ],
  };
}
