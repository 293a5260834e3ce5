import type { Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { addRow, rowTimes, type DesignMatrix } from "../kernels/design.js";
import { minimise, type Minimum, type Objective } from "../kernels/lbfgs.js";
import { logisticLoss, type GlmFit } from "../kernels/glm.js";
import { breathe } from "./breathe.js";
import { balancedParam, balancedWeights, classFrame, classScores } from "./classes.js";
import {
  columnNames,
  columnParams,
  encode,
  featureAsks,
  fitEncoding,
  type Encoding,
} from "./design-matrix.js";
import { elasticNet, elasticParams, elasticSoftmax, nonzeroOf } from "./elastic-net.js";
import { defineLearner, int, real, type Fitted, type Signature } from "./learner.js";
import { linearExplainer } from "./linear-explainer.js";
import { predictRows } from "./row-predictions.js";

/**
 * Logistic regression with L2 and L1 penalties: the weights w and intercepts b that minimise
 *
 *   Σ_r weight_r · loss(y_r, X_r w + b) + lambda/2 · |w|² + l1 · |w|₁
 *
 * with the logistic loss for two classes and the softmax loss over one vector per class for more. The
 * intercepts bear no penalty. With `C` = 1/lambda and l1 = 0 this is scikit-learn's LogisticRegression behind a
 * StandardScaler for numbers and a OneHotEncoder for texts. Hastie, Tibshirani & Friedman (2009),
 * section 4.4.
 */
export default defineLearner({
  name: "logistic",
  task: "classification",
  summary: "probabilities of two or more classes, with a weight per feature",
  source: "Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, 2nd ed., section 4.4",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    lambda: real({
      default: 1,
      min: 0,
      help: "L2 penalty, 1/C of scikit-learn; larger shrinks the weights",
      search: [1e-3, 1e3],
      log: true,
    }),
    ...elasticParams,
    balanced: balancedParam,
    ...columnParams,
    iterations: int({ default: 1000, min: 1, help: "most steps of the solver" }),
    tolerance: real({
      default: 1e-8,
      min: 1e-14,
      max: 1,
      help: "stop when no entry of the mean gradient is larger",
    }),
  },
  async fit(data, params, run) {
    run.progress.stage("logistic: reading");
    const { frame, classOf, weights } = await classFrame(data, featureAsks(data.features));
    const encoding = fitEncoding(frame, data.features, params, run);
    const x = encode(frame, data.features, encoding);
    const positive = data.positive === undefined ? -1 : data.classes!.indexOf(data.positive);
    const problem: Problem = {
      x,
      classOf: positive < 0 ? classOf : classOf.map((code) => (code === positive ? 1 : 0)),
      outputs: positive < 0 ? data.classes!.length : 1,
      weights: params.balanced ? balancedWeights(classOf, weights, data.classes!.length) : weights,
      lambda: params.lambda,
    };
    const found = await (params.l1 > 0 ? solveElastic(problem, params, run) : solve(problem, params, run));
    if (!found.converged)
      run.warn(
        `logistic stopped after ${found.iterations} steps before it converged: try --param iterations=${params.iterations * 10} or a larger lambda`,
      );
    const about = {
      iterations: found.iterations,
      converged: found.converged,
      objective: found.value,
      weights: encoding.width,
      ...(params.l1 > 0 && { nonzero: nonzeroOf(found.x), path: found.path }),
    };
    return fitted(data, { encoding, weights: found.x }, about);
  },
  load: (folder) => {
    const encoding = folder.json<Encoding>("encoding");
    const outputs = folder.card.positive === undefined ? folder.card.classes!.length : 1;
    const weights = folder.array("weights", "f64", [outputs, encoding.width + 1]);
    return fitted(folder.card, { encoding, weights }, folder.card.about);
  },
});

interface Weights {
  encoding: Encoding;
  /** outputs x (width + 1): weights of the columns, then the intercept. */
  weights: Float64Array;
}

function fitted(
  { features, classes, positive, target }: Signature,
  { encoding, weights }: Weights,
  about: Record<string, unknown>,
): Fitted {
  const stride = encoding.width + 1;
  const outputs = weights.length / stride;
  return {
    about,
    predict: (rows, ask, run) =>
      predictRows(
        rows!,
        features,
        ask,
        run,
        (frame) => classScores(probabilities(frame), classes!, positive),
        { prediction: target!.type },
      ),
    explainer: async (_, background) => linearExplainer(features, encoding, weights, background, "log-odds"),
    save(folder) {
      folder.json("encoding", encoding);
      folder.json("columns", columnNames(encoding));
      folder.array("weights", weights, [outputs, stride]);
    },
  };

  /** rows x outputs, row-major. */
  function probabilities(frame: Frame): Float64Array {
    const x = encode(frame, features, encoding);
    const scores = new Float64Array(x.rows * outputs);
    for (let r = 0; r < x.rows; r++) {
      for (let o = 0; o < outputs; o++)
        scores[r * outputs + o] = rowTimes(x, r, weights, o * stride) + weights[o * stride + encoding.width];
      if (outputs === 1) scores[r] = sigmoid(scores[r]);
      else softmax(scores, r * outputs, outputs);
    }
    return scores;
  }
}

interface Problem {
  x: DesignMatrix;
  /** Number of the class of every row; 1 is the positive one when there is one output. */
  classOf: Int32Array;
  outputs: number;
  weights?: Float64Array;
  lambda: number;
}

/** With an L1 penalty: by proximal Newton steps. */
async function solveElastic(
  { x, classOf, outputs, weights, lambda }: Problem,
  params: { l1: number; path: number; iterations: number; tolerance: number },
  run: Run,
): Promise<Minimum & { path?: unknown }> {
  run.progress.stage("logistic: fitting");
  const asked = { ...params, lambda, tolerance: params.tolerance * 1e-3 };
  const fit: GlmFit & { path?: unknown } =
    outputs > 1
      ? await elasticSoftmax(x, classOf, outputs, weights, asked, run)
      : await elasticNet(x, logisticLoss(classOf), weights, asked, logOdds(classOf, weights), run);
  run.progress.done(`${fit.iterations} steps`);
  return { ...fit, x: fit.weights };
}

/** The intercept of a model without any other weight. */
function logOdds(classOf: Int32Array, weights: Float64Array | undefined): number {
  const sums = [0, 0];
  classOf.forEach((code, r) => (sums[code] += weights ? weights[r] : 1));
  return Math.log(sums[1] / sums[0]);
}

async function solve(
  problem: Problem,
  { iterations, tolerance }: { iterations: number; tolerance: number },
  run: Run,
): Promise<Minimum & { path?: undefined }> {
  run.progress.stage("logistic: fitting");
  const units = stepUnits(problem);
  const loss = meanLoss(problem);
  const weights = new Float64Array(units.length);
  const inUnits: Objective = (v, gradient) => {
    for (let i = 0; i < v.length; i++) weights[i] = units[i] * v[i];
    const value = loss(weights, gradient);
    for (let i = 0; i < v.length; i++) gradient[i] *= units[i];
    return value;
  };
  const found = await minimise(inUnits, new Float64Array(units.length), {
    iterations,
    tolerance,
    tick: async (step) => {
      run.progress.update(step, undefined, "steps");
      await breathe(run);
    },
  });
  run.progress.done(`${found.iterations} steps`);
  return { ...found, x: found.x.map((value, i) => units[i] * value) };
}

/**
 * Units to measure the weights in, so that the loss curves alike along each: 1 / √h with the bound
 * h_c = (Σ weight_r x_rc² / 4 + lambda) / Σ weight_r of the diagonal of the Hessian. Without them rare
 * levels, whose curvature is a thousandth of the others', cost hundreds of steps.
 */
function stepUnits({ x, outputs, weights, lambda }: Problem): Float64Array {
  const { rows, width, numberWidth, numbers, starts, ones } = x;
  const curvature = new Float64Array(width + 1);
  for (let r = 0; r < rows; r++) {
    const quarter = (weights ? weights[r] : 1) / 4;
    for (let c = 0; c < numberWidth; c++) curvature[c] += quarter * numbers[r * numberWidth + c] ** 2;
    for (let p = starts[r]; p < starts[r + 1]; p++) curvature[ones[p]] += quarter;
    curvature[width] += quarter;
  }
  const total = 4 * curvature[width];
  const units = curvature.map((sum, c) => {
    const bound = (sum + (c < width ? lambda : 0)) / total;
    return bound > 0 ? 1 / Math.sqrt(bound) : 1;
  });
  return Float64Array.from({ length: outputs * units.length }, (_, i) => units[i % units.length]);
}

/** The loss above divided by the sum of the weights, so that the tolerance does not depend on the rows. */
function meanLoss({ x, classOf, outputs, weights, lambda }: Problem): Objective {
  const stride = x.width + 1;
  const total = weights ? weights.reduce((sum, weight) => sum + weight, 0) : x.rows;
  const scores = new Float64Array(outputs);
  return (w, gradient) => {
    gradient.fill(0);
    let loss = 0;
    for (let r = 0; r < x.rows; r++) {
      const weight = (weights ? weights[r] : 1) / total;
      for (let o = 0; o < outputs; o++) scores[o] = rowTimes(x, r, w, o * stride) + w[o * stride + x.width];
      if (outputs === 1) {
        const signed = classOf[r] === 1 ? scores[0] : -scores[0];
        loss += weight * (signed > 0 ? Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed)) - signed);
        scores[0] = sigmoid(scores[0]) - classOf[r];
      } else {
        const own = scores[classOf[r]];
        loss += weight * (softmax(scores, 0, outputs) - own);
        scores[classOf[r]] -= 1;
      }
      for (let o = 0; o < outputs; o++) {
        const factor = weight * scores[o];
        addRow(x, r, factor, gradient, o * stride);
        gradient[o * stride + x.width] += factor;
      }
    }
    let squares = 0;
    for (let o = 0; o < outputs; o++)
      for (let c = o * stride; c < o * stride + x.width; c++) {
        squares += w[c] * w[c];
        gradient[c] += (lambda / total) * w[c];
      }
    return loss + ((lambda / total) * squares) / 2;
  };
}

function sigmoid(z: number): number {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const e = Math.exp(z);
  return e / (1 + e);
}

/** Replaces `count` scores at `at` by their softmax; returns the log of the sum of their exponentials. */
function softmax(scores: Float64Array, at: number, count: number): number {
  let most = -Infinity;
  for (let i = at; i < at + count; i++) most = Math.max(most, scores[i]);
  let sum = 0;
  for (let i = at; i < at + count; i++) sum += scores[i] = Math.exp(scores[i] - most);
  for (let i = at; i < at + count; i++) scores[i] /= sum;
  return most + Math.log(sum);
}
