import { kindOf } from "../table/relation.js";

/**
 * Aggregates whose result does not depend on the order of rows (docs/features.md, "Same bytes").
 *
 * Integers and decimals are summed as they are. Floating point is summed on a fixed grid in 128 bits:
 * 2^-60 for values (range ±1.5e20), 2^-50 for squares and products (range ±1.5e23). The grid is fixed,
 * not chosen from the data, because a later event must not change the last bits of an earlier feature.
 * A sum beyond the range is an error of the engine, never a silent wrap.
 */
const valueGrid = "pow(2, 60)";
const squareGrid = "pow(2, 50)";

/** What follows the call of an aggregate: nothing, `FILTER (WHERE …)` or `OVER (…)`. */
export type Suffix = string;

/** The suffix that keeps only rows of a predicate. */
export const filtered = (predicate: string | undefined): Suffix =>
  predicate ? ` FILTER (WHERE ${predicate})` : "";

/** Sum of a column, 0 where there is nothing: BIGINT for integers, DOUBLE for decimals and floats. */
export function sumOf(expression: string, type: string, suffix: Suffix = ""): string {
  switch (kindOf(type)) {
    case "integer":
      return `coalesce(CAST(sum(${expression})${suffix} AS BIGINT), 0)`;
    case "boolean":
      return `coalesce(CAST(sum(CAST(${expression} AS INTEGER))${suffix} AS BIGINT), 0)`;
    case "decimal":
      return `coalesce(CAST(sum(${expression})${suffix} AS DOUBLE), 0)`;
    default:
      return `coalesce(${gridSum(expression, valueGrid, suffix)}, 0)`;
  }
}

/** Sum of a column as a whole number of units (HUGEINT), so that sums of sums are exact as well. */
export function wholeSum(expression: string, type: string): { sql: string; unit: string } {
  switch (kindOf(type)) {
    case "integer":
    case "boolean":
      return { sql: `sum(CAST(${expression} AS HUGEINT))`, unit: "1" };
    default:
      return { sql: `sum(CAST(CAST(${expression} AS DOUBLE) * ${valueGrid} AS HUGEINT))`, unit: valueGrid };
  }
}

/** Mean of a column as DOUBLE, null where there is nothing. */
export function meanOf(expression: string, type: string, suffix: Suffix = ""): string {
  return `CAST(${sumOf(expression, type, suffix)} AS DOUBLE) / nullif(count(${expression})${suffix}, 0)`;
}

/** Sum of a product or square that is worked out in floating point per row. */
export function productSum(expression: string, suffix: Suffix = ""): string {
  return gridSum(expression, squareGrid, suffix);
}

function gridSum(expression: string, grid: string, suffix: Suffix): string {
  return `CAST(sum(CAST(${expression} * ${grid} AS HUGEINT))${suffix} AS DOUBLE) / ${grid}`;
}

/**
 * Sample standard deviation (n - 1), null below two values; `centre` is any constant near the mean, so
 * that nothing cancels (two-pass formula, Chan, Golub & LeVeque 1983).
 */
export function deviationOf(expression: string, centre: string, suffix: Suffix = ""): string {
  const off = `(CAST(${expression} AS DOUBLE) - ${centre})`;
  const n = `count(${expression})${suffix}`;
  const sum = productSum(off, suffix);
  const squares = productSum(`${off} * ${off}`, suffix);
  return `CASE WHEN ${n} > 1 THEN sqrt(greatest(0, ${squares} - (${sum}) * (${sum}) / ${n}) / (${n} - 1)) END`;
}

/** A column with NaN and infinities as null; other types as they are. */
export function finite(column: string, type: string): string {
  return kindOf(type) === "float" ? `CASE WHEN isfinite(${column}) THEN ${column} END` : column;
}

/** A whole number in [0, 2^32) from a seed and texts: the first 8 hex digits of md5, equal on every engine and version. */
export function hashNumber(parts: readonly string[]): string {
  return `CAST('0x' || substr(md5(${hashText(parts)}), 1, 8) AS BIGINT)`;
}

/** Texts joined by the unit separator; null counts as the empty text. */
export function hashText(parts: readonly string[]): string {
  return `concat_ws(chr(31), ${parts.map((part) => `coalesce(CAST(${part} AS VARCHAR), '')`).join(", ")})`;
}
