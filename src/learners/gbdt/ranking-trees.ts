import type { Run } from "../../engine/run.js";
import type { Column } from "../../engine/frame.js";
import { ident } from "../../engine/sql.js";
import { relationOf, rowColumn } from "../../table/relation.js";
import type { ParamValue } from "../params.js";
import { trainModel } from "../training.js";
import gbdt from "./gbdt.js";
import { rawScore, type TreeModel } from "./trees.js";

/** The candidates of one list with what is known of them. */
export interface RankedList {
  /** candidates x columns, NaN for missing. */
  features: Float32Array;
  /** 0 to 31 per candidate: how relevant it turned out to be. */
  relevance: ArrayLike<number>;
}

/**
 * LambdaMART on lists in memory: for learners that rank candidates which are in no table.
 *
 * @param names  of the columns of the features
 * @param params of `gbdt`, such as `trees`, `depth` and `top`
 * @throws ShopaiError "data" when all candidates of every list are equally relevant
 */
export async function rankingTrees(
  lists: readonly RankedList[],
  names: readonly string[],
  params: Readonly<Record<string, ParamValue>>,
  run: Run,
): Promise<TreeModel> {
  const rows = lists.reduce((sum, { relevance }) => sum + relevance.length, 0);
  const query = new Int32Array(rows);
  const relevance = new Float32Array(rows);
  const columns = names.map(() => new Float32Array(rows));
  let at = 0;
  lists.forEach((list, q) => {
    for (let i = 0; i < list.relevance.length; i++, at++) {
      query[at] = q;
      relevance[at] = list.relevance[i];
      columns.forEach((values, f) => (values[at] = list.features[i * names.length + f]));
    }
  });
  const numbered = Int32Array.from(query, (_, i) => i);
  const engine = await run.engine();
  const table = engine.fresh("lists");
  await engine.load(table, {
    rows,
    columns: new Map<string, Column>([
      [rowColumn, { kind: "i32", values: numbered }],
      ["list of candidates", { kind: "i32", values: query }],
      ["relevance of candidates", { kind: "f32", values: relevance }],
      ...columns.map((values, f): [string, Column] => [names[f], { kind: "f32", values }]),
    ]),
  });
  const relation = await relationOf(engine, `SELECT * FROM ${ident(table)}`, {
    key: [rowColumn],
    name: "lists of candidates",
  });
  const roles = { target: "relevance of candidates", query: "list of candidates" };
  const { trees } = await trainModel(gbdt, relation, { roles, features: [...names], params }, run);
  await engine.run(`DROP TABLE ${ident(table)}`);
  return trees!;
}

/**
 * Scores of the candidates of a list, larger is better.
 *
 * @param features candidates x columns
 * @param scores   where they go, one per candidate
 */
export function rankingScores(
  { trees, columns }: TreeModel,
  features: Float32Array,
  scores: Float64Array,
): void {
  const row = new Float64Array(columns.length);
  const score = new Float64Array(1);
  for (let i = 0; i < scores.length; i++) {
    for (let f = 0; f < row.length; f++) row[f] = features[i * row.length + f];
    scores[i] = rawScore(trees, row, 0, score)[0];
  }
}
