import type { WeightAbout } from "../../tensor/weights.js";
import { int, real, type Fitted, type TrainingData } from "../learner.js";
import type { FolderReader } from "../model-folder.js";
import { loadCatalogue, type Catalogue } from "../recommendations.js";
import type { Run } from "../../engine/run.js";
import type { Encoder } from "./encoder.js";
import { loadWeights, saveWeights } from "./saved.js";
import type { Sequences } from "./sequences.js";
import { vectorRecommender } from "./vector-recommender.js";

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

export const sequentialParams = {
  factors: int({ default: 64, min: 4, max: 1024, help: "length of the vector of every item" }),
  length: int({ default: 50, min: 2, max: 1000, help: "latest items of a user that are looked at" }),
  dropout: real({ default: 0.5, min: 0, max: 0.95, help: "share of values dropped while training" }),
  negatives: int({
    default: 1024,
    min: 1,
    help: "items drawn per step to tell the right one from, beside those of the batch",
  }),
  batch: int({ default: 512, min: 1, max: 1_000_000, help: "steps of sequences per step of training" }),
  rate: real({ default: 2e-3, min: 0, max: 1, help: "learning rate of Adam" }),
  epochs: int({ default: 100, min: 1, help: "most passes over the sequences" }),
  patience: int({
    // Small sets rank by popularity for a dozen epochs before they learn any order.
    default: 10,
    min: 0,
    help: "stop after so many epochs without a better NDCG@10 of every user's last item; 0 to hold none out",
  }),
} as const;

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
  const { catalogue, params, sequences } = model;
  return vectorRecommender({
    catalogue,
    factors: params.factors,
    about: model.about,
    async open(run) {
      const [{ openSequential }, encoderOf] = await Promise.all([import("./sequential-fit.js"), network()]);
      return openSequential(encoderOf(params as P), model, run);
    },
    history({ user, items: had, fresh }) {
      const before =
        user < 0
          ? new Int32Array()
          : sequences.items.subarray(sequences.starts[user], sequences.starts[user + 1]);
      // What was left out of the profile is left out of the order, too.
      const kept = new Set(had.subarray(0, fresh));
      return Int32Array.from([...before.filter((item) => kept.has(item)), ...had.subarray(fresh)]);
    },
    save(folder) {
      folder.array("sequence-starts", sequences.starts);
      folder.array("sequence-items", sequences.items);
      saveWeights(folder, model);
    },
  });
}
