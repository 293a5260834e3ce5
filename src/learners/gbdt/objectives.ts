import type { SharedKernel } from "../../engine/pool.js";
import { scalesFor, writeGradients } from "./gradients.js";
import type { Grown } from "./grow.js";
import { lambdarank, type LambdarankParams, type Queries } from "./lambdarank.js";
import type { TreeBuilder } from "./tree-builder.js";
import type { Link } from "./trees.js";
import type { Scales, Workspace } from "./workspace.js";

/** Where an objective reads scores and leaves gradients: pointers into the kernel's memory. */
export interface GradientAsk {
  workspace: Workspace;
  /** The output whose gradients are wanted. */
  k: number;
  scores: readonly number[];
  g: number;
  h: number;
  partials: number;
}

/** What a tree packs its gradients with, and where to. */
export interface PackAsk {
  workspace: Workspace;
  k: number;
  /** Raw scores of the output. */
  score: number;
  /** Packed gradients go there, room for hessians beside them, and for `partialBytes` of sums. */
  g: number;
  h: number;
  partials: number;
  /** Sums of every tile. */
  sums: number;
  seed: number;
  /** Of 2^32: the share of the rows that are drawn. */
  keep: number;
  /** A byte per row that becomes 0; 0: none. */
  nodes: number;
  /** 1 to add the histogram of the root. */
  histogram: number;
  /** The most that the last tree of the output changed a score. */
  step: number;
}

export interface RenewAsk {
  grown: Grown;
  builder: TreeBuilder;
  eta: number;
  /** Rows of the i-th leaf. */
  rowsOf(leaf: number): Int32Array;
  /** Scores before the tree, as a pointer. */
  score: number;
}

/** A loss to be minimised over raw scores. */
export interface Objective {
  outputs: number;
  /** Scores before the first tree. */
  base: Float64Array;
  /** Before the trees of a round. */
  begin?(scores: readonly number[]): void;
  /** Writes gradients, hessians, and per block of 4,096 rows in four lanes: sums of |g| and h, largest |g| and h. */
  gradients(ask: GradientAsk): void;
  /** In place of `gradients`, where all rows count: packs them at once, and gives what they were multiplied by. */
  pack?(ask: PackAsk): Scales;
  /** Sets better values of the leaves than the second-order step. */
  renew?(ask: RenewAsk): void;
  /** Mean loss of raw scores, an array per output, on rows. */
  loss(scores: readonly Float32Array[], rows: Judged): number;
}

/** What a loss needs to know of rows. */
export interface Judged {
  labels: Float32Array;
  weights?: Float32Array;
  /** Ranking: which rows stand beside each other. */
  queries?: Queries;
}

/** Training rows as objectives see them. */
export interface Labelled extends Judged {
  kernel: SharedKernel;
  rows: number;
  labelsAt: number;
  weightsAt: number;
}

export const objectiveNames = [
  "auto",
  "binary",
  "multiclass",
  "squared",
  "absolute",
  "huber",
  "quantile",
  "poisson",
  "gamma",
  "tweedie",
  "lambdarank",
] as const;
export type ObjectiveName = (typeof objectiveNames)[number];
export type Chosen = Exclude<ObjectiveName, "auto">;

export const linkOf: Record<Chosen, Link> = {
  binary: "logistic",
  multiclass: "softmax",
  squared: "identity",
  absolute: "identity",
  huber: "identity",
  quantile: "identity",
  poisson: "exp",
  gamma: "exp",
  tweedie: "exp",
  lambdarank: "identity",
};

export interface ObjectiveParams extends LambdarankParams {
  /** Quantile that `quantile` predicts. */
  quantile: number;
  /** Residual beyond which `huber` counts absolute errors, in units of the target. */
  delta: number;
  /** Variance power of `tweedie`, between 1 (Poisson) and 2 (gamma). */
  power: number;
}

export function objectiveOf(
  name: Chosen,
  data: Labelled,
  classes: number,
  params: ObjectiveParams,
): Objective {
  switch (name) {
    case "binary":
      return binary(data);
    case "multiclass":
      return multiclass(data, classes);
    case "squared":
      return pointwise(
        data,
        mean(data),
        (s, y) => s - y,
        one,
        (s, y) => (s - y) ** 2,
      );
    case "absolute":
      return renewed(data, 0.5);
    case "quantile":
      return renewed(data, params.quantile);
    case "huber": {
      const { delta } = params;
      return pointwise(
        data,
        weightedQuantile(data, 0.5),
        (s, y) => Math.min(delta, Math.max(-delta, s - y)),
        one,
        (s, y) => {
          const e = Math.abs(s - y);
          return e <= delta ? (e * e) / 2 : delta * (e - delta / 2);
        },
      );
    }
    case "poisson":
      return pointwise(
        data,
        logMean(data),
        (s, y) => Math.exp(s) - y,
        Math.exp,
        (s, y) => Math.exp(s) - y * s,
      );
    case "gamma":
      return pointwise(
        data,
        logMean(data),
        (s, y) => 1 - y * Math.exp(-s),
        (s, y) => y * Math.exp(-s),
        (s, y) => s + y * Math.exp(-s),
      );
    case "lambdarank":
      return lambdarank(data, params);
    case "tweedie": {
      const a = 1 - params.power;
      const b = 2 - params.power;
      return pointwise(
        data,
        logMean(data),
        (s, y) => Math.exp(b * s) - y * Math.exp(a * s),
        (s, y) => b * Math.exp(b * s) - a * y * Math.exp(a * s),
        (s, y) => Math.exp(b * s) / b - (y * Math.exp(a * s)) / a,
      );
    }
  }
}

const one = (): number => 1;

/**
 * Logistic loss; labels 0 and 1. Gradients are packed as they are made, by scales from bounds: the slope of p is at most
 * 1/4 and that of p (1 - p) at most sqrt(3)/18, so that sums grow by no more than that times the step of the last tree.
 */
function binary(data: Labelled): Objective {
  const { kernel, rows, labels, labelsAt, weights, weightsAt } = data;
  const p = Math.min(1 - 1e-9, Math.max(1e-9, mean(data)));
  const base = Math.fround(Math.log(p / (1 - p)));
  let total = 0;
  let most = 0;
  for (let r = 0; r < rows; r++) {
    const weight = weights ? weights[r] : 1;
    total += weight;
    if (weight > most) most = weight;
  }
  let sums: { g: number; h: number } | undefined;
  return {
    outputs: 1,
    base: Float64Array.of(base),
    pack({ workspace, score, g, partials, sums: sumsAt, seed, keep, nodes, histogram, step }) {
      sums ??= sumsAt0(kernel.f32(score, rows));
      const scales = scalesFor(
        {
          sumG: Math.min(total, sums.g + (total * step) / 4),
          sumH: Math.min(total / 4, sums.h + total * step * 0.0963),
          mostG: most,
          mostH: most / 4,
        },
        rows,
      );
      workspace.phase(
        "packBinary",
        rows,
        score,
        labelsAt,
        weightsAt,
        g,
        scales.g,
        scales.h,
        seed,
        keep,
        nodes,
        histogram,
        sumsAt,
        partials,
      );
      const tiles = Math.ceil(rows / workspace.tile);
      const lanes = kernel.f32(partials, tiles * 8);
      sums = { g: 0, h: 0 };
      for (let lane = 0; lane < lanes.length; lane++) sums[lane & 4 ? "h" : "g"] += lanes[lane];
      return scales;
    },
    gradients({ scores, g, h, partials }) {
      const score = kernel.f32(scores[0], rows);
      const chances = Float64Array.from(score, (s) => 1 / (1 + Math.exp(-s)));
      writeGradients(
        kernel,
        rows,
        g,
        h,
        partials,
        weights,
        (r) => chances[r] - labels[r],
        (r) => Math.max(chances[r] * (1 - chances[r]), 1e-16),
      );
    },
    loss: ([scores], { labels, weights }) =>
      meanLoss(labels.length, weights, (r) => {
        const signed = labels[r] === 1 ? scores[r] : -scores[r];
        return signed > 0 ? Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed)) - signed;
      }),
  };

  /** Sums of |gradient| and hessian before the first tree. */
  function sumsAt0(scores: Float32Array): { g: number; h: number } {
    const found = { g: 0, h: 0 };
    for (let r = 0; r < rows; r++) {
      const chance = scores[r] === base ? p : 1 / (1 + Math.exp(-scores[r]));
      const weight = weights ? weights[r] : 1;
      found.g += weight * Math.abs(chance - labels[r]);
      found.h += weight * chance * (1 - chance);
    }
    return found;
  }
}

/** Softmax loss over one output per class; labels are class numbers. Friedman, Hastie & Tibshirani (2000). */
function multiclass(data: Labelled, classes: number): Objective {
  const { kernel, rows, labels, weights } = data;
  const shares = new Float64Array(classes);
  for (let r = 0; r < rows; r++) shares[labels[r]] += weights ? weights[r] : 1;
  const total = shares.reduce((a, b) => a + b, 0);
  const probabilities = Array.from({ length: classes }, () => new Float32Array(rows));
  const factor = classes / (classes - 1);
  return {
    outputs: classes,
    base: shares.map((share) => Math.fround(Math.log(Math.max(share / total, 1e-9)))),
    begin(scores) {
      const views = scores.map((at) => kernel.f32(at, rows));
      const row = new Float64Array(classes);
      for (let r = 0; r < rows; r++) {
        let most = -Infinity;
        for (let k = 0; k < classes; k++) most = Math.max(most, views[k][r]);
        let sum = 0;
        for (let k = 0; k < classes; k++) sum += row[k] = Math.exp(views[k][r] - most);
        for (let k = 0; k < classes; k++) probabilities[k][r] = row[k] / sum;
      }
    },
    gradients({ k, g, h, partials }) {
      const p = probabilities[k];
      writeGradients(
        kernel,
        rows,
        g,
        h,
        partials,
        weights,
        (r) => p[r] - (labels[r] === k ? 1 : 0),
        (r) => Math.max(factor * p[r] * (1 - p[r]), 1e-16),
      );
    },
    loss: (scores, { labels: truth, weights: given }) =>
      meanLoss(truth.length, given, (r) => {
        let most = -Infinity;
        for (let k = 0; k < classes; k++) most = Math.max(most, scores[k][r]);
        let sum = 0;
        for (let k = 0; k < classes; k++) sum += Math.exp(scores[k][r] - most);
        return most + Math.log(sum) - scores[truth[r]][r];
      }),
  };
}

/** A loss of one score and one label: its base score, derivatives and value. */
function pointwise(
  data: Labelled,
  base: number,
  gradient: (s: number, y: number) => number,
  hessian: (s: number, y: number) => number,
  loss: (s: number, y: number) => number,
): Objective {
  const { kernel, rows, labels, weights } = data;
  return {
    outputs: 1,
    base: Float64Array.of(Math.fround(base)),
    gradients({ scores, g, h, partials }) {
      const score = kernel.f32(scores[0], rows);
      writeGradients(
        kernel,
        rows,
        g,
        h,
        partials,
        weights,
        (r) => gradient(score[r], labels[r]),
        (r) => Math.max(hessian(score[r], labels[r]), 1e-16),
      );
    },
    loss: ([scores], { labels: truth, weights: given }) =>
      meanLoss(truth.length, given, (r) => loss(scores[r], truth[r])),
  };
}

/** Absolute and quantile loss: trees follow the sign of the residuals, leaves take their quantile. */
function renewed(data: Labelled, quantile: number): Objective {
  const { kernel, rows, labels, weights } = data;
  return {
    ...pointwise(
      data,
      weightedQuantile(data, quantile),
      (s, y) => (y > s ? -quantile : y < s ? 1 - quantile : 0),
      one,
      (s, y) => (y > s ? quantile * (y - s) : (1 - quantile) * (s - y)),
    ),
    renew({ grown, builder, eta, rowsOf, score }) {
      const scores = kernel.f32(score, rows);
      grown.leaves.forEach((leaf, i) => {
        const own = rowsOf(i);
        if (own.length === 0) return;
        const rest = Float64Array.from(own, (r) => labels[r] - scores[r]);
        const step = quantileOf(rest, weights && Float64Array.from(own, (r) => weights[r]), quantile);
        builder.setValue(leaf.node, Math.fround(eta * step));
      });
    },
  };
}

function meanLoss(rows: number, weights: Float32Array | undefined, loss: (r: number) => number): number {
  let sum = 0;
  let total = 0;
  for (let r = 0; r < rows; r++) {
    const weight = weights ? weights[r] : 1;
    sum += weight * loss(r);
    total += weight;
  }
  return sum / total;
}

function mean({ rows, labels, weights }: Labelled): number {
  return meanLoss(rows, weights, (r) => labels[r]);
}

function logMean(data: Labelled): number {
  return Math.log(Math.max(mean(data), 1e-9));
}

function weightedQuantile({ labels, weights }: Labelled, quantile: number): number {
  return quantileOf(Float64Array.from(labels), weights && Float64Array.from(weights), quantile);
}

/** The smallest value below which, itself included, lies that share of the weight; the middle of two when it ends there. */
function quantileOf(values: Float64Array, weights: Float64Array | undefined, quantile: number): number {
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b] || a - b);
  const total = weights ? weights.reduce((a, b) => a + b, 0) : values.length;
  let held = 0;
  for (let i = 0; i < order.length; i++) {
    held += weights ? weights[order[i]] : 1;
    if (held > quantile * total) return values[order[i]];
    if (held === quantile * total && i + 1 < order.length)
      return (values[order[i]] + values[order[i + 1]]) / 2;
  }
  return values[order[order.length - 1]];
}
