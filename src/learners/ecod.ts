import { power } from "../core/power.js";
import { codes, floats, type Frame } from "../engine/frame.js";
import type { Field } from "../engine/engine.js";
import { frameOf } from "../table/relation.js";
import { anomalyColumns, anomalyTypes, contamination, standOutFrom } from "./anomaly.js";
import { featureAsks, isNumberLike, refuseInfinities } from "./design-matrix.js";
import { defineLearner, type Fitted, type Signature } from "./learner.js";
import { predictRows } from "./row-predictions.js";

/**
 * Outliers by empirical cumulative distributions: a row's score is the sum over the features of
 * -log of the share of training rows that lie as far out in the tail, the rarer tail of the two.
 *
 * Li, Zhao, Hu, Botta, Ionescu & Chen (2022), IEEE TKDE, algorithm 1, with the skewness rule as PyOD has
 * it. Beyond the paper: a missing value and every level of a text count by -log of their own share, and
 * values beyond those of training as the outermost of them.
 */
export default defineLearner({
  name: "ecod",
  task: "anomaly",
  summary: "rows with values far out in the tails of their columns; no parameter to tune",
  source: "Li et al. (2022), ECOD: Unsupervised Outlier Detection Using Empirical CDFs, IEEE TKDE 35(12)",
  roles: { target: "optional" },
  features: true,
  params: { contamination },
  async fit(data, params, run) {
    run.progress.stage("ecod: reading");
    const frame = await frameOf(data.relation, featureAsks(data.features));
    refuseInfinities(frame, data.features);
    const tails: Tails = {
      rows: frame.rows,
      columns: data.features.map((field) => columnOf(frame, field)),
    };
    const scores = scored(frame, data.features, tails);
    const threshold = standOutFrom(scores, params.contamination);
    run.progress.done();
    return fitted(data, tails, threshold, { threshold });
  },
  load: (folder) =>
    fitted(
      folder.card,
      folder.json<Tails>("tails"),
      folder.card.about.threshold as number,
      folder.card.about,
    ),
});

interface Tails {
  rows: number;
  /** One per feature. */
  columns: (NumberTails | LevelShares)[];
}

interface NumberTails {
  /** Different values, ascending. */
  values: number[];
  /** Rows with at most that value. */
  below: number[];
  /** Rows without a value. */
  missing: number;
  /** Of the third moment: which tail the skewness rule takes; 0 takes both. */
  skew: -1 | 0 | 1;
}

interface LevelShares {
  levels: Record<string, number>;
  missing: number;
}

function fitted(
  { features }: Signature,
  tails: Tails,
  threshold: number,
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
          return anomalyColumns(scored(frame, features, tails), threshold);
        },
        anomalyTypes,
      ),
    save: (folder) => folder.json("tails", tails),
  };
}

function columnOf(frame: Frame, { name, type }: Field): NumberTails | LevelShares {
  if (isNumberLike(type)) return numberTails(floats(frame, name));
  const { values, levels } = codes(frame, name);
  const counts = new Float64Array(levels.length);
  let missing = 0;
  for (const code of values)
    if (code < 0) missing++;
    else counts[code]++;
  return { levels: Object.fromEntries(levels.map((level, i) => [level, counts[i]])), missing };
}

function numberTails(column: Float64Array): NumberTails {
  const sorted = column.filter((value) => !Number.isNaN(value)).sort();
  const values: number[] = [];
  const below: number[] = [];
  sorted.forEach((value, i) => {
    if (i + 1 < sorted.length && sorted[i + 1] === value) return;
    values.push(value);
    below.push(i + 1);
  });
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const cubes = sorted.reduce((sum, value) => sum + power(value - mean, 3), 0);
  return {
    values,
    below,
    missing: column.length - sorted.length,
    skew: values.length < 2 ? 0 : (Math.sign(cubes) as -1 | 0 | 1),
  };
}

function scored(frame: Frame, features: readonly Field[], { rows, columns }: Tails): Float64Array {
  const scores = new Float64Array(frame.rows);
  const rarity = (count: number): number => -Math.log(Math.max(1, count) / rows);
  columns.forEach((column, f) => {
    const { name } = features[f];
    if ("levels" in column) {
      const { values, levels } = codes(frame, name);
      const of = levels.map((level) =>
        rarity(Object.hasOwn(column.levels, level) ? column.levels[level] : 0),
      );
      const missing = rarity(column.missing);
      values.forEach((code, r) => (scores[r] += code < 0 ? missing : of[code]));
      return;
    }
    const { values, below, skew } = column;
    const known = values.length > 0 ? below[below.length - 1] : 0;
    const missing = rarity(column.missing);
    // Values and missing ones share the rows: the tails are those of the values that are there.
    const tail = (count: number): number => -Math.log(Math.max(1, count) / Math.max(1, known));
    floats(frame, name).forEach((value, r) => {
      if (Number.isNaN(value)) {
        scores[r] += missing;
        return;
      }
      const after = firstAbove(values, value);
      const upTo = after === 0 ? 0 : below[after - 1];
      const under = after > 0 && values[after - 1] === value ? (after > 1 ? below[after - 2] : 0) : upTo;
      const left = tail(upTo);
      const right = tail(known - under);
      scores[r] += skew === 0 ? left + right : Math.max(left, right);
    });
  });
  return scores;
}

/** How many of ascending values are at most `value`. */
function firstAbove(values: readonly number[], value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
