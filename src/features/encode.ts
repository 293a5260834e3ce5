import { ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import { floats, texts } from "../engine/frame.js";
import { ident, literal, numeric } from "../engine/sql.js";
import { isNumeric, kindOf } from "../table/relation.js";
import { hashNumber, sumOf, wholeSum } from "./exact.js";
import type { EncodePart, Level } from "./fit-file.js";
import { distinctNames, snake } from "./naming.js";
import { changed, chosenColumns, planColumn, type Plan } from "./plan.js";
import type { Spec } from "./spec.js";
import { asNumber } from "./statistics.js";

type Encoder = NonNullable<Spec["encode"]>[number];

/** Fitted categories are kept in the fit file; beyond this many, hashing is the tool. */
const mostLevels = 1_000_000;

/** Works out, from the train rows, what each encoder needs. Hashing needs nothing. */
export async function fitEncoders(
  plan: Plan,
  train: string,
  asks: readonly Encoder[],
  target: string | undefined,
): Promise<EncodePart[]> {
  const parts: EncodePart[] = [];
  for (const ask of asks) {
    if (ask.with === "hash") continue;
    for (const field of chosenColumns(plan, ask.of))
      parts.push(await fitEncoder(plan, train, { ...ask, with: ask.with }, field, target));
  }
  return parts;
}

async function fitEncoder(
  plan: Plan,
  train: string,
  ask: Encoder & { with: Exclude<Encoder["with"], "hash"> },
  field: Field,
  target: string | undefined,
): Promise<EncodePart> {
  const column = field.name;
  switch (ask.with) {
    case "one-hot": {
      const counted = (await levelCounts(plan, train, field)).filter(({ level }) => level !== null);
      const common = counted.filter(({ n }) => n >= (ask.min_count ?? 1)).slice(0, ask.max ?? 50);
      const levels = common.map(({ level }) => level!).sort(byText);
      const bases = levels.map((level, i) => `${snake(column)}_${snake(level) || `level_${i + 1}`}`);
      const rare = common.length < counted.length ? [`${snake(column)}_other`] : [];
      const taken = plan.columns.map((one) => one.name).filter((name) => name !== column);
      const names = distinctNames([...bases, ...rare], taken);
      return {
        step: "one-hot",
        column,
        levels,
        names: names.slice(0, levels.length),
        other: names[levels.length],
        keep: ask.keep,
      };
    }
    case "ordinal": {
      const found = (await levelCounts(plan, train, field)).flatMap(({ level }) =>
        level === null ? [] : [level],
      );
      const numbers = isNumeric(field.type);
      const sorted = found.sort(numbers ? (a, b) => Number(a) - Number(b) : byText);
      return { step: "ordinal", column, levels: ask.order ?? sorted, keep: ask.keep };
    }
    case "frequency": {
      const counted = await levelCounts(plan, train, field);
      const rows = counted.reduce((sum, { n }) => sum + n, 0);
      return {
        step: "frequency",
        column,
        levels: counted.map(({ level, n }): Level => [level, n / rows]).sort(byLevel),
        keep: ask.keep,
      };
    }
    case "target": {
      const found = await targetSums(plan, train, field, planColumn(plan, target!, "--target"));
      const n = found.reduce((sum, one) => sum + one.n, 0);
      if (n === 0)
        throw new ShopaiError("data", `${target} holds no value in the train rows`, {
          where: plan.source.name,
          try: "another target",
        });
      const smoothing = ask.smoothing ?? 20;
      const prior = found.reduce((sum, one) => sum + one.sum, 0) / n;
      return {
        step: "target",
        column,
        target: target!,
        prior,
        smoothing,
        folds: ask.folds ?? 5,
        levels: found.map((one): Level => [one.level, (one.sum + smoothing * prior) / (one.n + smoothing)]),
        keep: ask.keep,
      };
    }
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byLevel = (a: Level, b: Level): number =>
  a[0] === null ? (b[0] === null ? 0 : -1) : b[0] === null ? 1 : byText(a[0], b[0]);

/** Values of a column as text with their counts, the most frequent first. */
async function levelCounts(
  plan: Plan,
  train: string,
  field: Field,
): Promise<{ level: string | null; n: number }[]> {
  const level = levelText(field);
  const frame = await plan.engine.frame(
    `SELECT ${level} AS level, count(*) AS n FROM (${train}) AS t GROUP BY ALL ORDER BY n DESC, level NULLS FIRST LIMIT ${mostLevels + 1}`,
    [
      { name: "level", as: "text" },
      { name: "n", as: "f64" },
    ],
  );
  checkLevels(frame.rows, field, plan);
  const levels = texts(frame, "level");
  const counts = floats(frame, "n");
  return levels.map((text, i) => ({ level: text, n: counts[i] }));
}

/** Sums and counts of the target per value, sorted by value. */
async function targetSums(
  plan: Plan,
  train: string,
  field: Field,
  target: Field,
): Promise<{ level: string | null; n: number; sum: number }[]> {
  checkTarget(target, plan);
  const frame = await plan.engine.frame(
    `SELECT ${levelText(field)} AS level, count(${targetValue(target)}) AS n, CAST(${sumOf(targetValue(target), target.type)} AS DOUBLE) AS total FROM (${train}) AS t GROUP BY ALL HAVING n > 0 ORDER BY level NULLS FIRST LIMIT ${mostLevels + 1}`,
    [
      { name: "level", as: "text" },
      { name: "n", as: "f64" },
      { name: "total", as: "f64" },
    ],
  );
  checkLevels(frame.rows, field, plan);
  const levels = texts(frame, "level");
  return levels.map((level, i) => ({ level, n: floats(frame, "n")[i], sum: floats(frame, "total")[i] }));
}

function checkTarget(target: Field, plan: Plan): void {
  if (!isNumeric(target.type) && kindOf(target.type) !== "boolean")
    throw new ShopaiError(
      "data",
      `target encoding needs a number or true/false, and ${target.name} is ${target.type}`,
      {
        where: plan.source.name,
        try: `derive: { is_${snake(target.name)}: "${target.name} = '…'" } and target: is_${snake(target.name)}`,
      },
    );
}

function checkLevels(levels: number, field: Field, plan: Plan): void {
  if (levels > mostLevels)
    throw new ShopaiError("data", `${field.name} has more than ${mostLevels} different values`, {
      where: plan.source.name,
      try: "with: hash",
    });
}

const levelText = (field: Field): string => `CAST(t.${ident(field.name)} AS VARCHAR)`;

/** A target value that can be summed, null where it is missing, NaN or infinite. */
const targetValue = (target: Field): string =>
  kindOf(target.type) === "float" ? asNumber(target, "t.") : `t.${ident(target.name)}`;

/** How rows of the fit itself are told apart from others, for out-of-fold values. */
export interface OutOfFold {
  /** A SELECT of the train rows. */
  train: string;
  /** SQL that is true for train rows of the step before (called `t`). */
  isTrain: string;
  seed: number;
  /** Columns whose values put a row into its fold. */
  key: readonly string[];
}

/**
 * Adds encoded columns and drops what they encode, unless kept. Values never seen in train rows: no
 * column set (or `_other`) for one-hot, -1 for ordinal, 0 for frequency, the prior for target encoding.
 *
 * @param outOfFold given in the run that fits: train rows then get target values from the other folds only
 */
export async function withEncoded(
  plan: Plan,
  parts: readonly EncodePart[],
  outOfFold: OutOfFold | undefined,
): Promise<Plan> {
  const add: [string, string][] = [];
  const joins: string[] = [];
  for (const part of parts) {
    const field = planColumn(plan, part.column);
    const side = `l${joins.length + 1}`;
    switch (part.step) {
      case "one-hot":
        add.push(...oneHotSql(part, levelText(field)));
        break;
      case "ordinal":
        add.push([`${snake(field.name)}_ordinal`, ordinalSql(part.levels, levelText(field))]);
        break;
      case "frequency":
        joins.push(await levelJoin(plan, part.levels, side, levelText(field)));
        add.push([`${snake(field.name)}_frequency`, `coalesce(${side}.value, 0)`]);
        break;
      case "target": {
        joins.push(await levelJoin(plan, part.levels, side, levelText(field)));
        const whole = `coalesce(${side}.value, ${numeric(part.prior)})`;
        if (outOfFold) {
          const fold = `f${joins.length}`;
          joins.push(foldJoin(plan, part, field, fold, outOfFold));
          add.push([
            `${snake(field.name)}_target`,
            `CASE WHEN ${outOfFold.isTrain} AND ${fold}.fold IS NOT NULL THEN ${fold}.value ELSE ${whole} END`,
          ]);
        } else add.push([`${snake(field.name)}_target`, whole]);
      }
    }
  }
  const drop = new Set(parts.filter((part) => !part.keep).map((part) => planColumn(plan, part.column).name));
  return changed(plan, "encoded", { add, joins, drop });
}

function oneHotSql(part: Extract<EncodePart, { step: "one-hot" }>, level: string): [string, string][] {
  const columns = part.levels.map((text, i): [string, string] => [
    part.names[i],
    `CAST(coalesce(${level} = ${literal(text)}, false) AS INTEGER)`,
  ]);
  if (part.other !== undefined) {
    const known = part.levels.map(literal).join(", ");
    columns.push([part.other, `CAST(coalesce(${level} NOT IN (${known || "''"}), false) AS INTEGER)`]);
  }
  return columns;
}

function ordinalSql(levels: readonly string[], level: string): string {
  const cases = levels.map((text, i) => `WHEN ${literal(text)} THEN ${i}`).join(" ");
  return levels.length > 0 ? `CASE ${level} ${cases} ELSE -1 END` : "-1";
}

/** Loads fitted levels as a table of the engine and joins it; a missing value is a level like any other. */
async function levelJoin(plan: Plan, levels: readonly Level[], side: string, level: string): Promise<string> {
  const table = plan.engine.fresh("levels");
  await plan.engine.load(table, {
    rows: levels.length,
    columns: new Map([
      ["level", { kind: "text", values: levels.map(([text]) => text) }],
      ["value", { kind: "f64", values: Float64Array.from(levels, ([, value]) => value) }],
    ]),
  });
  return `LEFT JOIN ${ident(table)} AS ${side} ON ${side}.level IS NOT DISTINCT FROM ${level}`;
}

/**
 * Target values of every fold from the rows of the others: (S - s + m·p) / (N - n + m), where s and n
 * are the fold's own sum and count of the level, and p is the mean outside the fold (Micci-Barreca 2001,
 * smoothing m in rows).
 */
function foldJoin(
  plan: Plan,
  part: Extract<EncodePart, { step: "target" }>,
  field: Field,
  side: string,
  { train, seed, key }: OutOfFold,
): string {
  const target = planColumn(plan, part.target);
  const fold = `${hashNumber([literal(`${seed} fold`), ...key.map((name) => `t.${ident(name)}`)])} % ${part.folds}`;
  const m = numeric(part.smoothing);
  const value = targetValue(target);
  const { sql: sum, unit } = wholeSum(value, target.type);
  const mean = `CAST(total_sum - fold_sum AS DOUBLE) / ${unit} / nullif(total_n - fold_n, 0)`;
  return `LEFT JOIN (
SELECT level, fold, coalesce((CAST(level_sum - s AS DOUBLE) / ${unit} + ${m} * ${mean}) / nullif(level_n - n + ${m}, 0), ${mean}) AS value
FROM (SELECT level, fold, n, s, sum(n) OVER (PARTITION BY level) AS level_n, sum(n) OVER (PARTITION BY fold) AS fold_n, sum(n) OVER () AS total_n, sum(s) OVER (PARTITION BY level) AS level_sum, sum(s) OVER (PARTITION BY fold) AS fold_sum, sum(s) OVER () AS total_sum
FROM (SELECT ${levelText(field)} AS level, ${fold} AS fold, count(${value}) AS n, ${sum} AS s
FROM (${train}) AS t GROUP BY ALL HAVING n > 0))
) AS ${side} ON ${side}.level IS NOT DISTINCT FROM ${levelText(field)} AND ${side}.fold = ${fold}`;
}
