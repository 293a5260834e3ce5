import { ShopaiError } from "../../../core/errors.js";
import type { Task } from "../../learner.js";
import type { Link } from "../trees.js";
import {
  damaged,
  foreignColumns,
  Gathering,
  setOf,
  passportOf,
  unsupported,
  type ForeignModel,
  type ForeignNode,
} from "./foreign.js";
import { doubleAbove, floatBelow } from "./neighbours.js";
import { parseUbjson } from "./ubjson.js";

/** What of XGBoost's model files is read (its "Introduction to Model IO", versions 1.0 to 3). */
interface Saved {
  version?: number[];
  learner?: {
    attributes?: Record<string, string>;
    feature_names?: string[];
    gradient_booster: Booster & { gbtree?: Booster; weight_drop?: number[] };
    learner_model_param: { base_score: string; num_class: string; num_feature: string; num_target?: string };
    objective: { name: string };
  };
}
interface Booster {
  name?: string;
  model?: { trees: Tree[]; tree_info: number[]; cats?: { enc?: Categories[] } };
}
interface Categories {
  /** Texts: where each begins in `values`, which are bytes. Numbers: absent. */
  offsets?: number[];
  values?: number[];
}
interface Tree {
  left_children: number[];
  right_children: number[];
  split_indices: number[];
  split_conditions: number[];
  split_type?: number[];
  default_left: (number | boolean)[];
  sum_hessian: number[];
  loss_changes: number[];
  categories?: number[];
  categories_nodes?: number[];
  categories_segments?: number[];
  categories_sizes?: number[];
  tree_param: { size_leaf_vector?: string };
}

/** By objective: what is predicted, what becomes of raw scores, and our name of the objective. */
const objectives: Readonly<Record<string, [Task, Link, objective: string]>> = {
  "reg:squarederror": ["regression", "identity", "squared"],
  "reg:linear": ["regression", "identity", "squared"],
  "reg:squaredlogerror": ["regression", "identity", "squared_log"],
  "reg:absoluteerror": ["regression", "identity", "absolute"],
  "reg:pseudohubererror": ["regression", "identity", "huber"],
  "reg:quantileerror": ["regression", "identity", "quantile"],
  "reg:logistic": ["regression", "logistic", "logistic"],
  "reg:gamma": ["regression", "exp", "gamma"],
  "reg:tweedie": ["regression", "exp", "tweedie"],
  "count:poisson": ["regression", "exp", "poisson"],
  "binary:logistic": ["classification", "logistic", "binary"],
  "binary:logitraw": ["classification", "logistic", "binary"],
  "multi:softprob": ["classification", "softmax", "multiclass"],
  "multi:softmax": ["classification", "softmax", "multiclass"],
  "rank:ndcg": ["regression", "identity", "lambdarank"],
  "rank:map": ["regression", "identity", "lambdarank"],
  "rank:pairwise": ["regression", "identity", "lambdarank"],
};

const saveAgain = 'saving it as booster.save_model("model.json")';

/**
 * Reads a model that XGBoost saved as JSON or UBJSON: boosters gbtree and dart.
 *
 * @throws ShopaiError "model" when it is damaged or holds what trees of ours cannot be
 */
export function readXgboost(bytes: Uint8Array, where: string): ForeignModel {
  const saved = parsed(bytes, where);
  const { learner } = saved;
  if (!learner?.gradient_booster || !learner.learner_model_param || !learner.objective)
    throw new ShopaiError("model", "this is no model of XGBoost: the file has no learner", {
      where,
      try: saveAgain,
    });
  const { gradient_booster: booster, learner_model_param: param } = learner;
  const known = ["gbtree", "dart"].includes(booster.name ?? "");
  if (!known)
    throw unsupported(`the booster ${booster.name}`, where, "a model of the booster gbtree or dart");
  if (!Object.hasOwn(objectives, learner.objective.name))
    throw unsupported(
      `the objective ${learner.objective.name}`,
      where,
      `a model of one of ${Object.keys(objectives).slice(0, 6).join(", ")}…`,
    );
  const [task, link, objective] = objectives[learner.objective.name];
  const passport = passportOf(learner.attributes?.shopai, where);
  const targets = Number(param.num_target ?? 1);
  const outputs = Math.max(1, Number(param.num_class), targets);
  if (targets > 1 && !passport?.classes) throw unsupported("several targets", where, "one model per target");
  const model = (booster.gbtree ?? booster).model;
  if (!model?.trees || !model.tree_info || model.trees.length !== model.tree_info.length)
    throw damaged("the trees are missing", where);
  const trees = model.trees.map((tree, t) => checkedTree(tree, t, Number(param.num_feature), where));
  const gathering = new Gathering(marginsOf(param.base_score, outputs, link, where));
  trees.forEach((tree, t) => {
    const weight = booster.weight_drop?.[t] ?? 1;
    gathering.add(model.tree_info[t], 0, tree.left_children.length, nodesOf(tree, weight), where);
  });
  const width = Number(param.num_feature);
  const names = learner.feature_names?.length === width ? learner.feature_names : undefined;
  return {
    model: {
      columns:
        passport?.columns ??
        foreignColumns(names ?? Array.from({ length: width }, (_, c) => `f${c}`), (column) =>
          levelNames(model.cats?.enc?.[column], where),
        ),
      trees: gathering.done(),
      link,
      objective: passport?.objective ?? objective,
    },
    task: passport?.task ?? task,
    classes: task === "classification" ? Math.max(2, outputs) : undefined,
    tool: `xgboost ${saved.version?.join(".") ?? "of an unknown version"}`,
    passport,
  };
}

function parsed(bytes: Uint8Array, where: string): Saved {
  const binary = bytes.length > 1 && bytes[0] === 0x7b && "iULIl$#".includes(String.fromCharCode(bytes[1]));
  let value: unknown;
  try {
    value = binary
      ? parseUbjson(bytes)
      : JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } catch (cause) {
    throw damaged(`it is no whole ${binary ? "UBJSON" : "JSON"} (cut off?)`, where, cause);
  }
  return (value ?? {}) as Saved;
}

/** Checks that the arrays of a tree fit together and name nodes and columns that exist. */
function checkedTree(tree: Tree, t: number, width: number, where: string): Tree {
  const bad = (what: string): ShopaiError => damaged(`tree ${t} ${what}`, where);
  if (Number(tree?.tree_param?.size_leaf_vector ?? 1) > 1)
    throw unsupported(
      "trees with several values per leaf (multi_output_tree)",
      where,
      "one model per target",
    );
  const nodes = tree?.left_children?.length ?? 0;
  if (nodes === 0) throw bad("has no nodes");
  const arrays = [
    "right_children",
    "split_indices",
    "split_conditions",
    "default_left",
    "sum_hessian",
    "loss_changes",
  ] as const;
  for (const name of arrays)
    if (tree[name]?.length !== nodes)
      throw bad(`has ${tree[name]?.length ?? "no"} ${name} for ${nodes} nodes`);
  for (let n = 0; n < nodes; n++) {
    const [left, right] = [tree.left_children[n], tree.right_children[n]];
    if (left === -1) continue;
    if (!(left > 0 && left < nodes && right > 0 && right < nodes))
      throw bad(`names a node that is not there`);
    if (!(tree.split_indices[n] >= 0 && tree.split_indices[n] < width))
      throw bad(`splits on column ${tree.split_indices[n]} of ${width}`);
  }
  return tree;
}

/** Levels that go right at a categorical node, by node. */
function setsOf(tree: Tree): Map<number, number[]> {
  const { categories = [], categories_nodes = [], categories_segments = [], categories_sizes = [] } = tree;
  return new Map(
    categories_nodes.map((node, i) => [
      node,
      categories.slice(categories_segments[i], categories_segments[i] + categories_sizes[i]),
    ]),
  );
}

function nodesOf(tree: Tree, weight: number): (id: number) => ForeignNode {
  const sets = setsOf(tree);
  return (id) => {
    const [left, right] = [tree.left_children[id], tree.right_children[id]];
    const cover = tree.sum_hessian[id];
    if (left === -1) return { value: weight * Math.fround(tree.split_conditions[id]), cover };
    const missingLeft = Boolean(tree.default_left[id]);
    const column = tree.split_indices[id];
    const gain = tree.loss_changes[id];
    const set = tree.split_type?.[id] === 1 ? setOf(sets.get(id) ?? []) : undefined;
    // XGBoost's sets go right, and levels that it does not know go left: our left is its right.
    if (set)
      return {
        column,
        threshold: NaN,
        missingLeft: !missingLeft,
        set,
        left: right,
        right: left,
        cover,
        gain,
      };
    const threshold = doubleThreshold(tree.split_conditions[id]);
    return { column, threshold, missingLeft, left, right, cover, gain };
  };
}

/**
 * The float64 T for which `x < T` says of every float64 x what XGBoost says of it: that x, rounded to
 * float32, is less than the float32 that `written` stands for. T is the middle between the threshold and the float32
 * below it; x in the middle itself is rounded to the one of the two with an even last bit.
 */
export function doubleThreshold(written: number): number {
  const threshold = Math.fround(written);
  const low = floatBelow(threshold);
  if (!Number.isFinite(low) || !Number.isFinite(threshold)) return threshold;
  const middle = (low + threshold) / 2;
  return Math.fround(middle) < threshold ? doubleAbove(middle) : middle;
}

/** `base_score` as raw scores: a number, or since XGBoost 3.1 a list of numbers, in units of predictions. */
function marginsOf(text: string, outputs: number, link: Link, where: string): number[] {
  const scores = String(text)
    .replace(/^\[|\]$/g, "")
    .split(",")
    .map(Number);
  if (scores.some((score) => !Number.isFinite(score)) || ![1, outputs].includes(scores.length))
    throw damaged(`base_score is ${text}`, where);
  const margins = scores.map((score) => {
    // XGBoost takes the float32 that the text stands for.
    const base = Math.fround(score);
    return link === "logistic" ? -Math.log(1 / base - 1) : link === "exp" ? Math.log(base) : base;
  });
  return Array.from({ length: outputs }, (_, o) => margins[o % margins.length]);
}

/** Names of the levels of a categorical column, which files have since XGBoost 3.1. */
function levelNames(categories: Categories | undefined, where: string): string[] | undefined {
  const { offsets, values = [] } = categories ?? {};
  if (offsets === undefined) return values.length > 0 ? values.map(String) : undefined;
  if (offsets.length < 2) return undefined;
  const bytes = Buffer.from(values.map((byte) => byte & 255));
  const names = offsets.slice(1).map((end, i) => bytes.toString("utf8", offsets[i], end));
  // XGBoost 3.2 counts letters where it means bytes.
  if (names.some((name) => name.includes("\ufffd")) || offsets[offsets.length - 1] !== bytes.length)
    throw unsupported(
      "names of levels that XGBoost cut short",
      where,
      "training with levels of ASCII letters only",
    );
  return names;
}
