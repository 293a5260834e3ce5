import type { Rng } from "../../core/rng.js";
import type { Run } from "../../engine/run.js";
import { answering } from "../../tensor/answering.js";
import { dense, dropout, embed, softmaxLoss } from "../../tensor/ops.js";
import { tf, type Tensor } from "../../tensor/tf.js";
import { train } from "../../tensor/train.js";
import { Weights, type WeightAbout } from "../../tensor/weights.js";
import { readInteractions } from "../interactions.js";
import type { TrainingData } from "../learner.js";
import { catalogueOf, type Catalogue } from "../recommendations.js";
import { sampledCandidates } from "./candidates.js";
import type { EncodedRows } from "./encoded-rows.js";
import { heldNdcg } from "./held-out.js";
import { damagedWeights } from "./saved.js";
import { readSequences, type Sequences } from "./sequences.js";
import { sideFeatures, type SideFeatures } from "./side-features.js";
import { codeInputs, numberInputs } from "./tabular-layers.js";
import type { OpenedVectors } from "./vector-recommender.js";

export interface TwoTowerParams {
  factors: number;
  width: number;
  length: number;
  dropout: number;
  negatives: number;
  levels: number;
  batch: number;
  rate: number;
  decay: number;
  epochs: number;
  patience: number;
}

export interface TwoTowerModel {
  weights: Float32Array;
  manifest: WeightAbout[];
  catalogue: Catalogue;
  params: TwoTowerParams;
  user?: SideFeatures;
  item?: SideFeatures;
  about: Record<string, unknown>;
}

type Shape = Pick<TwoTowerModel, "params" | "user" | "item"> & { items: number };

/** Interactions of a batch: who, what, and what else of the user's is looked at. */
interface Batch {
  users: Int32Array;
  targets: Int32Array;
  history: History;
}

/** rows x length, row-major: items, padded with any, and what each counts in the mean. */
interface History {
  rows: number;
  length: number;
  items: Int32Array;
  counts: Float32Array;
}

/** Fits both towers by a sampled softmax over interactions. */
export async function fitTwoTower(
  data: TrainingData,
  params: TwoTowerParams,
  run: Run,
): Promise<TwoTowerModel> {
  const device = await run.device();
  run.progress.stage("two-tower: reading");
  const interactions = await readInteractions(data, run);
  const catalogue = catalogueOf(data, interactions);
  const sequences = distinct(await readSequences(data, catalogue));
  const { starts, items } = sequences;
  const { user, item } = await sideFeatures(data, catalogue.users, catalogue.items, params.levels, run);
  const shape: Shape = { params, user, item, items: catalogue.items.length };
  // The last item in time is held out, or one that is drawn where no time is known.
  if (data.roles.time === undefined) shuffleWithin(sequences, run.rng("two-tower held out"));
  const held = Int32Array.from(catalogue.users, (_, u) => u).filter(
    (u) => params.patience > 0 && starts[u + 1] - starts[u] >= 3,
  );
  const ends = starts.slice(1);
  for (const u of held) ends[u]--;
  const pairs: number[] = [];
  const userOf = new Int32Array(items.length);
  const counts = new Float64Array(catalogue.items.length);
  for (let u = 0; u < ends.length; u++)
    for (let p = starts[u]; p < ends[u]; p++) {
      userOf[p] = u;
      pairs.push(p);
      counts[items[p]]++;
    }
  const draw = sampledCandidates(counts, pairs.length, params.negatives);
  const weights = declared(shape, run.rng);
  let negatives = run.rng("two-tower negatives");
  try {
    const lessons = await train<Batch>(
      {
        learner: "two-tower",
        weights,
        *batches(epoch) {
          negatives = run.rng(`two-tower negatives ${epoch}`);
          const rng = run.rng(`two-tower order ${epoch}`);
          const order = rng.shuffle(Int32Array.from(pairs));
          for (let from = 0; from < order.length; from += params.batch) {
            const chosen = order.subarray(from, from + params.batch);
            yield {
              users: Int32Array.from(chosen, (p) => userOf[p]),
              targets: Int32Array.from(chosen, (p) => items[p]),
              history: drawnHistory(sequences, ends, userOf, chosen, params.length, rng),
            };
          }
        },
        size: (batch) => batch.targets.length,
        rows: pairs.length,
        unit: "interactions",
        steps: Math.ceil(pairs.length / params.batch),
        loss(batch, seed) {
          const { ids, target, shift } = draw(batch.targets, negatives);
          const wanted = userVectors(shape, weights, batch.history, batch.users, seed);
          return softmaxLoss(wanted, itemVectors(shape, weights, ids), { target, shift });
        },
        valid:
          held.length === 0
            ? undefined
            : {
                name: "ndcg@10",
                larger: true,
                async measure() {
                  const users = await allUsers(shape, weights, sequences, held, ends);
                  const table = await allItems(shape, weights);
                  return heldNdcg(users, table, params.factors, (at) => ({
                    held: items[ends[held[at]]],
                    had: items.subarray(starts[held[at]], ends[held[at]]),
                  }));
                },
              },
        params: shaping(params),
        // On the CPU a fused kernel never stores the logits.
        batchParam: {
          name: "batch",
          value: params.batch,
          widest: device.backend === "wasm" ? undefined : params.negatives + params.batch,
        },
      },
      { ...params, schedule: "constant", clip: 5 },
      device,
      run,
    );
    return {
      weights: await weights.joined(),
      manifest: weights.manifest(),
      catalogue,
      params,
      user,
      item,
      about: {
        ...lessons,
        device: device.name,
        backend: device.backend,
        weights: weights.size,
        user_features: user?.names ?? [],
        item_features: item?.names ?? [],
      },
    };
  } finally {
    weights.dispose();
  }
}

/** What a resumed training must share: everything but when to stop. */
function shaping({ epochs: _, patience: __, ...rest }: TwoTowerParams): Record<string, unknown> {
  return rest;
}

/** Every item of a user once, where it came first. */
function distinct({ starts, items }: Sequences): Sequences {
  const kept: number[] = [];
  const ends = new Int32Array(starts.length);
  for (let u = 0; u + 1 < starts.length; u++) {
    const seen = new Set(items.subarray(starts[u], starts[u + 1]));
    kept.push(...seen);
    ends[u + 1] = kept.length;
  }
  return { starts: ends, items: Int32Array.from(kept) };
}

function shuffleWithin({ starts, items }: Sequences, rng: Rng): void {
  for (let u = 0; u + 1 < starts.length; u++) rng.shuffle(items.subarray(starts[u], starts[u + 1]));
}

/** Other items of the users of some interactions, drawn where they are many. */
function drawnHistory(
  { starts, items }: Sequences,
  ends: Int32Array,
  userOf: Int32Array,
  chosen: Int32Array,
  most: number,
  rng: Rng,
): History {
  const others = (p: number): number => ends[userOf[p]] - starts[userOf[p]] - 1;
  const length = Math.max(
    1,
    chosen.reduce((longest, p) => Math.max(longest, Math.min(most, others(p))), 0),
  );
  const history = blankHistory(chosen.length, length);
  for (let r = 0; r < chosen.length; r++) {
    const p = chosen[r];
    const from = starts[userOf[p]];
    const count = others(p);
    const taken = Math.min(most, count);
    for (let i = 0; i < taken; i++) {
      const other = from + (count <= most ? i : rng.integer(count));
      // The target itself is stepped over.
      history.items[r * length + i] = items[other >= p ? other + 1 : other];
      history.counts[r * length + i] = 1 / taken;
    }
  }
  return history;
}

function blankHistory(rows: number, length: number): History {
  return { rows, length, items: new Int32Array(rows * length), counts: new Float32Array(rows * length) };
}

function declared({ params, user, item, items }: Shape, rng?: Run["rng"]): Weights {
  const weights = new Weights(rng && ((name) => rng(`two-tower ${name}`)));
  const { factors, width } = params;
  weights.add("items", [items, factors], { normal: 1 / Math.sqrt(factors) });
  weights.add("history", [items, factors], { normal: 1 / Math.sqrt(factors) });
  declareSide(weights, "item", item, factors);
  declareSide(weights, "user", user, factors);
  weights.add("user/inner", [factors, width], "he");
  weights.add("user/inner-bias", [width], "zeros");
  weights.add("user/outer", [width, factors], "glorot");
  weights.add("user/outer-bias", [factors], "zeros");
  return weights;
}

function declareSide(weights: Weights, name: string, side: SideFeatures | undefined, factors: number): void {
  if (!side) return;
  const { width, levels } = side.encoding;
  if (width > 0) weights.add(`${name}/numbers`, [width, factors], { normal: 0.05 });
  if (levels > 0) weights.add(`${name}/levels`, [levels, factors], { normal: 0.05 });
}

/** What is known of some users or items, as vectors that are added up; undefined where nothing is. */
function sideVectors(
  weights: Weights,
  name: string,
  side: SideFeatures | undefined,
  chosen: Int32Array,
): Tensor | undefined {
  if (!side) return undefined;
  const { width, fields } = side.encoding;
  const rows = chosenRows(side.rows, chosen, width, fields);
  const parts: Tensor[] = [];
  if (width > 0) parts.push(dense(numberInputs(rows, width), weights.get(`${name}/numbers`)));
  if (fields > 0) parts.push(embed(weights.get(`${name}/levels`), codeInputs(rows, fields)).sum(1));
  return parts.length === 2 ? parts[0].add(parts[1]) : parts[0];
}

function chosenRows(from: EncodedRows, chosen: Int32Array, width: number, fields: number): EncodedRows {
  const numbers = new Float32Array(chosen.length * width);
  const codes = new Int32Array(chosen.length * fields);
  chosen.forEach((row, r) => {
    numbers.set(from.numbers.subarray(row * width, (row + 1) * width), r * width);
    codes.set(from.codes.subarray(row * fields, (row + 1) * fields), r * fields);
  });
  return { rows: chosen.length, numbers, codes };
}

function itemVectors({ item }: Shape, weights: Weights, ids: Int32Array): Tensor {
  const own = embed(weights.get("items"), tf.tensor1d(ids, "int32"));
  const side = sideVectors(weights, "item", item, ids);
  return side ? own.add(side) : own;
}

/** @param users codes of the rows' users; none for people of whom only the items are known */
function userVectors(
  { params, user }: Shape,
  weights: Weights,
  { rows, length, items, counts }: History,
  users: Int32Array | undefined,
  seed?: number,
): Tensor {
  const had = embed(weights.get("history"), tf.tensor2d(items, [rows, length], "int32"));
  let x = had
    .mul(tf.tensor3d(counts, [rows, length, 1]))
    .sum(1)
    .mul(Math.sqrt(params.factors));
  const side = users && sideVectors(weights, "user", user, users);
  if (side) x = x.add(side);
  if (seed !== undefined) x = dropout(x, params.dropout, seed | 0);
  const inner = dense(x, weights.get("user/inner"), weights.get("user/inner-bias")).relu();
  const kept = seed === undefined ? inner : dropout(inner, params.dropout, ~seed | 0);
  return dense(kept, weights.get("user/outer"), weights.get("user/outer-bias")).add(x);
}

/** Items that are looked at in one go when nothing is learned. */
const stride = 65536;

/** Users in the order given, by all their items up to an end. */
async function allUsers(
  shape: Shape,
  weights: Weights,
  { starts, items }: Sequences,
  users: Int32Array,
  ends: Int32Array,
): Promise<Float32Array> {
  const { factors } = shape.params;
  const vectors = new Float32Array(users.length * factors);
  for (let from = 0; from < users.length;) {
    let to = from;
    let length = 1;
    // As many users as their longest history lets in.
    while (to < users.length) {
      const longest = Math.max(length, ends[users[to]] - starts[users[to]]);
      if (to > from && longest * (to - from + 1) > stride) break;
      length = longest;
      to++;
    }
    const history = blankHistory(to - from, length);
    for (let u = from; u < to; u++) {
      const own = items.subarray(starts[users[u]], ends[users[u]]);
      history.items.set(own, (u - from) * length);
      history.counts.fill(1 / own.length, (u - from) * length, (u - from) * length + own.length);
    }
    const some = tf.tidy(() => userVectors(shape, weights, history, users.subarray(from, to)));
    vectors.set(await some.data(), from * factors);
    some.dispose();
    from = to;
  }
  return vectors;
}

async function allItems(shape: Shape, weights: Weights): Promise<Float32Array> {
  const ids = Int32Array.from({ length: shape.items }, (_, i) => i);
  const vectors = tf.tidy(() => itemVectors(shape, weights, ids));
  const values = (await vectors.data()) as Float32Array;
  vectors.dispose();
  return values;
}

/** Opens saved towers on the device of the run. */
export async function openTwoTower(model: TwoTowerModel, run: Run): Promise<OpenedVectors> {
  const { catalogue, params, user, item } = model;
  const device = await run.device();
  const shape: Shape = { params, user, item, items: catalogue.items.length };
  const weights = declared(shape);
  if (weights.size !== model.weights.length) throw damagedWeights();
  weights.assign(model.weights);
  const { starts, columns } = catalogue.seen;
  const everybody = Int32Array.from(catalogue.users, (_, u) => u);
  const items = await allItems(shape, weights);
  const users = await allUsers(shape, weights, { starts, items: columns }, everybody, starts.subarray(1));
  const beside = await answering(device, weights, () => declared(shape));
  return {
    items,
    users,
    after: (had) =>
      beside.on(() => {
        const history: History = {
          rows: 1,
          length: had.length,
          items: Int32Array.from(had),
          counts: new Float32Array(had.length).fill(1 / had.length),
        };
        return tf.tidy(
          () => userVectors(shape, beside.weights, history, undefined).dataSync() as Float32Array,
        );
      }),
  };
}
