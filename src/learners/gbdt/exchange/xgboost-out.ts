import { type TreeColumn, type TreeEnsemble, type TreeModel } from "../trees.js";
import { levelCounts, levelsLeft, rounds, type Passport } from "./foreign.js";
import { floatAbove } from "./neighbours.js";

/**
 * The model as XGBoost's JSON, which XGBoost 1.7 and later load.
 *
 * XGBoost computes with float32: leaves are rounded, and a value that lies within half a float32 step of a
 * threshold may go the other way. Categories are its codes, in the order of the levels; from XGBoost 3.1
 * on it finds them by the names in the file.
 *
 * @param passport what a later import into shopai gets back; stands among the model's attributes
 */
export function writeXgboost(model: TreeModel, passport: Passport): string {
  const { trees, columns, link } = model;
  const { score, extra } = baseOf(model);
  const order = rounds(trees);
  const written = [
    ...(extra ? Array.from(trees.base, constantTree) : []),
    ...order.flat().map((t) => (t < 0 ? constantTree(0) : treeOf(trees, t))),
  ];
  const width = String(columns.length);
  const saved = {
    learner: {
      attributes: { shopai: JSON.stringify(passport) },
      feature_names: columns.map(({ name }) => name),
      feature_types: levelCounts(model).map((count) => (count > 0 ? "c" : "float")),
      gradient_booster: {
        model: {
          cats: categoriesOf(columns),
          gbtree_model_param: { num_parallel_tree: "1", num_trees: String(written.length) },
          iteration_indptr: Array.from(
            { length: written.length / trees.outputs + 1 },
            (_, round) => round * trees.outputs,
          ),
          tree_info: written.map((_, t) => t % trees.outputs),
          trees: written.map(({ integers, floats }, id) => ({
            ...integers,
            ...Object.fromEntries(Object.entries(floats).map(([name, values]) => [name, values.map(single)])),
            id,
            tree_param: {
              num_deleted: "0",
              num_feature: width,
              num_nodes: String(integers.parents.length),
              size_leaf_vector: "1",
            },
          })),
        },
        name: "gbtree",
      },
      learner_model_param: {
        base_score: scientific(score),
        boost_from_average: "0",
        num_class: link === "softmax" ? String(trees.outputs) : "0",
        num_feature: width,
        num_target: link === "softmax" ? "1" : String(trees.outputs),
      },
      objective: objectiveOf(model, passport),
    },
    version: [3, 1, 0],
  };
  // XGBoost tells integers from floats by their look: 1 is none of the latter, 1E0 is.
  return JSON.stringify(saved).replace(/"float:([^"]+)"/g, "$1");
}

function objectiveOf({ link, objective, trees }: TreeModel, { classes }: Passport): Record<string, unknown> {
  const plain = { reg_loss_param: { scale_pos_weight: "1" } };
  if (link === "logistic") return { name: classes ? "binary:logistic" : "reg:logistic", ...plain };
  if (link === "softmax")
    return { name: "multi:softprob", softmax_multiclass_param: { num_class: String(trees.outputs) } };
  if (link === "identity") return { name: "reg:squarederror", ...plain };
  if (objective === "gamma") return { name: "reg:gamma", ...plain };
  if (objective === "tweedie")
    return { name: "reg:tweedie", tweedie_regression_param: { tweedie_variance_power: "1.5" } };
  return { name: "count:poisson", poisson_regression_param: { max_delta_step: "0.7" } };
}

/**
 * `base_score`, in units of predictions, where it holds the base exactly enough; else a neutral one and
 * a round of trees that are one leaf each. A probability near 1 has too few digits in float32.
 */
function baseOf({ trees, link }: TreeModel): { score: number; extra: boolean } {
  const { base } = trees;
  const margin = base[0];
  if (base.every((value) => value === margin)) {
    const score = Math.fround(
      link === "logistic" ? 1 / (1 + Math.exp(-margin)) : link === "exp" ? Math.exp(margin) : margin,
    );
    const back = link === "logistic" ? -Math.log(1 / score - 1) : link === "exp" ? Math.log(score) : score;
    // The float32 steps of 1 / score are as large as those of score: only small scores keep their digits.
    const kept = link !== "logistic" || margin <= 0;
    if (kept && Math.abs(back - margin) <= 2e-7 * Math.max(1, Math.abs(margin)))
      return { score, extra: false };
  }
  return { score: link === "logistic" ? 0.5 : link === "exp" ? 1 : 0, extra: true };
}

const scientific = (value: number): string => value.toExponential().toUpperCase().replace("+", "");

/** A float32, told apart from all others by nine digits; marked for its place in the JSON. */
const single = (value: number): string => `float:${scientific(Number(Math.fround(value).toPrecision(9)))}`;

interface WrittenTree {
  integers: Record<string, number[]>;
  floats: Record<string, number[]>;
}

const noParent = 2147483647;

function constantTree(value: number): WrittenTree {
  return {
    integers: {
      categories: [],
      categories_nodes: [],
      categories_segments: [],
      categories_sizes: [],
      default_left: [0],
      left_children: [-1],
      parents: [noParent],
      right_children: [-1],
      split_indices: [0],
      split_type: [0],
    },
    floats: { base_weights: [value], loss_changes: [0], split_conditions: [value], sum_hessian: [0] },
  };
}

function treeOf(trees: TreeEnsemble, t: number): WrittenTree {
  const leaf = (n: number): boolean => trees.feature[n] < 0;
  const set = (n: number): boolean => trees.catStart[n] >= 0;
  // XGBoost expects siblings side by side, and sends the levels of a set to the right.
  const ids = [trees.starts[t]];
  const left = [-1];
  const parents = [noParent];
  for (let i = 0; i < ids.length; i++) {
    const n = ids[i];
    if (leaf(n)) continue;
    left[i] = ids.length;
    ids.push(...(set(n) ? [trees.right[n], trees.left[n]] : [trees.left[n], trees.right[n]]));
    left.push(-1, -1);
    parents.push(i, i);
  }
  const sets = new Map<number, number[]>();
  ids.forEach((n, i) => {
    if (set(n)) sets.set(i, levelsLeft(trees, n));
  });
  let segment = 0;
  return {
    integers: {
      categories: [...sets.values()].flat(),
      categories_nodes: [...sets.keys()],
      categories_segments: [...sets.values()].map(({ length }) => (segment += length) - length),
      categories_sizes: [...sets.values()].map(({ length }) => length),
      default_left: ids.map((n) => (leaf(n) ? 0 : set(n) ? 1 - trees.missingLeft[n] : trees.missingLeft[n])),
      left_children: left,
      parents,
      right_children: left.map((child) => (child < 0 ? -1 : child + 1)),
      split_indices: ids.map((n) => Math.max(0, trees.feature[n])),
      split_type: ids.map((n) => (set(n) ? 1 : 0)),
    },
    floats: {
      base_weights: ids.map((n) => trees.value[n]),
      loss_changes: ids.map((n) => trees.gain[n]),
      split_conditions: ids.map((n) =>
        leaf(n) ? trees.value[n] : set(n) ? 0 : floatThreshold(trees.threshold[n]),
      ),
      sum_hessian: ids.map((n) => trees.cover[n]),
    },
  };
}

/**
 * The float32 that stands for a float64 threshold, so that values rounded to float32 go the same way: the
 * nearest; the one above for a threshold halfway between two, or just above one, which is where a split
 * between two float32 values, or behind one, lies. It undoes `doubleThreshold`.
 */
export function floatThreshold(threshold: number): number {
  const nearest = Math.fround(threshold);
  if (!(nearest < threshold) || !Number.isFinite(nearest)) return nearest;
  const above = floatAbove(nearest);
  const place = (threshold - nearest) / (above - nearest);
  return place === 0.5 || place < 2 ** -20 ? above : nearest;
}

/** Names of the levels as XGBoost 3.1 and later keep them: bytes of the texts, and their sorted order. */
function categoriesOf(columns: readonly TreeColumn[]): Record<string, unknown> {
  const segments = [0];
  const sorted: number[] = [];
  const encoded = columns.map((column) => {
    const levels = column.kind === "category" ? column.levels.map((level) => Buffer.from(level)) : [];
    segments.push(segments[segments.length - 1] + levels.length);
    sorted.push(...levels.map((_, i) => i).sort((a, b) => Buffer.compare(levels[a], levels[b])));
    if (levels.length === 0) return { offsets: [], values: [] };
    const offsets = [0];
    for (const level of levels) offsets.push(offsets[offsets.length - 1] + level.length);
    return { offsets, values: [...new Int8Array(Buffer.concat(levels))] };
  });
  return { enc: encoded, feature_segments: segments, sorted_idx: sorted };
}
