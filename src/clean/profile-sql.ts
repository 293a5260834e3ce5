import type { Schema } from "../engine/engine.js";
import { ident, numeric } from "../engine/sql.js";
import { kindOf, type TypeKind } from "../table/relation.js";

/** Columns of one query: the engine compares all its aggregates with each other before it begins. */
const columnsAtOnce = 50;

/** Queries over all columns: `rows`, and for column i `present_i`, `distinct_i`, `min_i`… as its type allows. */
export function overviewSqls(sql: string, schema: Schema): string[] {
  const parts = schema.map(({ name, type }, i) =>
    Object.entries(countsOf(ident(name), kindOf(type))).map(([key, text]) => `${text} AS ${key}_${i}`),
  );
  return Array.from({ length: Math.max(1, Math.ceil(parts.length / columnsAtOnce)) }, (_, q) => {
    const own = parts.slice(q * columnsAtOnce, (q + 1) * columnsAtOnce).flat();
    return `SELECT ${["count(*) AS rows", ...own].join(", ")} FROM (${sql})`;
  });
}

function countsOf(column: string, kind: TypeKind): Record<string, string> {
  const parts: Record<string, string> = {
    present: `count(${column})`,
    distinct: `approx_count_distinct(${column})`,
  };
  if (kind === "nested" || kind === "other") return parts;
  const finite = kind === "float" ? ` FILTER (isfinite(${column}))` : "";
  parts.min = `min(${column})${finite}`;
  parts.max = `max(${column})${finite}`;
  if (kind === "integer" || kind === "float" || kind === "decimal") {
    parts.zeros = `count(*) FILTER (${column} = 0)`;
    parts.negatives = `count(*) FILTER (${column} < 0)`;
  }
  if (kind === "float") {
    parts.nan = `count(*) FILTER (isnan(${column}))`;
    parts.infinite = `count(*) FILTER (isinf(${column}))`;
  }
  if (kind === "text") {
    parts.shortest = `min(length(${column}))`;
    parts.longest = `max(length(${column}))`;
    parts.empty = `count(*) FILTER (${column} = '')`;
    parts.padded = `count(*) FILTER (${column} <> '' AND ${column} <> trim(${column}))`;
    parts.numeric = `count(try_cast(${column} AS DOUBLE))`;
  }
  return parts;
}

/** A column as a finite double on which bins can be laid, with the filter that keeps it finite; undefined where there is no such axis. */
function axisOf(column: { name: string; kind: TypeKind }): { value: string; finite: string } | undefined {
  const name = ident(column.name);
  switch (column.kind) {
    case "integer":
    case "decimal":
      return { value: `${name}::DOUBLE`, finite: `${name} IS NOT NULL` };
    case "float":
      return { value: `${name}::DOUBLE`, finite: `isfinite(${name})` };
    case "date":
    case "timestamp":
      return { value: `epoch(${name})::DOUBLE`, finite: `isfinite(${name})` };
    default:
      return undefined;
  }
}

const shares = "[0.05, 0.25, 0.5, 0.75, 0.95]";

/**
 * `values`: the five quantiles as the column shows them (numbers interpolated as in numpy's default,
 * times as they occur); `positions`: the same as doubles; `low` and `high`: the ends.
 */
export function quantileSql(sql: string, column: { name: string; kind: TypeKind }): string | undefined {
  const axis = axisOf(column);
  if (!axis) return undefined;
  const isTime = column.kind === "date" || column.kind === "timestamp";
  const name = ident(column.name);
  const ask = isTime
    ? `SELECT quantile_disc(${name}, ${shares}) AS q, epoch(min(${name}))::DOUBLE AS low, epoch(max(${name}))::DOUBLE AS high`
    : `SELECT quantile_cont(${axis.value}, ${shares}) AS q, min(${axis.value}) AS low, max(${axis.value}) AS high`;
  const positions = isTime ? "list_transform(q, lambda t: epoch(t)::DOUBLE)" : "q";
  return `SELECT q AS values, ${positions} AS positions, low, high FROM (${ask} FROM (${sql}) WHERE ${axis.finite})`;
}

interface Ends {
  from: number;
  to: number;
  bins: number;
}

/** Most bins of a histogram: what a sparkline shows. */
const mostBins = 16;

/**
 * Where bins begin and end: Tukey's outer fences (three interquartile ranges beyond the quartiles,
 * Tukey 1977), cut to the data, so that one outlier does not push all rows into one bin.
 *
 * @param quantiles p5, p25, p50, p75, p95
 * @param whole     whole numbers: a short range gets one bin for each
 */
export function fences(quantiles: readonly number[], low: number, high: number, whole: boolean): Ends {
  const [p5, p25, , p75, p95] = quantiles;
  const reach = p75 > p25 ? 3 * (p75 - p25) : p95 > p5 ? p95 - p5 : high - low;
  const from = Math.max(low, p25 - reach);
  const to = Math.min(high, p75 + reach);
  if (whole && to - from < mostBins) {
    const [first, last] = [Math.floor(from), Math.ceil(to)];
    if (last > first) return { from: first, to: last + 1, bins: last - first + 1 };
  }
  return { from, to, bins: to > from && Number.isFinite(to - from) ? mostBins : 1 };
}

/** The grids on which a column is summed: `value * 2^sum` and `(value - centre) * 2^square` become whole numbers. */
export interface Grid {
  centre: number;
  sum: number;
  square: number;
}

/**
 * Grids from the ends of a column. Plain sums keep 61 bits. Squares keep 31 bits of the deviation from
 * the median, so that they fit 64: as the variance is at least max²/n, the rounding changes it by less
 * than n / 2^62 of itself, and as |mean - median| <= std nothing cancels.
 */
export function gridOf(median: number, low: number, high: number): Grid {
  const widest = Math.max(Math.abs(low), Math.abs(high));
  const deviation = Math.max(high - median, median - low);
  return { centre: median, sum: bits(61, widest), square: bits(31, deviation) };
}

function bits(kept: number, most: number): number {
  if (most === 0) return 0;
  const exponent = most === Infinity ? 1025 : Math.ceil(Math.log2(most));
  return Math.max(-1000, Math.min(1000, kept - exponent));
}

export interface BinRow {
  bin: number;
  n: bigint;
  total: bigint;
  deviations: bigint;
  squares: bigint;
}

/** Rows per bin (-1 below, `bins` above) with exact sums: `total`, `deviations` and `squares` on the grid. */
export function distributionSql(
  sql: string,
  column: { name: string; kind: TypeKind },
  ends: Ends,
  grid: Grid,
): string {
  const axis = axisOf(column)!;
  const width = (ends.to - ends.from) / ends.bins;
  const bin =
    ends.bins === 1
      ? "0"
      : `CASE WHEN x < ${numeric(ends.from)} THEN -1 WHEN x > ${numeric(ends.to)} THEN ${ends.bins} ELSE least(${ends.bins - 1}, floor((x - ${numeric(ends.from)}) / ${numeric(width)}))::INTEGER END`;
  return (
    `SELECT bin, count(*) AS n, sum(v) AS total, sum(y) AS deviations, sum(y * y) AS squares FROM (` +
    `SELECT ${bin} AS bin, (x * pow(2, ${grid.sum}))::BIGINT AS v, (x * pow(2, ${grid.square}) - ${numeric(grid.centre)} * pow(2, ${grid.square}))::BIGINT AS y FROM (` +
    `SELECT ${axis.value} AS x FROM (${sql}) WHERE ${axis.finite})) GROUP BY bin ORDER BY bin`
  );
}

/** Mean and sample standard deviation from the sums of all bins; null where undefined. */
export function momentsOf(bins: readonly BinRow[], grid: Grid): { mean: number | null; std: number | null } {
  const sum = (key: "n" | "total" | "deviations" | "squares"): bigint =>
    bins.reduce((all, bin) => all + BigInt(bin[key]), 0n);
  const n = sum("n");
  if (n === 0n) return { mean: null, std: null };
  const mean = Number(sum("total")) / Number(n) / 2 ** grid.sum;
  if (n === 1n) return { mean, std: null };
  const spread = n * sum("squares") - sum("deviations") ** 2n;
  const std = Math.sqrt(Number(spread) / (Number(n) * Number(n - 1n))) / 2 ** grid.square;
  return { mean, std };
}

/** How many different hashes a column has among one in `share` (a power of 2) of all hashes. */
export function hashesSql(sql: string, name: string, share: number): string {
  return `SELECT count(DISTINCT h) AS n FROM (SELECT hash(${ident(name)}) AS h FROM (${sql}) WHERE ${ident(name)} IS NOT NULL) WHERE h & ${share - 1} = 0`;
}

/** The most frequent values with their counts, and in `groups` how many different values there are. */
export function topSql(sql: string, name: string, most: number): string {
  const column = ident(name);
  return `SELECT value, n, groups FROM (SELECT ${column} AS value, count(*) AS n, count(*) OVER () AS groups FROM (${sql}) WHERE ${column} IS NOT NULL GROUP BY ${column}) ORDER BY n DESC, value LIMIT ${most}`;
}
