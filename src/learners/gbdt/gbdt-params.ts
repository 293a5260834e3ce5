import { choice, flag, int, real, text } from "../learner.js";
import type { ParamsOf } from "../params.js";
import { mostLevels } from "./columns.js";
import { objectiveNames } from "./objectives.js";

export const params = {
  objective: choice({
    default: "auto",
    choices: objectiveNames,
    help: "loss to minimise; auto: binary or multiclass for classes, squared for numbers, lambdarank with --query",
  }),
  trees: int({
    default: 0,
    min: 0,
    max: 100_000,
    help: "rounds of boosting; 0: as many as do good, found on held-out parts of the training rows or on --valid",
  }),
  boosting: choice({
    default: "trees",
    choices: ["trees", "dart"],
    help: "dart: every round is grown without some of the earlier ones (dropout); wants trees=n",
  }),
  drop: real({ default: 0.1, min: 0, max: 1, help: "dart: chance of every earlier round to be dropped" }),
  skip: real({ default: 0.5, min: 0, max: 1, help: "dart: chance of a round to drop none" }),
  eta: real({
    default: 0,
    min: 0,
    max: 1,
    help: "learning rate; 0: 0.05, or 0.1 for more than 50,000 rows",
    search: [0.01, 0.3],
    log: true,
  }),
  grow: choice({
    default: "depth",
    choices: ["depth", "leaf"],
    help: "grow trees level by level, or the best leaf first",
    search: ["depth", "leaf"],
  }),
  depth: int({
    default: 0,
    min: 0,
    max: 64,
    help: "most levels of splits; 0: 4 for up to 5,000 rows, 5 for up to 20,000, of more 5 or 8 as held-out rows tell; with grow=leaf any number",
    search: [3, 10],
  }),
  leaves: int({
    default: 0,
    min: 0,
    max: 65_536,
    help: "most leaves of a tree; 0: any number, or 31 with grow=leaf",
  }),
  lambda: real({ default: 1, min: 0, help: "L2 penalty of leaf values", search: [0.01, 100], log: true }),
  alpha: real({ default: 0, min: 0, help: "L1 penalty of leaf values" }),
  gamma: real({ default: 0, min: 0, help: "least gain of a split" }),
  child_weight: real({
    default: 1,
    min: 0,
    help: "least sum of hessians (rows, for squared errors) of a leaf",
    search: [0.1, 100],
    log: true,
  }),
  max_step: real({ default: 0, min: 0, help: "largest size of a leaf value before eta; 0: any" }),
  rows: real({
    default: 0.8,
    min: 0.01,
    max: 1,
    help: "share of the rows that each tree sees",
    search: [0.5, 1],
  }),
  columns: real({
    default: 0,
    min: 0,
    max: 1,
    help: "share of the columns that each tree may use; 0: half of them, but eight or more",
    search: [0.3, 1],
  }),
  node_columns: real({
    default: 1,
    min: 0.01,
    max: 1,
    help: "share of those columns that each split may use",
  }),
  thresholds: choice({
    default: "auto",
    choices: ["auto", "searched", "mixed", "drawn"],
    help: "searched: the best of a column; drawn: one at random; mixed: drawn in half of the trees; auto: searched, and where several models are averaged mixed otherwise in each",
  }),
  bins: int({
    default: 255,
    min: 2,
    max: 4096,
    help: "most bins of a number; more than 255 take a byte of a row and the time of a column for every 254",
  }),
  levels: int({
    default: mostLevels,
    min: 1,
    max: mostLevels,
    help: "most levels of a text that is split level by level; texts of more get target statistics",
  }),
  one_hot: int({
    default: 50,
    min: 0,
    max: mostLevels,
    help: "texts of at most that many levels are split one level against the rest",
  }),
  cat_smooth: real({ default: 10, min: 0, help: "hessian added to every level when levels are ordered" }),
  cat_lambda: real({ default: 1, min: 0, help: "L2 penalty added for splits of texts" }),
  categories: text({
    default: "",
    help: "columns of numbers that are codes and are split as texts are: browser,region",
  }),
  balanced: flag({
    default: false,
    help: "weigh classes so that each counts the same, whatever its number of rows",
  }),
  scale_pos_weight: real({
    default: 1,
    min: 0.000001,
    max: 1_000_000,
    help: "weight of rows of the positive class",
  }),
  class_weights: text({
    default: "",
    help: "weights of the rows of classes: no:1,yes:5; 1 for those that are not named",
  }),
  goss: real({
    default: 0,
    min: 0,
    max: 0.9,
    help: "share of the rows with the largest gradients that every tree sees, in place of rows; 0: off",
  }),
  goss_rest: real({
    default: 0.1,
    min: 0.01,
    max: 1,
    help: "with goss: share of the rows that is drawn of the others, which count the more",
  }),
  quantile: real({ default: 0.5, min: 0.001, max: 0.999, help: "the quantile of objective=quantile" }),
  delta: real({ default: 1, min: 1e-9, help: "residual from which objective=huber counts absolute errors" }),
  power: real({ default: 1.5, min: 1.01, max: 1.99, help: "variance power of objective=tweedie" }),
  top: int({ default: 30, min: 1, max: 100_000, help: "ranking: places that count, k of nDCG@k" }),
  sigmoid: real({
    default: 1,
    min: 0.001,
    max: 1000,
    help: "ranking: how steeply the chance of a right order grows with the distance of two scores",
  }),
  stop: int({
    default: 50,
    min: 1,
    max: 100_000,
    help: "rounds without progress after which to stop, on --valid or, with trees=0, on parts of the training rows",
  }),
  monotone: text({
    default: "",
    help: "columns that predictions must rise (1) or fall (-1) with: price:-1,visits:1",
  }),
  interactions: text({ default: "", help: "columns that may stand on one path: price+brand,age+visits" }),
} as const;
export type Params = ParamsOf<typeof params>;
