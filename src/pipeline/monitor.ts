import { listed, ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";
import { ident, literal } from "../engine/sql.js";
import { loadModel } from "../learners/model.js";
import { readModelFolder } from "../learners/model-folder.js";
import {
  answersOf,
  referenceName,
  sketchesLike,
  type Reference,
  type Sketch,
  type ValueSketch,
} from "../learners/reference.js";
import { driftOf } from "../metrics/drift.js";
import { countRows, findColumn, isNumeric, type Relation } from "../table/relation.js";

/** How one column moved since training. */
export interface ColumnDrift {
  name: string;
  kind: "numbers" | "values";
  /** Null where one side holds no value, or the column is absent. */
  psi: number | null;
  ks: number | null;
  js: number | null;
  chi2: { statistic: number; df: number; p: number } | null;
  /** Shares of rows without a value. */
  missing_before: number;
  missing_after: number | null;
  /** Share of the values that training did not see among its most frequent, beyond the share it had of others. */
  new_share: number | null;
  /** The most frequent of them. */
  new_values: string[];
  absent?: true;
}

export interface Monitoring {
  rows: number;
  reference_rows: number;
  columns: ColumnDrift[];
  answers?: ColumnDrift;
  /** What `--fail-if` and `--retrain-if` ask about. */
  metrics: Record<string, number | null>;
  /** The columns whose value a figure is. */
  worst: Record<string, string>;
}

export interface MonitorAsk {
  /** Leave the model's answers out: nothing is predicted. */
  noAnswers?: boolean;
  /** PSI above which a column counts as drifted; 0.2 by default. */
  drifted?: number;
}

/** New values of a column that are named. */
const mostNew = 5;

/**
 * Holds new rows against what a model was trained on: one pass over the rows, and the model's answers on a
 * sample of them.
 *
 * @throws ShopaiError "model" when the model holds no reference
 */
export async function monitored(
  path: string,
  rows: Relation,
  { noAnswers = false, drifted = 0.2 }: MonitorAsk,
  run: Run,
): Promise<Monitoring> {
  const folder = readModelFolder(path);
  if (!(`${referenceName}.json` in folder.card.files))
    throw new ShopaiError("model", "the model holds no reference to compare with", {
      where: path,
      try: "training it again with this version",
    });
  const reference = folder.json<Reference>(referenceName);
  const present = reference.columns.flatMap((sketch) => {
    const field = findColumn(rows.schema, sketch.name);
    return field ? [{ sketch, field }] : [];
  });
  for (const { sketch, field } of present)
    if (sketch.kind === "numbers" && !isNumeric(field.type))
      throw new ShopaiError(
        "data",
        `column "${field.name}" is ${field.type}, in training it was ${sketch.type}`,
        {
          where: rows.name,
          try: "the same types as in training",
        },
      );
  const asked = present.map(({ sketch, field }) => ({ ...sketch, name: field.name }));
  const total = await countRows(rows);
  const counted = asked.length === 0 ? [] : await sketchesLike(rows, asked);
  const columns: ColumnDrift[] = [];
  for (const before of reference.columns) {
    const at = present.findIndex(({ sketch }) => sketch === before);
    // New rows are there to be answered: that their truth is not known yet is no fault.
    if (at < 0 && before.name === folder.card.target?.name) continue;
    columns.push(at < 0 ? absent(before) : await compare(before, counted[at], rows));
  }
  const complete = columns.every((column) => !column.absent);
  const answers =
    noAnswers || !reference.answers || total === 0 || !complete
      ? undefined
      : await compare(
          reference.answers,
          (await answersOf(await loadModel(path), rows, total, run, reference.answers))!,
          undefined,
        );
  return {
    rows: total,
    reference_rows: reference.rows,
    columns,
    answers,
    ...summary(columns, answers, drifted, total),
  };
}

const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

const rowsIn = ({ counts, missing }: Sketch): number => counts.reduce((sum, count) => sum + count, missing);

function absent(before: Sketch): ColumnDrift {
  return {
    name: before.name,
    kind: before.kind,
    psi: null,
    ks: null,
    js: null,
    chi2: null,
    missing_before: shareOf(before.missing, rowsIn(before)),
    missing_after: null,
    new_share: null,
    new_values: [],
    absent: true,
  };
}

async function compare(before: Sketch, after: Sketch, rows: Relation | undefined): Promise<ColumnDrift> {
  const drift = driftOf(before.counts, after.counts, before.kind === "numbers");
  const values = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
  const others = ({ counts }: Sketch): number => shareOf(counts.at(-1)!, values(counts));
  const fresh = before.kind === "values" ? Math.max(0, others(after) - others(before)) : null;
  return {
    name: before.name,
    kind: before.kind,
    psi: drift?.psi ?? null,
    ks: drift?.ks ?? null,
    js: drift?.js ?? null,
    chi2: drift?.chi2 ?? null,
    missing_before: shareOf(before.missing, rowsIn(before)),
    missing_after: shareOf(after.missing, rowsIn(after)),
    new_share: fresh,
    // Where training had values beyond those it counted, a value that is not among them need not be new.
    new_values:
      rows && after.kind === "values" && before.counts.at(-1) === 0 && after.counts.at(-1)! > 0
        ? await newValues(rows, after)
        : [],
  };
}

async function newValues(rows: Relation, { name, values }: ValueSketch): Promise<string[]> {
  const known = values.length > 0 ? ` AND value NOT IN (${values.map(literal).join(", ")})` : "";
  const found = await rows.engine.rows<{ value: string }>(
    `SELECT value FROM (SELECT ${ident(name)}::VARCHAR AS value FROM (${rows.sql})) WHERE value IS NOT NULL${known} GROUP BY value ORDER BY count(*) DESC, value LIMIT ${mostNew}`,
  );
  return found.map(({ value }) => value);
}

/** Names of the figures of a monitoring, with what they are: what a condition may ask about. */
export const monitorMetrics: Record<string, string> = {
  rows: "new rows",
  psi: "largest population stability index of a column",
  ks: "largest Kolmogorov-Smirnov statistic of a column of numbers, 0 to 1",
  js: "largest Jensen-Shannon distance of a column, 0 to 1",
  missing: "largest rise of the share of missing values in a column, 0 to 1",
  new: "largest share of values of a column that training had not, 0 to 1",
  absent: "columns that are not there",
  drifted: "columns that drifted (--drifted-at)",
  drifted_share: "their share of all columns, 0 to 1",
  answers_psi: "population stability index of the model's answers",
  age_hours: "hours since the newest value of --time",
};

function summary(
  columns: readonly ColumnDrift[],
  answers: ColumnDrift | undefined,
  threshold: number,
  rows: number,
): Pick<Monitoring, "metrics" | "worst"> {
  const worst: Record<string, string> = {};
  const largest = (figure: string, value: (column: ColumnDrift) => number | null): number | null => {
    let most: number | null = null;
    for (const column of columns) {
      const own = value(column);
      if (own === null || (most !== null && own <= most)) continue;
      most = own;
      worst[figure] = column.name;
    }
    return most;
  };
  const named = (figure: string, chosen: readonly ColumnDrift[]): number => {
    if (chosen.length > 0)
      worst[figure] = listed(
        chosen.map(({ name }) => name),
        5,
      );
    return chosen.length;
  };
  const drifted = named(
    "drifted",
    columns.filter(({ psi }) => psi !== null && psi > threshold),
  );
  const metrics = {
    rows,
    psi: largest("psi", ({ psi }) => psi),
    ks: largest("ks", ({ ks }) => ks),
    js: largest("js", ({ js }) => js),
    missing: largest("missing", ({ missing_before, missing_after }) =>
      missing_after === null ? null : Math.max(0, missing_after - missing_before),
    ),
    new: largest("new", ({ new_share }) => new_share) ?? 0,
    absent: named(
      "absent",
      columns.filter((column) => column.absent),
    ),
    drifted,
    drifted_share: shareOf(drifted, columns.length),
    ...(answers && { answers_psi: answers.psi }),
  };
  return { metrics, worst };
}
