/** What one metric is: read by help, gates and reports. Names that depend on a cut-off end in `@k`. */
export interface MetricInfo {
  name: string;
  /** One line, with the unit or the range. */
  summary: string;
  /** Where the definition comes from. */
  source: string;
  better: "higher" | "lower" | "neither";
  /** When it has no value: what a warning says. */
  undefinedWhen: string;
  /** True for counts of distinct things, which resamples hold too few of: a bootstrap interval would be wrong. */
  noInterval?: boolean;
}

/**
 * The metrics of one set of predictions as functions of weights of its units (rows, or users for
 * ranking). Everything that does not depend on the weights (sorting, losses per row) is done once, so
 * that a resample costs one pass.
 */
export interface Measure {
  /** What is known of its metrics, in no order. */
  readonly family: readonly MetricInfo[];
  readonly names: readonly string[];
  readonly units: number;
  /** Passes over the units that one call of `at` costs, for the budget of the bootstrap. */
  readonly cost: number;
  /**
   * @param weights one non-negative number per unit
   * @returns one value per name, NaN where undefined
   */
  at(weights: Float64Array): Float64Array;
}

/** `ndcg@10` → `ndcg@k`; other names stay. */
export function withoutCut(name: string): string {
  return name.replace(/@\d+$/, "@k");
}

/** What is known of a metric of a family: `ndcg@10` finds `ndcg@k`, `coverage_80` finds `coverage_k`. */
export function metricInfo(family: readonly MetricInfo[], name: string): MetricInfo | undefined {
  const general = [name, withoutCut(name), name.replace(/_\d+(\.\d+)?$/, "_k")];
  return family.find((metric) => general.includes(metric.name));
}

/** a / b, or NaN where b is zero. */
export function ratio(a: number, b: number): number {
  return b === 0 ? NaN : a / b;
}

/** Row numbers by falling score, ties in row order, and for each place whether the next score is another one. */
export function byFallingScore(scores: Float64Array): { order: Uint32Array; last: Uint8Array } {
  const order = new Uint32Array(scores.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  order.sort((a, b) => scores[b] - scores[a] || a - b);
  const last = new Uint8Array(order.length);
  for (let i = 0; i < order.length; i++)
    last[i] = i + 1 === order.length || scores[order[i + 1]] !== scores[order[i]] ? 1 : 0;
  return { order, last };
}

/** The values at some rows, in their order. */
export function taken<A extends Float64Array | Int32Array>(values: A, rows: Uint32Array): A {
  const result = new (values.constructor as new (n: number) => A)(rows.length);
  for (let i = 0; i < rows.length; i++) result[i] = values[rows[i]];
  return result;
}
