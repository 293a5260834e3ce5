import { ShopaiError } from "../core/errors.js";
import { ident, literal } from "../engine/sql.js";
import { hashNumber } from "./exact.js";
import { foldColumn, numpySplitSteps } from "./numpy-splits.js";
import { planColumn, planSql, extended, tip, visibleColumns, type Plan } from "./plan.js";

export const splitKinds = ["time", "random", "group", "stratified", "item", "user", "last", "kfold"] as const;
export type SplitKind = (typeof splitKinds)[number];

export interface SplitAsk {
  kind: SplitKind;
  /** Two shares (train, test) or three (train, valid, test), summing to 1. */
  ratio: readonly number[];
  /** Names of the time column, the group column or the target, by the kind: the first that is there is taken. */
  columns: readonly string[];
  /** Of kind `last`: the time column, after the users' in `columns`. */
  time?: string;
  /** Of kind `kfold`. */
  folds?: number;
  /** Columns whose values decide where a row goes (random, stratified); the row's place in its file by default. */
  key?: readonly string[];
  seed: number;
}

/** The column that a split adds, and the one that says which rows fitted parts may see. */
export const splitColumn = "split";

/** Names of the parts: two or three. */
export function partsOf(ratio: readonly number[]): string[] {
  return ratio.length === 2 ? ["train", "test"] : ["train", "valid", "test"];
}

/** The share of rows up to the end of every part but the last. */
const edgesOf = (ratio: readonly number[]): number[] =>
  ratio.slice(0, -1).map((_, i) => ratio.slice(0, i + 1).reduce((a, b) => a + b, 0));

/** @throws ShopaiError "usage" unless there are two or three positive shares that sum to 1 */
export function checkRatio(ratio: readonly number[]): void {
  const sum = ratio.reduce((a, b) => a + b, 0);
  if (ratio.length < 2 || ratio.length > 3 || ratio.some((share) => !(share > 0)) || Math.abs(sum - 1) > 1e-6)
    throw new ShopaiError(
      "usage",
      `--ratio must be two or three positive shares that sum to 1, got ${ratio.join(",")}`,
      { try: "--ratio 0.8,0.2 or --ratio 0.8,0.1,0.1" },
    );
}

/**
 * Adds the column `split`.
 *
 * - random: md5 of seed and key against the shares: a row keeps its part when other rows come or go;
 *   proportions are close, not exact.
 * - group: the same over the group's value, so that a group is never cut.
 * - stratified: rank of that md5 within each class, cut at the rounded shares: exact proportions.
 * - item, user: exact shares of every item's (user's) rows, drawn as NumPy draws (see numpy-splits.ts)
 * - last: the last row of every user is test, with three shares the one before it valid; users with fewer
 *   rows than parts are train
 * - kfold: the column `fold`, from 0, drawn as NumPy draws
 * - time: cut at quantile times; a moment is never cut, and no train row is later than a valid or test row.
 *
 * @throws ShopaiError "usage", "data" when a column is missing or holds what cannot be split on
 */
export async function withSplit(plan: Plan, ask: SplitAsk): Promise<Plan> {
  checkRatio(ask.ratio);
  if (visibleColumns(plan).some((field) => field.name.toLowerCase() === splitColumn))
    throw new ShopaiError("usage", "the table already has a column split", {
      where: plan.source.name,
      try: "leaving out --split (its train rows are used), or --where to choose rows",
    });
  if (ask.kind === "kfold" && plan.columns.some((field) => field.name.toLowerCase() === foldColumn))
    throw new ShopaiError("usage", "the table already has a column fold", {
      where: plan.source.name,
      try: "renaming it",
    });
  const column =
    ask.kind === "random" || ask.kind === "kfold" ? undefined : columnOf(plan, ask, flagOf[ask.kind]);
  const key = (ask.key ?? plan.key).map((name) => planColumn(plan, name, "--key").name);
  if (ask.kind === "item" || ask.kind === "user" || ask.kind === "kfold")
    return extended(
      plan,
      await numpySplitSteps(plan, {
        kind: ask.kind,
        column,
        parts: partsOf(ask.ratio),
        edges: edgesOf(ask.ratio),
        folds: ask.folds ?? 5,
        order: key,
        seed: ask.seed,
      }),
    );
  if (ask.kind === "stratified") await checkClasses(plan, column!);
  return extended(
    plan,
    splitSteps(
      tip(plan),
      plan.columns.map((field) => field.name),
      { ...ask, kind: ask.kind, column, key, time: ask.time && planColumn(plan, ask.time, "--time").name },
    ),
  );
}

const flagOf: Record<Exclude<SplitKind, "random" | "kfold">, string> = {
  item: "--item",
  user: "--user",
  last: "--user",
  time: "--time",
  group: "--group",
  stratified: "--target",
};

function columnOf(plan: Plan, ask: SplitAsk, flag: string): string {
  const there = ask.columns.find((name) =>
    plan.columns.some((field) => field.name.toLowerCase() === name.toLowerCase()),
  );
  const name = there ?? ask.columns[0];
  if (name !== undefined) return planColumn(plan, name, flag).name;
  throw new ShopaiError("usage", `--split ${ask.kind} needs ${flag} <column>`, {
    try: `${flag} <column>, or --split random`,
  });
}

/** Steps that add the column `split` to a step of known columns. */
export function splitSteps(
  from: string,
  columns: readonly string[],
  ask: Pick<SplitAsk, "ratio" | "seed" | "time"> & {
    kind: Exclude<SplitKind, "item" | "user" | "kfold">;
    column?: string;
    key: readonly string[];
  },
): { name: string; sql: string }[] {
  const own = columns.map((name) => `t.${ident(name)}`).join(", ");
  const parts = partsOf(ask.ratio);
  const edges = edgesOf(ask.ratio);
  const cases = (test: (edge: number, i: number) => string): string =>
    `CASE ${edges.map((edge, i) => `WHEN ${test(edge, i)} THEN ${literal(parts[i])}`).join(" ")} ELSE ${literal(parts.at(-1)!)} END AS ${splitColumn}`;
  const seed = literal(String(ask.seed));
  const column = ask.column === undefined ? undefined : `t.${ident(ask.column)}`;
  const keys = ask.key.map((name) => `t.${ident(name)}`);
  const hashCut = (edge: number): string => String(Math.round(edge * 4294967296));

  switch (ask.kind) {
    case "random":
      return [
        {
          name: "split",
          sql: `SELECT ${own}, ${cases((edge) => `${hashNumber([seed, ...keys])} < ${hashCut(edge)}`)}\nFROM ${from} AS t`,
        },
      ];
    case "group":
      return [
        {
          name: "split",
          sql: `SELECT ${own}, ${cases((edge) => `${hashNumber([seed, column!])} < ${hashCut(edge)}`)}\nFROM ${from} AS t`,
        },
      ];
    case "stratified":
      return [
        {
          name: "ranked",
          sql: `SELECT ${own}, row_number() OVER (PARTITION BY ${column} ORDER BY ${[hashNumber([seed, ...keys]), ...keys].join(", ")}) AS "rank in class", count(*) OVER (PARTITION BY ${column}) AS "rows of class"\nFROM ${from} AS t`,
        },
        {
          name: "split",
          sql: `SELECT ${own}, ${cases((edge) => `t."rank in class" <= round(t."rows of class" * ${edge})`)}\nFROM ranked AS t`,
        },
      ];
    case "last": {
      const order = [...(ask.time === undefined ? [] : [`t.${ident(ask.time)} NULLS FIRST`]), ...keys];
      const window = `PARTITION BY ${column}${order.length > 0 ? ` ORDER BY ${order.join(", ")}` : ""}`;
      return [
        {
          name: "ranked",
          sql: `SELECT ${own}, row_number() OVER (${window}) AS "rank of user", count(*) OVER (PARTITION BY ${column}) AS "rows of user"\nFROM ${from} AS t`,
        },
        {
          name: "split",
          sql: `SELECT ${own}, CASE WHEN t."rows of user" < ${parts.length} OR t."rank of user" <= t."rows of user" - ${parts.length - 1} THEN 'train' ${parts.length === 3 ? `WHEN t."rank of user" = t."rows of user" - 1 THEN 'valid' ` : ""}ELSE 'test' END AS ${splitColumn}\nFROM ranked AS t`,
        },
      ];
    }
    case "time": {
      const missing = `error('the time column holds empty values, so these rows belong to no part of a time split: drop them first with --where')`;
      return [
        {
          name: "cuts",
          sql: `SELECT quantile_disc(${ident(ask.column!)}, [${edges.join(", ")}]) AS edges\nFROM ${from}`,
        },
        {
          name: "split",
          sql: `SELECT ${own}, ${cases((_, i) => `CASE WHEN ${column} IS NULL THEN ${missing} ELSE ${column} <= cuts.edges[${i + 1}] END`)}\nFROM ${from} AS t CROSS JOIN cuts`,
        },
      ];
    }
  }
}

/** A class of its own for every row would put all rows into train. */
async function checkClasses(plan: Plan, column: string): Promise<void> {
  const [{ classes }] = await plan.engine.rows<{ classes: bigint }>(
    `SELECT count(DISTINCT ${ident(column)}) AS classes FROM (${planSql(plan)})`,
  );
  if (classes > 1000n)
    throw new ShopaiError(
      "data",
      `${column} has ${classes} different values: a stratified split needs classes`,
      {
        where: plan.source.name,
        try: "--split random, or --target with a column of a few classes",
      },
    );
}
