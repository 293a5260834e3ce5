import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { floats, integers } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { exactSum, ident, numeric } from "../engine/sql.js";
import { holidayColumns } from "./calendar.js";
import { columnNamed, isNumeric, kindOf, type Relation } from "../table/relation.js";
import { timeAxis, type Frequency, type TimeAxis } from "./frequency.js";

/** What a period without a row is taken for. */
export const fillRules = ["zero", "previous", "none"] as const;
export type FillRule = (typeof fillRules)[number];

export interface SeriesAsk {
  /** Columns that tell series apart; none for one series. */
  series: readonly string[];
  time: string;
  value: string;
  freq?: Frequency;
  /** Several rows of a series within a period: their sum or their mean. */
  aggregate: "sum" | "mean";
  fill?: FillRule;
  /** Columns of numbers that are known for the periods ahead as well: rows after a series' last value hold them. */
  regressors?: readonly string[];
  /** Calendars whose holidays become regressors. */
  holidays?: readonly string[];
  /** A column of stock: a value on a day without stock is unknown, not the demand. */
  censoredBy?: string;
}

/** Many series in memory: the values of series s lie at starts[s]..starts[s+1], oldest first, none missing. */
export interface SeriesSet {
  count: number;
  starts: Int32Array;
  values: Float64Array;
  /** Period of the last value of every series, relative to `base`. */
  last: Int32Array;
  base: number;
  axis: TimeAxis;
  time: { name: string; type: string };
  /** Names and types of the series columns. */
  columns: { name: string; type: string }[];
  /** A table of the engine: `_sid` and the series columns. */
  table: string;
  filled: { rule: FillRule; gaps: number; tail: number; missing: number };
  /** Values of regressors: those of series s at starts[s] + s * horizon, its history and the horizon long. */
  known: { name: string; values: Float64Array }[];
}

/** Most values after filling: a stray date of 1900 must not ask for all memory. */
const mostValues = 200_000_000;

/**
 * Reads series from a long table: the engine adds up rows of a period exactly and sorts; gaps are filled here.
 *
 * Fill rules: `zero` takes a period without a row for a zero, also between the last row of a series and the
 * last period of the table; `previous` repeats the value before; `none` closes gaps up. A row whose value is
 * null is unknown, not zero: it repeats the value before (the one after, at the start).
 *
 * @throws ShopaiError "data" for columns that are missing or of another kind, and for a table without a usable row
 */
export async function readSeries(
  relation: Relation,
  ask: SeriesAsk & { horizon: number },
  run: Run,
): Promise<SeriesSet> {
  const { engine } = relation;
  const time = columnNamed(relation, ask.time, "--time");
  const value = columnNamed(relation, ask.value, "--value");
  const columns = ask.series.map((name) => columnNamed(relation, name, "--series"));
  if (!isNumeric(value.type) && kindOf(value.type) !== "boolean")
    throw new ShopaiError("data", `the values in ${value.name} are ${value.type}, not numbers`, {
      where: relation.name,
      try: "--value with a column of numbers",
    });
  const rows = `SELECT * FROM (${relation.sql}) WHERE ${ident(time.name)} IS NOT NULL`;
  await countUsable(relation, rows, time.name, run);
  const names = columns.map((column) => column.name);
  const axis = await timeAxis(engine, rows, time, names, ask.freq, relation.name);
  const table = await seriesTable(relation, rows, names);
  const stock =
    ask.censoredBy === undefined ? undefined : columnNamed(relation, ask.censoredBy, "--censored-by");
  const amount = await amountSql(relation, rows, value, ask.aggregate, run, stock?.name);
  const regressors = (ask.regressors ?? []).map((name) => numbersColumn(relation, name));
  const same = names.map((name) => `r.${ident(name)} IS NOT DISTINCT FROM s.${ident(name)}`);
  const periods = engine.fresh("periods");
  await engine.run(
    `CREATE TABLE ${ident(periods)} AS SELECT s._sid, ${axis.toPeriod(`r.${ident(time.name)}`)} AS period, ${[`${amount} AS value`, ...regressors.map((field, i) => `max(r.${ident(field.name)})::DOUBLE AS x${i}`)].join(", ")}
       FROM (${rows}) r JOIN ${ident(table)} s ON ${same.join(" AND ") || "true"} GROUP BY ALL`,
  );
  const all = `SELECT *, max(period) FILTER (value IS NOT NULL) OVER (PARTITION BY _sid) AS final FROM ${ident(periods)}`;
  // Rows after the last value of a series are its future, where there are regressors to tell of it.
  const past =
    regressors.length > 0
      ? `SELECT * FROM (${all}) WHERE period <= final`
      : `SELECT * FROM ${ident(periods)}`;
  const [{ count, base, span }] = await engine.rows<{ count: bigint; base: bigint; span: bigint }>(
    `SELECT (SELECT count(*) FROM ${ident(table)}) AS count, min(period)::BIGINT AS base, (max(period) - min(period))::BIGINT AS span FROM (${past})`,
  );
  if (span >= 2n ** 31n - 1n)
    throw new ShopaiError("data", `the times in ${time.name} span ${grouped(span)} ${axis.word}`, {
      where: relation.name,
      try: "--freq with a longer period, or --where without the stray times",
    });
  const frame = await engine.frame(
    `SELECT _sid AS sid, (period - ${base})::INTEGER AS period, value FROM (${past}) ORDER BY _sid, period`,
    [
      { name: "sid", as: "i32" },
      { name: "period", as: "i32" },
      { name: "value", as: "f64" },
    ],
  );
  const rule = ask.fill ?? (axis.freq && kindOf(time.type) !== "integer" ? "zero" : "previous");
  const filled = filledSeries(
    { sid: integers(frame, "sid"), period: integers(frame, "period"), value: floats(frame, "value") },
    Number(count),
    Number(span),
    rule,
    relation.name,
  );
  const set: SeriesSet = {
    ...{ count: Number(count), ...filled, base: Number(base), axis, time, columns, table },
    known: [],
  };
  if ((regressors.length > 0 || ask.holidays?.length) && rule === "none")
    throw new ShopaiError("usage", "regressors belong to periods, and --fill none has none", {
      try: "--fill zero or previous",
    });
  if (regressors.length > 0)
    set.known.push(...(await knownColumns(relation, set, periods, regressors, ask.horizon)));
  if (ask.holidays?.length) set.known.push(...holidaysOf(set, ask.holidays, ask.horizon));
  await engine.run(`DROP TABLE ${ident(periods)}`);
  return set;
}

/** The field of a regressor. */
function numbersColumn(relation: Relation, name: string): { name: string; type: string } {
  const field = columnNamed(relation, name, "--regressors");
  if (!isNumeric(field.type) && kindOf(field.type) !== "boolean")
    throw new ShopaiError("data", `the regressor ${field.name} is ${field.type}, not numbers`, {
      where: relation.name,
      try: "a column of numbers, 0 and 1 for yes and no",
    });
  return { name: field.name, type: field.type };
}

/** The period of the first value of a series, relative to the base. */
export const firstOf = (set: SeriesSet, s: number): number =>
  set.last[s] - (set.starts[s + 1] - set.starts[s]) + 1;

/**
 * Regressors of every series over its history and the horizon. In the history a period without one takes the value before;
 * in the future every period must have one.
 *
 * @throws ShopaiError "data" where future values are missing
 */
async function knownColumns(
  relation: Relation,
  set: SeriesSet,
  periods: string,
  regressors: readonly { name: string }[],
  horizon: number,
): Promise<SeriesSet["known"]> {
  const frame = await relation.engine.frame(
    `SELECT _sid AS sid, (period - ${set.base})::INTEGER AS period, ${regressors.map((_, i) => `x${i}`).join(", ")} FROM ${ident(periods)} ORDER BY _sid, period`,
    [
      { name: "sid", as: "i32" },
      { name: "period", as: "i32" },
      ...regressors.map((_, i) => ({ name: `x${i}`, as: "f64" }) as const),
    ],
  );
  const sid = integers(frame, "sid");
  const period = integers(frame, "period");
  return regressors.map(({ name }, i) => {
    const given = floats(frame, `x${i}`);
    const values = new Float64Array(set.values.length + set.count * horizon).fill(NaN);
    for (let row = 0; row < given.length; row++) {
      const s = sid[row];
      const place = period[row] - firstOf(set, s);
      const length = set.starts[s + 1] - set.starts[s] + horizon;
      if (place >= 0 && place < length) values[set.starts[s] + s * horizon + place] = given[row];
    }
    let missing = 0;
    for (let s = 0; s < set.count; s++) {
      const own = values.subarray(set.starts[s] + s * horizon, set.starts[s + 1] + (s + 1) * horizon);
      if (own.subarray(own.length - horizon).some(Number.isNaN)) missing++;
      backFill(own);
      for (let t = 1; t < own.length; t++) if (Number.isNaN(own[t])) own[t] = own[t - 1];
    }
    if (missing > 0)
      throw new ShopaiError(
        "data",
        `the regressor ${name} lacks values of the next ${horizon} ${set.axis.word} in ${grouped(missing)} of ${grouped(set.count)} series`,
        {
          where: relation.name,
          try: `rows for the periods ahead, with ${name} and without the value`,
        },
      );
    return { name, values };
  });
}

function holidaysOf(set: SeriesSet, codes: readonly string[], horizon: number): SeriesSet["known"] {
  const { firstDay } = set.axis;
  if (!firstDay)
    throw new ShopaiError("usage", "holidays need dates, and the times are plain numbers", {
      try: "leaving --holidays out",
    });
  const longest = set.last.reduce((most, last) => Math.max(most, last), 0) + horizon + 2;
  const firstDays = Float64Array.from({ length: longest }, (_, p) => firstDay(set.base + p));
  return holidayColumns(codes, firstDays).map(({ name, values: shared }) => {
    const values = new Float64Array(set.values.length + set.count * horizon);
    for (let s = 0; s < set.count; s++)
      values.set(shared.subarray(firstOf(set, s), set.last[s] + 1 + horizon), set.starts[s] + s * horizon);
    return { name, values };
  });
}

async function countUsable(relation: Relation, rows: string, time: string, run: Run): Promise<void> {
  const [{ all, timed }] = await relation.engine.rows<{ all: bigint; timed: bigint }>(
    `SELECT (SELECT count(*) FROM (${relation.sql})) AS "all", (SELECT count(*) FROM (${rows})) AS timed`,
  );
  if (timed === 0n)
    throw new ShopaiError("data", all === 0n ? "the table has no rows" : `no row has a time in ${time}`, {
      where: relation.name,
    });
  if (timed < all) run.warn(`${grouped(all - timed)} rows without a time in ${time} are left out`);
}

/** Numbers the series in the order of their columns. */
async function seriesTable(relation: Relation, rows: string, names: readonly string[]): Promise<string> {
  const table = relation.engine.fresh("series");
  const list = names.map(ident).join(", ");
  await relation.engine.run(
    names.length === 0
      ? `CREATE TABLE ${ident(table)} AS SELECT 0::INTEGER AS _sid`
      : `CREATE TABLE ${ident(table)} AS SELECT (row_number() OVER (ORDER BY ${list}) - 1)::INTEGER AS _sid, * FROM (SELECT DISTINCT ${list} FROM (${rows}))`,
  );
  return table;
}

/** An aggregate over the rows of one period, exact for any order of rows; null where all are null. */
async function amountSql(
  relation: Relation,
  rows: string,
  value: { name: string; type: string },
  aggregate: "sum" | "mean",
  run: Run,
  stock: string | undefined,
): Promise<string> {
  const kind = kindOf(value.type);
  const column =
    stock === undefined
      ? `r.${ident(value.name)}`
      : `(CASE WHEN r.${ident(stock)} > 0 THEN r.${ident(value.name)} END)`;
  const share = aggregate === "mean" ? ` / count(${column})` : "";
  if (kind === "boolean") return `sum(${column}::INTEGER)::DOUBLE${share}`;
  if (kind !== "float") return `(sum(${column})::DOUBLE${share})`;
  const [{ largest, odd }] = await relation.engine.rows<{ largest: number | null; odd: bigint }>(
    `SELECT max(abs(${column})) FILTER (isfinite(${column}))::DOUBLE AS largest, count(*) FILTER (NOT isfinite(${column})) AS odd FROM (${rows}) r`,
  );
  if (odd > 0n) run.warn(`${grouped(odd)} values in ${value.name} are NaN or infinite: taken for unknown`);
  const finite = `CASE WHEN isfinite(${column}) THEN ${column}::DOUBLE END`;
  const bits = numeric(61 - Math.ceil(Math.log2(Math.max(largest ?? 1, 1e-300))));
  const sum = `CASE WHEN count(${finite}) = 1 THEN max(${finite}) ELSE ${exactSum(finite, bits)} END`;
  return aggregate === "mean" ? `(${sum} / count(${finite}))` : `(${sum})`;
}

interface SortedPeriods {
  sid: Int32Array;
  period: Int32Array;
  /** NaN where the value is unknown. */
  value: Float64Array;
}

/** Lays the series out one after the other, gaps filled. Series without any known value have length 0. */
function filledSeries(
  { sid, period, value }: SortedPeriods,
  count: number,
  span: number,
  rule: FillRule,
  where: string,
): Pick<SeriesSet, "starts" | "values" | "last" | "filled"> {
  const starts = new Int32Array(count + 1);
  const last = new Int32Array(count);
  let total = 0;
  for (let row = 0; row < sid.length;) {
    const series = sid[row];
    const from = row;
    while (row < sid.length && sid[row] === series) row++;
    last[series] = rule === "zero" ? span : period[row - 1];
    total += rule === "none" ? row - from : last[series] - period[from] + 1;
    starts[series + 1] = total;
    if (total > mostValues)
      throw new ShopaiError(
        "data",
        `the series would have more than ${grouped(mostValues)} values once gaps are filled`,
        {
          where,
          try: "--freq with a longer period, --where without stray times, or --fill none",
        },
      );
  }
  const values = new Float64Array(total);
  const filled = { rule, gaps: 0, tail: 0, missing: 0 };
  for (let row = 0; row < sid.length;) {
    const series = sid[row];
    const from = row;
    let place = starts[series];
    let known = NaN;
    for (; row < sid.length && sid[row] === series; row++) {
      const gap = row === from || rule === "none" ? 0 : period[row] - period[row - 1] - 1;
      for (let i = 0; i < gap; i++) values[place++] = rule === "zero" ? 0 : known;
      filled.gaps += gap;
      if (gap > 0 && rule === "zero") known = 0;
      if (Number.isNaN(value[row])) filled.missing++;
      else known = value[row];
      values[place++] = known;
    }
    filled.tail += starts[series + 1] - place;
    backFill(values.subarray(starts[series], place));
  }
  return { starts, values, last, filled };
}

/** Unknown values at the start take the first known one; 0 when there is none. */
function backFill(values: Float64Array): void {
  const first = values.findIndex((value) => !Number.isNaN(value));
  for (let i = 0; i < values.length && Number.isNaN(values[i]); i++)
    values[i] = first < 0 ? 0 : values[first];
}
