import { bootstrap, defaultResamples, percentileInterval } from "./bootstrap.js";
import { ratio, type Measure } from "./metric.js";
import type { ClassificationRows } from "./classification.js";
import type { ScoreAsk, Slicing } from "./scorecard.js";
import type { Rng } from "../core/rng.js";

/** What is measured of every group, in this order; differences are group minus reference, ratios group over reference. */
const groupFigures = [
  /** Share of positives in truth. */
  "base_rate",
  /** Share of rows predicted positive. */
  "selection_rate",
  "true_positive_rate",
  "false_positive_rate",
  /** Of the selection rates. */
  "statistical_parity_difference",
  /** Ratio of the selection rates. */
  "disparate_impact",
  /** Of the true positive rates. */
  "equal_opportunity_difference",
  /** Mean of the differences in true and false positive rates. */
  "average_odds_difference",
  /** The larger of the differences in true and false positive rates, without sign. */
  "equalised_odds_difference",
  /** Of the base rates: what the data themselves hold. */
  "truth_parity_difference",
  "truth_disparate_impact",
] as const;

/** Over all groups: largest less smallest rate, smallest over largest; equalised odds take the worse of true and false positive rates. */
const overallFigures = [
  "demographic_parity_difference",
  "demographic_parity_ratio",
  "equalised_odds_difference",
  "equalised_odds_ratio",
] as const;

type Figures<N extends string> = Record<N, number | null> & {
  /** 95 % bootstrap intervals by figure; null where undefined in most resamples. */
  intervals: Record<N, [number, number] | null>;
};
export type GroupFairness = { rows: number } & Figures<(typeof groupFigures)[number]>;
export interface Fairness {
  reference: string;
  groups: Record<string, GroupFairness>;
  overall: Figures<(typeof overallFigures)[number]>;
}

/**
 * Group fairness of a binary classifier with bootstrap intervals over rows.
 *
 * Bellamy et al. (2018), AI Fairness 360, arXiv:1810.01943, section 5; Feldman et al. (2015), KDD, for
 * disparate impact; Hardt, Price & Srebro (2016), NeurIPS, for equal opportunity and odds; overall figures
 * as in Fairlearn (Weerts et al. 2023, JMLR 24).
 *
 * @param slicing   codes of the groups, -1 for none
 * @param reference index of the group to compare with
 */
export async function fairness(
  data: Pick<ClassificationRows, "truth" | "predicted">,
  positive: number,
  slicing: Slicing,
  reference: number,
  rng: Rng,
  about: Pick<ScoreAsk, "resamples" | "breathe"> & { weights?: Float64Array } = {},
): Promise<Fairness> {
  const { code, levels } = slicing;
  const measure = fairnessMeasure(data, positive, slicing, reference);
  const values = measure.at(about.weights ?? new Float64Array(measure.units).fill(1));
  const resamples = about.resamples ?? defaultResamples(measure);
  const drawn = await bootstrap(measure, about.weights, resamples, rng, about.breathe);
  const figures = <N extends string>(names: readonly N[], at: number): Figures<N> => ({
    ...(Object.fromEntries(names.map((name, i) => [name, orNull(values[at + i])])) as Record<
      N,
      number | null
    >),
    intervals: Object.fromEntries(
      names.map((name, i) => [
        name,
        Number.isFinite(values[at + i]) ? percentileInterval(drawn[at + i]) : null,
      ]),
    ) as Record<N, [number, number] | null>,
  });
  const rows = new Array<number>(levels.length).fill(0);
  for (const own of code) if (own >= 0) rows[own]++;
  return {
    reference: levels[reference],
    groups: Object.fromEntries(
      levels.map((name, level) => [
        name,
        { rows: rows[level], ...figures(groupFigures, level * groupFigures.length) },
      ]),
    ),
    overall: figures(overallFigures, levels.length * groupFigures.length),
  };
}

function fairnessMeasure(
  { truth, predicted }: Pick<ClassificationRows, "truth" | "predicted">,
  positive: number,
  { code, levels }: Slicing,
  reference: number,
): Measure {
  const count = levels.length;
  const names = [
    ...levels.flatMap((level) => groupFigures.map((figure) => `${level} ${figure}`)),
    ...overallFigures,
  ];
  /** Weights by group, truth and decision: 4 cells each, those of true positives last. */
  const cells = new Float64Array(4 * count);
  const cellOf = Int32Array.from(code, (group, row) =>
    group < 0 ? -1 : 4 * group + 2 * Number(truth[row] === positive) + Number(predicted[row] === positive),
  );
  return {
    family: [],
    names,
    units: truth.length,
    cost: 1,
    at(weights) {
      cells.fill(0);
      for (let row = 0; row < cellOf.length; row++) if (cellOf[row] >= 0) cells[cellOf[row]] += weights[row];
      const rates = levels.map((_, level) => ratesOf(cells, 4 * level));
      const base = rates[reference];
      return Float64Array.from([...rates.flatMap((own) => against(own, base)), ...overallOf(rates)]);
    },
  };
}

interface Rates {
  positives: number;
  selected: number;
  truePositive: number;
  falsePositive: number;
}

function ratesOf(cells: Float64Array, at: number): Rates {
  const [kept, wrong, missed, right] = cells.subarray(at, at + 4);
  const all = kept + wrong + missed + right;
  return {
    positives: ratio(missed + right, all),
    selected: ratio(wrong + right, all),
    truePositive: ratio(right, missed + right),
    falsePositive: ratio(wrong, kept + wrong),
  };
}

function against(own: Rates, base: Rates): number[] {
  const opportunity = own.truePositive - base.truePositive;
  const alarms = own.falsePositive - base.falsePositive;
  return [
    own.positives,
    own.selected,
    own.truePositive,
    own.falsePositive,
    own.selected - base.selected,
    ratio(own.selected, base.selected),
    opportunity,
    (alarms + opportunity) / 2,
    Math.max(Math.abs(opportunity), Math.abs(alarms)),
    own.positives - base.positives,
    ratio(own.positives, base.positives),
  ];
}

function overallOf(rates: readonly Rates[]): number[] {
  const ends = (of: (rates: Rates) => number): [number, number] => {
    const values = rates.map(of).filter((value) => !Number.isNaN(value));
    return values.length > 0 ? [Math.min(...values), Math.max(...values)] : [NaN, NaN];
  };
  const selected = ends((own) => own.selected);
  const right = ends((own) => own.truePositive);
  const wrong = ends((own) => own.falsePositive);
  return [
    selected[1] - selected[0],
    ratio(selected[0], selected[1]),
    Math.max(right[1] - right[0], wrong[1] - wrong[0]),
    Math.min(ratio(right[0], right[1]), ratio(wrong[0], wrong[1])),
  ];
}

function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The group with most rows, the first of equals. */
export function largestGroup({ code, levels }: Slicing): number {
  const counts = new Uint32Array(levels.length);
  for (const own of code) if (own >= 0) counts[own]++;
  return counts.indexOf(Math.max(...counts));
}
