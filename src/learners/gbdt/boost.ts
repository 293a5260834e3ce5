import { mix } from "../../core/rng.js";
import type { SharedKernel } from "../../engine/pool.js";
import { ColumnChoice } from "./column-choice.js";
import type { BinLayout } from "./bins.js";
import { Dropout, type DropoutParams } from "./dropout.js";
import type { GrowAsk, Grown } from "./grow.js";
import { growLeaves, LeafTables } from "./grow-leaves.js";
import { deepestLevel, growLevels, LevelTables, levelSlots } from "./grow-levels.js";
import { gradientSize, sampleOneSide, scalesFor } from "./gradients.js";
import { addTree, layTree } from "./laid-tree.js";
import type { GradientAsk, Objective, PackAsk } from "./objectives.js";
import { TreeBuilder } from "./tree-builder.js";
import type { TreeEnsemble } from "./trees.js";
import { Workspace, type Scales, type SplitRules } from "./workspace.js";

/** Binned rows in the kernel's memory, with what is to be learned about them. */
export interface BinnedRows {
  rows: number;
  /** How bins lie in a row. */
  layout: BinLayout;
  /** Bins, row by row. */
  at: number;
}

export interface BoostParams {
  trees: number;
  eta: number;
  depth: number;
  leaves: number;
  grow: "depth" | "leaf";
  rules: Omit<SplitRules, "extraSeed">;
  gamma: number;
  /** Share of the rows that each tree sees, drawn anew. */
  rowShare: number;
  /** Rows by the size of their gradients, in place of `rowShare`. */
  goss?: { top: number; rest: number };
  /** Share of the columns that each tree, and each node, may use. */
  treeColumns: number;
  nodeColumns: number;
  /** Share of the trees whose thresholds are drawn, not searched. */
  drawn: number;
  /** By feature: +1, -1, 0. */
  signs?: readonly number[];
  /** Features that may stand on one path. */
  groups?: readonly (readonly number[])[];
  /** Rounds are grown without some of the earlier ones; all of them are kept, for the first ones alone are no model. */
  dropout?: DropoutParams;
  /** Trees without progress after which to stop; 0: never. */
  patience: number;
  seed: number;
}

/** Trees that are built on: what they give the rows, an array per output. */
export interface Start {
  scores: readonly Float64Array[];
  /** Of the watched rows. */
  watched?: readonly Float64Array[];
  /** Trees that there are, so that others are drawn for the next. */
  trees: number;
}

/** What decides when to stop: a loss after every round, smaller is better. */
export interface Watch {
  /** Other rows than those that are learned from, whose scores are kept beside. */
  rows?: BinnedRows;
  /** @param scores of the watched rows, else of the training rows; an array per output */
  loss(scores: readonly Float32Array[]): number;
}

export interface Boosted {
  trees: TreeEnsemble;
  /** Loss on the watched rows after each round. */
  history: number[];
  /** Rounds kept. */
  best: number;
}

const block = 4096;

/** Room for float32s of rows, in whole blocks so that vectors may read past the last row. */
export function rowFloats(kernel: SharedKernel, rows: number): number {
  const at = kernel.alloc(Math.ceil(rows / block) * block * 4);
  kernel.f32(at, Math.ceil(rows / block) * block).fill(0);
  return at;
}

/**
 * Gradient boosting. Friedman (2001), "Greedy function approximation", with the second-order steps of Chen &
 * Guestrin (2016), "XGBoost", and gradients quantised per tree as in Shi et al. (2022), "Quantized Training".
 */
export async function boost(
  kernel: SharedKernel,
  data: BinnedRows,
  objective: Objective,
  params: BoostParams,
  watch?: Watch,
  tick?: (round: number, loss: number | undefined) => Promise<void> | undefined,
  start?: Start,
): Promise<Boosted> {
  const { outputs } = objective;
  const { layout } = data;
  const mark = kernel.mark();
  const levels =
    params.grow === "depth" &&
    params.depth <= deepestLevel &&
    levelSlots(params.depth) * layout.histBytes <= 1 << 25;
  const slots = levels ? levelSlots(params.depth) : 1;
  const signs = params.signs && Array.from(layout.featureOf, (feature) => params.signs![feature]);
  const workspace = new Workspace(kernel, layout, data.at, data.rows, slots, signs, params.trees * outputs);
  const builder = new TreeBuilder(layout);
  const padded = Math.ceil(data.rows / block) * block;
  const scores = Array.from({ length: outputs }, (_, k) => {
    const at = rowFloats(kernel, data.rows);
    if (start) kernel.f32(at, data.rows).set(start.scores[k]);
    else kernel.f32(at, data.rows).fill(objective.base[k]);
    return at;
  });
  const g = rowFloats(kernel, data.rows);
  const h = rowFloats(kernel, data.rows);
  const tiles = Math.ceil(data.rows / workspace.tile);
  const partials = kernel.alloc(Math.max((padded / block) * 64, tiles * 32));
  const sums = kernel.alloc(tiles * 8);
  const { goss } = params;
  const sampled = params.rowShare < 1 || goss !== undefined;
  const past = start?.trees ?? 0;
  const list = levels ? 0 : kernel.alloc(data.rows * 8);
  const spare = levels ? 0 : kernel.alloc(data.rows * 8);
  const nodes = levels ? kernel.alloc(padded) : 0;
  const ask: GrowAsk = {
    workspace,
    rules: { ...params.rules, extraSeed: 0 },
    gamma: params.gamma,
    eta: params.eta,
    depth: params.depth,
    leaves: params.leaves,
    bestFirst: params.grow === "leaf",
    signs,
    choice: new ColumnChoice(layout.featureOf, "", { tree: 1, node: 1 }),
  };
  const levelTables = levels ? new LevelTables(ask) : undefined;
  const leafTables = levels ? undefined : new LeafTables(ask);
  const watched = watch?.rows && watchScores(kernel, watch.rows, objective.base, start);
  const dropout =
    params.dropout &&
    new Dropout(workspace, { ...params.dropout, eta: params.eta, seed: params.seed }, [
      { rows: data, scores },
      ...(watched ? [{ rows: watch.rows!, scores: watched }] : []),
    ]);
  const history: number[] = [];
  const steps = new Float64Array(outputs);
  let best = 0;

  for (let round = 0; round < params.trees; round++) {
    dropout?.begin(outputs).forEach((most, k) => (steps[k] += most));
    objective.begin?.(scores);
    for (let k = 0; k < outputs; k++) {
      const seed = treeSeed(params.seed, past + round * outputs + k);
      const keep = sampled && !goss ? Math.floor(params.rowShare * 4294967295) : 0xffffffff;
      const histogram = levels || !sampled ? 1 : 0;
      ask.choice = new ColumnChoice(
        layout.featureOf,
        `${params.seed} ${past / outputs + round} ${k}`,
        { tree: params.treeColumns, node: params.nodeColumns },
        params.groups,
      );
      const isDrawn = mix(seed ^ 0x6a09e667) >>> 0 < params.drawn * 4294967296;
      ask.rules.extraSeed = isDrawn ? (seed | 1) >>> 0 : 0;
      const pack = { workspace, k, score: scores[k], g, h, partials, sums, seed, keep, nodes, histogram };
      const scales =
        objective.pack && !goss
          ? objective.pack({ ...pack, step: steps[k] })
          : packed(objective, { ...pack, scores }, data.rows, goss);
      const totals = totalsOf(kernel, sums, tiles);
      let grown: Grown;
      if (levels) {
        const tree = growLevels(
          ask,
          scales,
          builder,
          totals,
          { rows: data.rows, packed: g, nodes, scores: objective.renew ? 0 : scores[k] },
          levelTables!,
        );
        grown = tree.grown;
        objective.renew?.({
          grown,
          builder,
          eta: params.eta,
          rowsOf: rowsByNode(kernel, nodes, data.rows, tree.current.length),
          score: scores[k],
        });
        if (!tree.added) {
          levelTables!.setValues(tree.current, builder);
          workspace.phase("addByNode", data.rows, nodes, levelTables!.values, scores[k]);
        }
      } else {
        const listed = sampled ? drawnList(kernel, g, data.rows, list) : data.rows;
        if (!sampled) workspace.phase("listRows", data.rows, g, list);
        grown = growLeaves(
          ask,
          scales,
          builder,
          totals,
          { rows: listed, list, spare, rootAdded: !sampled },
          leafTables!,
        ).grown;
        objective.renew?.({
          grown,
          builder,
          eta: params.eta,
          rowsOf: (i) => listedRows(kernel, list, grown.leaves[i]),
          score: scores[k],
        });
        if (sampled) walk(workspace, builder, grown, data, scores[k]);
        else addByList(workspace, builder, grown, list, leafTables!, scores[k]);
      }
      steps[k] = 0;
      for (const { node } of grown.leaves) steps[k] = Math.max(steps[k], Math.abs(builder.valueOf(node)));
      if (watched) walk(workspace, builder, grown, watch.rows!, watched[k]);
      dropout?.keep(grown, k, builder);
      builder.endTree(k);
    }
    dropout?.end();
    let loss: number | undefined;
    if (watch) {
      const rows = (watch.rows ?? data).rows;
      loss = watch.loss((watched ?? scores).map((at) => kernel.f32(at, rows)));
      history.push(loss);
      if (loss < history[best]) best = round;
      if (params.patience > 0 && round - best >= params.patience) break;
    }
    await tick?.(round + 1, loss);
  }
  dropout?.settle(builder);
  kernel.release(mark);
  // What is built on has the base.
  const base = start ? new Float64Array(outputs) : objective.base;
  return { trees: builder.ensemble(base), history, best: watch && !dropout ? best + 1 : params.trees };
}

function treeSeed(seed: number, tree: number): number {
  return (Math.imul(seed ^ 0x2545f491, 0x9e3779b1) ^ Math.imul(tree + 1, 0x85ebca6b)) >>> 0;
}

/** Gradients of an objective, rounded and packed; gives what they were multiplied by. */
function packed(
  objective: Objective,
  {
    workspace,
    k,
    scores,
    g,
    h,
    partials,
    seed,
    keep,
    nodes,
    histogram,
    sums,
  }: GradientAsk & Omit<PackAsk, "step">,
  rows: number,
  goss: BoostParams["goss"],
): Scales {
  const { kernel } = workspace;
  objective.gradients({ workspace, k, scores, g, h, partials });
  const size = goss
    ? sampleOneSide(kernel, rows, g, h, goss, seed)
    : gradientSize(kernel, partials, Math.ceil(rows / block));
  const scales = scalesFor(size, rows);
  workspace.phase("quantise", rows, g, h, scales.g, scales.h, seed, keep, nodes, histogram, sums);
  return scales;
}

/** Sums of what the tiles add up to. */
function totalsOf(kernel: SharedKernel, sums: number, tiles: number): { G: number; H: number } {
  const values = kernel.i32(sums, tiles * 2);
  let G = 0;
  let H = 0;
  for (let i = 0; i < values.length; i += 2) {
    G += values[i];
    H += values[i + 1];
  }
  return { G, H };
}

function drawnList(kernel: SharedKernel, packed: number, rows: number, list: number): number {
  const values = kernel.i32(packed, rows);
  const pairs = kernel.i32(list, rows * 2);
  let count = 0;
  for (let r = 0; r < rows; r++) {
    pairs[count] = r;
    pairs[count + 1] = values[r];
    if (values[r] !== 0) count += 2;
  }
  return count / 2;
}

function listedRows(kernel: SharedKernel, list: number, leaf: { start: number; count: number }): Int32Array {
  const pairs = kernel.i32(list + leaf.start * 8, leaf.count * 2);
  return Int32Array.from({ length: leaf.count }, (_, i) => pairs[2 * i]);
}

function rowsByNode(
  kernel: SharedKernel,
  nodes: number,
  rows: number,
  count: number,
): (leaf: number) => Int32Array {
  let lists: Int32Array[] | undefined;
  return (leaf) => {
    lists ??= sorted();
    return lists[leaf];
  };

  function sorted(): Int32Array[] {
    const of = kernel.u8(nodes, rows);
    const sizes = new Int32Array(count);
    for (let r = 0; r < rows; r++) sizes[of[r]]++;
    const made = Array.from(sizes, (size) => new Int32Array(size));
    sizes.fill(0);
    for (let r = 0; r < rows; r++) made[of[r]][sizes[of[r]]++] = r;
    return made;
  }
}

function addByList(
  workspace: Workspace,
  builder: TreeBuilder,
  grown: Grown,
  list: number,
  tables: LeafTables,
  scores: number,
): void {
  const { kernel } = workspace;
  const leaves = tables.leavesFor(grown.leaves.length);
  const words = kernel.u32(leaves, grown.leaves.length * 4);
  const values = kernel.f32(leaves, grown.leaves.length * 4);
  grown.leaves.forEach((leaf, i) => {
    words[i * 4] = leaf.start;
    words[i * 4 + 1] = leaf.count;
    values[i * 4 + 2] = builder.valueOf(leaf.node);
  });
  workspace.phase("addByList", list, leaves, grown.leaves.length, scores);
}

/** Adds a tree's values to the scores of binned rows. */
function walk(
  workspace: Workspace,
  builder: TreeBuilder,
  grown: Grown,
  rows: BinnedRows,
  scores: number,
): void {
  const mark = workspace.kernel.mark();
  addTree(workspace, layTree(workspace, rows.layout, builder, grown), rows, scores);
  workspace.kernel.release(mark);
}

function watchScores(
  kernel: SharedKernel,
  watch: BinnedRows,
  base: Float64Array,
  start: Start | undefined,
): number[] {
  return Array.from(base, (value, k) => {
    const at = rowFloats(kernel, watch.rows);
    if (start) kernel.f32(at, watch.rows).set(start.watched![k]);
    else kernel.f32(at, watch.rows).fill(value);
    return at;
  });
}
