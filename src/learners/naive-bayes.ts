import type { Field } from "../engine/engine.js";
import { codes, floats, type Frame } from "../engine/frame.js";
import { classFrame, classScores } from "./classes.js";
import { featureAsks, isNumberLike, refuseInfinities } from "./design-matrix.js";
import { defineLearner, real, type Fitted, type Signature } from "./learner.js";
import { predictRows } from "./row-predictions.js";

/**
 * Naive Bayes: features are taken as independent within a class, numbers and booleans as normal, texts as
 * levels with their smoothed shares. A missing value, or a level that training did not see, says nothing.
 *
 * Numbers equal scikit-learn's GaussianNB, levels its CategoricalNB; the two parts multiply.
 */
export default defineLearner({
  name: "naive-bayes",
  task: "classification",
  summary: "probabilities from each feature on its own: one pass, few rows suffice, missing values are fine",
  source: "Hand & Yu (2001), Idiot's Bayes: Not So Stupid After All?, International Statistical Review 69(3)",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    alpha: real({
      default: 1,
      min: 1e-9,
      help: "rows added to every level of a class, so that none is impossible",
      search: [1e-2, 1e2],
      log: true,
    }),
    smoothing: real({
      default: 1e-9,
      min: 0,
      help: "added to the variances, as a share of the largest variance of a number",
      search: [1e-9, 1],
      log: true,
    }),
  },
  async fit(data, params, run) {
    run.progress.stage("naive-bayes: reading");
    const { frame, classOf, weights } = await classFrame(data, featureAsks(data.features));
    refuseInfinities(frame, data.features);
    const classes = data.classes!.length;
    const weightOf = (r: number): number => (weights ? weights[r] : 1);
    const mass = new Array<number>(classes).fill(0);
    classOf.forEach((code, r) => (mass[code] += weightOf(r)));
    const total = mass.reduce((a, b) => a + b, 0);
    const numbers = data.features.filter(isNumber);
    const added = params.smoothing * Math.max(0, ...numbers.map(({ name }) => variance(floats(frame, name))));
    const tables = data.features.map((field) =>
      isNumber(field)
        ? normals(floats(frame, field.name), classOf, classes, weightOf, added)
        : levelShares(frame, field, classOf, classes, weightOf, params.alpha),
    );
    run.progress.done();
    return fitted(data, { priors: mass.map((own) => Math.log(own / total)), tables });
  },
  load: (folder) => fitted(folder.card, folder.json<Bayes>("bayes")),
});

/** Booleans count as numbers, 0 and 1. */
const isNumber = ({ type }: Field): boolean => isNumberLike(type);

interface Bayes {
  /** Log shares of the classes. */
  priors: number[];
  /** One per feature. */
  tables: (Normals | Levels)[];
}

/** Of every class; a class without a value has null. */
interface Normals {
  mean: (number | null)[];
  variance: number[];
}

interface Levels {
  /** Log shares by level, one per class. */
  shares: Record<string, number[]>;
}

function variance(values: Float64Array): number {
  const known = values.filter((value) => !Number.isNaN(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return known.length > 0 ? known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length : 0;
}

function normals(
  values: Float64Array,
  classOf: Int32Array,
  classes: number,
  weightOf: (r: number) => number,
  added: number,
): Normals {
  const mass = new Float64Array(classes);
  const sums = new Float64Array(classes);
  const squares = new Float64Array(classes);
  values.forEach((value, r) => {
    if (Number.isNaN(value)) return;
    mass[classOf[r]] += weightOf(r);
    sums[classOf[r]] += weightOf(r) * value;
  });
  const means = sums.map((sum, c) => sum / mass[c]);
  values.forEach((value, r) => {
    if (!Number.isNaN(value)) squares[classOf[r]] += weightOf(r) * (value - means[classOf[r]]) ** 2;
  });
  return {
    mean: Array.from(means, (mean, c) => (mass[c] > 0 ? mean : null)),
    // A constant number would have no density: the least positive spread keeps it finite.
    variance: Array.from(squares, (sum, c) => (mass[c] > 0 ? sum / mass[c] : 0) + Math.max(added, 1e-300)),
  };
}

function levelShares(
  frame: Frame,
  { name }: Field,
  classOf: Int32Array,
  classes: number,
  weightOf: (r: number) => number,
  alpha: number,
): Levels {
  const { values, levels } = codes(frame, name);
  const counts = levels.map(() => new Float64Array(classes).fill(alpha));
  values.forEach((code, r) => {
    if (code >= 0) counts[code][classOf[r]] += weightOf(r);
  });
  const totals = new Float64Array(classes);
  for (const own of counts) own.forEach((count, c) => (totals[c] += count));
  return {
    shares: Object.fromEntries(
      levels.map((level, i) => [level, Array.from(counts[i], (count, c) => Math.log(count / totals[c]))]),
    ),
  };
}

function fitted({ features, classes, positive, target }: Signature, bayes: Bayes): Fitted {
  return {
    predict: (rows, ask, run) =>
      predictRows(
        rows!,
        features,
        ask,
        run,
        (frame) => {
          refuseInfinities(frame, features);
          return classScores(probabilities(frame), classes!, positive);
        },
        { prediction: target!.type },
      ),
    save: (folder) => folder.json("bayes", bayes),
  };

  /** Of the positive class, or rows x classes. */
  function probabilities(frame: Frame): Float64Array {
    const count = classes!.length;
    const logs = new Float64Array(frame.rows * count);
    for (let r = 0; r < frame.rows; r++) logs.set(bayes.priors, r * count);
    features.forEach(({ name }, f) => addLogs(frame, name, bayes.tables[f], count, logs));
    for (let r = 0; r < frame.rows; r++) {
      const own = logs.subarray(r * count, (r + 1) * count);
      const most = Math.max(...own);
      const sum = own.reduce((mass, log) => mass + Math.exp(log - most), 0);
      own.forEach((log, c) => (own[c] = Math.exp(log - most) / sum));
    }
    if (positive === undefined) return logs;
    const yes = classes!.indexOf(positive);
    return Float64Array.from({ length: frame.rows }, (_, r) => logs[r * count + yes]);
  }
}

/** Adds the log densities, or log shares, of one feature. */
function addLogs(
  frame: Frame,
  name: string,
  table: Normals | Levels,
  classes: number,
  logs: Float64Array,
): void {
  if ("mean" in table) {
    floats(frame, name).forEach((value, r) => {
      if (Number.isNaN(value)) return;
      for (let c = 0; c < classes; c++) {
        const mean = table.mean[c];
        if (mean === null) continue;
        const own = table.variance[c];
        logs[r * classes + c] -= 0.5 * (Math.log(2 * Math.PI * own) + (value - mean) ** 2 / own);
      }
    });
    return;
  }
  const { values, levels } = codes(frame, name);
  const shares = levels.map((level) =>
    Object.hasOwn(table.shares, level) ? table.shares[level] : undefined,
  );
  values.forEach((code, r) => {
    const own = code < 0 ? undefined : shares[code];
    if (own) for (let c = 0; c < classes; c++) logs[r * classes + c] += own[c];
  });
}
