import type { Run } from "../../engine/run.js";
import { embed, softmaxLoss } from "../../tensor/ops.js";
import { answering } from "../../tensor/answering.js";
import { tf, type Tensor } from "../../tensor/tf.js";
import { train, type Schedule } from "../../tensor/train.js";
import { Weights } from "../../tensor/weights.js";
import { readInteractions } from "../interactions.js";
import type { TrainingData } from "../learner.js";
import { catalogueOf } from "../recommendations.js";
import { sampledCandidates } from "./candidates.js";
import type { Encoder } from "./encoder.js";
import { damagedWeights } from "./saved.js";
import { heldNdcg } from "./held-out.js";
import type { SequentialModel, SequentialParams } from "./sequential.js";
import type { OpenedVectors } from "./vector-recommender.js";
import {
  batchCount,
  historyBatches,
  readSequences,
  refuseShort,
  sequenceBatches,
  trainingWindows,
  type SequenceBatch,
  type Sequences,
} from "./sequences.js";

const itemWeights = "items";

/** Fits an encoder by next-item prediction with a sampled softmax; the last item of every user chooses the epoch. */
export async function fitSequential(
  name: string,
  encoder: Encoder,
  data: TrainingData,
  params: SequentialParams,
  run: Run,
): Promise<SequentialModel> {
  const device = await run.device();
  run.progress.stage(`${name}: reading`);
  const interactions = await readInteractions(data, run);
  const catalogue = catalogueOf(data, interactions);
  const sequences = await readSequences(data, catalogue);
  const { starts, items } = sequences;
  // With three items one can be held out and there is still something to learn from.
  const ends = Int32Array.from(catalogue.users, (_, user) => {
    const held = params.patience > 0 && starts[user + 1] - starts[user] >= 3;
    return starts[user + 1] - (held ? 1 : 0);
  });
  const windows = trainingWindows(sequences, ends, params.length);
  refuseShort(windows, name, data.relation.name);
  const positions = windows.reduce((sum, { length }) => sum + length, 0);
  const weights = declared(encoder, catalogue.items.length, params.factors, run.rng);
  const counts = new Float64Array(catalogue.items.length);
  for (const { from, length } of windows) for (let t = 0; t < length; t++) counts[items[from + t + 1]]++;
  const draw = sampledCandidates(counts, positions, params.negatives);
  let negatives = run.rng(`${name} negatives`);
  const held = Int32Array.from(ends, (_, user) => user).filter((user) => ends[user] < starts[user + 1]);
  const schedule: Schedule = { ...params, schedule: "constant", clip: 5, decay: 0 };
  try {
    const lessons = await train<SequenceBatch>(
      {
        learner: name,
        weights,
        batches: (epoch) => {
          negatives = run.rng(`${name} negatives ${epoch}`);
          return sequenceBatches(sequences, windows, params.batch, run.rng(`${name} order ${epoch}`));
        },
        size: (batch) => batch.targets.length,
        rows: positions,
        unit: "steps",
        steps: batchCount(windows, params.batch),
        loss: (batch, seed) => {
          const table = weights.get(itemWeights);
          const hidden = hiddenOf(encoder, weights, params, batch, seed);
          const { ids, target, shift } = draw(batch.targets, negatives);
          return softmaxLoss(hidden, embed(table, tf.tensor1d(ids, "int32")), { target, shift });
        },
        valid:
          held.length === 0
            ? undefined
            : {
                name: "ndcg@10",
                larger: true,
                async measure() {
                  const vectors = await nextVectors(encoder, weights, params, sequences, held, ends);
                  const table = (await weights.get(itemWeights).data()) as Float32Array;
                  return heldNdcg(vectors, table, params.factors, (at) => ({
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
      schedule,
      device,
      run,
    );
    return {
      weights: await weights.joined(),
      manifest: weights.manifest(),
      params,
      sequences,
      catalogue,
      about: { ...lessons, device: device.name, backend: device.backend, weights: weights.size },
    };
  } finally {
    weights.dispose();
  }
}

/** What a resumed training must share: everything but when to stop. */
function shaping({ epochs: _, patience: __, ...rest }: SequentialParams): Record<string, unknown> {
  return rest;
}

function declared(encoder: Encoder, items: number, factors: number, rng?: Run["rng"]): Weights {
  const weights = new Weights(rng);
  weights.add(itemWeights, [items, factors], { normal: 1 / Math.sqrt(factors) });
  encoder.declare(weights);
  return weights;
}

/** What should come next, at every place of `batch.at`: [places, factors]. */
function hiddenOf(
  encoder: Encoder,
  weights: Weights,
  params: SequentialParams,
  batch: SequenceBatch,
  seed?: number,
): Tensor {
  const { count, length, inputs, at } = batch;
  // Padding comes last and nothing before it looks there: any item will do.
  const ids = tf.tensor2d(
    inputs.map((item) => Math.max(item, 0)),
    [count, length],
    "int32",
  );
  const out = encoder.encode(weights, embed(weights.get(itemWeights), ids), batch, seed);
  const flat = out.reshape([count * length, params.factors]);
  return at.length === count * length ? flat : embed(flat, tf.tensor1d(at, "int32"));
}

/** What should come next for users after the given ends: users x factors, in their order. */
async function nextVectors(
  encoder: Encoder,
  weights: Weights,
  params: SequentialParams,
  sequences: Sequences,
  users: Int32Array,
  ends: Int32Array,
): Promise<Float32Array> {
  const { factors } = params;
  const vectors = new Float32Array(users.length * factors);
  const placeOf = new Map(Array.from(users, (user, place) => [user, place]));
  const own = Int32Array.from(users, (user) => ends[user]);
  for (const { users: some, batch } of historyBatches(sequences, users, own, params.length, 4096)) {
    const hidden = tf.tidy(() => hiddenOf(encoder, weights, params, batch));
    const values = (await hidden.data()) as Float32Array;
    hidden.dispose();
    some.forEach((user, row) =>
      vectors.set(values.subarray(row * factors, (row + 1) * factors), placeOf.get(user)! * factors),
    );
  }
  return vectors;
}

/** Opens a saved network on the device of the run. */
export async function openSequential(
  encoder: Encoder,
  model: SequentialModel,
  run: Run,
): Promise<OpenedVectors> {
  const { catalogue, sequences, params } = model;
  const device = await run.device();
  const weights = declared(encoder, catalogue.items.length, params.factors);
  if (weights.size !== model.weights.length) throw damagedWeights();
  weights.assign(model.weights);
  const all = Int32Array.from(catalogue.users, (_, user) => user);
  const users = await nextVectors(encoder, weights, params, sequences, all, sequences.starts.subarray(1));
  // A GPU cannot be read from at once: single histories are answered by the CPU.
  const beside = await answering(device, weights, () =>
    declared(encoder, catalogue.items.length, params.factors),
  );
  return {
    items: model.weights.subarray(0, catalogue.items.length * params.factors),
    users,
    after: (items) =>
      beside.on(() => {
        const latest = items.subarray(Math.max(0, items.length - params.length));
        const length = latest.length;
        const batch: SequenceBatch = {
          count: 1,
          length,
          inputs: latest,
          places: Int32Array.from(latest, (_, t) => length - 1 - t),
          at: Int32Array.of(length - 1),
          targets: new Int32Array(),
        };
        return tf.tidy(() => hiddenOf(encoder, beside.weights, params, batch).dataSync() as Float32Array);
      }),
  };
}
