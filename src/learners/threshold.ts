import { nearest, ShopaiError } from "../core/errors.js";
import { byFallingScore } from "../metrics/metric.js";
import { costThreshold, type CostMatrix } from "../metrics/cost.js";
import type { ParamValue } from "./params.js";

/** How the score from which on a row is predicted positive is found. */
export type ThresholdAsk =
  | { by: "value"; value: number }
  /** F-beta of out-of-fold predictions. */
  | { by: "fbeta"; beta: number }
  /** Mean recall of both classes. */
  | { by: "balanced_accuracy" }
  /** Least average cost of out-of-fold predictions. */
  | { by: "cost"; cost: CostMatrix }
  /** Least expected cost by formula, for scores that are probabilities. */
  | { by: "expected_cost"; cost: CostMatrix }
  /** So many alerts a day at most, on average over the days of the training rows. */
  | { by: "alerts"; perDay: number };

/**
 * What `--threshold` means: a score, or what to be best at.
 *
 * @throws ShopaiError "usage"
 */
export function parseThreshold(text: string, cost: CostMatrix | undefined): ThresholdAsk {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) {
    if (value >= 0 && value <= 1) return { by: "value", value };
    throw new ShopaiError("usage", `--threshold is a score from 0 to 1, got ${text}`, {
      try: "--threshold 0.3",
    });
  }
  const beta = /^f(\d+(?:\.\d+)?)$/.exec(text);
  if (beta && Number(beta[1]) > 0) return { by: "fbeta", beta: Number(beta[1]) };
  if (text === "balanced_accuracy") return { by: "balanced_accuracy" };
  if (text === "cost") {
    if (cost) return { by: "cost", cost };
    throw new ShopaiError("usage", "--threshold cost needs to know what errors cost", {
      try: "--threshold cost --cost fp=1 --cost fn=5",
    });
  }
  const near = nearest(text, ["f1", "f2", "balanced_accuracy", "cost"]);
  throw new ShopaiError(
    "usage",
    `--threshold must be a score, f1 (f2, f0.5…), balanced_accuracy or cost, got ${text === "" ? '""' : text}`,
    { try: `--threshold ${near ?? "f1"}` },
  );
}

/**
 * What `--cost` means: `fp` and `fn`, and `tp` and `tn` where right decisions cost or bring something too.
 *
 * @throws ShopaiError "usage"
 */
export function parseCost(given: Readonly<Record<string, ParamValue>>): CostMatrix | undefined {
  const names = ["fp", "fn", "tp", "tn"];
  if (Object.keys(given).length === 0) return undefined;
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name.toLowerCase()))
      throw new ShopaiError("usage", `--cost is of fp, fn, tp or tn, got ${name}`, {
        try: "--cost fp=1 --cost fn=5",
      });
    if (typeof value !== "number" || !Number.isFinite(value))
      throw new ShopaiError("usage", `--cost ${name} must be a number, got ${String(value)}`, {
        try: `--cost ${name}=1`,
      });
  }
  const of = (name: string): number =>
    (Object.entries(given).find(([key]) => key.toLowerCase() === name)?.[1] as number | undefined) ?? 0;
  const cost: CostMatrix = { fp: of("fp"), fn: of("fn"), tp: of("tp"), tn: of("tn") };
  if (cost.fp <= cost.tn || cost.fn <= cost.tp)
    throw new ShopaiError(
      "usage",
      "an error must cost more than the right decision: fp more than tn, fn more than tp",
      {
        where: "--cost",
        try: "--cost fp=1 --cost fn=5",
      },
    );
  return cost;
}

/** Scores of rows that their model did not see, with the truth. */
export interface Scored {
  scores: Float64Array;
  /** 1 for the positive class. */
  hits: Uint8Array;
  weights?: Float64Array;
  /** Different days that the rows are of. */
  days?: number;
}

/** The score from which on a row is predicted positive. */
export function thresholdFor(ask: ThresholdAsk, rows: Scored): number {
  switch (ask.by) {
    case "value":
      return ask.value;
    case "expected_cost":
      return costThreshold(ask.cost);
    case "alerts":
      return capacityThreshold(rows, ask.perDay * rows.days!);
    case "fbeta": {
      const squared = ask.beta ** 2;
      return bestCut(rows, (tp, fp, positives) => ((1 + squared) * tp) / (squared * positives + tp + fp));
    }
    case "balanced_accuracy":
      return bestCut(rows, (tp, fp, positives, negatives) => tp / positives - fp / negatives);
    case "cost": {
      const { fp: wrong, fn: missed, tp: right, tn: left } = ask.cost;
      return bestCut(
        rows,
        (tp, fp, positives, negatives) =>
          -(wrong * fp + missed * (positives - tp) + right * tp + left * (negatives - fp)),
      );
    }
  }
}

/**
 * The cut with the largest worth, half-way between two different scores; of equals the highest.
 *
 * @param worth of the weights of true and false positives above the cut, and of all positives and negatives
 */
function bestCut(
  { scores, hits, weights }: Scored,
  worth: (tp: number, fp: number, positives: number, negatives: number) => number,
): number {
  const { order, last } = byFallingScore(scores);
  let positives = 0;
  let negatives = 0;
  for (let r = 0; r < scores.length; r++)
    if (hits[r]) positives += weights ? weights[r] : 1;
    else negatives += weights ? weights[r] : 1;
  let tp = 0;
  let fp = 0;
  let most = worth(0, 0, positives, negatives);
  let cut = order.length > 0 ? over(scores[order[0]]) : 0.5;
  for (let place = 0; place < order.length; place++) {
    const r = order[place];
    const weight = weights ? weights[r] : 1;
    if (hits[r]) tp += weight;
    else fp += weight;
    if (!last[place]) continue;
    const here = worth(tp, fp, positives, negatives);
    if (here <= most) continue;
    most = here;
    cut = between(scores[r], place + 1 < order.length ? scores[order[place + 1]] : 0);
  }
  return cut;
}

/** Half-way between two scores, never at the lower one. */
function between(above: number, below: number): number {
  const middle = (above + below) / 2;
  return middle > below ? middle : above;
}

/** A cut that no row reaches. */
function over(highest: number): number {
  return highest < 1 ? between(1, highest) : 1 + Number.EPSILON;
}

/** The lowest cut that at most `capacity` rows reach. */
function capacityThreshold({ scores }: Scored, capacity: number): number {
  const { order, last } = byFallingScore(scores);
  let taken = 0;
  for (let place = 0; place < order.length; place++)
    if (last[place] && place + 1 <= capacity) taken = place + 1;
  if (taken === order.length) return 0;
  const below = scores[order[taken]];
  return taken > 0 ? between(scores[order[taken - 1]], below) : over(below);
}
