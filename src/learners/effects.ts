import { ShopaiError, listed } from "../core/errors.js";
import type { Column } from "../engine/frame.js";
import { floats } from "../engine/frame.js";
import { unheard, type Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { quantileOfSorted } from "../metrics/bootstrap.js";
import { frameOf, isNumeric, relationOf, rowColumn, type Relation } from "../table/relation.js";
import { breathe } from "./breathe.js";
import { checkFeatures } from "./design-matrix.js";
import { drawn } from "./draw.js";
import type { Model, ModelCard } from "./learner.js";

export interface EffectsAsk {
  /** Features to vary; all by default. */
  features?: readonly string[];
  /** Values of a feature: quantiles of numbers, the most frequent levels of texts. */
  grid: number;
  /** Rows that are averaged over, drawn by the seed. */
  rows: number;
  /** Rows whose own curves are given too. */
  ice: number;
}

/**
 * What a model predicts when one feature is set to each of its values in turn and all else stays: the mean
 * over rows (partial dependence) and single rows (individual conditional expectation).
 *
 * Friedman (2001), Annals of Statistics 29(5), section 8.2; Goldstein et al. (2015), Journal of
 * Computational and Graphical Statistics 24(1). Setting one feature alone makes rows that cannot occur
 * where features go together.
 *
 * @returns a row per feature, value and class (more than two classes): `feature`, `value` (null is missing),
 *   `number` (the value of a number), `class`, `row` (null for the mean; else number of the row in the table,
 *   from 1), `prediction` (score, or the predicted number), `lo` and `hi` (between which 80 % of the rows lie)
 */
export async function effects(model: Model, rows: Relation, ask: EffectsAsk, run: Run): Promise<Relation> {
  const { card } = model;
  const chosen = chosenFeatures(card, ask.features);
  checkFeatures(rows, card.features);
  const { engine } = rows;
  const sample = await sampled(rows, card, ask.rows, run);
  if (sample.rows === 0)
    throw new ShopaiError("data", "there are no rows to average over", { where: rows.name });
  const scores = scoresOf(card);
  const curves = new Curves(scores.length > 1 ? scores.map(({ label }) => label) : undefined);
  run.progress.stage("varying features");
  for (const [done, name] of chosen.entries()) {
    const grid = await gridOf(rows, name, ask.grid);
    const varied = await relationOf(
      engine,
      `SELECT (s.place * ${grid.values.length} + g.place)::INTEGER AS ${ident(rowColumn)}, ${card.features
        .map((field) => `${field.name === name ? "g.v" : `s.${ident(field.name)}`} AS ${ident(field.name)}`)
        .join(", ")} FROM ${ident(sample.table)} s CROSS JOIN ${ident(grid.table)} g`,
      { key: [rowColumn], name: rows.name },
    );
    const predictions = await model.predict(varied, {}, { ...run, progress: unheard });
    const frame = await frameOf(
      predictions,
      scores.map(({ column }) => ({ name: column, as: "f64" as const })),
    );
    scores.forEach(({ column }, s) => {
      const values = floats(frame, column);
      grid.values.forEach((value, g) => {
        const own = Float64Array.from({ length: sample.rows }, (_, r) => values[r * grid.values.length + g]);
        curves.add(name, value, s, undefined, own);
        for (let r = 0; r < Math.min(ask.ice, sample.rows); r++)
          curves.add(name, value, s, sample.numbers[r], own.subarray(r, r + 1));
      });
    });
    await engine.run(`DROP TABLE ${ident(grid.table)}`);
    run.progress.update(done + 1, chosen.length, "features");
    await breathe(run);
  }
  run.progress.done();
  const table = engine.fresh("effects");
  const { columns, count } = curves.written();
  await engine.load(table, { rows: count, columns });
  const list = [...columns.keys()].filter((name) => name !== rowColumn);
  return relationOf(engine, `SELECT ${[...list, rowColumn].map(ident).join(", ")} FROM ${ident(table)}`, {
    key: [rowColumn],
    inputs: rows.inputs,
    name: rows.name,
  });
}

function chosenFeatures({ features, learner }: ModelCard, asked: readonly string[] | undefined): string[] {
  const known = features.map(({ name }) => name);
  if (known.length === 0)
    throw new ShopaiError("usage", `${learner} has no features whose effect could be shown`, {
      try: "a model for classification or regression",
    });
  const unknown = asked?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ShopaiError("data", `${unknown} is no feature of the model (it has ${listed(known)})`, {
      where: "--features",
    });
  return [...(asked ?? known)];
}

/** The columns of predictions that tell a score, and what they are about. */
function scoresOf({ task, classes = [], positive }: ModelCard): { column: string; label: string }[] {
  if (task === "regression" || task === "ranking") return [{ column: "prediction", label: "" }];
  if (task === "classification" && positive === undefined)
    return classes.map((label) => ({ column: `score_${label}`, label }));
  if (task === "classification" || task === "anomaly") return [{ column: "score", label: "" }];
  throw new ShopaiError("usage", `effects are of scores, and this is a model for ${task}`, {
    try: "a model for classification or regression",
  });
}

/** Some rows, numbered from 0 in the order of the table; `numbers` count all rows from 1. */
async function sampled(
  rows: Relation,
  card: ModelCard,
  most: number,
  run: Run,
): Promise<{ table: string; rows: number; numbers: Float64Array }> {
  const { engine } = rows;
  const some = await drawn(rows, most, run);
  const table = engine.fresh("sampled");
  const names = card.features.map(({ name }) => ident(name)).join(", ");
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT row_number() OVER (ORDER BY ${ident(rowColumn)}) - 1 AS place, ${ident(rowColumn)} AS ${ident(numberColumn)}, ${names} FROM (${some.sql})`,
  );
  const frame = await engine.frame(`SELECT ${ident(numberColumn)} FROM ${ident(table)} ORDER BY place`, [
    { name: numberColumn, as: "f64" },
  ]);
  const numbers = floats(frame, numberColumn);
  return { table, rows: frame.rows, numbers: numbers.map((row) => row + 1) };
}

/** A name that no feature has. */
const numberColumn = "_shopai_number";

interface GridValue {
  text: string | null;
  number: number | null;
}

/** The values that a feature is set to, missing ones last where the column has some; `v` of a table, in order. */
async function gridOf(
  { engine, sql, schema }: Relation,
  name: string,
  most: number,
): Promise<{ table: string; values: GridValue[] }> {
  const column = ident(name);
  const numeric = isNumeric(schema.find((field) => field.name === name)!.type);
  const shares = Array.from({ length: most }, (_, i) => (most === 1 ? 0.5 : i / (most - 1)));
  const known = numeric
    ? `SELECT DISTINCT unnest(quantile_disc(${column}, [${shares.join(", ")}])) AS v FROM (${sql})`
    : `SELECT v FROM (SELECT ${column} AS v, count(*) AS n FROM (${sql}) WHERE ${column} IS NOT NULL GROUP BY ALL ORDER BY n DESC, v LIMIT ${most})`;
  const table = engine.fresh("grid");
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT row_number() OVER (ORDER BY v NULLS LAST) - 1 AS place, v FROM (SELECT v FROM (${known}) WHERE v IS NOT NULL UNION ALL (SELECT NULL FROM (${sql}) WHERE ${column} IS NULL LIMIT 1))`,
  );
  const values = await engine.rows<GridValue>(
    `SELECT v::VARCHAR AS text, ${numeric ? "v::DOUBLE" : "NULL::DOUBLE"} AS number FROM ${ident(table)} ORDER BY place`,
  );
  return { table, values };
}

/** Gathers the rows of the result. */
class Curves {
  private readonly texts = { feature: [] as string[], value: [] as (string | null)[], class: [] as string[] };
  private readonly numbers = {
    number: [] as number[],
    row: [] as number[],
    prediction: [] as number[],
    lo: [] as number[],
    hi: [] as number[],
  };

  constructor(private readonly classes: readonly string[] | undefined) {}

  /** @param row undefined for the mean of the predictions */
  add(
    feature: string,
    value: GridValue,
    output: number,
    row: number | undefined,
    predictions: Float64Array,
  ): void {
    const { texts, numbers } = this;
    texts.feature.push(feature);
    texts.value.push(value.text);
    texts.class.push(this.classes?.[output] ?? "");
    numbers.number.push(value.number ?? NaN);
    numbers.row.push(row ?? NaN);
    numbers.prediction.push(predictions.reduce((sum, each) => sum + each, 0) / predictions.length);
    const sorted = row === undefined ? predictions.slice().sort() : undefined;
    numbers.lo.push(sorted ? quantileOfSorted(sorted, 0.1) : NaN);
    numbers.hi.push(sorted ? quantileOfSorted(sorted, 0.9) : NaN);
  }

  written(): { columns: Map<string, Column>; count: number } {
    const { texts, numbers } = this;
    const count = texts.feature.length;
    const text = (values: (string | null)[]): Column => ({ kind: "text", values });
    const number = (values: number[]): Column => ({ kind: "f64", values: Float64Array.from(values) });
    return {
      count,
      columns: new Map<string, Column>([
        ["feature", text(texts.feature)],
        ["value", text(texts.value)],
        ["number", number(numbers.number)],
        ...(this.classes ? ([["class", text(texts.class)]] as [string, Column][]) : []),
        ["row", number(numbers.row)],
        ["prediction", number(numbers.prediction)],
        ["lo", number(numbers.lo)],
        ["hi", number(numbers.hi)],
        [rowColumn, { kind: "i32", values: Int32Array.from({ length: count }, (_, i) => i) }],
      ]),
    };
  }
}
