import { ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import { ident, literal } from "../engine/sql.js";
import { kindOf, typedInstead } from "../table/relation.js";
import { deviationOf, finite, meanOf, sumOf } from "./exact.js";
import { snake } from "./naming.js";
import { planColumn, extended, tip, type Plan } from "./plan.js";

export const frequencies = { D: "day", W: "week", M: "month" } as const;
export type Frequency = keyof typeof frequencies;

export interface SeriesAsk {
  series: readonly string[];
  time: string;
  /** The column that is summed per period; the number of rows when absent. */
  value?: string;
  freq: Frequency;
  /** "zero" writes 0 into periods without rows, "none" leaves them out. */
  fill: "zero" | "none";
  /** Where a series begins: at its own first period, or at the first of the table. */
  from: "own" | "table";
}

/**
 * Regular series: the sum of a value per series and period. Periods begin at midnight (D), on Monday
 * (W) or on the first (M). Every series runs to the last period of the whole table, so that a product
 * that stopped selling shows its zeros.
 */
export async function withSeries(plan: Plan, ask: SeriesAsk): Promise<Plan> {
  const time = planColumn(plan, ask.time, "--time");
  if (!["date", "timestamp"].includes(kindOf(time.type)))
    throw new ShopaiError("data", `a series needs a date or a time, and ${time.name} is ${time.type}`, {
      where: plan.source.name,
      try: typedInstead(time, plan.source.name, "--time <another column>"),
    });
  const names = ask.series.map((name) => planColumn(plan, name, "--series").name);
  const value = ask.value === undefined ? undefined : planColumn(plan, ask.value, "--value");
  const steps = seriesSteps(tip(plan), { ...ask, series: names, time: time.name }, value);
  return extended(plan, steps, [...names, time.name]);
}

export function seriesSteps(
  from: string,
  ask: SeriesAsk,
  value: { name: string; type: string } | undefined,
): { name: string; sql: string }[] {
  const unit = frequencies[ask.freq];
  const series = ask.series.map(ident);
  const time = ident(ask.time);
  const amount = value ? sumOf(finite(ident(value.name), value.type), value.type) : "count(*)";
  const name = ident(value?.name ?? "n_rows");
  const present = [...series, time].map((column) => `${column} IS NOT NULL`).join(" AND ");
  const periods = {
    name: "periods",
    sql: `SELECT ${[...series, `CAST(date_trunc(${literal(unit)}, ${time}) AS DATE) AS ${time}`, `${amount} AS ${name}`].join(", ")}\nFROM ${from}\nWHERE ${present}\nGROUP BY ALL`,
  };
  if (ask.fill === "none") return [periods];
  const begins = ask.from === "own" ? "s.first_at" : "w.first_at";
  const same = [...series.map((column) => `p.${column} = c.${column}`), `p.${time} = c.${time}`].join(
    " AND ",
  );
  return [
    periods,
    {
      name: "span",
      sql: `SELECT min(${time}) AS first_at, max(${time}) AS last_at\nFROM periods`,
    },
    {
      name: "calendar",
      sql: `SELECT ${[...series.map((column) => `s.${column}`), `CAST(unnest(generate_series(CAST(${begins} AS TIMESTAMP), CAST(w.last_at AS TIMESTAMP), INTERVAL 1 ${unit.toUpperCase()})) AS DATE) AS ${time}`].join(", ")}\nFROM (SELECT ${[...series, `min(${time}) AS first_at`].join(", ")} FROM periods${series.length > 0 ? " GROUP BY ALL" : ""}) AS s CROSS JOIN span AS w`,
    },
    {
      name: "series",
      sql: `SELECT ${[...series.map((column) => `c.${column}`), `c.${time}`, `coalesce(p.${name}, 0) AS ${name}`].join(", ")}\nFROM calendar AS c\nLEFT JOIN periods AS p ON ${same}`,
    },
  ];
}

export const rollingVerbs = ["mean", "sum", "std", "min", "max"] as const;
export type RollingVerb = (typeof rollingVerbs)[number];

export interface HistoryAsk {
  series: readonly string[];
  time: string;
  lags: readonly { column: string; by: readonly number[] }[];
  rolling: readonly { verb: RollingVerb; column: string; over: readonly number[] }[];
}

/**
 * Lags `<column>_lag_7` and rolling statistics `<column>_mean_28` of the rows before each row of its
 * series (the row itself is left out, so that nothing of the moment to be predicted is seen). They
 * count rows: give a series without gaps. Null until a lag exists; rolling uses what there is.
 */
export function withHistory(plan: Plan, ask: HistoryAsk): Promise<Plan> {
  const time = planColumn(plan, ask.time, "--time").name;
  const names = ask.series.map((name) => planColumn(plan, name, "--series").name);
  const order = [time, ...plan.key.filter((key) => key !== time && !names.includes(key))]
    .map(ident)
    .join(", ");
  const partition = names.length > 0 ? `PARTITION BY ${names.map(ident).join(", ")} ` : "";
  const before = `${partition}ORDER BY ${order}`;
  const centred = [
    ...new Set(
      ask.rolling.filter((one) => one.verb === "std").map((one) => planColumn(plan, one.column).name),
    ),
  ];
  const lags = ask.lags.flatMap(({ column, by }) =>
    by.map((rows) => {
      const name = planColumn(plan, column).name;
      return [`${snake(name)}_lag_${rows}`, `lag(${ident(name)}, ${rows}) OVER (${before})`];
    }),
  );
  const rolling = ask.rolling.flatMap(({ verb, column, over }) =>
    over.map((rows) => {
      const field = planColumn(plan, column);
      const frame = ` OVER (${before} ROWS BETWEEN ${rows} PRECEDING AND 1 PRECEDING)`;
      return [`${snake(field.name)}_${verb}_${rows}`, rollingSql(verb, field, frame)];
    }),
  );
  const own = plan.columns.map((field) => ident(field.name));
  const made = [...lags, ...rolling].map(([name, sql]) => `${sql} AS ${ident(name)}`);
  // Deviations are taken from the first value of the series: known at every later row.
  const origins = centred.map(
    (name) => `coalesce(first_value(${ident(name)}) OVER (${before}), 0) AS ${ident(originName(name))}`,
  );
  const steps =
    origins.length > 0
      ? [{ name: "origins", sql: `SELECT ${[...own, ...origins].join(", ")}\nFROM ${tip(plan)}` }]
      : [];
  const from = origins.length > 0 ? "origins" : tip(plan);
  return extended(plan, [
    ...steps,
    { name: "history", sql: `SELECT ${[...own, ...made].join(", ")}\nFROM ${from}` },
  ]);
}

const originName = (column: string): string => `origin of ${column}`;

function rollingSql(verb: RollingVerb, field: Field, frame: string): string {
  const value = finite(ident(field.name), field.type);
  switch (verb) {
    case "sum":
      return sumOf(value, field.type, frame);
    case "mean":
      return meanOf(value, field.type, frame);
    case "std":
      return deviationOf(value, ident(originName(field.name)), frame);
    default:
      return `${verb}(${value})${frame}`;
  }
}
