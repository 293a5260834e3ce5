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
import { doubleAbove } from "./neighbours.js";

/** By objective: what is predicted, what becomes of raw scores, and our name of the objective. */
const objectives: Readonly<Record<string, [Task, Link, objective: string]>> = {
  regression: ["regression", "identity", "squared"],
  regression_l1: ["regression", "identity", "absolute"],
  huber: ["regression", "identity", "huber"],
  fair: ["regression", "identity", "fair"],
  quantile: ["regression", "identity", "quantile"],
  mape: ["regression", "identity", "mape"],
  poisson: ["regression", "exp", "poisson"],
  gamma: ["regression", "exp", "gamma"],
  tweedie: ["regression", "exp", "tweedie"],
  cross_entropy: ["regression", "logistic", "logistic"],
  binary: ["classification", "logistic", "binary"],
  multiclass: ["classification", "softmax", "multiclass"],
  lambdarank: ["regression", "identity", "lambdarank"],
  rank_xendcg: ["regression", "identity", "lambdarank"],
  custom: ["regression", "identity", "custom"],
};

const saveAgain = 'saving it as booster.save_model("model.txt")';

/**
 * Reads a model that LightGBM saved as text, format v3 or v4: boostings gbdt, dart, goss and rf.
 *
 * @throws ShopaiError "model" when it is damaged or holds what trees of ours cannot be
 */
export function readLightgbm(text: string, where: string): ForeignModel {
  const lines = text.split(/\r?\n/);
  if (lines[0]?.trim() !== "tree")
    throw new ShopaiError("model", 'this is no model of LightGBM: its first line is not "tree"', {
      where,
      try: saveAgain,
    });
  if (!lines.includes("end of trees")) throw damaged('the line "end of trees" is missing (cut off?)', where);
  const [head, ...sections] = text.slice(0, text.indexOf("end of trees")).split(/\n(?=Tree=\d)/);
  const facts = factsOf(head);
  const version = facts.get("version") ?? "?";
  if (!["v3", "v4"].includes(version))
    throw unsupported(
      `LightGBM's text format ${version}`,
      where,
      "a file of format v3 or v4 (LightGBM 2.3 and later)",
    );
  const [name, ...flags] = (facts.get("objective") ?? "custom").split(" ");
  if (!Object.hasOwn(objectives, name) || flags.includes("sqrt"))
    throw unsupported(
      `the objective ${[name, ...flags].join(" ")}`,
      where,
      `a model of one of ${Object.keys(objectives).slice(0, 6).join(", ")}…`,
    );
  const [task, link, objective] = objectives[name];
  const outputs = Number(facts.get("num_tree_per_iteration") ?? 1);
  const columns = Number(facts.get("max_feature_idx")) + 1;
  if (!(outputs >= 1) || !(columns >= 1))
    throw damaged("its head lacks the numbers of trees and features", where);
  const sigmoid = Number(flags.find((flag) => flag.startsWith("sigmoid:"))?.slice(8) ?? 1);
  const average = facts.has("average_output") ? Math.max(1, sections.length / outputs) : 1;
  const gathering = new Gathering(new Float64Array(outputs));
  sections.forEach((section, t) => {
    const tree = treeOf(section, t, columns, where);
    const scale = (link === "logistic" ? sigmoid : 1) / average;
    const root = tree.leaves === 1 ? -1 : 0;
    gathering.add(t % outputs, root, 2 * tree.leaves - 1, nodesOf(tree, t, scale, where), where);
  });
  const passport = passportOf(facts.get("shopai"), where);
  const names = facts.get("feature_names")?.split(" ") ?? [];
  const levels = levelNames(lines, facts.get("feature_infos")?.split(" ") ?? [], where);
  return {
    model: {
      columns:
        passport?.columns ??
        foreignColumns(
          Array.from({ length: columns }, (_, c) => names[c] ?? `Column_${c}`),
          (column) => levels.get(column),
        ),
      trees: gathering.done(),
      link,
      objective: passport?.objective ?? objective,
    },
    task: passport?.task ?? task,
    classes: task === "classification" ? Math.max(2, outputs) : undefined,
    tool: `lightgbm (text format ${version})`,
    passport,
  };
}

/** `name=value` lines; a name alone has the value "". */
function factsOf(section: string): Map<string, string> {
  return new Map(
    section.split(/\r?\n/).map((line): [string, string] => {
      const cut = line.indexOf("=");
      return cut < 0 ? [line.trim(), ""] : [line.slice(0, cut), line.slice(cut + 1).trim()];
    }),
  );
}

interface Tree {
  leaves: number;
  splitFeature: number[];
  gain: number[];
  threshold: number[];
  decision: number[];
  left: number[];
  right: number[];
  leafValue: number[];
  leafCount: number[];
  internalCount: number[];
  boundaries: number[];
  words: number[];
}

function treeOf(section: string, t: number, columns: number, where: string): Tree {
  const facts = factsOf(section);
  if (facts.get("is_linear") === "1")
    throw unsupported("linear trees", where, "a model trained with linear_tree=false");
  const numbers = (name: string, length: number): number[] => {
    const found = (facts.get(name) ?? "").split(" ").filter(Boolean).map(Number);
    if (found.length !== length || found.some(Number.isNaN))
      throw damaged(`tree ${t} has ${found.length} ${name} where ${length} should be`, where);
    return found;
  };
  const leaves = Number(facts.get("num_leaves"));
  if (!(leaves >= 1)) throw damaged(`tree ${t} has no leaves`, where);
  const inner = leaves - 1;
  const sets = Number(facts.get("num_cat") ?? 0);
  const tree: Tree = {
    leaves,
    splitFeature: numbers("split_feature", inner),
    gain: numbers("split_gain", inner),
    threshold: numbers("threshold", inner),
    decision: numbers("decision_type", inner),
    left: numbers("left_child", inner),
    right: numbers("right_child", inner),
    leafValue: numbers("leaf_value", leaves),
    // A tree of one leaf has no counts.
    leafCount: inner > 0 ? numbers("leaf_count", leaves) : [0],
    internalCount: numbers("internal_count", inner),
    boundaries: sets > 0 ? numbers("cat_boundaries", sets + 1) : [0],
    words: [],
  };
  tree.words = sets > 0 ? numbers("cat_threshold", tree.boundaries[sets]) : [];
  for (let n = 0; n < inner; n++) {
    if (!(tree.splitFeature[n] >= 0 && tree.splitFeature[n] < columns))
      throw damaged(`tree ${t} splits on column ${tree.splitFeature[n]} of ${columns}`, where);
    for (const child of [tree.left[n], tree.right[n]])
      if (!(child < inner && ~child < leaves))
        throw damaged(`tree ${t} names a node that is not there`, where);
    if (tree.decision[n] & 1 && !(tree.threshold[n] < sets))
      throw damaged(`tree ${t} names a set of categories that is not there`, where);
  }
  return tree;
}

/** LightGBM's kinds of missing values. */
const missing = { none: 0, zero: 1, nan: 2 };

/** Nodes by LightGBM's numbers: inner nodes from 0, leaves from -1 downwards. */
function nodesOf(tree: Tree, t: number, scale: number, where: string): (id: number) => ForeignNode {
  return (id) => {
    if (id < 0) return { value: scale * tree.leafValue[~id], cover: tree.leafCount[~id] };
    const decision = tree.decision[id];
    const shared = {
      column: tree.splitFeature[id],
      left: tree.left[id],
      right: tree.right[id],
      cover: tree.internalCount[id],
      gain: tree.gain[id],
    };
    if (decision & 1) {
      const set = tree.threshold[id];
      const words = tree.words.slice(tree.boundaries[set], tree.boundaries[set + 1]);
      return { ...shared, threshold: NaN, set: words.length > 0 ? words : setOf([]), missingLeft: false };
    }
    const kind = (decision >> 2) & 3;
    const byDefault = (decision & 2) !== 0;
    const zeroLeft = 0 <= tree.threshold[id];
    if (kind === missing.zero && byDefault !== zeroLeft)
      throw unsupported(
        `zero as a missing value (tree ${t})`,
        where,
        "a model trained with zero_as_missing=false",
      );
    return {
      ...shared,
      // x <= t is x < the number after t.
      threshold: doubleAbove(tree.threshold[id]),
      missingLeft: kind === missing.nan ? byDefault : zeroLeft,
    };
  };
}

/** Names of levels: pandas' categories, which stand in the order of the categorical columns. */
function levelNames(
  lines: readonly string[],
  infos: readonly string[],
  where: string,
): Map<number, string[]> {
  const line = lines.find((text) => text.startsWith("pandas_categorical:"));
  if (line === undefined) return new Map();
  let lists: (string | number)[][] | null;
  try {
    lists = JSON.parse(line.slice("pandas_categorical:".length)) as (string | number)[][] | null;
  } catch (cause) {
    throw damaged("pandas_categorical is no JSON", where, cause);
  }
  if (!lists || lists.length === 0) return new Map();
  const told = lines.find((text) => text.startsWith("[categorical_feature: "))?.match(/\d+/g);
  // Without the parameters: a column of categories tells its codes, one of numbers its range.
  const categorical =
    told?.map(Number) ?? infos.flatMap((info, column) => (/^-?\d+(:-?\d+)*$/.test(info) ? [column] : []));
  if (lists.length !== categorical.length)
    throw damaged(
      `it has names for ${lists.length} categorical columns and ${categorical.length} such columns`,
      where,
    );
  return new Map(categorical.map((column, i) => [column, lists[i].map(String)]));
}
