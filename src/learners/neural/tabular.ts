import type { Run } from "../../engine/run.js";
import type { WeightAbout } from "../../tensor/weights.js";
import { classScores } from "../classes.js";
import { choice, flag, int, real, type Fitted, type Signature, type Task, type TrainingData } from "../learner.js";
import type { FolderReader } from "../model-folder.js";
import { predictRows } from "../row-predictions.js";
import { loadWeights, saveWeights } from "./saved.js";
import { encodeRows, type TabularEncoding } from "./tabular-encoding.js";
import type { TabularNetworkOf, TabularShape } from "./tabular-network.js";

/** What every network over columns is told. */
export interface TabularParams {
  levels: number;
  batch: number;
  rate: number;
  schedule: "constant" | "cosine" | "linear";
  epochs: number;
  patience: number;
  valid: number;
  decay: number;
  clip: number;
  balanced: boolean;
}

export interface TabularModel {
  weights: Float32Array;
  manifest: WeightAbout[];
  encoding: TabularEncoding;
  /** Regression: what the network's outputs are multiplied by, and what is added. */
  scale?: { mean: number; deviation: number };
  params: TabularParams;
  about: Record<string, unknown>;
}

/** Parameters of what the networks over columns are made of. */
export const deepParams = {
  layers: int({ default: 2, min: 0, max: 20, help: "hidden layers", search: [1, 4] }),
  width: int({ default: 128, min: 1, max: 8192, help: "units of a hidden layer", search: [32, 512], log: true }),
  factors: int({ default: 8, min: 1, max: 1024, help: "length of the vector of every level of a text column" }),
  dropout: real({
    default: 0.2,
    min: 0,
    max: 0.95,
    help: "share of hidden values dropped while training",
    search: [0, 0.5],
  }),
} as const;

/** Parameters of how they are trained. */
export const trainingParams = {
  levels: int({
    default: 10_000,
    min: 1,
    max: 10_000_000,
    help: "most levels of one text column that have a vector of their own, the most frequent",
  }),
  batch: int({ default: 256, min: 1, max: 1_000_000, help: "rows per step of training", search: [64, 2048], log: true }),
  rate: real({ default: 1e-3, min: 0, max: 1, help: "learning rate of Adam", search: [1e-4, 1e-2], log: true }),
  schedule: choice({
    default: "constant",
    choices: ["constant", "cosine", "linear"],
    help: "how the rate falls over the epochs",
  }),
  epochs: int({ default: 50, min: 1, help: "most passes over the rows" }),
  patience: int({
    default: 5,
    min: 0,
    help: "stop after so many epochs without a smaller loss on the held-out rows; 0 to hold none out",
  }),
  valid: real({ default: 0.1, min: 0, max: 0.9, help: "share of rows held out to choose the epoch" }),
  decay: real({ default: 0.01, min: 0, max: 10, help: "decoupled weight decay" }),
  clip: real({ default: 1, min: 0, help: "largest norm of the gradients of a step; 0 for no limit" }),
  balanced: flag({ default: false, help: "weigh classes so that each counts the same, whatever its number of rows" }),
} as const;

/** Loads the network, and TensorFlow.js with it. */
type Network<P> = () => Promise<TabularNetworkOf<P>>;

/** `fit` and `load` of a learner over columns. */
export function tabularLearner<P extends TabularParams>(
  name: string,
  network: Network<P>,
): {
  fit(data: TrainingData, params: P, run: Run): Promise<Fitted>;
  load(folder: FolderReader): Fitted;
} {
  return {
    async fit(data, params, run) {
      const [{ fitTabular }, networkOf] = await Promise.all([import("./tabular-fit.js"), network()]);
      return fitted(data, await fitTabular(name, networkOf, data, params, run), network);
    },
    load(folder) {
      const { card } = folder;
      const stored = folder.json<Pick<TabularModel, "encoding" | "scale">>("encoding");
      const model = { ...loadWeights(folder), ...stored, params: card.params as unknown as P, about: card.about };
      return fitted(card, model, network);
    },
  };
}

/** The shape of a network for an encoding and a task. */
export function shapeOf(encoding: TabularEncoding, { classes, positive }: Signature): TabularShape {
  return {
    numbers: encoding.width,
    fields: encoding.categories.length,
    levels: encoding.levels,
    outputs: classes && positive === undefined ? classes.length : 1,
  };
}

function fitted<P extends TabularParams>(
  signature: Signature & { task: Task },
  model: TabularModel,
  network: Network<P>,
): Fitted {
  const { features, classes, positive, target, task } = signature;
  return {
    about: model.about,
    async predict(rows, ask, run) {
      const [{ openTabular }, networkOf] = await Promise.all([import("./tabular-fit.js"), network()]);
      const shape = shapeOf(model.encoding, signature);
      const opened = await openTabular(networkOf, model, shape, task, positive !== undefined, run);
      try {
        return await predictRows(
          rows!,
          features,
          ask,
          run,
          async (frame) => {
            const scores = await opened.score(encodeRows(frame, model.encoding));
            return task === "regression"
              ? new Map([["prediction", { kind: "f64" as const, values: scores }]])
              : classScores(scores, classes!, positive);
          },
          task === "regression" ? {} : { prediction: target!.type },
        );
      } finally {
        opened.close();
      }
    },
    save(folder) {
      folder.json("encoding", { encoding: model.encoding, scale: model.scale });
      saveWeights(folder, model);
    },
  };
}
