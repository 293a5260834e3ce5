import { listed, ShopaiError } from "../core/errors.js";
import { codes, floats, integers, type ColumnAsk } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { transposed, type Csr } from "../kernels/csr.js";
import { columnNamed, isNumeric, where, type Relation } from "../table/relation.js";
import type { Catalogue } from "./recommendations.js";

/** What a shop wants of its lists beside the user's taste. */
export interface Rules {
  /** A row per item, under the item column's name: what the rules speak of. */
  items?: Relation;
  /** Only items for which this SQL predicate over `items` holds: in stock, on sale. Others, and items that are not in the table, are left out. */
  require?: string;
  /** Most items of a list with the same value of a column of `items`, by column. */
  caps?: Readonly<Record<string, number>>;
  /** How much a column of `items` lifts an item: relevance times 1 + weight x its place between the column's ends. */
  boosts?: Readonly<Record<string, number>>;
  /** 0 (relevance alone) to 1 (difference alone): the trade-off of maximal marginal relevance. */
  diversity?: number;
  /** The best items by the model that rules choose from; by default ten times as many as asked for, 100 at least. */
  candidates?: number;
}

/** Rules made ready for the codes of a catalogue. */
export interface Reranker {
  /** 1 for items that may be recommended; all when absent. */
  allowed?: Uint8Array;
  /** How many candidates it wants for a list of k; k when the order stays. */
  candidates(k: number): number;
  /**
   * Chooses k of the candidates, best first.
   *
   * @param items  candidates by code, best first
   * @param scores their scores by the model
   * @returns places among the candidates
   */
  choose(items: Int32Array, scores: Float64Array, k: number): number[];
}

/**
 * Makes rules ready: the next item of a list is the one with the largest
 * (1 - d) relevance - d (likeness to the most alike item chosen so far), among those that no cap forbids.
 *
 * Carbonell & Goldstein (1998), The Use of MMR, SIGIR, with lambda = 1 - d. Relevance is the score between
 * the worst (0) and the best candidate (1), lifted by boosts; likeness is the cosine of the items' users.
 *
 * @param known a table of `number` (code) and `level` of the catalogue's items
 * @throws ShopaiError "usage" for rules without a table of items, "data" for columns that are not there or of another type
 */
export async function rerankerOf(catalogue: Catalogue, rules: Rules, known: string): Promise<Reranker> {
  const { items, require, caps = {}, boosts = {}, diversity = 0 } = rules;
  const ordered = diversity > 0 || Object.keys(caps).length > 0 || Object.keys(boosts).length > 0;
  if (!items && (require !== undefined || Object.keys(caps).length > 0 || Object.keys(boosts).length > 0))
    throw new ShopaiError("usage", "--require, --cap and --boost speak of columns of a table of items", {
      try: "--items products.csv",
    });
  if (items) await refuseTwice(items, catalogue);
  const allowed =
    items && require !== undefined ? await allowedItems(items, require, catalogue, known) : undefined;
  const limits: { code: Int32Array; most: number }[] = [];
  for (const [name, most] of Object.entries(caps)) {
    const column = columnNamed(items!, name, "--cap").name;
    limits.push({ code: await levelsOf(items!, column, catalogue, known), most });
  }
  const lift = new Float64Array(catalogue.items.length).fill(1);
  for (const [name, weight] of Object.entries(boosts))
    await addBoost(lift, items!, name, weight, catalogue, known);
  const alike = diversity > 0 ? userCosine(catalogue.seen) : undefined;
  return {
    allowed,
    candidates: (k) => (ordered ? Math.max(k, rules.candidates ?? Math.max(100, 10 * k)) : k),
    choose(items, scores, k) {
      if (!ordered) return [...items.keys()].slice(0, k);
      const relevance = lifted(items, scores, lift);
      const closest = new Float64Array(items.length);
      const counts = limits.map(() => new Map<number, number>());
      const open = new Set(items.keys());
      const chosen: number[] = [];
      while (chosen.length < k) {
        let best = -1;
        let bestValue = -Infinity;
        for (const place of open) {
          if (
            limits.some(
              ({ code, most }, l) =>
                code[items[place]] >= 0 && (counts[l].get(code[items[place]]) ?? 0) >= most,
            )
          )
            continue;
          const value = (1 - diversity) * relevance[place] - diversity * closest[place];
          // Candidates come best first: of equals the better one stays.
          if (value > bestValue) [best, bestValue] = [place, value];
        }
        if (best < 0) break;
        open.delete(best);
        chosen.push(best);
        limits.forEach(({ code }, l) => {
          const own = code[items[best]];
          if (own >= 0) counts[l].set(own, (counts[l].get(own) ?? 0) + 1);
        });
        if (alike)
          for (const place of open)
            closest[place] = Math.max(closest[place], alike(items[place], items[best]));
      }
      return chosen;
    },
  };
}

/** Scores between 0 and 1, times the lift of each item. */
function lifted(items: Int32Array, scores: Float64Array, lift: Float64Array): Float64Array {
  const [best, worst] = [scores[0], scores[scores.length - 1]];
  return Float64Array.from(items, (item, place) => {
    const relevance = best > worst ? (scores[place] - worst) / (best - worst) : 1;
    return relevance * lift[item];
  });
}

async function refuseTwice(items: Relation, { item }: Catalogue): Promise<void> {
  const column = ident(columnNamed(items, item.name, "--items").name);
  const twice = await items.engine.rows<{ item: string }>(
    `SELECT ${column}::VARCHAR AS item FROM (${items.sql}) WHERE ${column} IS NOT NULL GROUP BY ${column} HAVING count(*) > 1 ORDER BY 1 LIMIT 6`,
  );
  if (twice.length > 0)
    throw new ShopaiError(
      "data",
      `an item must stand once in the table of items, and these stand there more often: ${listed(
        twice.map((row) => row.item),
        5,
      )}`,
      { where: items.name },
    );
}

/** A SELECT of `number` (code) and an expression over the items that the catalogue knows. */
function perItem(items: Relation, expression: string, { item }: Catalogue, levels: string): string {
  const column = ident(columnNamed(items, item.name).name);
  return `SELECT k.number, ${expression} FROM (${items.sql}) t JOIN ${ident(levels)} k ON TRY_CAST(t.${column} AS ${item.type}) = k.level ORDER BY k.number`;
}

async function allowedItems(
  items: Relation,
  predicate: string,
  catalogue: Catalogue,
  levels: string,
): Promise<Uint8Array> {
  const fit = await where(items, predicate);
  const frame = await items.engine.frame(perItem(fit, "1 AS fit", catalogue, levels), [
    { name: "number", as: "i32" },
  ]);
  const allowed = new Uint8Array(catalogue.items.length);
  for (const code of integers(frame, "number")) allowed[code] = 1;
  return allowed;
}

/** Code of the value of a column by item, -1 for none. */
async function levelsOf(
  items: Relation,
  column: string,
  catalogue: Catalogue,
  levels: string,
): Promise<Int32Array> {
  const asks: ColumnAsk[] = [
    { name: "number", as: "i32" },
    { name: "value", as: "code" },
  ];
  const frame = await items.engine.frame(
    perItem(items, `t.${ident(column)}::VARCHAR AS value`, catalogue, levels),
    asks,
  );
  const code = new Int32Array(catalogue.items.length).fill(-1);
  const { values } = codes(frame, "value");
  integers(frame, "number").forEach((item, row) => (code[item] = values[row]));
  return code;
}

async function addBoost(
  lift: Float64Array,
  items: Relation,
  name: string,
  weight: number,
  catalogue: Catalogue,
  levels: string,
): Promise<void> {
  const field = columnNamed(items, name, "--boost");
  if (!isNumeric(field.type))
    throw new ShopaiError("data", `${field.name} is ${field.type}, and only numbers can boost`, {
      where: items.name,
    });
  const frame = await items.engine.frame(
    perItem(items, `t.${ident(field.name)}::DOUBLE AS value`, catalogue, levels),
    [
      { name: "number", as: "i32" },
      { name: "value", as: "f64" },
    ],
  );
  const values = floats(frame, "value");
  const there = values.filter(Number.isFinite);
  const low = there.reduce((a, b) => Math.min(a, b), Infinity);
  const high = there.reduce((a, b) => Math.max(a, b), -Infinity);
  integers(frame, "number").forEach((item, row) => {
    if (Number.isFinite(values[row]) && high > low)
      lift[item] += (weight * (values[row] - low)) / (high - low);
  });
}

/** Cosine of the users of two items, by merging their sorted lists. */
function userCosine(seen: Csr): (a: number, b: number) => number {
  const { starts, columns } = transposed(seen);
  return (a, b) => {
    let [p, q, common] = [starts[a], starts[b], 0];
    while (p < starts[a + 1] && q < starts[b + 1]) {
      if (columns[p] === columns[q]) {
        common++;
        p++;
        q++;
      } else if (columns[p] < columns[q]) p++;
      else q++;
    }
    const sizes = (starts[a + 1] - starts[a]) * (starts[b + 1] - starts[b]);
    return sizes === 0 ? 0 : common / Math.sqrt(sizes);
  };
}
