import { power } from "../core/power.js";
import type { Run } from "../engine/run.js";
import { byColumns } from "../kernels/coordinate-descent.js";
import { rowTimes, type DesignMatrix } from "../kernels/design.js";
import { fitGlm, largestL1, type GlmFit, type RowLoss } from "../kernels/glm.js";
import { breathe } from "./breathe.js";
import { int, real } from "./params.js";

/** Parameters of learners whose weights can be driven to 0. */
export const elasticParams = {
  l1: real({
    default: 0,
    min: 0,
    help: "L1 penalty: larger sets more weights to 0",
  }),
  path: int({
    default: 0,
    min: 0,
    max: 1000,
    help: "with l1: also fit so many larger penalties, and tell how many weights each leaves (about.path)",
  }),
};

/** One penalty of a path. */
interface PathStep {
  l1: number;
  nonzero: number;
  objective: number;
}

/**
 * Fits weights under L1 and L2 penalties, from the largest L1 penalty that matters down to the one that
 * is asked for, each beginning where the last ended.
 *
 * Zou & Hastie (2005), Regularization and variable selection via the elastic net, JRSS B 67(2).
 *
 * @param intercept of the fit without any other weight
 */
export async function elasticNet(
  x: DesignMatrix,
  loss: RowLoss,
  rowWeights: Float64Array | undefined,
  asked: { lambda: number; l1: number; path: number; iterations: number; tolerance: number },
  intercept: number,
  run: Run,
): Promise<GlmFit & { path?: PathStep[] }> {
  const columns = byColumns(x);
  const most = largestL1(x, loss, rowWeights, intercept);
  const steps = asked.l1 > 0 && asked.path > 1 && most > asked.l1 ? asked.path : 1;
  let weights = new Float64Array(x.width + 1);
  weights[x.width] = intercept;
  const path: PathStep[] = [];
  for (let step = 1; ; step++) {
    // Even in the logarithm, the last exactly the one that is asked for.
    const l1 = step === steps ? asked.l1 : most * power(asked.l1 / most, (step - 1) / (steps - 1));
    const fit = await fitGlm(x, loss, rowWeights, { l2: asked.lambda, l1 }, weights, {
      ...asked,
      columns,
      tick: async (iteration) => {
        run.progress.update(iteration, undefined, "steps");
        await breathe(run);
      },
    });
    path.push({ l1, nonzero: nonzeroOf(fit.weights), objective: fit.value });
    if (step === steps) return { ...fit, path: steps > 1 ? path : undefined };
    weights = fit.weights as Float64Array<ArrayBuffer>;
  }
}

/**
 * The same for several classes, one vector of weights each under the softmax loss: classes take turns
 * with one Newton step until the sum no longer falls (Friedman, Hastie & Tibshirani 2010, section 4).
 *
 * @returns weights classes x (width + 1), row-major
 */
export async function elasticSoftmax(
  x: DesignMatrix,
  classOf: Int32Array,
  classes: number,
  rowWeights: Float64Array | undefined,
  asked: { lambda: number; l1: number; iterations: number; tolerance: number },
  run: Run,
): Promise<GlmFit> {
  const columns = byColumns(x);
  const stride = x.width + 1;
  const weights = new Float64Array(classes * stride);
  const etas = Array.from({ length: classes }, () => new Float64Array(x.rows));
  const penalty = (own: Float64Array): number =>
    own
      .subarray(0, -1)
      .reduce((sum, weight) => sum + (asked.lambda / 2) * weight ** 2 + asked.l1 * Math.abs(weight), 0);
  const total = (): number => {
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += penalty(weights.subarray(k * stride, (k + 1) * stride));
    for (let r = 0; r < x.rows; r++) {
      const most = etas.reduce((top, own) => Math.max(top, own[r]), -Infinity);
      const mass = etas.reduce((mass, own) => mass + Math.exp(own[r] - most), 0);
      sum += (rowWeights ? rowWeights[r] : 1) * (most + Math.log(mass) - etas[classOf[r]][r]);
    }
    return sum;
  };
  let value = total();
  for (let iteration = 1; ; iteration++) {
    run.progress.update(iteration, undefined, "steps");
    await breathe(run);
    for (let k = 0; k < classes; k++) {
      const loss = classLoss(etas, classOf, k);
      const start = weights.slice(k * stride, (k + 1) * stride);
      const about = { iterations: 1, tolerance: asked.tolerance, columns };
      const fit = await fitGlm(x, loss, rowWeights, { l2: asked.lambda, l1: asked.l1 }, start, about);
      weights.set(fit.weights, k * stride);
      for (let r = 0; r < x.rows; r++) etas[k][r] = rowTimes(x, r, fit.weights) + fit.weights[x.width];
    }
    const now = total();
    const converged = value - now <= asked.tolerance * Math.max(1, Math.abs(now));
    value = now;
    if (converged || iteration === asked.iterations)
      return { weights, value, iterations: iteration, converged };
  }
}

/** The softmax loss as a function of one class's predictor, the others held. */
function classLoss(etas: readonly Float64Array[], classOf: Int32Array, k: number): RowLoss {
  const others = Float64Array.from({ length: classOf.length }, (_, r) =>
    Math.log(etas.reduce((sum, own, c) => (c === k ? sum : sum + Math.exp(own[r])), 0)),
  );
  const share = (r: number, eta: number): number => 1 / (1 + Math.exp(others[r] - eta));
  return {
    value(r, eta) {
      const most = Math.max(eta, others[r]);
      const log = most + Math.log(Math.exp(eta - most) + Math.exp(others[r] - most));
      return log - (classOf[r] === k ? eta : 0);
    },
    slope: (r, eta) => share(r, eta) - (classOf[r] === k ? 1 : 0),
    curvature: (r, eta) => Math.max(1e-9, share(r, eta) * (1 - share(r, eta))),
  };
}

/** Weights that are not 0, without the intercept. */
export function nonzeroOf(weights: Float64Array): number {
  return weights.subarray(0, -1).filter((weight) => weight !== 0).length;
}
