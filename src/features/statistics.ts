import { ShopaiError } from "../core/errors.js";
import type { Engine } from "../engine/engine.js";
import { ident, numeric } from "../engine/sql.js";
import { isNumeric, kindOf, typedInstead } from "../table/relation.js";
import { finite } from "./exact.js";
import type { Field } from "../engine/engine.js";

/** What is known of a numeric column of the train rows. */
export interface NumericStatistics {
  /** Values that are neither null nor NaN nor infinite. */
  n: number;
  min: number;
  max: number;
  q25: number;
  median: number;
  q75: number;
  mean: number;
  /** Population standard deviation, as scikit-learn's StandardScaler. */
  std: number;
}

/** A column as DOUBLE with NaN and infinities as null. */
export function asNumber(field: Field, side = ""): string {
  const column = `${side}${ident(field.name)}`;
  return kindOf(field.type) === "float"
    ? `CAST(${finite(column, field.type)} AS DOUBLE)`
    : `CAST(${column} AS DOUBLE)`;
}

/** @throws ShopaiError "data" for a column that holds no numbers */
export function checkNumeric(field: Field, what: string, where: string): void {
  if (!isNumeric(field.type) && kindOf(field.type) !== "boolean")
    throw new ShopaiError("data", `${what} needs a number, and ${field.name} is ${field.type}`, {
      where,
      try: `${typedInstead(field, where, "another column")}; or an encoder before it`,
    });
}

/**
 * Exact, order-free statistics of columns in two passes: extremes and quantiles, then fixed-point
 * moments around the median, finished in whole numbers.
 *
 * @param from a SELECT of the train rows
 * @throws ShopaiError "data" when a column holds no value at all
 */
export async function numericStatistics(
  engine: Engine,
  from: string,
  fields: readonly Field[],
  where: string,
): Promise<NumericStatistics[]> {
  if (fields.length === 0) return [];
  const first = fields.flatMap((field, i) => {
    const x = asNumber(field);
    return [
      `count(${x}) AS n${i}`,
      `min(${x}) AS min${i}`,
      `max(${x}) AS max${i}`,
      `quantile_cont(${x}, [0.25, 0.5, 0.75]) AS q${i}`,
    ];
  });
  const [row] = await engine.rows<Record<string, unknown>>(`SELECT ${first.join(", ")} FROM (${from})`);
  const basics = fields.map((field, i) => {
    const n = Number(row[`n${i}`]);
    if (n === 0)
      throw new ShopaiError(
        "data",
        `${field.name} holds no value in the train rows, so nothing can be fitted`,
        {
          where,
          try: "leaving the column out",
        },
      );
    const [q25, median, q75] = row[`q${i}`] as number[];
    return { n, min: row[`min${i}`] as number, max: row[`max${i}`] as number, q25, median, q75 };
  });
  const second = fields.flatMap((field, i) => {
    const { min, max, median } = basics[i];
    const reach = Math.max(max - median, median - min);
    const steps = `CAST((${asNumber(field)} - ${numeric(median)}) * ${numeric(2 ** gridOf(reach))} AS BIGINT)`;
    return [`sum(${steps}) AS s${i}`, `sum(CAST(${steps} AS HUGEINT) * ${steps}) AS ss${i}`];
  });
  const [sums] = await engine.rows<Record<string, bigint>>(`SELECT ${second.join(", ")} FROM (${from})`);
  return basics.map((basic, i) => {
    const n = BigInt(basic.n);
    const sum = BigInt(sums[`s${i}`]);
    const spread = n * BigInt(sums[`ss${i}`]) - sum * sum;
    const grid = 2 ** gridOf(Math.max(basic.max - basic.median, basic.median - basic.min));
    return {
      ...basic,
      mean: basic.median + Number(sum) / grid / basic.n,
      std: Math.sqrt(Number(spread)) / grid / basic.n,
    };
  });
}

/** The power of two that brings deviations up to `reach` to 49 bits, so that 2^27 squares fit in 128. */
function gridOf(reach: number): number {
  return reach > 0 ? Math.min(1000, 49 - Math.ceil(Math.log2(reach))) : 0;
}
