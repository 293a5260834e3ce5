import { linkWords, type ShapTrees } from "../../../kernels/tree-shap.js";
import { treeCount, type TreeEnsemble } from "../trees.js";

/** An ensemble made ready for path-dependent Shapley values, with the mean score that they start from. */
export interface PreparedTrees {
  shap: ShapTrees;
  /** Mean of every output's raw score over the training rows, as the covers tell it. */
  expected: Float64Array;
}

/**
 * Makes the arrays that the kernel of Shapley values reads: for every edge the share of training rows
 * (by cover) that pass all conditions on its column so far, turned into factors at the points of the quadrature.
 *
 * @param columns columns of a row, used by the trees or not
 */
export function shapTrees(trees: TreeEnsemble, columns: number): PreparedTrees {
  const count = treeCount(trees);
  const paths = Array.from({ length: count }, (_, t) => pathsOf(trees, t));
  const points = Int32Array.from(paths, ({ distinct }) => Math.max(1, Math.ceil(distinct / 2)));
  const at = new Int32Array(count);
  let size = 0;
  for (let t = 0; t < count; t++) {
    at[t] = size;
    size += points[t] + (trees.starts[t + 1] - trees.starts[t]) * (2 + 3 * points[t]);
  }
  const factors = new Float64Array(size);
  const links = new Int32Array(trees.starts[count] * linkWords);
  const expected = trees.base.slice();
  for (let t = 0; t < count; t++) {
    writeLinks(trees, t, paths[t], links);
    writeFactors(trees, t, paths[t], points[t], factors.subarray(at[t]));
    for (let n = trees.starts[t]; n < trees.starts[t + 1]; n++)
      if (trees.feature[n] < 0)
        expected[trees.output[t]] += trees.value[n] * paths[t].reach[n - trees.starts[t]];
  }
  const { outputs, starts, output, catWords } = trees;
  return { shap: { columns, outputs, starts, output, points, links, factors, at, catWords }, expected };
}

/** What is known of the way to every node of a tree; nodes are counted from its root. */
interface Paths {
  parent: Int32Array;
  /** Nearest edge above on the same column, or -1. */
  same: Int32Array;
  /** Share of the parent's training rows that go on to the node. */
  ratio: Float64Array;
  /** Share of training rows that pass the conditions of the edge's column, this edge's included. */
  pass: Float64Array;
  /** Share of the root's training rows that come here. */
  reach: Float64Array;
  /** Most distinct columns on a way to a leaf. */
  distinct: number;
}

function pathsOf({ starts, feature, left, right, cover }: TreeEnsemble, t: number): Paths {
  const first = starts[t];
  const nodes = starts[t + 1] - first;
  const parent = new Int32Array(nodes).fill(-1);
  const same = new Int32Array(nodes).fill(-1);
  const ratio = new Float64Array(nodes).fill(1);
  const pass = new Float64Array(nodes).fill(1);
  const reach = new Float64Array(nodes).fill(1);
  const columns = new Int32Array(nodes);
  for (let p = 0; p < nodes; p++) {
    if (feature[first + p] < 0) continue;
    for (const child of [left[first + p] - first, right[first + p] - first]) {
      parent[child] = p;
      let above = p;
      while (above > 0 && feature[first + parent[above]] !== feature[first + p]) above = parent[above];
      if (above > 0) same[child] = above;
      // No training row came here (weights of 0): both ways are as likely.
      ratio[child] = cover[first + p] > 0 ? cover[first + child] / cover[first + p] : 0.5;
      pass[child] = ratio[child] * (above > 0 ? pass[above] : 1);
      reach[child] = reach[p] * ratio[child];
      columns[child] = columns[p] + (above > 0 ? 0 : 1);
    }
  }
  return { parent, same, ratio, pass, reach, distinct: columns.reduce((a, b) => Math.max(a, b), 0) };
}

function writeLinks(trees: TreeEnsemble, t: number, { parent, same }: Paths, links: Int32Array): void {
  const { starts, feature, left, missingLeft, catStart, catCount } = trees;
  for (let n = starts[t]; n < starts[t + 1]; n++) {
    const up = parent[n - starts[t]];
    const above = starts[t] + up;
    const edge =
      up < 0 ? [-1, -1, -1, 0] : [up, feature[above], same[n - starts[t]], left[above] === n ? 1 : 0];
    links.set([...edge, feature[n], missingLeft[n], catStart[n], catCount[n]], n * linkWords);
  }
}

function writeFactors(trees: TreeEnsemble, t: number, paths: Paths, points: number, to: Float64Array): void {
  const { nodes: abscissas, weights } = gaussLegendre(points);
  const stride = 2 + 3 * points;
  for (let k = 0; k < points; k++) to[k] = -weights[k] / (1 - abscissas[k]);
  for (let n = 0; n < paths.parent.length; n++) {
    const at = points + n * stride;
    const node = trees.starts[t] + n;
    to[at] = trees.feature[node] < 0 ? trees.value[node] : trees.threshold[node];
    to[at + 1] = paths.ratio[n];
    const z = paths.pass[n];
    const above = paths.same[n] >= 0 ? paths.pass[paths.same[n]] : 1;
    for (let k = 0; k < points; k++) {
      const s = abscissas[k];
      const openAbove = s + (1 - s) * above;
      const open = s + (1 - s) * z;
      to[at + 2 + k] = open / openAbove;
      to[at + 2 + points + k] = ((1 - s) * z) / openAbove;
      to[at + 2 + 2 * points + k] = (weights[k] * (1 - z)) / open;
    }
  }
}

/**
 * Nodes and weights of Gauss-Legendre quadrature on [0, 1]: exact for polynomials of degree 2 `points` - 1.
 *
 * Abramowitz & Stegun (1964), 25.4.29; zeros of the Legendre polynomial by Newton's method.
 */
export function gaussLegendre(points: number): { nodes: Float64Array; weights: Float64Array } {
  const nodes = new Float64Array(points);
  const weights = new Float64Array(points);
  for (let i = 0; i < points; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (points + 0.5));
    let slope = 1;
    for (let step = 0; step < 100; step++) {
      let value = 1;
      let before = 0;
      for (let n = 1; n <= points; n++)
        [value, before] = [((2 * n - 1) * x * value - (n - 1) * before) / n, value];
      slope = (points * (x * value - before)) / (x * x - 1);
      const move = value / slope;
      x -= move;
      if (Math.abs(move) < 1e-16) break;
    }
    nodes[i] = (1 - x) / 2;
    weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}
