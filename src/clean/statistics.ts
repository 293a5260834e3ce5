import { ident } from "../engine/sql.js";

/** Rows with group columns and a value `x`; statistics are made one row a group. */
export interface Grouped {
  sql: string;
  /** Names of the group columns in `sql`. */
  by: readonly string[];
}

/** The column and its groups, under names that no user's column has. */
export function groupedBy(rows: string, column: string, by: readonly string[]): Grouped {
  const names = by.map((_, i) => `_shopai_b${i}`);
  const list = by.map((name, i) => `${ident(name)} AS ${names[i]}`);
  return { sql: `SELECT ${[...list, `${ident(column)} AS x`].join(", ")} FROM (${rows})`, by: names };
}

/** The condition that joins rows `s` to their group's statistics. */
export function sameGroup(by: readonly string[], statistics: string): string {
  return (
    by.map((name, i) => `s.${ident(name)} IS NOT DISTINCT FROM ${statistics}._shopai_b${i}`).join(" AND ") ||
    "true"
  );
}

const listOf = ({ by }: Grouped, more: readonly string[]): string => [...by.map(ident), ...more].join(", ");
const grouping = ({ by }: Grouped): string => (by.length > 0 ? `GROUP BY ${by.map(ident).join(", ")}` : "");

/** Bits below the point with which every term fits a BIGINT: sums of integers are the same in any order. */
const bitsFor = (largest: string): string =>
  `CASE WHEN ${largest} > 0 THEN least(1000, 61 - ceil(log2(${largest}))) ELSE 0 END`;

/** Group columns and `mean` of the finite `x`, as DOUBLE, whatever the number of threads. */
export function meanSql(grouped: Grouped): string {
  const finite = `SELECT ${listOf(grouped, ["x::DOUBLE AS x"])} FROM (${grouped.sql}) WHERE isfinite(x::DOUBLE)`;
  const scaled = `SELECT *, (x * pow(2, k))::BIGINT AS q FROM (${finite}), (SELECT ${bitsFor("max(abs(x))")} AS k FROM (${finite}))`;
  return `SELECT ${listOf(grouped, ["sum(q)::DOUBLE / pow(2, max(k)) / count(*) AS mean"])} FROM (${scaled}) ${grouping(grouped)}`;
}

/**
 * Group columns, `mean` and standard deviation `sd` (n - 1) of the finite `x`.
 *
 * @param means name of a table with the rows of `meanSql`
 */
export function spreadSql(grouped: Grouped, means: string): string {
  const on = grouped.by.map((name) => `r.${ident(name)} IS NOT DISTINCT FROM m.${ident(name)}`).join(" AND ");
  const squares = `SELECT r.* EXCLUDE (x), m.mean, (r.x::DOUBLE - m.mean) ** 2 AS d FROM (${grouped.sql}) r JOIN ${ident(means)} m ON ${on || "true"} WHERE isfinite(r.x::DOUBLE)`;
  const scaled = `SELECT *, (d * pow(2, k))::BIGINT AS q FROM (${squares}), (SELECT ${bitsFor("max(d)")} AS k FROM (${squares}) WHERE isfinite(d)) WHERE isfinite(d)`;
  const variance = "sum(q)::DOUBLE / pow(2, max(k)) / (count(*) - 1)";
  return `SELECT ${listOf(grouped, ["max(mean) AS mean", `CASE WHEN count(*) > 1 THEN sqrt(${variance}) END AS sd`])} FROM (${scaled}) ${grouping(grouped)}`;
}

/** Group columns and quantiles of the finite `x` as the list `q`, interpolated as in numpy's default. */
export function quantileSql(grouped: Grouped, shares: readonly number[]): string {
  return `SELECT ${listOf(grouped, [`quantile_cont(x::DOUBLE, [${shares.join(", ")}]) AS q`, "mad(x::DOUBLE) AS mad"])} FROM (${grouped.sql}) WHERE isfinite(x::DOUBLE) ${grouping(grouped)}`;
}

/** Group columns and `mode`, the most frequent `x`; of several the smallest. */
export function modeSql(grouped: Grouped): string {
  const counted = `SELECT ${listOf(grouped, ["x", "count(*) AS n"])} FROM (${grouped.sql}) WHERE x IS NOT NULL GROUP BY ALL`;
  const partition = grouped.by.length > 0 ? `PARTITION BY ${grouped.by.map(ident).join(", ")} ` : "";
  return `SELECT ${listOf(grouped, ["x AS mode"])} FROM (SELECT *, row_number() OVER (${partition}ORDER BY n DESC, x) AS place FROM (${counted})) WHERE place = 1`;
}
