import type { Rng } from "../../core/rng.js";
import type { Run } from "../../engine/run.js";
import { anomalyColumns, anomalyTypes, contamination, standOutFrom } from "../anomaly.js";
import { breathe } from "../breathe.js";
import { defineLearner, int, type Fitted, type Signature, type TrainingData } from "../learner.js";
import { columnSql, isNumber, levelsOf, mostLevels } from "./columns.js";
import { fittedTrees } from "./fitted-trees.js";
import { scoresInOrder } from "./predict.js";
import { inOrder } from "./streaming.js";
import { TreeBuilder } from "./tree-builder.js";
import { loadTrees, type TreeColumn, type TreeModel } from "./trees.js";

/**
 * Isolation forest: random splits part odd rows from the others early. A row's score is 2^(-path / c(n)) of its mean
 * path in trees that were each grown on n rows; about 0.5 is usual, towards 1 stands out.
 *
 * Liu, Ting & Zhou (2008), "Isolation Forest", ICDM: algorithms 1 to 3, equations 1 and 2. Beyond the paper: of a text a
 * random half of the levels that are there goes left, and missing values go to a random side.
 */
export default defineLearner({
  name: "isolation-forest",
  task: "anomaly",
  summary: "rows that random splits part from the others early; fast, for mixed columns",
  source: "Liu, Ting & Zhou (2008), Isolation Forest, ICDM, pages 413 to 422",
  roles: { target: "optional" },
  features: true,
  params: {
    trees: int({ default: 200, min: 1, max: 100_000, help: "trees whose paths are averaged" }),
    sample: int({
      default: 256,
      min: 2,
      max: 100_000,
      help: "rows that each tree is grown on",
      search: [64, 1024],
    }),
    contamination,
  },
  async fit(data, params, run) {
    const columns = await columnsOf(data);
    const sample = Math.min(params.sample, data.rows);
    const rng = run.rng("isolation-forest");
    const drawn = Array.from({ length: params.trees }, () => someOf(data.rows, sample, rng));
    run.progress.stage("isolation-forest: reading");
    const { values, placeOf } = await valuesAt(data, columns, drawn, run);
    run.progress.done(`${data.rows} rows`);
    run.progress.stage("isolation-forest: growing");
    const builder = new TreeBuilder({ columns: [], featureOf: new Int32Array(0) });
    const depth = Math.ceil(Math.log2(sample));
    for (const [tree, rows] of drawn.entries()) {
      const places = rows.map((row) => placeOf.get(row)!);
      grow(builder, columns, values, places, depth, rng, 1 / params.trees);
      builder.endTree(0);
      run.progress.update(tree + 1, params.trees, "trees");
      if (tree % 16 === 0) await breathe(run);
    }
    run.progress.done(`${params.trees} trees`);
    const trees = builder.ensemble(new Float64Array(1));
    const model: TreeModel = { columns, trees, link: "identity", objective: "isolation" };
    const scores = isolation(await scoresInOrder(model, data.relation, data.rows, run), sample);
    const threshold = standOutFrom(scores, params.contamination);
    return fitted(data, model, threshold, sample, { threshold, sample });
  },
  load: (folder) => {
    const { about } = folder.card;
    return fitted(folder.card, loadTrees(folder), about.threshold as number, about.sample as number, about);
  },
});

function fitted(
  signature: Signature,
  model: TreeModel,
  threshold: number,
  sample: number,
  about: Record<string, unknown>,
): Fitted {
  return fittedTrees(signature, model, about, {
    types: anomalyTypes,
    // Short paths stand out.
    sign: -1,
    columns: (paths) => anomalyColumns(isolation(paths, sample), threshold),
  });
}

/** Different rows, by Floyd's algorithm: Bentley & Floyd (1987), Communications of the ACM 30(9). */
function someOf(rows: number, count: number, rng: Rng): number[] {
  const chosen = new Set<number>();
  for (let last = rows - count; last < rows; last++) {
    const drawn = rng.integer(last + 1);
    chosen.add(chosen.has(drawn) ? last : drawn);
  }
  return [...chosen];
}

/** The values of the rows that some tree is grown on, column by column; no others are held. */
async function valuesAt(
  { relation }: TrainingData,
  columns: readonly TreeColumn[],
  drawn: readonly (readonly number[])[],
  run: Run,
): Promise<{ values: Float64Array[]; placeOf: Map<number, number> }> {
  const wanted = Int32Array.from(new Set(drawn.flat())).sort();
  const placeOf = new Map(Array.from(wanted, (row, place): [number, number] => [row, place]));
  const values = columns.map(() => new Float64Array(wanted.length));
  const expressions = new Map(columns.map((column, f) => [`f${f}`, { sql: columnSql(column) }]));
  let next = 0;
  await inOrder(relation, expressions, run, (found, from, count) => {
    // Read anew, from the first row, where rows turn out not to come in order.
    if (from === 0) next = 0;
    for (; next < wanted.length && wanted[next] < from + count; next++)
      values.forEach((column, f) => (column[next] = found.get(`f${f}`)![wanted[next] - from]));
  });
  return { values, placeOf };
}

async function columnsOf({ features, relation }: TrainingData): Promise<TreeColumn[]> {
  const texts = features.filter((field) => !isNumber(field)).map(({ name }) => name);
  const levels = await levelsOf(relation, texts, mostLevels);
  return features.map(({ name }): TreeColumn => {
    const own = levels.get(name);
    return own ? { kind: "category", name, levels: own } : { kind: "number", name };
  });
}

/** 2^(-mean path / c(sample)), equation 2. */
function isolation(paths: Float64Array, sample: number): Float64Array {
  const usual = averagePath(sample);
  return paths.map((path) => 2 ** (-path / usual));
}

/** Mean path of an unsuccessful search among n values, equation 1. */
function averagePath(n: number): number {
  if (n <= 1) return 0;
  if (n === 2) return 1;
  return 2 * (Math.log(n - 1) + 0.5772156649015329) - (2 * (n - 1)) / n;
}

/** Algorithm 2: splits a random column of those that vary at a random place, until rows are alone or `depth` is reached. */
function grow(
  builder: TreeBuilder,
  columns: readonly TreeColumn[],
  values: readonly Float64Array[],
  sample: readonly number[],
  depth: number,
  rng: Rng,
  share: number,
): void {
  const open = [{ node: leaf(0, sample), rows: sample, level: 0 }];
  while (open.length > 0) {
    const { node, rows, level } = open.pop()!;
    const varying =
      level < depth && rows.length > 1 ? columns.flatMap((_, f) => (varies(values[f], rows) ? [f] : [])) : [];
    if (varying.length === 0) continue;
    const feature = varying[rng.integer(varying.length)];
    const column = columns[feature];
    const missingLeft = rng.uniform() < 0.5;
    const present = rows.map((r) => values[feature][r]).filter((value) => !Number.isNaN(value));
    const rule =
      column.kind === "category"
        ? { levels: halfOf(present, rng), levelCount: column.levels.length }
        : { threshold: between(present, rng) };
    const goesLeft = (value: number): boolean =>
      Number.isNaN(value) ? missingLeft : rule.levels ? rule.levels.includes(value) : value < rule.threshold;
    const lefts = rows.filter((r) => goesLeft(values[feature][r]));
    const rights = rows.filter((r) => !goesLeft(values[feature][r]));
    if (lefts.length === 0 || rights.length === 0) continue;
    const left = leaf(level + 1, lefts);
    const right = leaf(level + 1, rights);
    builder.branch(node, { feature, missingLeft, gain: 0, left, right, ...rule });
    open.push({ node: left, rows: lefts, level: level + 1 }, { node: right, rows: rights, level: level + 1 });
  }

  function leaf(level: number, rows: readonly number[]): number {
    return builder.leaf(share * (level + averagePath(rows.length)), rows.length);
  }
}

function varies(values: Float64Array, rows: readonly number[]): boolean {
  const first = values[rows[0]];
  return rows.some((r) => !Object.is(values[r], first));
}

/** A threshold that parts the values, evenly between the least and the largest; some value where only one is there. */
function between(present: readonly number[], rng: Rng): number {
  const low = present.reduce((least, value) => Math.min(least, value), Infinity);
  const high = present.reduce((most, value) => Math.max(most, value), -Infinity);
  const drawn = Math.fround(low + rng.uniform() * (high - low));
  return drawn > low && drawn <= high ? drawn : high;
}

/** Some of the levels that are there, never none and, of several, never all. */
function halfOf(present: readonly number[], rng: Rng): number[] {
  const levels = rng.shuffle([...new Set(present)].sort((a, b) => a - b));
  return levels.slice(0, Math.max(1, Math.floor(levels.length / 2)));
}
