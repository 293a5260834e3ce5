import { scorerOf } from "../../tensor/scorer.js";
import type { WeightAbout } from "../../tensor/weights.js";
import type { Fitted, TrainingData } from "../learner.js";
import type { FolderReader } from "../model-folder.js";
import { loadCatalogue, recommender, type Catalogue } from "../recommendations.js";
import type { Run } from "../../engine/run.js";
import type { Encoder } from "./encoder.js";
import { loadWeights, saveWeights } from "./saved.js";
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
  const { catalogue, sequences, params } = model;
  const { factors } = params;
  const items = catalogue.items.length;
  let vectors: Promise<Float32Array> | undefined;
  const vectorsOf = async (run: Run): Promise<Float32Array> => {
    const [{ userVectors }, encoderOf] = await Promise.all([import("./sequential-fit.js"), network()]);
    return userVectors(encoderOf(params as P), model, run);
  };
  const shell = recommender(catalogue, () => undefined);
  return {
    ...shell,
    about: { ...shell.about, ...model.about },
    async predict(rows, ask, run) {
      const known = await (vectors ??= vectorsOf(run));
      const score = scorerOf(model.weights.subarray(0, items * factors), factors, block);
      let from = -1;
      let scores: Float32Array = new Float32Array(0);
      return recommender(catalogue, (user, into) => {
        const first = user - (user % block);
        // Users come in the order of their codes: a block serves its neighbours, too.
        if (first !== from) {
          from = first;
          scores = score(known.subarray(first * factors, Math.min(known.length, (first + block) * factors)));
        }
        into.set(scores.subarray((user - first) * items, (user - first + 1) * items));
      }).predict(rows, ask, run);
    },
    save(folder) {
      shell.save(folder);
      folder.array("sequence-starts", sequences.starts);
      folder.array("sequence-items", sequences.items);
      saveWeights(folder, model);
    },
  };
}
