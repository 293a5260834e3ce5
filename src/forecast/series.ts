import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Engine } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { exactSum, ident, numeric } from "../engine/sql.js";
import { backFill, endWhereRowsEnd, filling, laidOut, shared, type Laid } from "./fill-series.js";
import { holidayColumns } from "./calendar.js";
import { columnNamed, isNumeric, kindOf, type Relation } from "../table/relation.js";
import { warnOfPart } from "./partial-period.js";
import { stagedRows, type Periods, type StagedRows } from "./staged-rows.js";
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
  /** Series must end with the last period of the table, as those of a hierarchy. */
  together?: boolean;
  /** Columns of numbers that are known for the periods ahead as well: rows after a series' last value hold them. */
  regressors?: readonly string[];
  /** Calendars whose holidays become regressors. */
  holidays?: readonly string[];
  /** A column of stock: a value on a day without stock is unknown, not the demand. */
  censoredBy?: string;
}

/** Many series in memory that the threads share: the values of series s lie at starts[s]..starts[s+1], oldest first, none missing. */
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
  filled: {
    rule: FillRule;
    gaps: number;
    tail: number;
    missing: number;
    /** Series that go on from an end of their own, before the last period of the table. */
    ended: number;
  };
  /** Values of regressors: those of series s at starts[s] + s * horizon, its history and the horizon long. */
  known: { name: string; values: Float64Array }[];
}

/**
 * Reads series from a long table: the engine adds up rows of a period exactly and sorts, some series at a time; gaps are filled here.
 *
 * Fill rules: `zero` takes a period without a row for a zero, also between the last row of a series and the
 * last period of the table (by default only where gaps are usual); `previous` repeats the value before; `none` closes gaps up. A row whose value is
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
  const rows = `SELECT * FROM (${relation.sql}) WHERE ${ident(time.name)} IS NOT NULL`;
  await countUsable(relation, rows, time.name, value.name, run);
  if (!isNumeric(value.type) && kindOf(value.type) !== "boolean") await refuseValues(relation, value);
  const names = columns.map((column) => column.name);
  const axis = await timeAxis(engine, rows, time, names, ask.freq, relation.name);
  if (ask.aggregate === "sum") await warnOfPart(engine, rows, time, value.name, axis, run);
  const table = await seriesTable(relation, rows, names);
  const stock =
    ask.censoredBy === undefined ? undefined : columnNamed(relation, ask.censoredBy, "--censored-by");
  const regressors = (ask.regressors ?? []).map((name) => numbersColumn(relation, name));
  const rule = ask.fill ?? (axis.firstDay ? "zero" : "previous");
  if ((regressors.length > 0 || ask.holidays?.length) && rule === "none")
    throw new ShopaiError("usage", "regressors belong to periods, and --fill none has none", {
      try: "--fill zero or previous",
    });
  const amount = await amountSql(relation, rows, value, ask.aggregate, run, stock?.name);
  const same = names.map((name) => `r.${ident(name)} IS NOT DISTINCT FROM s.${ident(name)}`);
  const staged = await stagedRows(
    engine,
    `SELECT s._sid AS sid, ${axis.toPeriod(`r.${ident(time.name)}`)}::BIGINT AS period, ${[`${amount.column} AS value`, ...regressors.map((field, i) => `r.${ident(field.name)}::DOUBLE AS x${i}`)].join(", ")}
       FROM (${rows}) r JOIN ${ident(table)} s ON ${same.join(" AND ") || "true"}`,
    regressors.length > 0,
  );
  const { base, span } = staged;
  if (span >= 2 ** 31 - 1)
    throw new ShopaiError("data", `the times in ${time.name} span ${grouped(span)} ${axis.word}`, {
      where: relation.name,
      try: "--freq with a longer period, or --where without the stray times",
    });
  await warnOfStray(engine, staged, axis, time.name, run);
  const laid = laidOut(staged, rule, relation.name);
  const known = regressors.map(({ name }) => ({
    name,
    values: shared(laid.values.length + staged.count * ask.horizon).fill(NaN),
  }));
  const fill = filling(laid, staged, rule);
  const select = [`${amount.sum} AS value`, ...known.map((_, i) => `max(x${i}) AS x${i}`)];
  for await (const periods of staged.periods(select, known.length)) {
    run.signal.throwIfAborted();
    fill.take(periods);
    known.forEach(({ values }, i) => placeKnown(values, periods, i, laid, ask.horizon));
  }
  staged.drop();
  const filled = fill.done();
  if (rule === "zero" && ask.fill === undefined && !ask.together) {
    filled.ended = endWhereRowsEnd(laid, staged, filled.gaps, known, ask.horizon);
    if (filled.ended > 0) filled.tail = 0;
  }
  const set: SeriesSet = {
    ...{ count: staged.count, ...laid, base, axis, time, columns, table },
    values: laid.values.subarray(0, laid.starts[staged.count]),
    filled,
    known,
  };
  for (const column of known) completeKnown(relation, set, column, ask.horizon);
  if (ask.holidays?.length) set.known.push(...holidaysOf(set, ask.holidays, ask.horizon));
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

/** Puts the values of a regressor in their places in history and future. */
function placeKnown(
  values: Float64Array,
  { sid, period, known }: Periods,
  i: number,
  { starts, last }: Laid,
  horizon: number,
): void {
  for (let row = 0; row < sid.length; row++) {
    const s = sid[row];
    const length = starts[s + 1] - starts[s];
    const place = period[row] - (last[s] - length + 1);
    if (place >= 0 && place < length + horizon) values[starts[s] + s * horizon + place] = known[i][row];
  }
}

/**
 * A regressor over the histories and the horizon: in the history a period without one takes the value before; in the future every
 * period must have one.
 *
 * @throws ShopaiError "data" where future values are missing
 */
function completeKnown(
  relation: Relation,
  set: SeriesSet,
  { name, values }: { name: string; values: Float64Array },
  horizon: number,
): void {
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
}

function holidaysOf(set: SeriesSet, codes: readonly string[], horizon: number): SeriesSet["known"] {
  const { firstDay } = set.axis;
  if (!firstDay)
    throw new ShopaiError("usage", "holidays need dates, and the times are plain numbers", {
      try: "leaving --holidays out",
    });
  const longest = set.last.reduce((most, last) => Math.max(most, last), 0) + horizon + 2;
  const firstDays = Float64Array.from({ length: longest }, (_, p) => firstDay(set.base + p));
  return holidayColumns(codes, firstDays).map(({ name, values: days }) => {
    const values = shared(set.values.length + set.count * horizon);
    for (let s = 0; s < set.count; s++)
      values.set(days.subarray(firstOf(set, s), set.last[s] + 1 + horizon), set.starts[s] + s * horizon);
    return { name, values };
  });
}

async function countUsable(
  relation: Relation,
  rows: string,
  time: string,
  value: string,
  run: Run,
): Promise<void> {
  const [{ all, timed, known }] = await relation.engine.rows<Record<"all" | "timed" | "known", bigint>>(
    `SELECT (SELECT count(*) FROM (${relation.sql})) AS "all", count(*) AS timed, count(${ident(value)}) AS known FROM (${rows})`,
  );
  if (timed === 0n)
    throw new ShopaiError("data", all === 0n ? "the table has no rows" : `no row has a time in ${time}`, {
      where: relation.name,
    });
  if (known === 0n) throw new ShopaiError("data", `no row has a value in ${value}`, { where: relation.name });
  if (timed < all) run.warn(`${grouped(all - timed)} rows without a time in ${time} are left out`);
}

/** A gap that no series has a row in is odd from so many periods on, where it is longer than all that have one. */
const oddGap = 100;

/** A year that was mistyped makes centuries of zeros, or of one value. */
async function warnOfStray(
  engine: Engine,
  staged: StagedRows,
  axis: TimeAxis,
  time: string,
  run: Run,
): Promise<void> {
  const longest = staged.rows.reduce((most, rows) => Math.max(most, rows), 0);
  if (staged.span <= oddGap || staged.span < 2 * longest) return;
  const { after, gap, periods } = await staged.widestGap();
  if (gap < oddGap || gap < periods) return;
  const [{ from, to }] = await engine.rows<{ from: string; to: string }>(
    `SELECT ${axis.fromPeriod(`${after}`)}::VARCHAR AS "from", ${axis.fromPeriod(`${after + gap + 1}`)}::VARCHAR AS "to"`,
  );
  run.warn(
    `no series has a row between ${from} and ${to} (${grouped(gap)} ${axis.word}): if a ${time} is mistyped, leave it out by --where`,
  );
}

/** Says what keeps values from being numbers. */
async function refuseValues(
  relation: Relation,
  { name, type }: { name: string; type: string },
): Promise<never> {
  const odd = `TRY_CAST(${ident(name)}::VARCHAR AS DOUBLE) IS NULL AND ${ident(name)} IS NOT NULL`;
  const [{ all, none, example }] = await relation.engine.rows<{
    all: bigint;
    none: bigint;
    example: string | null;
  }>(
    `SELECT count(*) AS "all", count(*) FILTER (${odd}) AS none, min(${ident(name)}::VARCHAR) FILTER (${odd}) AS example FROM (${relation.sql})`,
  );
  const some = none < all;
  throw new ShopaiError(
    "data",
    some
      ? `the values in ${name} are text, and ${grouped(none)} of ${grouped(all)} are no numbers (such as "${example}")`
      : `the values in ${name} are ${type}, not numbers`,
    {
      where: relation.name,
      try: some
        ? "shopai clean with a contract (shopai inspect --contract writes one), which makes numbers of texts"
        : "--value with a column of numbers",
    },
  );
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

/** The column of values to stage, null where it is unknown, and its aggregate over a period: exact for any order of rows. */
async function amountSql(
  relation: Relation,
  rows: string,
  value: { name: string; type: string },
  aggregate: "sum" | "mean",
  run: Run,
  stock: string | undefined,
): Promise<{ column: string; sum: string }> {
  const kind = kindOf(value.type);
  const column =
    stock === undefined
      ? `r.${ident(value.name)}`
      : `(CASE WHEN r.${ident(stock)} > 0 THEN r.${ident(value.name)} END)`;
  const share = aggregate === "mean" ? " / count(value)" : "";
  if (kind === "boolean") return { column: `${column}::INTEGER`, sum: `sum(value)::DOUBLE${share}` };
  if (kind !== "float") return { column, sum: `(sum(value)::DOUBLE${share})` };
  const [{ largest, odd }] = await relation.engine.rows<{ largest: number | null; odd: bigint }>(
    `SELECT max(abs(${column})) FILTER (isfinite(${column}))::DOUBLE AS largest, count(*) FILTER (NOT isfinite(${column})) AS odd FROM (${rows}) r`,
  );
  if (odd > 0n) run.warn(`${grouped(odd)} values in ${value.name} are NaN or infinite: taken for unknown`);
  const bits = numeric(61 - Math.ceil(Math.log2(Math.max(largest ?? 1, 1e-300))));
  return {
    column: `CASE WHEN isfinite(${column}) THEN ${column}::DOUBLE END`,
    sum: `(CASE WHEN count(value) = 1 THEN max(value) ELSE ${exactSum("value", bits)} END${share})`,
  };
}
