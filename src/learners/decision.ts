import { codes, floats, type Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident, literal, numeric } from "../engine/sql.js";
import type { CostMatrix } from "../metrics/cost.js";
import { columnNamed, withExpression, type Relation } from "../table/relation.js";
import { calibrated, type Calibrator } from "./calibration.js";
import type { Ask, Fitted, ModelCard } from "./learner.js";

/** What becomes of a classifier's scores: stored on the card, applied to every prediction. */
export interface Decision {
  /** Scores to probabilities: one for the positive class, or one per class. */
  calibration?: Calibrator[];
  /** Two classes: the score from which on `prediction` is the positive one; 0.5 when absent. */
  threshold?: number;
  /** How the threshold was found, in words. */
  threshold_by?: string;
  /** A threshold for every group instead: `column` is a column or an SQL expression. */
  groups?: { column: string; thresholds: Record<string, number> };
  /** What decisions cost: `evaluate` gives the average. */
  cost?: CostMatrix;
}

/**
 * Predictions with calibrated scores and decisions by the stored thresholds.
 *
 * @param predict of the learner itself
 */
export async function decided(
  card: ModelCard,
  predict: Fitted["predict"],
  rows: Relation,
  ask: Ask,
  run: Run,
): Promise<Relation> {
  const { decision = {} } = card;
  if (rows.memory && !decision.groups) {
    const answers = await predict(rows, ask, run);
    return answers.memory ? { ...answers, memory: inMemory(card, decision, answers.memory) } : answers;
  }
  // Groups are worked out by SQL: rows in memory are read as the table that they are, too.
  rows = { ...rows, memory: undefined };
  const grouped =
    decision.groups && (await withExpression(rows, decision.groups.column, "the model's groups"));
  const asked = (ask.keep ?? []).map((name) => columnNamed(rows, name, "--keep").name);
  const extra = grouped && !asked.includes(grouped.column) ? [grouped.column] : [];
  const given = await predict(grouped?.relation ?? rows, { ...ask, keep: [...asked, ...extra] }, run);
  const scores = card.positive === undefined ? card.classes!.map((name) => `score_${name}`) : ["score"];
  const calibratedRows = decision.calibration
    ? await withCalibration(given, scores, decision.calibration)
    : given;
  const names = given.schema.map(({ name }) => name).filter((name) => !extra.includes(name));
  const list = [
    ...names.map((name) => (name === "prediction" ? choice(card, decision) : ident(name))),
    ...given.key.map(ident),
  ];
  return {
    ...given,
    sql: `SELECT ${list.join(", ")} FROM (${calibratedRows.sql})`,
    schema: given.schema.filter(({ name }) => !extra.includes(name)),
  };
}

/** The same for few rows in typed columns. */
function inMemory({ classes, positive }: ModelCard, decision: Decision, frame: Frame): Frame {
  const names = positive === undefined ? classes!.map((name) => `score_${name}`) : ["score"];
  const scores = names.map((name, i) => {
    const given = floats(frame, name);
    const calibrator = decision.calibration?.[i];
    return calibrator ? given.map((score) => calibrated(calibrator, score)) : given;
  });
  const columns = new Map(frame.columns);
  const { levels } = codes(frame, "prediction");
  const levelOf = classes!.map((name) => levels.indexOf(name));
  const prediction = new Int32Array(frame.rows);
  if (positive !== undefined) {
    const yes = classes!.indexOf(positive);
    const cut = decision.threshold ?? 0.5;
    for (let r = 0; r < frame.rows; r++) prediction[r] = levelOf[scores[0][r] >= cut ? yes : 1 - yes];
  } else
    for (let r = 0; r < frame.rows; r++) {
      const sum = scores.reduce((total, own) => total + own[r], 0);
      for (const own of scores) own[r] = sum > 0 ? own[r] / sum : 1 / scores.length;
      const best = scores.reduce((top, own, i) => (own[r] > scores[top][r] ? i : top), 0);
      prediction[r] = levelOf[best];
    }
  columns.set("prediction", { kind: "code", values: prediction, levels });
  names.forEach((name, i) => columns.set(name, { kind: "f64", values: scores[i] }));
  return { ...frame, columns };
}

/** The expression of `prediction`, of the target's type. */
function choice({ classes, positive, target }: ModelCard, { threshold, groups }: Decision): string {
  const { type } = target!;
  const cast = (name: string): string => `${literal(name)}::${type}`;
  if (positive === undefined) {
    const scores = classes!.map((name) => ident(`score_${name}`));
    const best = `greatest(${scores.join(", ")})`;
    const cases = classes!.map((name, i) => `WHEN ${scores[i]} = ${best} THEN ${cast(name)}`);
    return `CASE ${cases.join(" ")} END AS prediction`;
  }
  const other = classes!.find((name) => name !== positive)!;
  const cut = numeric(threshold ?? 0.5);
  const bound = groups
    ? `CASE ${ident(groups.column)}::VARCHAR ${Object.entries(groups.thresholds)
        .map(([group, own]) => `WHEN ${literal(group)} THEN ${numeric(own)}`)
        .join(" ")} ELSE ${cut} END`
    : cut;
  return `CASE WHEN score IS NULL THEN NULL WHEN score >= ${bound} THEN ${cast(positive)} ELSE ${cast(other)} END AS prediction`;
}

/** The same rows with calibrated scores; of several classes they are divided by their sum. */
async function withCalibration(
  given: Relation,
  scores: readonly string[],
  calibration: readonly Calibrator[],
): Promise<Relation> {
  const { engine } = given;
  // Different scores are few beside the rows, or as many: each is worked out once, by the one implementation.
  const key = given.key.map(ident).join(", ");
  const joins: string[] = [];
  const values: string[] = [];
  for (const [i, name] of scores.entries()) {
    const distinct = engine.fresh("scores");
    await engine.run(
      `CREATE TABLE ${ident(distinct)} AS SELECT DISTINCT ${ident(name)} AS given FROM (${given.sql}) WHERE ${ident(name)} IS NOT NULL ORDER BY 1`,
    );
    const frame = await engine.frame(`SELECT given FROM ${ident(distinct)} ORDER BY given`, [
      { name: "given", as: "f64" },
    ]);
    const column = frame.columns.get("given") as { kind: "f64"; values: Float64Array };
    const mapped = engine.fresh("calibrated");
    await engine.load(mapped, {
      rows: frame.rows,
      columns: new Map([
        ["given", column],
        ["made", { kind: "f64", values: column.values.map((score) => calibrated(calibration[i], score)) }],
      ]),
    });
    joins.push(`LEFT JOIN ${ident(mapped)} c${i} ON p.${ident(name)} = c${i}.given`);
    values.push(`c${i}.made`);
  }
  const sum = values.join(" + ");
  const replaced = scores.map((name, i) =>
    scores.length === 1
      ? `${values[i]} AS ${ident(name)}`
      : // All zero: nothing is likelier than anything else.
        `CASE WHEN ${sum} > 0 THEN ${values[i]} / (${sum}) ELSE ${numeric(1 / scores.length)} END AS ${ident(name)}`,
  );
  const others = given.schema.map(({ name }) => name).filter((name) => !scores.includes(name));
  return {
    ...given,
    sql: `SELECT ${[...others.map((name) => `p.${ident(name)}`), ...replaced, key].join(", ")} FROM (${given.sql}) p ${joins.join(" ")}`,
  };
}
