import { scorerOf, type Scorer as ItemScorer } from "../../tensor/scorer.js";
import type { WeightAbout } from "../../tensor/weights.js";
import type { Fitted, TrainingData } from "../learner.js";
import type { FolderReader } from "../model-folder.js";
import { loadCatalogue, recommender, type Catalogue } from "../recommendations.js";
import type { Run } from "../../engine/run.js";
import type { Scorer } from "../scorer.js";
import type { Encoder } from "./encoder.js";
import { loadWeights, saveWeights } from "./saved.js";
import type { OpenedSequential } from "./sequential-fit.js";
import type { Sequences } from "./sequences.js";

/** What every learner of sequences is told. */
export interface SequentialParams {
  factors: number;
  length: number;
  dropout: number;
  batch: number;
  negatives: number;
  rate: number;
  epochs: number;
  patience: number;
}

export interface SequentialModel {
  /** All weights, the vectors of the items first. */
  weights: Float32Array;
  manifest: WeightAbout[];
  params: SequentialParams;
  sequences: Sequences;
  catalogue: Catalogue;
  about: Record<string, unknown>;
}

/** Loads the network, and TensorFlow.js with it. */
type Network<P> = () => Promise<(params: P) => Encoder>;

/** Users scored at once. */
export const block = 64;

/** `fit` and `load` of a learner of sequences. */
export function sequentialLearner<P extends SequentialParams>(
  name: string,
  network: Network<P>,
): {
  fit(data: TrainingData, params: P, run: Run): Promise<Fitted>;
  load(folder: FolderReader): Fitted;
} {
  return {
    async fit(data, params, run) {
      const [{ fitSequential }, encoderOf] = await Promise.all([import("./sequential-fit.js"), network()]);
      return fitted(await fitSequential(name, encoderOf(params), data, params, run), network);
    },
    load(folder) {
      const catalogue = loadCatalogue(folder);
      const model: SequentialModel = {
        ...loadWeights(folder),
        params: folder.card.params as unknown as P,
        sequences: {
          starts: folder.array("sequence-starts", "i32", [catalogue.users.length + 1]),
          items: folder.array("sequence-items", "i32"),
        },
        catalogue,
        about: folder.card.about,
      };
      return fitted(model, network);
    },
  };
}

function fitted<P extends SequentialParams>(model: SequentialModel, network: Network<P>): Fitted {
  const { catalogue, params } = model;
  const vectors = model.weights.subarray(0, catalogue.items.length * params.factors);
  const similar = cosineTo(vectors, params.factors);
  let ready: OpenedSequential | undefined;
  let opening: Promise<void> | undefined;
  const opened = (): OpenedSequential => {
    if (!ready) throw new TypeError("a network answers after prepare");
    return ready;
  };
  const prepare = (run: Run): Promise<void> =>
    (opening ??= (async () => {
      const [{ openSequential }, encoderOf] = await Promise.all([import("./sequential-fit.js"), network()]);
      ready = await openSequential(encoderOf(params as P), model, run);
    })());
  const shell = recommender(catalogue, { ...scorerFor(model, vectors, opened), similar });
  return {
    ...shell,
    about: { ...shell.about, ...model.about },
    prepare,
    async predict(rows, ask, run) {
      await prepare(run);
      return shell.predict(rows, ask, run);
    },
    save(folder) {
      shell.save(folder);
      folder.array("sequence-starts", model.sequences.starts);
      folder.array("sequence-items", model.sequences.items);
      saveWeights(folder, model);
    },
  };
}

function scorerFor(
  { catalogue, sequences, params }: SequentialModel,
  vectors: Float32Array,
  opened: () => OpenedSequential,
): Scorer {
  const { factors } = params;
  const items = catalogue.items.length;
  let score: ItemScorer | undefined;
  const scored = (queries: Float32Array): Float32Array =>
    (score ??= scorerOf(vectors, factors, block))(queries);
  let from = -1;
  let scores: Float32Array = new Float32Array(0);
  return {
    user(user, into) {
      const first = user - (user % block);
      // Users come in the order of their codes: a block serves its neighbours, too.
      if (first !== from) {
        from = first;
        scores = scored(opened().users.subarray(first * factors, (first + block) * factors));
      }
      into.set(scores.subarray((user - first) * items, (user - first + 1) * items));
    },
    profile({ user, items: had, fresh }, into) {
      from = -1;
      const before =
        user < 0 ? had.subarray(0, 0) : sequences.items.subarray(sequences.starts[user], sequences.starts[user + 1]);
      // What was left out of the profile is left out of the order, too.
      const kept = new Set(had.subarray(0, fresh));
      const history = [...before.filter((item) => kept.has(item)), ...had.subarray(fresh)];
      if (history.length === 0) into.set(catalogue.popularity);
      else into.set(scored(opened().after(Int32Array.from(history))));
    },
  };
}

/** How alike the vectors of items are. */
function cosineTo(vectors: Float32Array, width: number): Required<Scorer>["similar"] {
  const length = (item: number): number => {
    let squares = 0;
    for (let d = 0; d < width; d++) squares += vectors[item * width + d] ** 2;
    return Math.sqrt(squares) || 1;
  };
  let lengths: Float64Array | undefined;
  return (item, into) => {
    lengths ??= Float64Array.from(into, (_, other) => length(other));
    for (let other = 0; other < into.length; other++) {
      let product = 0;
      for (let d = 0; d < width; d++) product += vectors[item * width + d] * vectors[other * width + d];
      into[other] = product / (lengths[item] * lengths[other]);
    }
  };
}
