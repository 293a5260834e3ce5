import { power } from "../core/power.js";
import type { CostMatrix } from "./cost.js";
import { byFallingScore, ratio, taken, type Measure, type MetricInfo } from "./metric.js";

const sklearn = "scikit-learn, sklearn.metrics";

export const classificationMetrics: MetricInfo[] = [
  {
    name: "auc",
    summary: "area under the ROC curve, 0..1; several classes: unweighted mean of one class against the rest",
    source: `${sklearn}.roc_auc_score(multi_class="ovr", average="macro")`,
    better: "higher",
    undefinedWhen: "a class is absent, or is the only one",
  },
  {
    name: "pr_auc",
    summary: "average precision, 0..1; several classes: unweighted mean",
    source: `${sklearn}.average_precision_score`,
    better: "higher",
    undefinedWhen: "a class has no row",
  },
  {
    name: "log_loss",
    summary: "mean negative log-likelihood of the true class, nats",
    source: `${sklearn}.log_loss`,
    better: "lower",
    undefinedWhen: "there is no row",
  },
  {
    name: "brier",
    summary: "mean squared error of the probabilities; several classes: summed over them, 0..2",
    source: `${sklearn}.brier_score_loss; Brier (1950) for several classes`,
    better: "lower",
    undefinedWhen: "there is no row",
  },
  {
    name: "ece",
    summary: "expected calibration error in 15 bins of equal width, 0..1",
    source:
      "Naeini, Cooper & Hauskrecht (2015), AAAI, on the positive class; Guo et al. (2017), ICML, on the top class of several",
    better: "lower",
    undefinedWhen: "there is no row",
  },
  {
    name: "accuracy",
    summary: "share of rows with the right class",
    source: `${sklearn}.accuracy_score`,
    better: "higher",
    undefinedWhen: "there is no row",
  },
  {
    name: "balanced_accuracy",
    summary: "mean recall of the classes",
    source: `${sklearn}.balanced_accuracy_score`,
    better: "higher",
    undefinedWhen: "there is no row",
  },
  {
    name: "precision",
    summary: "share of predicted positives that are positive; several classes: unweighted mean",
    source: `${sklearn}.precision_score`,
    better: "higher",
    undefinedWhen: "nothing was predicted positive",
  },
  {
    name: "recall",
    summary: "share of positives that were predicted; several classes: unweighted mean",
    source: `${sklearn}.recall_score`,
    better: "higher",
    undefinedWhen: "there is no positive row",
  },
  {
    name: "f1",
    summary: "harmonic mean of precision and recall of the positive class; several classes: unweighted mean",
    source: `${sklearn}.f1_score`,
    better: "higher",
    undefinedWhen: "no row is positive and none was predicted so",
  },
  {
    name: "macro_f1",
    summary: "unweighted mean of the F1 of all classes",
    source: `${sklearn}.f1_score(average="macro")`,
    better: "higher",
    undefinedWhen: "there is no row",
  },
  {
    name: "mcc",
    summary: "Matthews correlation of truth and prediction, -1..1",
    source: `${sklearn}.matthews_corrcoef; Gorodkin (2004) for several classes`,
    better: "higher",
    undefinedWhen: "truth or prediction has one class only",
  },
  {
    name: "average_cost",
    summary: "mean cost of the decisions, with --cost or a model that was trained with it",
    source: "Elkan (2001), The Foundations of Cost-Sensitive Learning, IJCAI",
    better: "lower",
    undefinedWhen: "there is no row",
  },
];

/** Those that need no probabilities. */
export const anomalyMetrics = classificationMetrics.filter(
  ({ name }) => !["log_loss", "brier", "ece", "average_cost"].includes(name),
);

export interface ClassificationRows {
  /** Names of the classes. */
  classes: readonly string[];
  /** Index of the positive class of a binary target; undefined for several classes. */
  positive?: number;
  /** True class of every row. */
  truth: Int32Array;
  /** Predicted class of every row. */
  predicted: Int32Array;
  /** Probability of every class, one array per class; undefined for models that give none. */
  probability?: readonly Float64Array[];
  /** Of models without probabilities: what the positive class is ranked by, larger first. */
  rankedBy?: Float64Array;
  /** Of two classes: what decisions cost. */
  cost?: CostMatrix;
}

/** `average_cost`: what the decisions cost, per row. */
function costs({ truth, predicted, positive }: ClassificationRows, cost: CostMatrix): Part {
  return {
    names: ["average_cost"],
    at(weights) {
      let total = 0;
      let spent = 0;
      for (let row = 0; row < truth.length; row++) {
        const hit = truth[row] === positive;
        const chosen = predicted[row] === positive;
        total += weights[row];
        spent += weights[row] * (hit ? (chosen ? cost.tp : cost.fn) : chosen ? cost.fp : cost.tn);
      }
      return Float64Array.of(ratio(spent, total));
    },
  };
}

/** The same for some of the rows. */
export function classificationSubset(data: ClassificationRows, rows: Uint32Array): ClassificationRows {
  return {
    ...data,
    truth: taken(data.truth, rows),
    predicted: taken(data.predicted, rows),
    probability: data.probability?.map((values) => taken(values, rows)),
    rankedBy: data.rankedBy && taken(data.rankedBy, rows),
  };
}

/** Bins of the calibration error. */
const bins = 15;
/** Smallest probability that a log-loss counts: the distance from 1 to the next double, as in scikit-learn. */
const leastProbability = 2 ** -52;

/** All classification metrics; those of probabilities only where the model gives them. */
export function measureClassification(data: ClassificationRows): Measure {
  const parts: Part[] = [decisions(data)];
  if (data.probability) parts.unshift(ranks(data, data.probability), probabilities(data, data.probability));
  else if (data.rankedBy)
    parts.unshift(
      ranks(
        data,
        data.classes.map(() => data.rankedBy!),
      ),
    );
  if (data.cost && data.positive !== undefined) parts.push(costs(data, data.cost));
  const names = parts.flatMap((part) => part.names);
  return {
    family: classificationMetrics,
    names,
    units: data.truth.length,
    cost: (data.probability ? data.classes.length + 1 : 0) + 1,
    at(weights) {
      const values = new Float64Array(names.length);
      let offset = 0;
      for (const part of parts) {
        values.set(part.at(weights), offset);
        offset += part.names.length;
      }
      return values;
    },
  };
}

type Part = Pick<Measure, "names" | "at">;

/** `auc` and `pr_auc`: one sort per class, then one pass over the sorted rows per call. */
function ranks({ truth, positive }: ClassificationRows, probability: readonly Float64Array[]): Part {
  const wanted = positive === undefined ? probability.map((_, index) => index) : [positive];
  const sorted = wanted.map((index) => ({ index, ...byFallingScore(probability[index]) }));
  return {
    names: ["auc", "pr_auc"],
    at(weights) {
      let auc = 0;
      let precision = 0;
      for (const { index, order, last } of sorted) {
        const one = curveAreas(truth, index, order, last, weights);
        auc += one.auc;
        precision += one.averagePrecision;
      }
      return Float64Array.of(auc / sorted.length, precision / sorted.length);
    },
  };
}

/**
 * Area under the ROC curve (ties count one half) and average precision of one class against the rest.
 *
 * @param order rows by falling score; `last[place]` is 1 where a run of equal scores ends
 */
function curveAreas(
  truth: Int32Array,
  positive: number,
  order: Uint32Array,
  last: Uint8Array,
  weights: Float64Array,
): { auc: number; averagePrecision: number } {
  let hits = 0;
  let misses = 0;
  let area = 0;
  let precisionSum = 0;
  let tiedHits = 0;
  let tiedMisses = 0;
  for (let place = 0; place < order.length; place++) {
    const row = order[place];
    if (truth[row] === positive) tiedHits += weights[row];
    else tiedMisses += weights[row];
    if (!last[place]) continue;
    area += tiedMisses * (hits + tiedHits / 2);
    hits += tiedHits;
    misses += tiedMisses;
    if (tiedHits > 0) precisionSum += (tiedHits * hits) / (hits + misses);
    tiedHits = tiedMisses = 0;
  }
  return { auc: ratio(area, hits * misses), averagePrecision: ratio(precisionSum, hits) };
}

/** `log_loss`, `brier` and `ece`: losses per row once, then sums. */
function probabilities(
  { truth, positive, classes }: ClassificationRows,
  probability: readonly Float64Array[],
): Part {
  const rows = truth.length;
  const logLoss = new Float64Array(rows);
  const squared = new Float64Array(rows);
  const bin = new Int32Array(rows);
  const confidence = new Float64Array(rows);
  const right = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    let total = 0;
    let top = 0;
    for (let k = 0; k < classes.length; k++) {
      const p = probability[k][row];
      total += p;
      if (p > probability[top][row]) top = k;
      if (positive === undefined) squared[row] += (p - (truth[row] === k ? 1 : 0)) ** 2;
    }
    const trueProbability = probability[truth[row]][row] / (total || 1);
    logLoss[row] = -Math.log(Math.min(1 - leastProbability, Math.max(leastProbability, trueProbability)));
    if (positive === undefined) {
      confidence[row] = probability[top][row];
      right[row] = truth[row] === top ? 1 : 0;
    } else {
      confidence[row] = probability[positive][row];
      right[row] = truth[row] === positive ? 1 : 0;
      squared[row] = (confidence[row] - right[row]) ** 2;
    }
    // Bins are ( lower, upper ], the first with 0, as in the papers' programs.
    bin[row] = Math.min(bins - 1, Math.max(0, Math.ceil(confidence[row] * bins) - 1));
  }
  const gap = new Float64Array(bins);
  return {
    names: ["log_loss", "brier", "ece"],
    at(weights) {
      let total = 0;
      let loss = 0;
      let brier = 0;
      gap.fill(0);
      for (let row = 0; row < rows; row++) {
        const weight = weights[row];
        total += weight;
        loss += weight * logLoss[row];
        brier += weight * squared[row];
        gap[bin[row]] += weight * (confidence[row] - right[row]);
      }
      let error = 0;
      for (const difference of gap) error += Math.abs(difference);
      return Float64Array.of(ratio(loss, total), ratio(brier, total), ratio(error, total));
    },
  };
}

/** Metrics of the predicted classes, all from the margins and the diagonal of the confusion matrix. */
function decisions({ truth, predicted, positive, classes }: ClassificationRows): Part {
  const count = classes.length;
  const right = new Float64Array(count);
  const actual = new Float64Array(count);
  const chosen = new Float64Array(count);
  return {
    names: ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "macro_f1", "mcc"],
    at(weights) {
      right.fill(0);
      actual.fill(0);
      chosen.fill(0);
      for (let row = 0; row < truth.length; row++) {
        const weight = weights[row];
        actual[truth[row]] += weight;
        chosen[predicted[row]] += weight;
        if (truth[row] === predicted[row]) right[truth[row]] += weight;
      }
      const macro = macroMeans(right, actual, chosen);
      const own =
        positive === undefined
          ? macro
          : {
              precision: ratio(right[positive], chosen[positive]),
              recall: ratio(right[positive], actual[positive]),
              f1: ratio(2 * right[positive], actual[positive] + chosen[positive]),
            };
      const matthews = matthewsCorrelation(right, actual, chosen);
      return Float64Array.of(
        macro.accuracy,
        macro.balancedAccuracy,
        own.precision,
        own.recall,
        own.f1,
        macro.f1,
        matthews,
      );
    },
  };
}

/** Means over the classes that occur in truth or prediction; a class never predicted has precision 0, as in scikit-learn. */
function macroMeans(right: Float64Array, actual: Float64Array, chosen: Float64Array) {
  let present = 0;
  let actualClasses = 0;
  let total = 0;
  let hits = 0;
  let precision = 0;
  let recall = 0;
  let f1 = 0;
  for (let k = 0; k < right.length; k++) {
    if (actual[k] === 0 && chosen[k] === 0) continue;
    present++;
    total += actual[k];
    hits += right[k];
    if (actual[k] > 0) {
      actualClasses++;
      recall += right[k] / actual[k];
    }
    if (chosen[k] > 0) precision += right[k] / chosen[k];
    f1 += (2 * right[k]) / (actual[k] + chosen[k]);
  }
  return {
    accuracy: ratio(hits, total),
    balancedAccuracy: ratio(recall, actualClasses),
    precision: ratio(precision, present),
    recall: ratio(recall, present),
    f1: ratio(f1, present),
  };
}

/** Gorodkin (2004), Computational Biology and Chemistry 28:367-374, eq. 8; for two classes Matthews (1975). */
function matthewsCorrelation(right: Float64Array, actual: Float64Array, chosen: Float64Array): number {
  let total = 0;
  let hits = 0;
  let both = 0;
  let actualSquares = 0;
  let chosenSquares = 0;
  for (let k = 0; k < right.length; k++) {
    total += actual[k];
    hits += right[k];
    both += actual[k] * chosen[k];
    actualSquares += actual[k] * actual[k];
    chosenSquares += chosen[k] * chosen[k];
  }
  const spread = (total * total - actualSquares) * (total * total - chosenSquares);
  // One class only leaves a spread of rounding size when weights are no integers.
  return spread <= 1e-14 * power(total, 4) ? NaN : (hits * total - both) / Math.sqrt(spread);
}
