import type { Rng } from "../../src/core/rng.js";
import type { TreeColumn, TreeEnsemble } from "../../src/learners/gbdt/trees.js";

export interface Shape {
  columns: number;
  outputs?: number;
  trees: number;
  depth: number;
  /** Every how manieth column is a category of 40 levels. */
  categories?: number;
  /** Rows hold levels that are none of the 40. */
  beyond?: boolean;
  /** Whether some nodes were reached by no training row. */
  empty?: boolean;
}

export const levelsOfCategory = 40;
export const isCategory = (column: number, { categories = 0 }: Shape): boolean =>
  categories > 0 && column % categories === 0;

/** Trees of random splits: columns repeat on a path, missing values go either way, covers add up. */
export function randomTrees(rng: Rng, shape: Shape): TreeEnsemble {
  const { outputs = 1 } = shape;
  const starts = [0];
  const words: number[] = [];
  const nodes: Record<
    "feature" | "threshold" | "left" | "right" | "missing" | "value" | "cover" | "gain" | "set" | "words",
    number[]
  > = {
    ...{ feature: [], threshold: [], left: [], right: [], missing: [] },
    ...{ value: [], cover: [], gain: [], set: [], words: [] },
  };
  const add = (cover: number): number => {
    for (const [name, value] of Object.entries({
      ...{ feature: -1, threshold: NaN, left: -1, right: -1, missing: 0 },
      ...{ value: rng.normal(), cover, gain: 0, set: -1, words: 0 },
    }))
      nodes[name as keyof typeof nodes].push(value);
    return nodes.feature.length - 1;
  };
  for (let t = 0; t < shape.trees; t++) {
    const open = [{ node: add(100), depth: 0 }];
    for (let next = open.shift(); next; next = open.shift()) {
      const { node, depth } = next;
      if (depth === shape.depth || (depth > 0 && rng.uniform() < 0.15)) continue;
      const column = rng.integer(shape.columns);
      nodes.feature[node] = column;
      nodes.missing[node] = rng.integer(2);
      nodes.gain[node] = rng.uniform() * 10;
      if (isCategory(column, shape)) {
        nodes.set[node] = words.length;
        nodes.words[node] = 1 + rng.integer(2);
        for (let w = 0; w < nodes.words[node]; w++) words.push(rng.integer(2 ** 32));
      } else nodes.threshold[node] = Math.round(rng.normal() * 4) / 4;
      const share = shape.empty && rng.uniform() < 0.2 ? rng.integer(2) : 0.05 + 0.9 * rng.uniform();
      nodes.left[node] = add(nodes.cover[node] * share);
      nodes.right[node] = add(nodes.cover[node] * (1 - share));
      open.push({ node: nodes.left[node], depth: depth + 1 }, { node: nodes.right[node], depth: depth + 1 });
    }
    starts.push(nodes.feature.length);
  }
  return {
    outputs,
    base: Float64Array.from({ length: outputs }, () => rng.normal()),
    starts: Int32Array.from(starts),
    output: Int32Array.from({ length: shape.trees }, (_, t) => t % outputs),
    feature: Int32Array.from(nodes.feature),
    threshold: Float64Array.from(nodes.threshold),
    left: Int32Array.from(nodes.left),
    right: Int32Array.from(nodes.right),
    missingLeft: Uint8Array.from(nodes.missing),
    value: Float64Array.from(nodes.value),
    cover: Float64Array.from(nodes.cover),
    gain: Float64Array.from(nodes.gain),
    catStart: Int32Array.from(nodes.set),
    catCount: Int32Array.from(nodes.words),
    catWords: Uint32Array.from(words),
  };
}

/** Rows that meet thresholds exactly now and then, and lack values. */
export function randomRows(rng: Rng, rows: number, shape: Shape): Float64Array {
  return Float64Array.from({ length: rows * shape.columns }, (_, i) =>
    rng.uniform() < 0.15
      ? NaN
      : isCategory(i % shape.columns, shape)
        ? rng.integer(levelsOfCategory + (shape.beyond ? 30 : 0))
        : Math.round(rng.normal() * 8) / 8,
  );
}

/** Columns as a model names them. */
export function columnsOf(shape: Shape): TreeColumn[] {
  return Array.from({ length: shape.columns }, (_, c) =>
    isCategory(c, shape)
      ? {
          kind: "category",
          name: `c${c}`,
          levels: Array.from({ length: levelsOfCategory }, (_, i) => `level ${i}`),
        }
      : { kind: "number", name: `c${c}` },
  );
}
