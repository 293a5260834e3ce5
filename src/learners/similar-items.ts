import { grouped } from "../core/quantity.js";
import type { Column, Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { topK } from "../kernels/top-k.js";
import { relationOf, type Relation } from "../table/relation.js";
import { breathe } from "./breathe.js";
import type { Ask } from "./learner.js";
import { askedLevels, levelTable } from "./levels.js";
import type { Catalogue } from "./recommendations.js";
import { popularityRanks, similarityOf, type Scorer } from "./scorer.js";

/**
 * The k items most alike to each item of `rows`, or to every item: `<item>`, `similar_<item>`, `score`
 * (by the learner's own measure), `rank`. An item is not alike to itself; what has nothing in common is
 * left out. Items that training did not see are left out, with a warning.
 */
export async function similarItems(
  catalogue: Catalogue,
  scorer: Scorer,
  rows: Relation | undefined,
  { k = 10 }: Pick<Ask, "k">,
  run: Run,
): Promise<Relation> {
  const engine = rows?.engine ?? (await run.engine());
  const { item, items } = catalogue;
  const known = await levelTable(engine, "items", items, item.type);
  const codes = rows
    ? (await askedLevels(rows, item, "item", known)).codes
    : Int32Array.from(items, (_, code) => code);
  const asked = codes.filter((code) => code >= 0);
  if (asked.length < codes.length)
    run.warn(
      `${grouped(codes.length - asked.length)} of ${grouped(codes.length)} items were not seen in training: nothing is known to be alike to them`,
    );
  const lists = await nearest(catalogue, similarityOf(catalogue, scorer), asked, k, run);
  const table = engine.fresh("similar");
  await engine.load(table, lists);
  const other = ident(`similar_${item.name}`);
  return relationOf(
    engine,
    `SELECT a.level AS ${ident(item.name)}, b.level AS ${other}, s.score, s.rank FROM ${ident(table)} s JOIN ${ident(known)} a ON s.item = a.number JOIN ${ident(known)} b ON s.other = b.number`,
    { key: [item.name, "rank"], inputs: rows?.inputs, name: rows?.name ?? "similar items" },
  );
}

async function nearest(
  catalogue: Catalogue,
  similar: Required<Scorer>["similar"],
  asked: Int32Array,
  k: number,
  run: Run,
): Promise<Frame> {
  const size = catalogue.items.length;
  const tie = popularityRanks(catalogue);
  const scores = new Float64Array(size);
  const best = new Int32Array(Math.min(k, size));
  const columns = {
    item: new Int32Array(asked.length * best.length),
    other: new Int32Array(asked.length * best.length),
    rank: new Int32Array(asked.length * best.length),
  };
  const score = new Float64Array(asked.length * best.length);
  let filled = 0;
  run.progress.stage("similar items");
  for (let n = 0; n < asked.length; n++) {
    if (n % 64 === 0) {
      run.progress.update(n, asked.length, "items");
      await breathe(run);
    }
    similar(asked[n], scores);
    for (let i = 0; i < size; i++) if (!(scores[i] > 0)) scores[i] = -Infinity;
    scores[asked[n]] = -Infinity;
    const found = topK(scores, tie, best);
    for (let i = 0; i < found; i++, filled++) {
      columns.item[filled] = asked[n];
      columns.other[filled] = best[i];
      columns.rank[filled] = i + 1;
      score[filled] = scores[best[i]];
    }
  }
  run.progress.done(`${grouped(asked.length)} items`);
  const integer = (values: Int32Array): Column => ({ kind: "i32", values: values.subarray(0, filled) });
  return {
    rows: filled,
    columns: new Map<string, Column>([
      ["item", integer(columns.item)],
      ["other", integer(columns.other)],
      ["score", { kind: "f64", values: score.subarray(0, filled) }],
      ["rank", integer(columns.rank)],
    ]),
  };
}
