import { ShopaiError } from "../../core/errors.js";
import type { Field } from "../../engine/engine.js";
import { codes, floats, type Frame } from "../../engine/frame.js";
import type { DesignMatrix } from "../../kernels/design.js";
import { fitGlm, logisticLoss } from "../../kernels/glm.js";
import { breathe } from "../breathe.js";
import { classFrame, classScores } from "../classes.js";
import { featureAsks, isNumberLike, refuseInfinities } from "../design-matrix.js";
import { defineLearner, int, real, type Fitted, type Signature } from "../learner.js";
import { predictRows } from "../row-predictions.js";
import type { Explainer } from "../explanation.js";
import { evidence, informationValue, levelBins, numberBins, type Bin, type Counts } from "./bins.js";

/**
 * A credit scorecard: every feature is cut into few bins whose shares of the positive class only rise or only
 * fall, a bin counts by its weight of evidence, and a logistic regression of those gives points per bin.
 *
 * Points fall with the risk: `base` points at odds of `odds` negatives to one positive, `double` points
 * more for twice the odds. A row's points are the sum over the features; its reasons are the features that
 * cost it the most. Siddiqi (2006), Credit Risk Scorecards, chapters 6 and 7.
 */
export default defineLearner({
  name: "scorecard",
  task: "classification",
  summary:
    "points per bin of every feature that anybody can add up: credit, fraud and lead scores to explain",
  source: "Siddiqi (2006), Credit Risk Scorecards, Wiley",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    bins: int({ default: 6, min: 2, max: 50, help: "most bins of a feature", search: [3, 10] }),
    share: real({ default: 0.05, min: 0, max: 0.5, help: "least share of the rows in a bin" }),
    information: real({
      default: 0.02,
      min: 0,
      help: "features with less information value are left out",
      search: [1e-3, 0.1],
      log: true,
    }),
    lambda: real({ default: 1, min: 0, help: "L2 penalty of the weights", search: [1e-2, 1e2], log: true }),
    base: real({ default: 600, min: 0, help: "points at the odds below" }),
    odds: real({ default: 20, min: 1e-6, help: "negatives to one positive at the base points" }),
    double: real({ default: 20, min: 1e-6, help: "points more for twice the odds" }),
  },
  async fit(data, params, run) {
    run.progress.stage("scorecard: reading");
    if (data.positive === undefined)
      throw new ShopaiError(
        "data",
        `a scorecard is of two classes, and ${data.target!.name} has ${data.classes!.length}`,
        {
          where: data.relation.name,
          try: "logistic, or a target of two classes",
        },
      );
    const { frame, classOf, weights } = await classFrame(data, featureAsks(data.features));
    refuseInfinities(frame, data.features);
    const yes = data.classes!.indexOf(data.positive);
    const hits = Uint8Array.from(classOf, (code) => (code === yes ? 1 : 0));
    const total: Counts = { hits: 0, misses: 0 };
    hits.forEach((hit, r) => (total[hit ? "hits" : "misses"] += weights ? weights[r] : 1));
    const cut = data.features.map((field) => cutFeature(frame, field, hits, weights, total, params));
    const used = cut.filter(({ information }) => information >= params.information);
    if (used.length === 0)
      throw new ShopaiError("data", `no feature has an information value of ${params.information} or more`, {
        where: data.relation.name,
        try: "a smaller --param information, or other features",
      });
    run.progress.stage("scorecard: fitting");
    const x = evidenceMatrix(frame, used);
    const start = new Float64Array(used.length + 1);
    start[used.length] = Math.log(total.hits / total.misses);
    const about = { iterations: 200, tolerance: 1e-12, tick: () => breathe(run) };
    const fit = await fitGlm(x, logisticLoss(hits), weights, { l2: params.lambda, l1: 0 }, start, about);
    const card = pointsOf(used, fit.weights, params);
    run.progress.done(`${used.length} features`);
    return fitted(data, card, {
      information: Object.fromEntries(cut.map(({ name, information }) => [name, information])),
      base_points: card.base,
    });
  },
  load: (folder) => fitted(folder.card, folder.json<Scorecard>("scorecard"), folder.card.about),
});

/** A bin with its weight of evidence and its points. */
interface ScoredBin extends Bin {
  evidence: number;
  points: number;
}

interface CutFeature {
  name: string;
  number: boolean;
  information: number;
  bins: ScoredBin[];
  /** Rows without a value; a level that training did not see counts like them. */
  missing: ScoredBin;
  /** Weight in the logistic regression. */
  weight: number;
}

interface Scorecard {
  features: CutFeature[];
  /** Of the log-odds of the positive class. */
  intercept: number;
  /** Points that every row begins with. */
  base: number;
}

interface CutAsk {
  bins: number;
  share: number;
}

function cutFeature(
  frame: Frame,
  { name, type }: Field,
  hits: Uint8Array,
  weights: Float64Array | undefined,
  total: Counts,
  ask: CutAsk,
): CutFeature {
  const number = isNumberLike(type);
  const none: Counts = { hits: 0, misses: 0 };
  const add = (to: Counts, r: number): void =>
    void (to[hits[r] ? "hits" : "misses"] += weights ? weights[r] : 1);
  let bins: Bin[];
  if (number) {
    const values = floats(frame, name);
    values.forEach((value, r) => Number.isNaN(value) && add(none, r));
    bins = numberBins(values, hits, weights, ask);
  } else {
    const { values, levels } = codes(frame, name);
    const counts = new Map<string, Counts>(levels.map((level) => [level, { hits: 0, misses: 0 }]));
    values.forEach((code, r) => add(code < 0 ? none : counts.get(levels[code])!, r));
    bins = levelBins(counts, ask);
  }
  const scored = (bin: Bin): ScoredBin => ({ ...bin, evidence: evidence(bin, total), points: 0 });
  const empty = none.hits + none.misses === 0;
  return {
    name,
    number,
    information: informationValue([...bins, ...(empty ? [] : [none])], total),
    bins: bins.map(scored),
    // Nothing is known of missing values that training had none of: they count as the average.
    missing: empty ? { ...none, evidence: 0, points: 0 } : scored(none),
    weight: 0,
  };
}

/** Which bin every row is in. */
function binsOf(frame: Frame, { name, number, bins, missing }: CutFeature): ScoredBin[] {
  if (number)
    return Array.from(floats(frame, name), (value) =>
      Number.isNaN(value) || bins.length === 0
        ? missing
        : (bins.find(({ below }) => below === undefined || value < below) ?? bins[bins.length - 1]),
    );
  const { values, levels } = codes(frame, name);
  const of = levels.map((level) => bins.find((bin) => bin.levels!.includes(level)) ?? missing);
  return Array.from(values, (code) => (code < 0 ? missing : of[code]));
}

function evidenceMatrix(frame: Frame, features: readonly CutFeature[]): DesignMatrix {
  const width = features.length;
  const numbers = new Float64Array(frame.rows * width);
  features.forEach((feature, c) => {
    binsOf(frame, feature).forEach((bin, r) => (numbers[r * width + c] = bin.evidence));
  });
  const none = new Int32Array(frame.rows + 1);
  return { rows: frame.rows, width, numberWidth: width, numbers, starts: none, ones: new Int32Array(0) };
}

/** Points = offset - factor · log-odds of the positive class, shared out over the bins, rounded to a tenth. */
function pointsOf(
  features: readonly CutFeature[],
  weights: Float64Array,
  { base, odds, double }: { base: number; odds: number; double: number },
): Scorecard {
  const factor = double / Math.LN2;
  const offset = base - factor * Math.log(odds);
  const intercept = weights[features.length];
  const withPoints = (bin: ScoredBin, weight: number): ScoredBin => ({
    ...bin,
    points: tenths(-factor * weight * bin.evidence),
  });
  return {
    features: features.map((feature, c) => ({
      ...feature,
      weight: weights[c],
      bins: feature.bins.map((bin) => withPoints(bin, weights[c])),
      missing: withPoints(feature.missing, weights[c]),
    })),
    intercept,
    base: tenths(offset - factor * intercept),
  };
}

/** Rounded to a tenth, and no sum of tenths with more digits. */
const tenths = (points: number): number => Math.round(10 * points) / 10;

/**
 * The points that every feature costs a row beside the best bin of the feature: the reasons that a lender gives
 * (Siddiqi 2006, ch. 7). With those of the best card, which they start from, they add up to the row's points.
 */
function lostPoints({ features, base }: Scorecard): Explainer {
  // A bin that no training row can be in, as that of missing values may be, is no goal.
  const best = features.map(({ bins, missing }) =>
    Math.max(
      ...[...bins, missing].filter(({ hits, misses }) => hits + misses > 0).map(({ points }) => points),
    ),
  );
  return {
    names: features.map(({ name }) => name),
    outputs: 1,
    expected: Float64Array.of(tenths(best.reduce((sum, points) => sum + points, base))),
    unit: "points",
    of: (frame) => {
      const bins = features.map((feature) => binsOf(frame, feature));
      return (from, to) => {
        const lost = new Float64Array((to - from) * features.length);
        for (let r = from; r < to; r++)
          bins.forEach(
            (own, i) => (lost[(r - from) * features.length + i] = tenths(own[r].points - best[i])),
          );
        return lost;
      };
    },
  };
}

function fitted(
  { features, classes, positive, target }: Signature,
  card: Scorecard,
  about: Record<string, unknown>,
): Fitted {
  return {
    about,
    predict: (rows, ask, run) =>
      predictRows(
        rows!,
        features,
        ask,
        run,
        (frame) => {
          refuseInfinities(frame, features);
          const logits = new Float64Array(frame.rows).fill(card.intercept);
          const points = new Float64Array(frame.rows).fill(card.base);
          for (const feature of card.features)
            binsOf(frame, feature).forEach((bin, r) => {
              logits[r] += feature.weight * bin.evidence;
              points[r] += bin.points;
            });
          const scores = classScores(
            logits.map((z) => 1 / (1 + Math.exp(-z))),
            classes!,
            positive,
          );
          return ask.explain ? scores.set("points", { kind: "f64", values: points.map(tenths) }) : scores;
        },
        { prediction: target!.type },
      ),
    explainer: async () => lostPoints(card),
    save: (folder) => folder.json("scorecard", card),
  };
}
