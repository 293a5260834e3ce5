import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Engine } from "../engine/engine.js";
import { ident } from "../engine/sql.js";
import { kindOf } from "../table/relation.js";
import { spellingExamples, spellingOf } from "./spelled-times.js";

/** Distances between periods, with the seasons that usually go with them, the main one first. */
export const frequencies = {
  H: { word: "hours", seasons: [24, 168] },
  D: { word: "days", seasons: [7] },
  W: { word: "weeks", seasons: [52] },
  M: { word: "months", seasons: [12] },
  Q: { word: "quarters", seasons: [4] },
  Y: { word: "years", seasons: [1] },
} as const;
export type Frequency = keyof typeof frequencies;
export const frequencyNames = Object.keys(frequencies) as [Frequency, ...Frequency[]];

/** How times become numbers of periods and back, as SQL. */
export interface TimeAxis {
  /** Undefined for a time column of plain numbers. */
  freq?: Frequency;
  /** What periods are called: "days". */
  word: string;
  /** An expression for the number of the period of a time expression. */
  toPeriod(time: string): string;
  /** An expression for the time of a period expression, of the column's own type. */
  fromPeriod(period: string): string;
  /** The first day of a period, in days since 1970-01-01; absent for plain numbers. */
  firstDay?(period: number): number;
}

/**
 * The axis of a time column.
 *
 * @param rows    a SELECT with the time and series columns, times not null
 * @param time    name and type of the time column
 * @param series  names of the series columns, for finding the usual distance within a series
 * @param asked   the frequency that the user gave; found from the usual distance by default
 * @throws ShopaiError "data" when the column is neither date, timestamp nor integer; "usage" when the distance must be said
 */
export async function timeAxis(
  engine: Engine,
  rows: string,
  time: { name: string; type: string },
  series: readonly string[],
  asked: Frequency | undefined,
  where: string,
): Promise<TimeAxis> {
  const kind = kindOf(time.type);
  const spelling =
    kind === "text" || kind === "integer" ? await spellingOf(engine, rows, time.name, kind) : undefined;
  if (kind === "integer" && !spelling) return numberAxis(engine, rows, time, series, asked);
  if (!spelling && kind !== "date" && kind !== "timestamp")
    throw new ShopaiError(
      "data",
      kind === "text"
        ? await textFault(engine, rows, time.name)
        : `the times in ${time.name} are ${time.type}, not dates, timestamps or integers`,
      {
        where,
        try: "shopai clean with a contract (shopai inspect --contract writes one), which makes dates of texts",
      },
    );
  const dateOf = (expression: string): string => (spelling ? `(${spelling.toDate(expression)})` : expression);
  const own = dateOf(ident(time.name));
  const finest = spelling?.finest ?? (kind === "date" ? "D" : "H");
  const freq = asked ?? (await usualFrequency(engine, rows, { name: time.name, own, finest }, series, where));
  if (frequencyNames.indexOf(freq) < frequencyNames.indexOf(finest))
    throw new ShopaiError(
      "usage",
      `${time.name} holds ${spelling ? frequencies[finest].word : "dates"}, which cannot be ${frequencies[freq].word}`,
      { where, try: `--freq ${finest}` },
    );
  const { toPeriod, fromPeriod, firstDay } = await calendar(engine, rows, own, freq);
  return {
    freq,
    word: frequencies[freq].word,
    toPeriod: (expression) => toPeriod(dateOf(expression)),
    fromPeriod: (period) => `(${spelling?.fromDate(fromPeriod(period)) ?? fromPeriod(period)})::${time.type}`,
    firstDay,
  };
}

/** What keeps texts from being times: how many of them are none, with an example. */
async function textFault(engine: Engine, rows: string, name: string): Promise<string> {
  const odd = `TRY_CAST(${ident(name)} AS TIMESTAMP) IS NULL`;
  const [{ all, none, example }] = await engine.rows<{ all: bigint; none: bigint; example: string | null }>(
    `SELECT count(*) AS "all", count(*) FILTER (${odd}) AS none, min(${ident(name)}) FILTER (${odd}) AS example FROM (${rows})`,
  );
  const some = none > 0n && none < all;
  return some
    ? `the times in ${name} are text, and ${grouped(none)} of ${grouped(all)} are no dates (such as "${example}")`
    : `the times in ${name} are text, and not one spelling of periods (${spellingExamples.join(", ")})`;
}

/** Plain numbers: the usual distance within a series is one period. */
async function numberAxis(
  engine: Engine,
  rows: string,
  time: { name: string; type: string },
  series: readonly string[],
  asked: Frequency | undefined,
): Promise<TimeAxis> {
  const distance = (await usualDistance(engine, rows, `${ident(time.name)}::BIGINT`, series))?.gap ?? 1n;
  const [{ first }] = await engine.rows<{ first: bigint }>(
    `SELECT min(${ident(time.name)}::BIGINT) AS first FROM (${rows})`,
  );
  return {
    freq: asked,
    word: asked ? frequencies[asked].word : "periods",
    toPeriod: (expression) => `((${expression}::BIGINT - ${first}) // ${distance})`,
    fromPeriod: (period) => `(${first} + (${period}) * ${distance})::${time.type}`,
  };
}

/** The commonest distance between neighbours within a series, in the unit of the expression, and its share; the smaller of equals. */
async function usualDistance(
  engine: Engine,
  rows: string,
  expression: string,
  series: readonly string[],
): Promise<{ gap: bigint; share: number } | undefined> {
  const names = series.map(ident);
  const partition = names.length > 0 ? `PARTITION BY ${names.join(", ")} ` : "";
  const [found] = await engine.rows<{ gap: bigint; share: number }>(
    `SELECT gap, count(*) / sum(count(*)) OVER () AS share FROM (SELECT t - lag(t) OVER (${partition}ORDER BY t) AS gap
       FROM (SELECT DISTINCT ${[...names, `${expression} AS t`].join(", ")} FROM (${rows})))
      WHERE gap > 0 GROUP BY gap ORDER BY count(*) DESC, gap LIMIT 1`,
  );
  return found;
}

async function usualFrequency(
  engine: Engine,
  rows: string,
  time: { name: string; own: string; finest: Frequency },
  series: readonly string[],
  where: string,
): Promise<Frequency> {
  const microseconds = `epoch_us((${time.own})::TIMESTAMP)`;
  const usual = await usualDistance(engine, rows, microseconds, series);
  const gap = usual?.gap;
  if (gap === undefined && time.finest !== "H") return time.finest;
  const days = gap === undefined ? NaN : Number(gap) / 86_400e6;
  if (gap !== undefined) await refuseMixed(engine, rows, microseconds, series, gap, where);
  if (days === 1) return "D";
  if (days === 7) return "W";
  if (days >= 28 && days <= 31) return "M";
  if (days >= 90 && days <= 92) return "Q";
  if (days >= 365 && days <= 366) return "Y";
  if (days === 1 / 24) return "H";
  // Moments at no even distance are events, such as orders: what is asked is how many there are a day.
  if (days < 1 && usual!.share < 0.5) return "D";
  throw new ShopaiError(
    "usage",
    gap === undefined
      ? `no series has two times in ${time.name}, so the distance of periods must be said`
      : `times in ${time.name} usually lie ${days < 1 ? `${Math.round(days * 86_400)} seconds` : `${days} days`} apart, which is no period`,
    { where, try: "--freq D (or H, W, M, Q, Y): values within a period are added up" },
  );
}

/** Times of a series that tell of a distance of its own. */
const fewestTimes = 6;

/**
 * Series whose times lie evenly at a longer distance than is usual in the table, such as weekly ones among daily ones: filling the
 * periods between with zeros would make nonsense of them. Uneven longer distances are rare demand.
 */
async function refuseMixed(
  engine: Engine,
  rows: string,
  expression: string,
  series: readonly string[],
  usual: bigint,
  where: string,
): Promise<void> {
  if (series.length === 0) return;
  const names = series.map(ident);
  const list = names.join(", ");
  const other = await engine.rows<{ name: string; days: number; total: bigint }>(
    `SELECT concat_ws(', ', ${names.map((name) => `${name}::VARCHAR`).join(", ")}) AS name, low / 86400e6 AS days, count(*) OVER () AS total
       FROM (SELECT ${list}, min(gap) AS low, max(gap) AS high, count(*) AS times
               FROM (SELECT ${list}, t - lag(t) OVER (PARTITION BY ${list} ORDER BY t) AS gap FROM (SELECT DISTINCT ${list}, ${expression} AS t FROM (${rows})))
              WHERE gap > 0 GROUP BY ${list})
      WHERE low > 1.9 * ${usual} AND high < 1.2 * low AND times >= ${fewestTimes - 1} ORDER BY ${list} LIMIT 1`,
  );
  if (other.length === 0) return;
  const [{ name, days, total }] = other;
  throw new ShopaiError(
    "data",
    `${total} series have a time every ${Number(days.toFixed(3))} days (such as ${name}), and the others every ${Number(usual) / 86_400e6}`,
    { where, try: "--where with the series of one frequency, or --freq with the one that all shall have" },
  );
}

const epoch = "DATE '1970-01-01'";

/**
 * Times to numbers of periods and back. Times go back to the place in the period where all of the column's
 * times are: the same weekday, day of the month, last day of the month, month of the quarter or year. Where they
 * are not all at one place, a period is named by its first day (a week by the weekday of the first date).
 */
async function calendar(
  engine: Engine,
  rows: string,
  time: string,
  freq: Frequency,
): Promise<Pick<TimeAxis, "toPeriod" | "fromPeriod" | "firstDay">> {
  const day = `${time}::DATE`;
  const [place] = await engine.rows<{
    weekday: bigint;
    ends: boolean;
    day: bigint | null;
    quarter_month: bigint | null;
    year_month: bigint | null;
  }>(
    `SELECT date_diff('day', ${epoch}, min(${day})) % 7 AS weekday,
            bool_and(${day} = last_day(${day})) AND NOT bool_and(day(${day}) = 1) AS ends,
            CASE WHEN min(day(${day})) = max(day(${day})) THEN min(day(${day})) END AS day,
            CASE WHEN min((month(${day}) - 1) % 3) = max((month(${day}) - 1) % 3) THEN min((month(${day}) - 1) % 3) END AS quarter_month,
            CASE WHEN min(month(${day})) = max(month(${day})) THEN min(month(${day})) - 1 END AS year_month
       FROM (${rows})`,
  );
  const dayOf = (firstDay: string): string =>
    place.ends
      ? `last_day(${firstDay})`
      : `(${firstDay} + (least(${place.day ?? 1}, day(last_day(${firstDay}))) - 1)::INTEGER)`;
  const monthDate = (months: string): string =>
    dayOf(`make_date((${months}) // 12, (${months}) % 12 + 1, 1)`);
  const monthDay = (months: number): number => Date.UTC(Math.floor(months / 12), months % 12, 1) / 86_400_000;
  switch (freq) {
    case "H":
      return {
        toPeriod: (t) => `(epoch_us(${t}::TIMESTAMP) // 3600000000)`,
        fromPeriod: (p) => `make_timestamp((${p}) * 3600000000)`,
        firstDay: (p) => Math.floor(p / 24),
      };
    case "D":
      return {
        toPeriod: (t) => `date_diff('day', ${epoch}, ${t}::DATE)`,
        fromPeriod: (p) => `${epoch} + (${p})::INTEGER`,
        firstDay: (p) => p,
      };
    case "W":
      return {
        toPeriod: (t) => `floor((date_diff('day', ${epoch}, ${t}::DATE) - (${place.weekday})) / 7)::BIGINT`,
        fromPeriod: (p) => `${epoch} + ((${p}) * 7 + (${place.weekday}))::INTEGER`,
        firstDay: (p) => p * 7 + Number(place.weekday),
      };
    case "M":
      return {
        toPeriod: (t) => `(year(${t}::DATE) * 12 + month(${t}::DATE) - 1)`,
        fromPeriod: monthDate,
        firstDay: monthDay,
      };
    case "Q":
      return {
        toPeriod: (t) => `(year(${t}::DATE) * 4 + quarter(${t}::DATE) - 1)`,
        fromPeriod: (p) => monthDate(`((${p}) * 3 + ${place.quarter_month ?? 0})`),
        firstDay: (p) => monthDay(p * 3),
      };
    case "Y":
      return {
        toPeriod: (t) => `year(${t}::DATE)`,
        fromPeriod: (p) => monthDate(`((${p}) * 12 + ${place.year_month ?? 0})`),
        firstDay: (p) => monthDay(p * 12),
      };
  }
}
