import { ShopaiError } from "../core/errors.js";
import { ident, literal } from "../engine/sql.js";
import { kindOf, typedInstead } from "../table/relation.js";
import { snake } from "./naming.js";
import { changed, chosenColumns, planColumn, type Plan } from "./plan.js";
import { hashNumber } from "./exact.js";

/** Parts of a date; numbers are ISO where ISO has one (Monday is 1). */
export const dateParts = {
  year: (at: string) => `year(${at})`,
  quarter: (at: string) => `quarter(${at})`,
  month: (at: string) => `month(${at})`,
  week: (at: string) => `weekofyear(${at})`,
  day: (at: string) => `day(${at})`,
  day_of_week: (at: string) => `isodow(${at})`,
  day_of_year: (at: string) => `dayofyear(${at})`,
  hour: (at: string) => `hour(${at})`,
  minute: (at: string) => `minute(${at})`,
  is_weekend: (at: string) => `CAST(isodow(${at}) >= 6 AS INTEGER)`,
  is_month_start: (at: string) => `CAST(day(${at}) = 1 AS INTEGER)`,
  is_month_end: (at: string) => `CAST(day(${at} + INTERVAL 1 DAY) = 1 AS INTEGER)`,
  days_in_month: (at: string) => `day(last_day(${at}))`,
  hour_sin: (at: string) => `sin(2 * pi() * hour(${at}) / 24)`,
  hour_cos: (at: string) => `cos(2 * pi() * hour(${at}) / 24)`,
  day_of_week_sin: (at: string) => `sin(2 * pi() * isodow(${at}) / 7)`,
  day_of_week_cos: (at: string) => `cos(2 * pi() * isodow(${at}) / 7)`,
  month_sin: (at: string) => `sin(2 * pi() * month(${at}) / 12)`,
  month_cos: (at: string) => `cos(2 * pi() * month(${at}) / 12)`,
  epoch_days: (at: string) => `epoch_us(${at}) / 86400000000.0::DOUBLE`,
} as const;
export type DatePart = keyof typeof dateParts;
export const datePartNames = Object.keys(dateParts) as [DatePart, ...DatePart[]];

/** Adds parts of dates, named `<column>_<part>`. */
export function withDateParts(
  plan: Plan,
  asks: readonly { column: string; parts: readonly DatePart[] }[],
): Promise<Plan> {
  const add = asks.flatMap(({ column, parts }) => {
    const field = planColumn(plan, column);
    if (!["date", "timestamp"].includes(kindOf(field.type)))
      throw new ShopaiError("data", `date parts need a date, and ${field.name} is ${field.type}`, {
        where: plan.source.name,
        try: typedInstead(field, plan.source.name, "another column"),
      });
    const at = `CAST(t.${ident(field.name)} AS TIMESTAMP)`;
    return parts.map((part) => [`${snake(field.name)}_${part}`, dateParts[part](at)] as const);
  });
  return changed(plan, "dates", { add });
}

/** Adds the days from one moment to another as `days_since_<column>`, null where either is missing. */
export function withTimeSince(
  plan: Plan,
  asks: readonly { column: string; until: string; as?: string }[],
): Promise<Plan> {
  const moment = (name: string): string =>
    `epoch_us(CAST(t.${ident(planColumn(plan, name).name)} AS TIMESTAMP))`;
  const add = asks.map(
    ({ column, until, as }) =>
      [
        as ?? `days_since_${snake(column)}`,
        `(${moment(until)} - ${moment(column)}) / 86400000000.0::DOUBLE`,
      ] as const,
  );
  return changed(plan, "since", { add });
}

/** Adds quotients `<a>_per_<b>`, null where the divisor is 0 or either is missing. */
export function withRatios(
  plan: Plan,
  asks: readonly { of: string; per: string; as?: string }[],
): Promise<Plan> {
  const number = (name: string): string => `CAST(t.${ident(planColumn(plan, name).name)} AS DOUBLE)`;
  const add = asks.map(
    ({ of, per, as }) =>
      [as ?? `${snake(of)}_per_${snake(per)}`, `${number(of)} / nullif(${number(per)}, 0)`] as const,
  );
  return changed(plan, "ratios", { add });
}

/** Adds crossed categories `<a>_x_<b>`: the values joined by "×", null where one is missing. */
export function withCrosses(
  plan: Plan,
  asks: readonly { of: readonly string[]; as?: string }[],
): Promise<Plan> {
  const add = asks.map(({ of, as }) => {
    const values = of.map((name) => `CAST(t.${ident(planColumn(plan, name).name)} AS VARCHAR)`);
    return [as ?? of.map(snake).join("_x_"), values.join(" || '×' || ")] as const;
  });
  return changed(plan, "crosses", { add });
}

/** Adds `<column>_missing`, 1 where a value is null, NaN or infinite. */
export function withMissing(plan: Plan, patterns: readonly string[]): Promise<Plan> {
  const add = chosenColumns(plan, patterns).map((field) => {
    const column = `t.${ident(field.name)}`;
    const absent =
      kindOf(field.type) === "float" ? `${column} IS NULL OR NOT isfinite(${column})` : `${column} IS NULL`;
    return [`${snake(field.name)}_missing`, `CAST(${absent} AS INTEGER)`] as const;
  });
  return changed(plan, "missing", { add });
}

/** Adds hashed one-hot columns `<column>_hash_<i>`: 1 in the bucket that md5 of the value falls into, null in none. */
export function withHashed(
  plan: Plan,
  asks: readonly { column: string; buckets: number; keep: boolean }[],
): Promise<Plan> {
  const add = asks.flatMap(({ column, buckets }) => {
    const field = planColumn(plan, column);
    const value = `t.${ident(field.name)}`;
    const bucket = `${hashNumber([literal(field.name), value])} % ${buckets}`;
    return Array.from(
      { length: buckets },
      (_, i) =>
        [
          `${snake(field.name)}_hash_${i}`,
          `CASE WHEN ${value} IS NOT NULL AND ${bucket} = ${i} THEN 1 ELSE 0 END`,
        ] as const,
    );
  });
  const drop = new Set(asks.filter((ask) => !ask.keep).map((ask) => planColumn(plan, ask.column).name));
  return changed(plan, "hashed", { add, drop });
}
