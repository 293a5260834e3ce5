import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { codes, floats } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import type { Slicing, Subject } from "../metrics/scorecard.js";
import { measureQueries, querySubset, type QueryRows } from "../metrics/queries.js";
import { columnNamed, type Relation } from "../table/relation.js";
import type { Model } from "./learner.js";
import { answered, digestOf, type MeasureAsk, type Measured } from "./measured.js";

/**
 * Measures how a model ranks the rows of every query; queries without a relevant row say nothing and are left out.
 * A query belongs to the slice of its first row.
 *
 * @throws ShopaiError "data" when no query has a relevant row, or a row no query
 */
export async function measuredQueries(
  model: Model,
  rows: Relation,
  ask: MeasureAsk,
  run: Run,
): Promise<Measured> {
  const { target, roles } = model.card;
  const relevance = columnNamed(rows, target!.name).name;
  const query = columnNamed(rows, roles.query!).name;
  const { frame, slicing } = await answered(
    model,
    rows,
    ask,
    [relevance, query],
    [
      { name: relevance, as: "f64" },
      { name: query, as: "code" },
      { name: "prediction", as: "f64" },
    ],
    run,
  );
  const truth = floats(frame, relevance);
  const { values: numbers, levels } = codes(frame, query);
  const missing = numbers.reduce((sum, q) => sum + (q < 0 ? 1 : 0), 0);
  if (missing > 0)
    throw new ShopaiError("data", `${grouped(missing)} rows have no ${query}`, {
      where: rows.name,
      try: `--where '"${query}" IS NOT NULL'`,
    });
  const odd = truth.findIndex((value) => !(value >= 0 && value < Infinity));
  if (odd >= 0)
    throw new ShopaiError("data", `a value of ${relevance} is ${truth[odd]}, not a relevance >= 0`, {
      where: `${rows.name}, row ${odd + 1} of those measured`,
    });
  const relevant = new Uint8Array(levels.length);
  numbers.forEach((q, row) => {
    if (truth[row] > 0) relevant[q] = 1;
  });
  const kept = Int32Array.from(levels.keys()).filter((q) => relevant[q] === 1);
  if (kept.length === 0)
    throw new ShopaiError("data", `no ${query} has a row of a ${relevance} above 0`, {
      where: rows.name,
      try: "a table that holds the truth",
    });
  if (kept.length < levels.length)
    run.warn(
      `${grouped(levels.length - kept.length)} of ${grouped(levels.length)} values of ${query} have no relevant row and are not measured`,
    );
  const data: QueryRows = {
    ...byQuery(numbers, levels.length, kept),
    relevance: truth,
    score: floats(frame, "prediction"),
  };
  const subjectOf = (part: QueryRows): Subject => ({
    measure: measureQueries(part, ask.cuts),
    subset: (units) => subjectOf(querySubset(part, units)),
  });
  const first = Uint32Array.from(kept, (_, i) => data.rows[data.starts[i]]);
  return {
    subject: subjectOf(data),
    rows: frame.rows,
    units: digestOf(kept.length === levels.length ? levels : Array.from(kept, (q) => levels[q]), truth),
    slicings: ask.by.map((name): Slicing => slicing(name, first)),
  };
}

/** The rows of the kept queries, query after query. */
function byQuery(
  numbers: Int32Array,
  count: number,
  kept: Int32Array,
): { starts: Int32Array; rows: Int32Array } {
  const placeOf = new Int32Array(count).fill(-1);
  kept.forEach((q, i) => (placeOf[q] = i));
  const starts = new Int32Array(kept.length + 1);
  for (const q of numbers) if (placeOf[q] >= 0) starts[placeOf[q] + 1]++;
  for (let i = 0; i < kept.length; i++) starts[i + 1] += starts[i];
  const next = starts.slice(0, kept.length);
  const rows = new Int32Array(starts[kept.length]);
  numbers.forEach((q, row) => {
    if (placeOf[q] >= 0) rows[next[placeOf[q]]++] = row;
  });
  return { starts, rows };
}
