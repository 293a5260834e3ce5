import { grouped } from "../core/quantity.js";
import type { Column, Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { mostMembers, type TopProblem } from "../kernels/top-rows.js";
import { topK } from "../kernels/top-k.js";
import { relationOf, type Relation } from "../table/relation.js";
import { breathe } from "./breathe.js";
import { itself } from "./factor-model.js";
import type { Ask } from "./learner.js";
import { askedLevels, levelTable } from "./levels.js";
import { manyScores } from "./list-batches.js";
import { indexedLists, openedProducts } from "./near-index.js";
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
  const lists = await nearest(catalogue, scorer, asked, k, run);
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
  scorer: Scorer,
  asked: Int32Array,
  k: number,
  run: Run,
): Promise<Frame> {
  const places = Math.min(k, catalogue.items.length);
  const columns = {
    item: new Int32Array(asked.length * places),
    other: new Int32Array(asked.length * places),
    rank: new Int32Array(asked.length * places),
  };
  const score = new Float64Array(asked.length * places);
  let filled = 0;
  run.progress.stage("similar items");
  let n = 0;
  for await (const { items, scores } of alikeLists(catalogue, scorer, asked, k, run)) {
    for (let i = 0; i < items.length && scores[i] > 0; i++, filled++) {
      columns.item[filled] = asked[n];
      columns.other[filled] = items[i];
      columns.rank[filled] = i + 1;
      score[filled] = scores[i];
    }
    n++;
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

/** Items by how alike they are, best first; those that have nothing in common may follow. */
export interface AlikeList {
  items: Int32Array;
  scores: Float64Array;
}

/** The lists of the items asked for, in their order; by a kernel where that pays and can be. */
async function* alikeLists(
  catalogue: Catalogue,
  scorer: Scorer,
  asked: Int32Array,
  k: number,
  run: Run,
): AsyncGenerator<AlikeList> {
  const alike = alikeMaker(catalogue, scorer);
  const pays = asked.length * catalogue.items.length >= manyScores;
  const top =
    pays && scorer.alike ? await openedProducts(scorer.alike(), alikeProblem(catalogue, k), run) : undefined;
  try {
    for (let from = 0; from < asked.length; from += mostMembers) {
      const part = asked.subarray(from, from + mostMembers);
      const found = top?.of(part);
      for (let row = 0; row < part.length; row++) {
        if (row % 64 === 0) {
          run.progress.update(from + row, asked.length, "items");
          await breathe(run);
        }
        const count = found ? found.counts[row] : -1;
        if (count < 0) yield alike(part[row], k);
        else
          yield {
            items: found!.items.subarray(row * k, row * k + count),
            scores: found!.scores.subarray(row * k, row * k + count),
          };
      }
    }
  } finally {
    top?.close();
  }
}

const alikeProblem = (catalogue: Catalogue, k: number): TopProblem => ({
  seen: itself(catalogue.items.length),
  includeSeen: false,
  k,
  tie: popularityRanks(catalogue),
});

/** The k items most alike to one, by code; from the index of the items where there is one. */
export function alikeMaker(catalogue: Catalogue, scorer: Scorer): (item: number, k: number) => AlikeList {
  const similar = similarityOf(catalogue, scorer);
  const products = scorer.alike?.();
  const scores = new Float64Array(catalogue.items.length);
  const tie = popularityRanks(catalogue);
  const indexes = new Map<number, ReturnType<typeof indexedLists>>();
  return (item, k) => {
    if (products?.index && !indexes.has(k))
      indexes.set(k, indexedLists(products, alikeProblem(catalogue, k)));
    const near = indexes.get(k)?.(item);
    if (near) return near;
    similar(item, scores);
    for (let other = 0; other < scores.length; other++)
      if (other === item || !(scores[other] > 0)) scores[other] = -Infinity;
    const best = new Int32Array(Math.min(k, scores.length));
    const items = best.subarray(0, topK(scores, tie, best));
    return { items, scores: Float64Array.from(items, (other) => scores[other]) };
  };
}
