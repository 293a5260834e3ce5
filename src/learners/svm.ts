import type { Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { dualSvm } from "../kernels/dual-svm.js";
import { rowTimes, someRows, type DesignMatrix } from "../kernels/design.js";
import { breathe } from "./breathe.js";
import { fitSigmoid, type Sigmoid } from "./calibration.js";
import { balancedParam, balancedWeights, classFrame, classScores } from "./classes.js";
import {
  columnNames,
  columnParams,
  encode,
  featureAsks,
  fitEncoding,
  type Encoding,
} from "./design-matrix.js";
import { choice, defineLearner, int, real, type Fitted, type Signature } from "./learner.js";
import { linearExplainer } from "./linear-explainer.js";
import { predictRows } from "./row-predictions.js";

/** Parts of the rows that the margins for the probabilities are worked out on, one after the other. */
const parts = 5;

/**
 * A linear support vector machine, one class against the rest for several.
 *
 * The margins equal scikit-learn's LinearSVC with `C` = c. Probabilities are a sigmoid of the margins of
 * rows that a machine of the other rows did not see (Platt 1999); of several classes divided by their sum.
 */
export default defineLearner({
  name: "svm",
  task: "classification",
  summary: "classes by the widest margin, a linear support vector machine; good for many sparse features",
  source:
    "Hsieh et al. (2008), A Dual Coordinate Descent Method for Large-scale Linear SVM, ICML; Platt (1999)",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    c: real({
      default: 1,
      min: 1e-9,
      help: "cost of a row on the wrong side; larger fits the rows more closely",
      search: [1e-3, 1e2],
      log: true,
    }),
    loss: choice({
      default: "squared_hinge",
      choices: ["squared_hinge", "hinge"],
      help: "what a row on the wrong side costs: its distance from the margin, squared or plain",
    }),
    balanced: balancedParam,
    ...columnParams,
    iterations: int({ default: 2000, min: 1, help: "most passes over the rows" }),
    tolerance: real({
      default: 1e-4,
      min: 1e-12,
      max: 1,
      help: "stop when the slopes of the dual differ by no more",
    }),
  },
  async fit(data, params, run) {
    run.progress.stage("svm: reading");
    const { frame, classOf, weights } = await classFrame(data, featureAsks(data.features));
    const encoding = fitEncoding(frame, data.features, params, run);
    const x = encode(frame, data.features, encoding);
    const own = params.balanced ? balancedWeights(classOf, weights, data.classes!.length) : weights;
    const costs = Float64Array.from(classOf, (_, r) => params.c * (own ? own[r] : 1));
    const positive = data.positive === undefined ? undefined : data.classes!.indexOf(data.positive);
    const wanted = positive === undefined ? data.classes!.map((_, code) => code) : [positive];
    const stride = encoding.width + 1;
    const machines = new Float64Array(wanted.length * stride);
    const sigmoids: Sigmoid[] = [];
    let iterations = 0;
    let converged = true;
    for (const [i, code] of wanted.entries()) {
      run.progress.stage("svm: fitting");
      const signs = Int8Array.from(classOf, (one) => (one === code ? 1 : -1));
      const fit = await machine(x, signs, costs, params, `svm ${code}`, run);
      machines.set(fit.weights, i * stride);
      iterations = Math.max(iterations, fit.iterations);
      converged &&= fit.converged;
      const margins = await unseenMargins(x, signs, costs, params, code, run);
      sigmoids.push(
        await fitSigmoid(
          margins,
          Uint8Array.from(signs, (sign) => (sign > 0 ? 1 : 0)),
          weights,
        ),
      );
      run.progress.done(`${fit.iterations} passes`);
    }
    if (!converged)
      run.warn(
        `svm stopped after ${params.iterations} passes before it converged: try --param iterations=${params.iterations * 10} or a smaller c`,
      );
    return fitted(data, { encoding, machines, sigmoids }, { iterations, converged, weights: encoding.width });
  },
  load(folder) {
    const encoding = folder.json<Encoding>("encoding");
    const outputs = folder.card.positive === undefined ? folder.card.classes!.length : 1;
    const machines = folder.array("weights", "f64", [outputs, encoding.width + 1]);
    return fitted(
      folder.card,
      { encoding, machines, sigmoids: folder.json<Sigmoid[]>("sigmoids") },
      folder.card.about,
    );
  },
});

interface SvmParams {
  loss: "hinge" | "squared_hinge";
  iterations: number;
  tolerance: number;
}

function machine(
  x: DesignMatrix,
  signs: Int8Array,
  costs: Float64Array,
  { loss, iterations, tolerance }: SvmParams,
  stream: string,
  run: Run,
) {
  return dualSvm(x, signs, costs, {
    loss,
    iterations,
    tolerance,
    rng: run.rng(stream),
    tick: async (pass) => {
      run.progress.update(pass, undefined, "passes");
      await breathe(run);
    },
  });
}

/** The margin of every row by a machine that did not see it; rows are dealt within both sides. */
async function unseenMargins(
  x: DesignMatrix,
  signs: Int8Array,
  costs: Float64Array,
  params: SvmParams,
  code: number,
  run: Run,
): Promise<Float64Array> {
  const order = run.rng(`svm parts ${code}`).shuffle(Int32Array.from({ length: x.rows }, (_, r) => r));
  const sides = [1, -1].flatMap((sign) => [...order].filter((r) => signs[r] === sign));
  const partOf = new Int32Array(x.rows);
  sides.forEach((r, place) => (partOf[r] = place % parts));
  const margins = new Float64Array(x.rows);
  for (let part = 0; part < parts; part++) {
    const rows = Uint32Array.from([...order].filter((r) => partOf[r] !== part).sort((a, b) => a - b));
    if (rows.length === 0) continue;
    const own = someRows(x, rows);
    const taken = {
      signs: Int8Array.from(rows, (r) => signs[r]),
      costs: Float64Array.from(rows, (r) => costs[r]),
    };
    const { weights } = await machine(own, taken.signs, taken.costs, params, `svm ${code} part ${part}`, run);
    for (let r = 0; r < x.rows; r++)
      if (partOf[r] === part) margins[r] = rowTimes(x, r, weights) + weights[x.width];
  }
  return margins;
}

interface Machines {
  encoding: Encoding;
  /** outputs x (width + 1), the bias last. */
  machines: Float64Array;
  sigmoids: Sigmoid[];
}

function fitted(
  { features, classes, positive, target }: Signature,
  { encoding, machines, sigmoids }: Machines,
  about: Record<string, unknown>,
): Fitted {
  const stride = encoding.width + 1;
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
    explainer: async (_, background) => linearExplainer(features, encoding, machines, background),
    save(folder) {
      folder.json("encoding", encoding);
      folder.json("columns", columnNames(encoding));
      folder.json("sigmoids", sigmoids);
      folder.array("weights", machines, [sigmoids.length, stride]);
    },
  };

  /** rows x outputs, row-major. */
  function probabilities(frame: Frame): Float64Array {
    const x = encode(frame, features, encoding);
    const outputs = sigmoids.length;
    const scores = new Float64Array(x.rows * outputs);
    for (let r = 0; r < x.rows; r++) {
      let sum = 0;
      for (let o = 0; o < outputs; o++) {
        const margin = rowTimes(x, r, machines, o * stride) + machines[o * stride + encoding.width];
        sum += scores[r * outputs + o] = 1 / (1 + Math.exp(-(sigmoids[o].a * margin + sigmoids[o].b)));
      }
      if (outputs > 1) for (let o = 0; o < outputs; o++) scores[r * outputs + o] /= sum;
    }
    return scores;
  }
}
