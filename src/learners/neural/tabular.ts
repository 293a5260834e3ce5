import type { Column } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import type { WeightAbout } from "../../tensor/weights.js";
import { anomalyColumns, anomalyTypes } from "../anomaly.js";
import { classScores } from "../classes.js";
import {
  choice,
  flag,
  int,
  real,
  type Fitted,
  type Signature,
  type Task,
  type TrainingData,
} from "../learner.js";
import type { FolderReader } from "../model-folder.js";
import { predictRows } from "../row-predictions.js";
import { loadWeights, saveWeights } from "./saved.js";
import { encodedParts, type Encoding } from "./encodings.js";
import { foldersOf } from "./images-encoding.js";
import type { RowShape } from "./encoded-rows.js";
import type { TabularParts, TabularShape } from "./tabular-network.js";

/** What every network over columns is told. */
export interface TabularParams {
  batch: number;
  rate: number;
  schedule: "constant" | "cosine" | "linear";
  epochs: number;
  patience: number;
  valid: number;
  decay: number;
  clip: number;
  balanced?: boolean;
  contamination?: number;
}

export interface TabularModel {
  weights: Float32Array;
  manifest: WeightAbout[];
  encoding: Encoding;
  /** Regression: what the network's outputs are multiplied by, and what is added. */
  scale?: { mean: number; deviation: number };
  /** Anomaly detection: the score from which a row stands out. */
  threshold?: number;
  params: TabularParams;
  about: Record<string, unknown>;
}

/** Parameters of what the networks over columns are made of. */
export const deepParams = {
  layers: int({ default: 2, min: 0, max: 20, help: "hidden layers", search: [1, 4] }),
  width: int({
    default: 128,
    min: 1,
    max: 8192,
    help: "units of a hidden layer",
    search: [32, 512],
    log: true,
  }),
  factors: int({
    default: 8,
    min: 1,
    max: 1024,
    help: "length of the vector of every level of a text column",
  }),
  dropout: real({
    default: 0.2,
    min: 0,
    max: 0.95,
    help: "share of hidden values dropped while training",
    search: [0, 0.5],
  }),
} as const;

/** The parameter of what is kept of text columns. */
export const levelsParam = int({
  default: 10_000,
  min: 1,
  max: 10_000_000,
  help: "most levels of one text column that have a vector of their own, the most frequent",
});

/** Parameters of how networks of rows are trained. */
export const trainingParams = {
  batch: int({
    default: 256,
    min: 1,
    max: 1_000_000,
    help: "rows per step of training",
    search: [64, 2048],
    log: true,
  }),
  rate: real({
    default: 1e-3,
    min: 0,
    max: 1,
    help: "learning rate of Adam",
    search: [1e-4, 1e-2],
    log: true,
  }),
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
} as const;

/** The parameter of classes that are of unequal number. */
export const balancedParam = flag({
  default: false,
  help: "weigh classes so that each counts the same, whatever its number of rows",
});

/** Loads the network, and TensorFlow.js with it. */
type Load<P> = () => Promise<TabularParts<P>>;

/** `fit` and `load` of a learner of rows. */
export function tabularLearner<P extends TabularParams>(
  name: string,
  parts: Load<P>,
): {
  fit(data: TrainingData, params: P, run: Run): Promise<Fitted>;
  load(folder: FolderReader): Fitted;
} {
  return {
    async fit(data, params, run) {
      const [{ fitTabular }, loaded] = await Promise.all([import("./tabular-fit.js"), parts()]);
      return fitted(data, await fitTabular(name, loaded, data, params, run), parts);
    },
    load(folder) {
      const { card } = folder;
      const stored = folder.json<Pick<TabularModel, "encoding" | "scale" | "threshold">>("encoding");
      const model = {
        ...loadWeights(folder),
        ...stored,
        params: card.params as unknown as P,
        about: card.about,
      };
      return fitted(card, model, parts);
    },
  };
}

/** The shape of a network for an encoding and a task. */
export function shapeOf(
  { width, fields, levels }: RowShape,
  { task, classes, positive }: Pick<Signature, "classes" | "positive"> & { task: Task },
): TabularShape {
  // An autoencoder gives back what went in.
  const outputs =
    task === "anomaly" ? width + levels : classes && positive === undefined ? classes.length : 1;
  return { numbers: width, fields, levels, outputs };
}

function fitted<P extends TabularParams>(
  signature: Signature & { task: Task },
  model: TabularModel,
  parts: Load<P>,
): Fitted {
  const { features, target, task } = signature;
  return {
    about: model.about,
    async predict(rows, ask, run) {
      const [{ openTabular }, loaded] = await Promise.all([import("./tabular-fit.js"), parts()]);
      const opened = await openTabular(loaded.network, model, signature, run);
      try {
        return await predictRows(
          rows!,
          features,
          ask,
          run,
          async (frame) => {
            const scores: Float64Array[] = [];
            for await (const part of encodedParts(frame, model.encoding, foldersOf(rows!)))
              scores.push(await opened.score(part));
            return columnsOf(joined(scores), signature, model);
          },
          task === "anomaly" ? anomalyTypes : task === "regression" ? {} : { prediction: target!.type },
        );
      } finally {
        opened.close();
      }
    },
    save(folder) {
      folder.json("encoding", { encoding: model.encoding, scale: model.scale, threshold: model.threshold });
      saveWeights(folder, model);
    },
  };
}

/** Scores of rows one after the other. */
export function joined(parts: readonly Float64Array[]): Float64Array {
  if (parts.length === 1) return parts[0];
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function columnsOf(
  scores: Float64Array,
  { task, classes, positive }: Signature & { task: Task },
  { threshold }: TabularModel,
): Map<string, Column> {
  if (task === "anomaly") return anomalyColumns(scores, threshold!);
  if (task === "regression") return new Map([["prediction", { kind: "f64", values: scores }]]);
  return classScores(scores, classes!, positive);
}
