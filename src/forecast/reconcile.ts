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

/** Series of which leaves are parts of several sums at once: by region and by purpose. */
export interface Crossing {
  /** Every sum with the leaves that it is the sum of. */
  sums: readonly Sum[];
  levels: string[];
  level: Int32Array;
}

/** A node that is the sum of others. */
export interface Sum {
  node: number;
  parts: Int32Array;
}

export type Hierarchy = Tree | Crossing;

const isTree = (hierarchy: Hierarchy): hierarchy is Tree => "parent" in hierarchy;

/** All sums, each after those that are part of it. */
function sumsOf(hierarchy: Hierarchy): readonly Sum[] {
  if (!isTree(hierarchy)) return hierarchy.sums;
  const { order, parent } = hierarchy;
  const children = new Map<number, number[]>();
  for (const node of order) {
    const siblings = children.get(parent[node]);
    if (siblings) siblings.push(node);
    else children.set(parent[node], [node]);
  }
  return [...order]
    .reverse()
    .flatMap((node) => (children.has(node) ? [{ node, parts: Int32Array.from(children.get(node)!) }] : []));
}

export const reconcileRules = ["mint", "wls-var", "wls-struct", "ols", "bottom-up", "top-down"] as const;
export type ReconcileRule = (typeof reconcileRules)[number];

/** Trees of up to so many nodes get a full covariance, larger ones the variances alone. */
const mostDense = 600;

/** Makes the forecasts of all nodes for one period add up, in place. */
export type Reconciler = (forecasts: Float64Array) => void;

/**
 * A way to make forecasts add up to 1e-9: what comes out for a parent is the sum of its children. Where leaves are parts of several sums
 * (Hyndman, Lee & Wang 2016, Computational Statistics & Data Analysis 97:16-32) there is no top-down.
 *
 * - bottom-up: leaves as they are
 * - top-down: the root as it is, shared out by the forecasts of the children (Athanasopoulos, Ahmed & Hyndman 2009, Int. J.
 *   Forecasting 25:146-166)
 * - mint: the adjustment of least total variance, W the covariance of the backtest's errors (Wickramasuriya,
 *   Athanasopoulos & Hyndman 2019, JASA 114:804-819), shrunk towards its diagonal (Schäfer & Strimmer 2005); only the diagonal for large
 *   hierarchies and too few errors, where two passes over a tree give the exact answer, conjugate gradients that of crossed sums
 * - wls-var, wls-struct, ols: the same adjustment with variances alone: those of the backtest, the number of leaves below a node
 *   (Athanasopoulos et al. 2017, European J. Operational Research 262:60-74), all alike
 *
 * @param errors    errors of every node in the backtest, one row of `nodes` per period; NaN where one is unknown
 * @param floor     0 where no forecast may be below it, else -Infinity
 */
export function reconciler(
  hierarchy: Hierarchy,
  rule: ReconcileRule,
  errors: readonly Float64Array[],
  floor: number,
): Reconciler {
  const sums = sumsOf(hierarchy);
  const adjust = adjustment(hierarchy, sums, rule, errors);
  const isSum = new Uint8Array(hierarchy.level.length);
  for (const { node } of sums) isSum[node] = 1;
  return (forecasts) => {
    adjust(forecasts);
    for (let node = 0; node < isSum.length; node++)
      if (!isSum[node]) forecasts[node] = Math.max(floor, forecasts[node]);
    for (const { node, parts } of sums) forecasts[node] = totalOf(forecasts, parts);
  };
}

function totalOf(values: Float64Array, parts: Int32Array): number {
  let total = 0;
  for (const part of parts) total += values[part];
  return total;
}

function adjustment(
  hierarchy: Hierarchy,
  sums: readonly Sum[],
  rule: ReconcileRule,
  errors: readonly Float64Array[],
): Reconciler {
  const alone = (variances: Float64Array): Reconciler =>
    isTree(hierarchy) ? diagonal(hierarchy, variances) : sparse(sums, variances);
  const nodes = hierarchy.level.length;
  switch (rule) {
    case "bottom-up":
      return () => undefined;
    case "top-down":
      if (!isTree(hierarchy)) throw new Error("crossed sums have no one way down");
      return topDown(hierarchy);
    case "mint": {
      const variances = variancesOf(nodes, errors);
      const whole = errors.filter((row) => row.every((error) => !Number.isNaN(error)));
      return nodes <= mostDense && whole.length >= 8
        ? dense(sums, whole, variances, alone(variances))
        : alone(variances);
    }
    case "wls-var":
      return alone(variancesOf(nodes, errors));
    case "wls-struct":
      return alone(leavesBelow(nodes, sums));
    case "ols":
      return alone(new Float64Array(nodes).fill(1));
  }
}

/** How many leaves every node is the sum of. */
function leavesBelow(nodes: number, sums: readonly Sum[]): Float64Array {
  const leaves = new Float64Array(nodes).fill(1);
  for (const { node, parts } of sums) leaves[node] = totalOf(leaves, parts);
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

/** Mean squared errors of every node. */
function variancesOf(n: number, errors: readonly Float64Array[]): Float64Array {
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

/** How far every sum lies from its parts: C y. */
function gapsOf(sums: readonly Sum[], forecasts: Float64Array): Float64Array {
  return Float64Array.from(sums, ({ node, parts }) => forecasts[node] - totalOf(forecasts, parts));
}

/** y - W C'(C W C')^-1 C y, where C y = 0 says that sums are those of their parts. */
function dense(
  sums: readonly Sum[],
  errors: readonly Float64Array[],
  variances: Float64Array,
  fallback: Reconciler,
): Reconciler {
  const n = variances.length;
  const w = shrunkCovariance(errors, variances);
  const count = sums.length;
  // wc = W C', one column per sum.
  const wc = new Float64Array(n * count);
  for (let row = 0; row < n; row++) {
    const gaps = gapsOf(sums, w.subarray(row * n, (row + 1) * n));
    wc.set(gaps, row * count);
  }
  const cwc = new Float64Array(count * count);
  sums.forEach(({ node, parts }, s) => {
    for (let c = 0; c < count; c++) {
      let sum = wc[node * count + c];
      for (const part of parts) sum -= wc[part * count + c];
      cwc[s * count + c] = sum;
    }
  });
  return (forecasts) => {
    const gap = gapsOf(sums, forecasts);
    if (!solve(cwc.slice(), gap, count)) return fallback(forecasts);
    for (let node = 0; node < n; node++)
      for (let c = 0; c < count; c++) forecasts[node] -= wc[node * count + c] * gap[c];
  };
}

/** The same with variances alone, by conjugate gradients scaled by the diagonal (Hestenes & Stiefel 1952): memory as the sums have parts. */
function sparse(sums: readonly Sum[], given: Float64Array): Reconciler {
  // Only their ratios count: the smallest numbers have no reciprocal.
  const most = given.reduce((largest, value) => Math.max(largest, value), 0);
  const variances = given.map((value) => value / most);
  const diagonalOf = ({ node, parts }: Sum): number => variances[node] + totalOf(variances, parts);
  const scale = Float64Array.from(sums, diagonalOf);
  /** W C' x. */
  const spreadOut = (x: Float64Array): Float64Array => {
    const out = new Float64Array(variances.length);
    sums.forEach(({ node, parts }, s) => {
      out[node] += x[s];
      for (const part of parts) out[part] -= x[s];
    });
    return out.map((value, node) => value * variances[node]);
  };
  const dot = (a: Float64Array, b: Float64Array): number =>
    a.reduce((sum, value, i) => sum + value * b[i], 0);
  return (forecasts) => {
    const rest = gapsOf(sums, forecasts);
    const found = new Float64Array(sums.length);
    let along = rest.map((value, s) => value / scale[s]);
    let size = dot(rest, along);
    const enough = 1e-26 * size;
    for (let pass = 0; pass < 2 * sums.length && size > enough; pass++) {
      const image = gapsOf(sums, spreadOut(along));
      const curve = dot(along, image);
      if (!(curve > 0)) break;
      const step = size / curve;
      for (let s = 0; s < found.length; s++) {
        found[s] += step * along[s];
        rest[s] -= step * image[s];
      }
      const next = dot(
        rest,
        rest.map((value, s) => value / scale[s]),
      );
      along = along.map((value, s) => rest[s] / scale[s] + (next / size) * value);
      size = next;
    }
    const moved = spreadOut(found);
    for (let node = 0; node < moved.length; node++) forecasts[node] -= moved[node];
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
