import { solve } from "./arima/innovations.js";

/** A tree of series: every series that has children is their sum. */
export interface Tree {
  /** The parent of every node; -1 for the root. */
  parent: Int32Array;
  /** Nodes, parents before children. */
  order: Int32Array;
  /** Names of the levels, from the top: "total", then the columns. */
  levels: string[];
  /** The level of every node. */
  level: Int32Array;
}

export const reconcileRules = ["mint", "wls-var", "wls-struct", "ols", "bottom-up", "top-down"] as const;
export type ReconcileRule = (typeof reconcileRules)[number];

/** Trees of up to so many nodes get a full covariance, larger ones the variances alone. */
const mostDense = 600;

/** Makes the forecasts of all nodes for one period add up, in place. */
export type Reconciler = (forecasts: Float64Array) => void;

/**
 * A way to make forecasts add up to 1e-9: what comes out for a parent is the sum of its children.
 *
 * - bottom-up: leaves as they are
 * - top-down: the root as it is, shared out by the forecasts of the children (Athanasopoulos, Ahmed & Hyndman 2009, Int. J.
 *   Forecasting 25:146-166)
 * - mint: the adjustment of least total variance, W the covariance of the backtest's errors (Wickramasuriya,
 *   Athanasopoulos & Hyndman 2019, JASA 114:804-819), shrunk towards its diagonal (Schäfer & Strimmer 2005); only the diagonal for large
 *   trees and too few errors, where two passes over the tree give the exact answer
 * - wls-var, wls-struct, ols: the same adjustment with variances alone: those of the backtest, the number of leaves below a node
 *   (Athanasopoulos et al. 2017, European J. Operational Research 262:60-74), all alike
 *
 * @param errors    errors of every node in the backtest, one row of `nodes` per period; NaN where one is unknown
 * @param floor     0 where no forecast may be below it, else -Infinity
 */
export function reconciler(
  tree: Tree,
  rule: ReconcileRule,
  errors: readonly Float64Array[],
  floor: number,
): Reconciler {
  const adjust = adjustment(tree, rule, errors);
  return (forecasts) => {
    adjust(forecasts);
    const { order, parent } = tree;
    const isParent = new Uint8Array(order.length);
    for (const node of order) if (parent[node] >= 0) isParent[parent[node]] = 1;
    for (const node of order) forecasts[node] = isParent[node] ? 0 : Math.max(floor, forecasts[node]);
    for (let i = order.length - 1; i >= 0; i--) {
      const node = order[i];
      if (parent[node] >= 0) forecasts[parent[node]] += forecasts[node];
    }
  };
}

function adjustment(tree: Tree, rule: ReconcileRule, errors: readonly Float64Array[]): Reconciler {
  switch (rule) {
    case "bottom-up":
      return () => undefined;
    case "top-down":
      return topDown(tree);
    case "mint":
      return mint(tree, errors);
    case "wls-var":
      return diagonal(tree, variancesOf(tree, errors));
    case "wls-struct":
      return diagonal(tree, leavesBelow(tree));
    case "ols":
      return diagonal(tree, new Float64Array(tree.order.length).fill(1));
  }
}

/** How many leaves every node is the sum of. */
function leavesBelow({ order, parent }: Tree): Float64Array {
  const leaves = new Float64Array(order.length);
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i];
    // What no child has added to is a leaf.
    if (leaves[node] === 0) leaves[node] = 1;
    if (parent[node] >= 0) leaves[parent[node]] += leaves[node];
  }
  return leaves;
}

function topDown({ order, parent }: Tree): Reconciler {
  const sums = new Float64Array(order.length);
  const sizes = new Float64Array(order.length);
  const counts = new Int32Array(order.length);
  for (const node of order) if (parent[node] >= 0) counts[parent[node]]++;
  return (forecasts) => {
    sums.fill(0);
    sizes.fill(0);
    for (const node of order)
      if (parent[node] >= 0) {
        sums[parent[node]] += forecasts[node];
        sizes[parent[node]] += Math.abs(forecasts[node]);
      }
    for (const node of order) {
      const above = parent[node];
      if (above < 0) continue;
      // Children that are all forecast to be nothing, or cancel out, share alike.
      const none = Math.abs(sums[above]) <= 1e-4 * sizes[above];
      const share = none ? 1 / counts[above] : forecasts[node] / sums[above];
      forecasts[node] = share * forecasts[above];
    }
  };
}

function mint(tree: Tree, errors: readonly Float64Array[]): Reconciler {
  const variances = variancesOf(tree, errors);
  const whole = errors.filter((row) => row.every((error) => !Number.isNaN(error)));
  return tree.order.length <= mostDense && whole.length >= 8
    ? dense(tree, whole, variances)
    : diagonal(tree, variances);
}

/** Mean squared errors of every node. */
function variancesOf(tree: Tree, errors: readonly Float64Array[]): Float64Array {
  const n = tree.order.length;
  const variances = new Float64Array(n);
  const known = new Int32Array(n);
  for (const row of errors)
    for (let node = 0; node < n; node++)
      if (!Number.isNaN(row[node])) {
        variances[node] += row[node] ** 2;
        known[node]++;
      }
  let usual = 0;
  for (let node = 0; node < n; node++) {
    variances[node] = known[node] > 0 ? variances[node] / known[node] : NaN;
    if (variances[node] > usual) usual = variances[node];
  }
  // A node that made no error still has some: the adjustment must be able to move it.
  for (let node = 0; node < n; node++)
    variances[node] = Math.max(Number.isNaN(variances[node]) ? 0 : variances[node], 1e-9 * usual || 1);
  return variances;
}

/**
 * Least squares with weights 1/variance on a tree: upwards, the forecast of a node and the sum of its children are
 * averaged by their precision; downwards, what a node was moved by is shared among its children by their variance.
 */
function diagonal({ order, parent }: Tree, variances: Float64Array): Reconciler {
  const n = order.length;
  const sum = new Float64Array(n);
  const spread = new Float64Array(n);
  const mean = new Float64Array(n);
  const variance = new Float64Array(n);
  return (forecasts) => {
    sum.fill(0);
    spread.fill(0);
    for (let i = n - 1; i >= 0; i--) {
      const node = order[i];
      const own = variances[node];
      if (spread[node] === 0) {
        mean[node] = forecasts[node];
        variance[node] = own;
      } else {
        const share = own / (own + spread[node]);
        mean[node] = share * sum[node] + (1 - share) * forecasts[node];
        variance[node] = share * spread[node];
      }
      const above = parent[node];
      if (above >= 0) {
        sum[above] += mean[node];
        spread[above] += variance[node];
      }
    }
    for (const node of order) {
      const above = parent[node];
      forecasts[node] =
        above < 0
          ? mean[node]
          : mean[node] + (variance[node] / spread[above]) * (forecasts[above] - sum[above]);
    }
  };
}

/** y - W C'(C W C')^-1 C y, where C y = 0 says that parents are the sums of their children. */
function dense(tree: Tree, errors: readonly Float64Array[], variances: Float64Array): Reconciler {
  const { order, parent } = tree;
  const n = order.length;
  const w = shrunkCovariance(errors, variances);
  const constraint = new Int32Array(n).fill(-1);
  let count = 0;
  for (const node of order)
    if (parent[node] >= 0 && constraint[parent[node]] < 0) constraint[parent[node]] = count++;
  // wc = W C', one column per parent.
  const wc = new Float64Array(n * count);
  for (let node = 0; node < n; node++) {
    const own = constraint[node];
    const above = parent[node] >= 0 ? constraint[parent[node]] : -1;
    for (let row = 0; row < n; row++) {
      if (own >= 0) wc[row * count + own] += w[row * n + node];
      if (above >= 0) wc[row * count + above] -= w[row * n + node];
    }
  }
  const cwc = new Float64Array(count * count);
  const gap = new Float64Array(count);
  for (let node = 0; node < n; node++) {
    const own = constraint[node];
    const above = parent[node] >= 0 ? constraint[parent[node]] : -1;
    for (let c = 0; c < count; c++) {
      if (own >= 0) cwc[own * count + c] += wc[node * count + c];
      if (above >= 0) cwc[above * count + c] -= wc[node * count + c];
    }
  }
  const fallback = diagonal(tree, variances);
  return (forecasts) => {
    gap.fill(0);
    for (let node = 0; node < n; node++) {
      if (constraint[node] >= 0) gap[constraint[node]] += forecasts[node];
      if (parent[node] >= 0) gap[constraint[parent[node]]] -= forecasts[node];
    }
    if (!solve(cwc.slice(), gap, count)) return fallback(forecasts);
    for (let node = 0; node < n; node++)
      for (let c = 0; c < count; c++) forecasts[node] -= wc[node * count + c] * gap[c];
  };
}

/** Covariance with correlations shrunk towards none (Schäfer & Strimmer 2005, Stat. Appl. Genet. Mol. Biol. 4:32). */
function shrunkCovariance(errors: readonly Float64Array[], variances: Float64Array): Float64Array {
  const n = variances.length;
  const t = errors.length;
  const scaled = errors.map((row) => row.map((error, node) => error / Math.sqrt(variances[node])));
  const r = new Float64Array(n * n);
  let noise = 0;
  let signal = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) {
      let sum = 0;
      let squares = 0;
      for (const row of scaled) {
        const product = row[i] * row[j];
        sum += product;
        squares += product * product;
      }
      const mean = sum / t;
      r[i * n + j] = mean;
      noise += (squares / t - mean * mean) / (t - 1);
      signal += mean * mean;
    }
  const lambda = signal > 0 ? Math.min(1, Math.max(0, noise / signal)) : 1;
  const w = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    w[i * n + i] = variances[i];
    for (let j = 0; j < i; j++)
      w[i * n + j] = w[j * n + i] = (1 - lambda) * r[i * n + j] * Math.sqrt(variances[i] * variances[j]);
  }
  return w;
}
