import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { floats, type Column } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { choleskyFactor, choleskySolve } from "../kernels/cholesky.js";
import { addDesignGram, addRow, rowTimes, type DesignMatrix } from "../kernels/design.js";
import { frameOf } from "../table/relation.js";
import { logLink, squaredLoss, type GlmFit } from "../kernels/glm.js";
import { breathe } from "./breathe.js";
import {
  columnNames,
  columnParams,
  encode,
  featureAsks,
  fitEncoding,
  type Encoding,
} from "./design-matrix.js";
import { elasticNet, elasticParams, nonzeroOf } from "./elastic-net.js";
import {
  choice,
  defineLearner,
  int,
  real,
  type Fitted,
  type Signature,
  type TrainingData,
} from "./learner.js";
import { linearExplainer } from "./linear-explainer.js";
import { predictRows } from "./row-predictions.js";

/** The widest matrix whose products are worked out. */
const widest = 8192;

/**
 * Linear regression with L2 and L1 penalties: the weights w and intercept b that minimise
 *
 *   Σ_r weight_r · (y_r - X_r w - b)² / 2 + lambda/2 · |w|² + l1 · |w|₁
 *
 * or, for the families poisson and gamma, half the deviance of y_r and exp(X_r w + b) in place of the
 * squares (McCullagh & Nelder 1989). The intercept bears no penalty. With `alpha` = lambda and l1 = 0 this is scikit-learn's Ridge behind a
 * StandardScaler for numbers and a OneHotEncoder for texts; with lambda 0 ordinary least squares, where
 * columns that depend on earlier ones get no weight. Hoerl & Kennard (1970), eq. 2.1.
 */
export default defineLearner({
  name: "linear",
  task: "regression",
  summary: "a number as a weighted sum of the features, by least squares with a ridge penalty",
  source: "Hoerl & Kennard (1970), Ridge Regression, Technometrics 12(1):55-67",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    lambda: real({
      default: 1,
      min: 0,
      help: "L2 penalty, alpha of scikit-learn's Ridge; 0 is ordinary least squares",
      search: [1e-3, 1e4],
      log: true,
    }),
    family: choice({
      default: "gaussian",
      choices: ["gaussian", "poisson", "gamma"],
      help: "poisson for counts, gamma for amounts above 0, both with a log link; gaussian for any number",
    }),
    ...elasticParams,
    scale: columnParams.scale,
    levels: int({
      default: 1000,
      min: 1,
      max: widest,
      help: "most levels kept of one text column, the most frequent",
    }),
  },
  async fit(data, params, run) {
    run.progress.stage("linear: reading");
    const target = data.target!.name;
    const { weight } = data.roles;
    const frame = await frameOf(data.relation, [
      ...featureAsks(data.features),
      { name: target, as: "f64" },
      ...(weight === undefined ? [] : [{ name: weight, as: "f64" } as const]),
    ]);
    const encoding = fitEncoding(frame, data.features, params, run);
    if (encoding.width > widest)
      throw new ShopaiError(
        "data",
        `the features make ${grouped(encoding.width)} columns, and linear works with ${grouped(widest)} at most`,
        { where: data.relation.name, try: "--param levels=100, or fewer text columns by --features" },
      );
    const x = encode(frame, data.features, encoding);
    const y = floats(frame, target);
    const weights = weight === undefined ? undefined : floats(frame, weight);
    if (params.l1 === 0 && params.family === "gaussian") {
      const coefficients = await leastSquares(x, y, weights, params.lambda, run);
      return fitted(
        data,
        encoding,
        coefficients,
        "gaussian",
        figuresOf(x, y, weights, coefficients, "gaussian"),
      );
    }
    checkFamily(params.family, y, data);
    const fit = await penalised(x, y, weights, params, run);
    const about = {
      ...figuresOf(x, y, weights, fit.weights, params.family),
      iterations: fit.iterations,
      objective: fit.value,
      ...(params.l1 > 0 && { nonzero: nonzeroOf(fit.weights), path: fit.path }),
    };
    return fitted(data, encoding, fit.weights, params.family, about);
  },
  load(folder) {
    const encoding = folder.json<Encoding>("encoding");
    const weights = folder.array("weights", "f64", [encoding.width + 1]);
    return fitted(folder.card, encoding, weights, String(folder.card.params.family), folder.card.about);
  },
});

/** @param weights of the columns, then the intercept */
function fitted(
  { features }: Signature,
  encoding: Encoding,
  weights: Float64Array,
  family: string,
  about: Record<string, unknown>,
): Fitted {
  return {
    about,
    predict: (rows, ask, run) =>
      predictRows(rows!, features, ask, run, (frame) => {
        const x = encode(frame, features, encoding);
        const values = Float64Array.from({ length: x.rows }, (_, r) =>
          meanOf(family, predicted(x, r, weights)),
        );
        return new Map<string, Column>([["prediction", { kind: "f64", values }]]);
      }),
    explainer: async (_, background) =>
      linearExplainer(
        features,
        encoding,
        weights,
        background,
        family === "gaussian" ? undefined : "logarithm",
      ),
    save(folder) {
      folder.json("encoding", encoding);
      folder.json("columns", columnNames(encoding));
      folder.array("weights", weights);
    },
  };
}

const predicted = (x: DesignMatrix, r: number, weights: Float64Array): number =>
  rowTimes(x, r, weights) + weights[x.width];

/** The prediction that a linear predictor stands for. */
const meanOf = (family: string, eta: number): number =>
  family === "poisson" || family === "gamma" ? Math.exp(eta) : eta;

function checkFamily(family: string, y: Float64Array, { target, relation }: TrainingData): void {
  const bad = y.findIndex((value) => value < 0 || (family === "gamma" && value === 0));
  if (family === "gaussian" || bad < 0) return;
  throw new ShopaiError(
    "data",
    `the family ${family} takes targets ${family === "gamma" ? "above 0" : "of 0 and more"}, and ${target!.name} holds ${y[bad]}`,
    {
      where: relation.name,
      try: `--where '${target!.name} ${family === "gamma" ? ">" : ">="} 0', or --param family=gaussian`,
    },
  );
}

/** With an L1 penalty or a log link: by proximal Newton steps. */
async function penalised(
  x: DesignMatrix,
  y: Float64Array,
  weights: Float64Array | undefined,
  params: { family: string; lambda: number; l1: number; path: number },
  run: Run,
): Promise<GlmFit & { path?: unknown }> {
  run.progress.stage("linear: fitting");
  let total = 0;
  let sum = 0;
  y.forEach((value, r) => {
    total += weights ? weights[r] : 1;
    sum += (weights ? weights[r] : 1) * value;
  });
  if (params.family !== "gaussian" && sum === 0)
    throw new ShopaiError("data", "every target is 0", { try: "--param family=gaussian" });
  const loss =
    params.family === "gaussian"
      ? squaredLoss(y)
      : params.family === "poisson"
        ? logLink.poisson(y)
        : logLink.gamma(y);
  const intercept = params.family === "gaussian" ? sum / total : Math.log(sum / total);
  const fit = await elasticNet(
    x,
    loss,
    weights,
    { ...params, iterations: 1000, tolerance: 1e-13 },
    intercept,
    run,
  );
  if (!fit.converged) run.warn("linear did not converge in 1000 steps: try a larger lambda");
  run.progress.done(`${fit.iterations} steps`);
  return fit;
}

/** The weights of the columns, then the intercept. */
async function leastSquares(
  x: DesignMatrix,
  y: Float64Array,
  weights: Float64Array | undefined,
  lambda: number,
  run: Run,
): Promise<Float64Array> {
  const { rows, width } = x;
  run.progress.stage("linear: fitting");
  const means = new Float64Array(width + 1);
  let total = 0;
  for (let r = 0; r < rows; r++) {
    const weight = weights ? weights[r] : 1;
    total += weight;
    addRow(x, r, weight, means);
    means[width] += weight * y[r];
  }
  for (let c = 0; c <= width; c++) means[c] /= total;
  const gram = new Float64Array(width * width);
  const stride = 8192;
  for (let r = 0; r < rows; r += stride) {
    addDesignGram(x, weights, r, Math.min(rows, r + stride), gram);
    run.progress.update(r, rows);
    await breathe(run);
  }
  // Centred columns: the intercept then drops out of the normal equations.
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) gram[i * width + j] -= total * means[i] * means[j];
    gram[i * width + i] += lambda;
  }
  const bad = await choleskyFactor(gram, width, () => breathe(run), 1e-11);
  if (bad >= 0) throw new ShopaiError("data", "the features hold values that are not finite");
  const solution = new Float64Array(width + 1);
  // The second round mends the rounding of the first: it solves for what the residuals still hold.
  for (let round = 0; round < 3; round++) {
    const step = new Float64Array(width);
    let residuals = 0;
    for (let r = 0; r < rows; r++) {
      const residual = (weights ? weights[r] : 1) * (y[r] - predicted(x, r, solution));
      residuals += residual;
      addRow(x, r, residual, step);
    }
    for (let c = 0; c < width; c++) step[c] -= residuals * means[c] + lambda * solution[c];
    choleskySolve(gram, width, step);
    for (let c = 0; c < width; c++) solution[c] += step[c];
    solution[width] = means[width];
    for (let c = 0; c < width; c++) solution[width] -= means[c] * solution[c];
  }
  run.progress.done(`${grouped(rows)} rows, ${grouped(width)} columns`);
  return solution;
}

/** How well the training rows are met. */
function figuresOf(
  x: DesignMatrix,
  y: Float64Array,
  rowWeights: Float64Array | undefined,
  weights: Float64Array,
  family: string,
): Record<string, unknown> {
  let total = 0;
  let mean = 0;
  for (let r = 0; r < x.rows; r++) {
    const weight = rowWeights ? rowWeights[r] : 1;
    total += weight;
    mean += weight * y[r];
  }
  mean /= total;
  let squares = 0;
  let spread = 0;
  for (let r = 0; r < x.rows; r++) {
    const weight = rowWeights ? rowWeights[r] : 1;
    squares += weight * (y[r] - meanOf(family, predicted(x, r, weights))) ** 2;
    spread += weight * (y[r] - mean) ** 2;
  }
  return {
    weights: x.width,
    training_rmse: Math.sqrt(squares / total),
    training_r2: spread > 0 ? 1 - squares / spread : null,
  };
}
