import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import type { Csr } from "../kernels/csr.js";
import {
  dealtIndex,
  indexedTop,
  indexedTopBytes,
  plainIndexedTop,
  plainProbes,
  type ItemIndex,
} from "../kernels/item-index.js";
import {
  exactly,
  factorTop,
  factorTopBytes,
  type FactorScores,
  type TopProblem,
  type TopRows,
} from "../kernels/top-rows.js";
import { topK } from "../kernels/top-k.js";
import { breathe } from "./breathe.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";
import { int } from "./params.js";

export const indexParam = int({
  default: 100_000,
  min: 0,
  help: "items from which on lists come from an index of neighbours instead of all items; 0 for never",
});

/** The longest lists that an index is asked for; longer ones look at all items. */
const longest = 50;
/** Places of a list that have to be found. */
const measured = 20;
/** Share of them that is found, on average. */
const target = 0.99;
/** Members whose lists tell how many lists to look into. */
const most = 512;
/** Share of all lists from which on an index saves nothing. */
const tooMany = 0.25;

export interface Indexed {
  index?: ItemIndex;
  /** What was measured, for the model card. */
  about: Record<string, unknown>;
}

/**
 * An index of the items for these scores that finds 99 of 100 of the first twenty places, measured on members drawn by the
 * seed; none where that would take a quarter of all lists.
 *
 * @param name of the scores, for the card and the stream of random numbers
 */
export async function measuredIndex(
  name: string,
  factors: FactorScores,
  seen: Csr,
  members: Int32Array,
  run: Run,
): Promise<Indexed> {
  run.progress.stage(`${name}: ${grouped(seen.cols)} items`);
  const rng = run.rng(name);
  const index = await dealtIndex(factors, run.pool, rng, async (done) => {
    run.progress.update(Math.round(100 * done), 100, "%");
    await breathe(run);
  });
  const problem: TopProblem = {
    seen,
    includeSeen: false,
    k: measured,
    tie: Int32Array.from({ length: seen.cols }, (_, item) => item),
  };
  const needed = await placesNeeded(index, factors, problem, rng.shuffle(members).slice(0, most), run);
  run.progress.done();
  if (needed.length === 0) return { about: {} };
  const probes = needed[Math.min(needed.length - 1, Math.ceil(target * needed.length) - 1)] + 1;
  const lists = index.lists.rows;
  const found = needed.filter((place) => place < probes).length / needed.length;
  const facts = { lists, "lists looked into": probes, [`recall@${measured}`]: found };
  return probes > tooMany * lists
    ? { about: { [name]: { ...facts, used: false } } }
    : { index: { ...index, probes }, about: { [name]: facts } };
}

/** For every item among the best of the members: which place its list has among those to look into. Ascending. */
async function placesNeeded(
  index: ItemIndex,
  factors: FactorScores,
  problem: TopProblem,
  members: Int32Array,
  run: Run,
): Promise<Int32Array> {
  const listOf = new Int32Array(problem.seen.cols);
  const { rows, starts, columns } = index.lists;
  for (let list = 0; list < rows; list++)
    for (let p = starts[list]; p < starts[list + 1]; p++) listOf[columns[p]] = list;
  const kernel = await run.pool.kernel("top-rows", factorTopBytes(factors, problem, run.pool.threads));
  const top = kernel && factorTop(kernel, factors, problem);
  const found = top?.of(members);
  const probes = plainProbes(index);
  const places: number[] = [];
  const rank = new Int32Array(rows);
  for (let row = 0; row < members.length; row++) {
    await breathe(run);
    const member = members[row];
    const own = factors.users.subarray(member * factors.width, (member + 1) * factors.width);
    probes(own, rows).forEach((list, place) => (rank[list] = place));
    const count = found ? found.counts[row] : -1;
    const best =
      count >= 0
        ? found!.items.subarray(row * measured, row * measured + count)
        : plainTop(factors, problem, member);
    for (const item of best) places.push(rank[listOf[item]]);
  }
  top?.close();
  return Int32Array.from(places).sort();
}

function plainTop(factors: FactorScores, { seen, k, tie }: TopProblem, member: number): Int32Array {
  const exact = exactly(factors, Int32Array.of(member));
  const scores = Float64Array.from(tie, (_, item) => exact(0, item, 0));
  for (let p = seen.starts[member]; p < seen.starts[member + 1]; p++) scores[seen.columns[p]] = -Infinity;
  const best = new Int32Array(Math.min(k, seen.cols));
  return best.subarray(0, topK(scores, tie, best));
}

/** Scores that are products of factors, and an index of the items for them where there is one. */
export interface Products {
  factors: FactorScores;
  index?: ItemIndex;
}

/** The best of many members by a kernel; undefined where there is none, or no room. */
export async function openedProducts(
  { factors, index }: Products,
  problem: TopProblem,
  run: Run,
): Promise<TopRows | undefined> {
  const { threads } = run.pool;
  const used = problem.k <= longest ? index : undefined;
  const bytes = used
    ? indexedTopBytes(factors, used, problem, threads)
    : factorTopBytes(factors, problem, threads);
  if (bytes > 2 ** 32) return undefined;
  const kernel = await run.pool.kernel("top-rows", bytes);
  if (!kernel) return undefined;
  if (!used) return factorTop(kernel, factors, problem);
  const choosing = await run.pool.kernel("top-rows", 8 * used.representatives.length);
  return indexedTop(kernel, choosing!, factors, problem, used);
}

/** The best of one member after another from the index; undefined where it is not asked. */
export function indexedLists(
  { factors, index }: Products,
  problem: TopProblem,
): ReturnType<typeof plainIndexedTop> | undefined {
  return index && problem.k <= longest ? plainIndexedTop(factors, problem, index) : undefined;
}

export function saveIndex(
  folder: FolderWriter,
  name: string,
  { width, representatives, lists, probes }: ItemIndex,
): void {
  folder.array(`${name}-representatives`, representatives, [lists.rows, width]);
  folder.array(`${name}-starts`, lists.starts);
  folder.array(`${name}-items`, lists.columns);
  folder.json(name, { probes });
}

/** @param items how many the model has */
export function loadIndex(folder: FolderReader, name: string, items: number): ItemIndex | undefined {
  if (!(`${name}.json` in folder.card.files)) return undefined;
  const starts = folder.array(`${name}-starts`, "i32");
  const rows = starts.length - 1;
  const representatives = folder.array(`${name}-representatives`, "f32", [rows, undefined]);
  return {
    width: representatives.length / rows,
    representatives,
    lists: { rows, cols: items, starts, columns: folder.array(`${name}-items`, "i32", [items]) },
    probes: folder.json<{ probes: number }>(name).probes,
  };
}
