import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { ident, literal } from "../engine/sql.js";
import { scoreOf } from "../metrics/scorecard.js";
import { columnNamed, countRows, rowColumn, visible, type Relation } from "../table/relation.js";
import type { Learner } from "./learner.js";
import { measured } from "./measured.js";
import { taskOf, trainModel, type TrainingAsk } from "./training.js";

/** What one metric was over the folds. */
export interface FoldFigures {
  mean: number | null;
  /** Standard deviation over the folds (n - 1), null for folds without a value. */
  std: number | null;
  folds: (number | null)[];
}

export interface CrossValidation {
  folds: number;
  metrics: Record<string, FoldFigures>;
}

/**
 * Trains on all folds but one and measures on that one, for every fold in turn.
 *
 * Rows are dealt to the folds by md5 of the seed and their number, within every class of a target and
 * every user, so that folds are alike (stratified). The metrics of a fold are those of `evaluate`.
 *
 * @param folds 2 or more
 * @throws ShopaiError "data" when there are fewer rows than folds
 */
export async function crossValidated(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  folds: number,
  run: Run,
): Promise<CrossValidation> {
  const rows = await countRows(relation);
  if (rows < folds)
    throw new ShopaiError("data", `${grouped(rows)} rows cannot be dealt to ${folds} folds`, {
      where: relation.name,
      try: "a smaller --cv",
    });
  const dealt = await dealtTable(learner, relation, ask, folds, run);
  const part = (predicate: string): Relation => ({
    ...relation,
    sql: `SELECT ${[...visible(relation), rowColumn].join(", ")} FROM ${ident(dealt)} WHERE fold_number ${predicate}`,
    key: [rowColumn],
  });
  const said = new Set<string>();
  const foldRun: Run = {
    ...run,
    warn: (message) => {
      if (!said.has(message)) run.warn(message);
      said.add(message);
    },
  };
  const found: Record<string, (number | null)[]> = {};
  for (let fold = 0; fold < folds; fold++) {
    const model = await trainModel(learner, part(`<> ${fold}`), ask, foldRun);
    const held = await measured(model, part(`= ${fold}`), { cuts: [10], by: [] }, foldRun);
    const { metrics } = await scoreOf(held.subject, run.rng("bootstrap"), { resamples: 0 });
    for (const [name, value] of Object.entries(metrics)) (found[name] ??= []).push(value);
  }
  await relation.engine.run(`DROP TABLE ${ident(dealt)}`);
  return {
    folds,
    metrics: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, figuresOf(values)])),
  };
}

/** A copy of the rows with their number (`rowColumn`) and their fold (`fold_number`, from 0). */
async function dealtTable(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  folds: number,
  run: Run,
): Promise<string> {
  const { engine } = relation;
  const clash = relation.schema.find((field) => field.name.toLowerCase() === "fold_number");
  if (clash)
    throw new ShopaiError("data", `a table with a column ${clash.name} cannot be cross-validated`, {
      where: relation.name,
      try: `renaming ${clash.name}`,
    });
  const { roles } = ask;
  const task = await taskOf(learner, relation, roles, ask);
  const stratum = task === "classification" ? roles.target : roles.user;
  const within = stratum === undefined ? [] : [ident(columnNamed(relation, stratum).name)];
  const order = relation.key.length > 0 ? `ORDER BY ${relation.key.map(ident).join(", ")}` : "";
  const numbered = `SELECT ${visible(relation).join(", ")}, row_number() OVER (${order}) - 1 AS ${rowColumn} FROM (${relation.sql})`;
  const dealing = [...within, `md5(${literal(`${run.seed}:`)} || ${rowColumn})`, rowColumn].join(", ");
  const table = engine.fresh("dealt");
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT *, (row_number() OVER (ORDER BY ${dealing}) - 1) % ${folds} AS fold_number FROM (${numbered})`,
  );
  return table;
}

function figuresOf(values: (number | null)[]): FoldFigures {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < values.length) return { mean: null, std: null, folds: values };
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / (known.length - 1)), folds: values };
}
