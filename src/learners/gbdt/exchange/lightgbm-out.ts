import type { TreeColumn, TreeEnsemble, TreeModel } from "../trees.js";
import { levelCounts, rounds, type Passport } from "./foreign.js";
import { doubleBelow } from "./neighbours.js";

/**
 * The model as LightGBM's text, format v4.
 *
 * Both compute with float64: predictions are equal up to the order of the sums. In LightGBM the levels of
 * a categorical split that are missing or unknown go right; splits that send them left have their sides
 * swapped. Covers are written as weights of the leaves and, rounded to 1 or more, as their counts.
 *
 * @param passport what a later import into shopai gets back; stands in the head
 */
export function writeLightgbm(model: TreeModel, passport: Passport): string {
  const { trees, columns } = model;
  const levels = levelCounts(model);
  const order = rounds(trees);
  if (order.length === 0) order.push(Array.from(trees.base, () => -1));
  const sections = order.flatMap((round, r) =>
    round.map((t, output) => {
      const base = r === 0 ? trees.base[output] : 0;
      const body = t < 0 ? leafLines(base) : treeLines(trees, t, base, levels);
      return `Tree=${r * trees.outputs + output}\n${body}\n\n\n`;
    }),
  );
  const names = featureNames(columns.map(({ name }) => name));
  const categorical = levels.flatMap((count, c) => (count > 0 ? [c] : []));
  const splits = splitCounts(trees, columns.length);
  const { line, name } = objectiveOf(model, passport);
  return [
    "tree",
    "version=v4",
    `num_class=${trees.outputs}`,
    `num_tree_per_iteration=${trees.outputs}`,
    "label_index=0",
    `max_feature_idx=${columns.length - 1}`,
    ...line,
    `feature_names=${names.join(" ")}`,
    `feature_infos=${infos(trees, levels).join(" ")}`,
    `shopai=${escaped(JSON.stringify(passport))}`,
    `tree_sizes=${sections.map((section) => Buffer.byteLength(section)).join(" ")}`,
    "",
    `${sections.join("")}end of trees`,
    "",
    "feature_importances:",
    ...names
      .map((feature, c) => ({ feature, count: splits[c] }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
      .map(({ feature, count }) => `${feature}=${count}`),
    "",
    "parameters:",
    "[boosting: gbdt]",
    `[objective: ${name}]`,
    `[num_class: ${trees.outputs}]`,
    ...(categorical.length > 0 ? [`[categorical_feature: ${categorical.join(",")}]`] : []),
    "",
    "end of parameters",
    "",
    `pandas_categorical:${JSON.stringify(levelNames(columns, levels))}`,
    "",
  ].join("\n");
}

/** A line of the head may hold one equals sign only. */
const escaped = (json: string): string => json.replaceAll("=", "\\u003d");

function objectiveOf(
  { link, objective, trees }: TreeModel,
  { classes }: Passport,
): { line: string[]; name: string } {
  const told = (name: string, rest = ""): { line: string[]; name: string } => ({
    line: [`objective=${name}${rest}`],
    name,
  });
  if (link === "logistic") return classes ? told("binary", " sigmoid:1") : told("cross_entropy");
  if (link === "softmax") return told("multiclass", ` num_class:${trees.outputs}`);
  if (link === "exp") return told(["gamma", "tweedie"].includes(objective) ? objective : "poisson");
  // Several outputs as they are: no objective of LightGBM, so that it gives the sums themselves.
  return trees.outputs > 1 ? { line: [], name: "custom" } : told("regression");
}

/** Names of the levels of categorical columns, for data frames of pandas; nothing where all are mere codes. */
function levelNames(columns: readonly TreeColumn[], levels: readonly number[]): (string | number)[][] | null {
  if (!columns.some(({ kind }) => kind === "category")) return null;
  return columns.flatMap((column, c) => {
    if (levels[c] === 0) return [];
    return [
      column.kind === "category" ? column.levels : Array.from({ length: levels[c] }, (_, level) => level),
    ];
  });
}

/** Names may hold no blanks and none of the letters that JSON is made of; equal ones get a number. */
function featureNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const plain = name.replace(/[\s",:[\]{}=]/g, "_");
    let unique = plain;
    for (let i = 2; taken.has(unique); i++) unique = `${plain}_${i}`;
    taken.add(unique);
    return unique;
  });
}

function splitCounts({ feature }: TreeEnsemble, columns: number): Int32Array {
  const counts = new Int32Array(columns);
  for (const column of feature) if (column >= 0) counts[column]++;
  return counts;
}

/** What is known of the values of every column: levels, or the range of its thresholds. */
function infos({ feature, threshold }: TreeEnsemble, levels: readonly number[]): string[] {
  const lowest = levels.map(() => Infinity);
  const highest = levels.map(() => -Infinity);
  feature.forEach((column, n) => {
    if (column < 0 || !Number.isFinite(threshold[n])) return;
    lowest[column] = Math.min(lowest[column], threshold[n]);
    highest[column] = Math.max(highest[column], threshold[n]);
  });
  return levels.map((count, c) =>
    count > 0
      ? Array.from({ length: count }, (_, level) => level).join(":")
      : lowest[c] <= highest[c]
        ? `[${lowest[c]}:${highest[c]}]`
        : "none",
  );
}

function leafLines(value: number): string {
  return [
    "num_leaves=1",
    "num_cat=0",
    "split_feature=",
    "split_gain=",
    "threshold=",
    "decision_type=",
    "left_child=",
    "right_child=",
    `leaf_value=${value}`,
    "leaf_weight=",
    "leaf_count=",
    "internal_value=",
    "internal_weight=",
    "internal_count=",
    "is_linear=0",
    "shrinkage=1",
  ].join("\n");
}

const categoricalBit = 1;
const defaultLeftBit = 2;
/** Missing values are NaN. */
const missingNan = 2 << 2;

function treeLines(trees: TreeEnsemble, t: number, base: number, levels: readonly number[]): string {
  const { starts, feature, left, right, catStart, missingLeft, cover, value } = trees;
  const inner: number[] = [];
  const leaves: number[] = [];
  const id = new Map<number, number>();
  for (let n = starts[t]; n < starts[t + 1]; n++) {
    if (feature[n] < 0) id.set(n, ~(leaves.push(n) - 1));
    else id.set(n, inner.push(n) - 1);
  }
  if (inner.length === 0) return leafLines(value[leaves[0]] + base);
  const swapped = (n: number): boolean => catStart[n] >= 0 && missingLeft[n] === 1;
  const boundaries = [0];
  const words: number[] = [];
  const thresholds = inner.map((n) => {
    if (catStart[n] < 0) return doubleBelow(trees.threshold[n]); // x < t is x <= the number before t
    words.push(...setLeft(trees, n, levels[feature[n]], swapped(n)));
    return boundaries.push(words.length) - 2;
  });
  const sets = boundaries.length - 1;
  const counts = rowCounts(trees, t);
  const counted = (nodes: readonly number[]): string => list(nodes.map((n) => counts[n - starts[t]]));
  const list = (values: readonly number[]): string => values.join(" ");
  return [
    `num_leaves=${leaves.length}`,
    `num_cat=${sets}`,
    `split_feature=${list(inner.map((n) => feature[n]))}`,
    `split_gain=${list(inner.map((n) => trees.gain[n]))}`,
    `threshold=${list(thresholds)}`,
    `decision_type=${list(inner.map((n) => (catStart[n] >= 0 ? categoricalBit : missingNan | (missingLeft[n] ? defaultLeftBit : 0))))}`,
    `left_child=${list(inner.map((n) => id.get(swapped(n) ? right[n] : left[n])!))}`,
    `right_child=${list(inner.map((n) => id.get(swapped(n) ? left[n] : right[n])!))}`,
    `leaf_value=${list(leaves.map((n) => value[n] + base))}`,
    `leaf_weight=${list(leaves.map((n) => cover[n]))}`,
    `leaf_count=${counted(leaves)}`,
    `internal_value=${list(inner.map((n) => value[n] + base))}`,
    `internal_weight=${list(inner.map((n) => cover[n]))}`,
    `internal_count=${counted(inner)}`,
    ...(sets > 0 ? [`cat_boundaries=${list(boundaries)}`, `cat_threshold=${list(words)}`] : []),
    "is_linear=0",
    "shrinkage=1",
  ].join("\n");
}

/** Rows of the nodes of a tree, as far as covers tell: LightGBM's contributions divide by them. */
function rowCounts({ starts, feature, left, right, cover }: TreeEnsemble, t: number): Float64Array {
  const counts = new Float64Array(starts[t + 1] - starts[t]);
  for (let n = starts[t + 1] - 1; n >= starts[t]; n--)
    counts[n - starts[t]] =
      feature[n] < 0
        ? Math.max(1, Math.round(cover[n]))
        : counts[left[n] - starts[t]] + counts[right[n] - starts[t]];
  return counts;
}

/** Words of the set that goes left; of its complement among the known levels when the sides are swapped. */
function setLeft(
  { catStart, catCount, catWords }: TreeEnsemble,
  node: number,
  levels: number,
  swapped: boolean,
): number[] {
  const words = Array.from(catWords.subarray(catStart[node], catStart[node] + catCount[node]));
  if (!swapped) return words;
  return Array.from({ length: Math.max(1, Math.ceil(levels / 32)) }, (_, w) => {
    const known = levels - 32 * w >= 32 ? 0xffffffff : (1 << (levels - 32 * w)) - 1;
    return (~(words[w] ?? 0) & known) >>> 0;
  });
}
