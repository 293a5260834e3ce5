import type { Engine } from "../engine/engine.js";
import { ident, literal } from "../engine/sql.js";
import type { Frequency } from "./frequency.js";

/** A way to spell days, weeks, months or quarters as text or as a number, as SQL. */
export interface Spelling {
  /** What it looks like, for messages. */
  example: string;
  /** The shortest period that it can tell. */
  finest: Frequency;
  /** The first day of what is spelled; null for another spelling. */
  toDate(expression: string): string;
  /** The spelling of a date. */
  fromDate(date: string): string;
}

/** A spelling that the engine's format codes can tell. */
const formatted = (finest: Frequency, example: string, format: string): Spelling => ({
  ...{ example, finest },
  toDate: (text) => `try_strptime(${text}, ${literal(format)})::DATE`,
  fromDate: (date) => `strftime(${date}, ${literal(format)})`,
});

const quarters = (
  example: string,
  pattern: string,
  spell: (year: string, quarter: string) => string,
): Spelling => ({
  ...{ example, finest: "Q" },
  toDate: (text) =>
    `CASE WHEN regexp_full_match(${text}, ${literal(pattern)}) THEN make_date(regexp_extract(${text}, '[0-9]{4}')::INTEGER, 3 * regexp_extract(${text}, '[Qq]([1-4])', 1)::INTEGER - 2, 1) END`,
  fromDate: (date) => spell(`year(${date})`, `quarter(${date})`),
});

const weeks = (example: string, between: string): Spelling => ({
  ...{ example, finest: "W" },
  toDate: (text) =>
    `CASE WHEN regexp_full_match(${text}, ${literal(`[0-9]{4}${between}[0-9]{1,2}`)}) THEN try_strptime(replace(${text}, ${literal(between)}, '-') || '-1', '%G-%V-%u')::DATE END`,
  fromDate: (date) => `strftime(${date}, ${literal(`%G${between}%V`)})`,
});

const yearFirst = (between: string) => (year: string, quarter: string) =>
  `(${year}::VARCHAR || ${literal(between)} || ${quarter}::VARCHAR)`;

const texts: readonly Spelling[] = [
  formatted("D", "1990-01-31", "%Y-%m-%d"),
  formatted("Y", "1990", "%Y"),
  formatted("M", "1990-01", "%Y-%m"),
  formatted("M", "1990/01", "%Y/%m"),
  formatted("M", "1990M01", "%YM%m"),
  formatted("M", "1990 Jan", "%Y %b"),
  formatted("M", "Jan 1990", "%b %Y"),
  formatted("M", "Jan-1990", "%b-%Y"),
  formatted("M", "January 1990", "%B %Y"),
  ...["Q", "q"].flatMap((letter) => [
    ...["", " ", "-"].map((between) =>
      quarters(
        `1990${between}${letter}1`,
        `[0-9]{4}${between}${letter}[1-4]`,
        yearFirst(`${between}${letter}`),
      ),
    ),
    ...["", " ", "-"].map((between) =>
      quarters(
        `${letter}1${between}1990`,
        `${letter}[1-4]${between}[0-9]{4}`,
        (year, quarter) =>
          `(${literal(letter)} || ${quarter}::VARCHAR || ${literal(between)} || ${year}::VARCHAR)`,
      ),
    ),
  ]),
  weeks("1990-W05", "-W"),
  weeks("1990 W05", " W"),
  weeks("1990W05", "W"),
];

const within = (number: string, low: number, high: number, then: string): string =>
  `CASE WHEN ${number} BETWEEN ${low} AND ${high} THEN ${then} END`;

const numbers: readonly Spelling[] = [
  {
    ...{ example: "199001", finest: "M" },
    toDate: (number) =>
      within(number, 180001, 219912, `try_strptime(${number}::VARCHAR || '01', '%Y%m%d')::DATE`),
    fromDate: (date) => `(100 * year(${date}) + month(${date}))`,
  },
  {
    ...{ example: "19900131", finest: "D" },
    toDate: (number) =>
      within(number, 18000101, 21991231, `try_strptime(${number}::VARCHAR, '%Y%m%d')::DATE`),
    fromDate: (date) => `(10000 * year(${date}) + 100 * month(${date}) + day(${date}))`,
  },
];

/**
 * The spelling that all of a column's times have; undefined where none fits all of them. Numbers are taken for months or days only where more than
 * one year of them is seen, so that plain counts stay what they are.
 *
 * @param rows a SELECT
 * @param name and kind of the column
 */
export async function spellingOf(
  engine: Engine,
  rows: string,
  name: string,
  kind: "text" | "integer",
): Promise<Spelling | undefined> {
  const column = ident(name);
  const known = kind === "text" ? texts : numbers;
  const fits = known.map((spelling, i) => {
    const date = spelling.toDate(column);
    const all = `bool_and(${date} IS NOT NULL)`;
    return `${kind === "text" ? all : `${all} AND min(year(${date})) < max(year(${date}))`} AS f${i}`;
  });
  const [found] = await engine.rows<Record<string, boolean | null>>(
    `SELECT ${fits.join(", ")} FROM (SELECT DISTINCT ${column} FROM (${rows}))`,
  );
  return known.find((_, i) => found[`f${i}`] === true);
}

/** Examples of the spellings of text, for messages. */
export const spellingExamples = ["1990-01", "1990 Jan", "1990 Q1", "1990-W05"];
