import { listed } from "../core/errors.js";
import type { Engine, Field } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { parseContract } from "../clean/contract.js";
import { isIdName } from "../clean/infer.js";
import { normalisedText, wordsForNothing } from "../clean/repair.js";
import { conversionOf, promisedType } from "../clean/types.js";
import { distinctNames, snake } from "../features/naming.js";
import { dateParts, type DatePart } from "../features/rowwise.js";
import { countRows, kindOf, type Relation } from "../table/relation.js";
import { checkFeatures } from "./design-matrix.js";
import { spread } from "./draw.js";

/** How a feature whose values are no numbers or categories yet is read: found on the training rows, kept on the card. */
export interface FeatureReading {
  column: string;
  /** `time`: of a day, in hours. */
  type: "number" | "timestamp" | "time";
  /** Of texts: ways of writing it beside the plain one, as data contracts name them. */
  formats?: string[];
  /** Of instants: the features that are made of it. */
  parts?: { name: string; part: DatePart }[];
}

/** Features as they stand in the table, how some of them are read, and those that are left out. */
export interface FoundReadings {
  features: Field[];
  readings: FeatureReading[];
}

interface Candidate {
  type: "number" | "timestamp";
  formats: string[];
}

const instants = (day: string): Candidate => ({
  type: "timestamp",
  formats: [day, `${day} %H:%M`, `${day} %H:%M:%S`],
});

/** What texts may hold; of two that fit alike, as the orders of day and month may, the first is taken. */
const candidates: readonly Candidate[] = [
  { type: "number", formats: [] },
  { type: "number", formats: ["currency", "thousands"] },
  { type: "number", formats: ["currency", "thousands", "comma-decimal"] },
  { type: "number", formats: ["percent"] },
  { type: "timestamp", formats: [] },
  ...["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"].map(instants),
  ...["%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%b %d, %Y"].map(instants),
];

/** Share of a column's texts that must be such values; the others count as missing. */
const fitting = 0.98;
/** Texts of fewer different values stay categories, whatever they hold. */
const fewest = { number: 50, timestamp: 10 } as const;
/** Digits that such a value has at least: to try candidates takes the engine longer than to count these. */
const digits = { number: 1, timestamp: 3 } as const;
/** Rows that are looked at, and those that rule most candidates out before. */
const lookedAt = 50_000;
const lookedAtFirst = 500;
/** Columns of texts that one query looks at. */
const columnsAtOnce = 64;
/** Share of different texts from which on they tell rows apart and nothing else. */
const unlike = 0.95;

/** Parts of an instant that may tell something; those that do not vary are left out. */
const usefulParts: readonly DatePart[] = ["month", "day", "day_of_week", "hour"];

/**
 * Looks at features that are no numbers or categories as they are. Dates, times and texts that hold numbers
 * or dates are to be read as such; texts that differ in (nearly) every row, and whole numbers that do and are
 * called ids, are left out, unless they were asked for by name: what they say of the rows they say of no other.
 *
 * @param named      whether the features were chosen by name
 * @param readsWords whether the learner learns from words: then texts of words stay, however they differ
 */
export async function readingsOf(
  relation: Relation,
  features: readonly Field[],
  { named, readsWords }: { named: boolean; readsWords: boolean },
  run: Run,
): Promise<FoundReadings> {
  const ids: string[] = [];
  for (const { name, type } of named ? [] : features)
    if (kindOf(type) === "integer" && isIdName(name) && (await differs(relation, name, 1))) ids.push(name);
  const odd = features.filter(({ type }) => ["text", "date", "timestamp", "time"].includes(kindOf(type)));
  const { readings, unlikes } = await oddReadings(relation, odd, named);
  const wordy: string[] = [];
  for (const name of unlikes) if (await holdsWords(relation, name)) wordy.push(name);
  const left = [...ids, ...unlikes.filter((name) => !(readsWords && wordy.includes(name)))];
  const kept = features.filter(({ name }) => !left.includes(name));
  if (kept.length === 0) return { features: [...features], readings };
  if (left.length > 0)
    run.warn(
      `left out, for they differ in ${unlikes.length > 0 ? "nearly " : ""}every row: ${listed(left)} (--features takes them by name${wordy.length > 0 && !readsWords ? "; text-cnn learns from words, featurize --preset text makes features of them" : ""})`,
    );
  return { features: kept, readings };
}

async function oddReadings(
  relation: Relation,
  odd: readonly Field[],
  named: boolean,
): Promise<{ readings: FeatureReading[]; unlikes: string[] }> {
  if (odd.length === 0) return { readings: [], unlikes: [] };
  const { engine } = relation;
  const sample = engine.fresh("looked_at");
  const rows = spread(relation, await countRows(relation), lookedAt);
  await engine.run(
    `CREATE TABLE ${ident(sample)} AS SELECT ${odd.map(({ name }) => ident(name)).join(", ")} FROM (${rows.sql})`,
  );
  const readings: FeatureReading[] = [];
  const unlikes: string[] = [];
  const texts = odd.filter(({ type }) => kindOf(type) === "text").map(({ name }) => name);
  const found = await textReadings(engine, sample, texts);
  for (const { name, type } of odd) {
    const kind = kindOf(type);
    const reading =
      kind === "text"
        ? found.get(name)
        : ({ column: name, type: kind === "time" ? "time" : "timestamp" } as const);
    if (reading === "unlike") {
      if (!named && (await differs(relation, name))) unlikes.push(name);
    } else if (reading) readings.push(reading);
  }
  const taken = relation.schema.map((field) => field.name);
  for (const reading of readings)
    if (reading.type === "timestamp") {
      const parts = await varying(engine, sample, reading);
      const names = distinctNames(
        parts.map((part) => `${snake(reading.column)}_${part}`),
        taken,
      );
      taken.push(...names);
      reading.parts = parts.map((part, i) => ({ name: names[i], part }));
    }
  await engine.run(`DROP TABLE ${ident(sample)}`);
  return { readings, unlikes };
}

/** What columns of texts hold; nothing for categories. */
async function textReadings(
  engine: Engine,
  sample: string,
  names: readonly string[],
): Promise<Map<string, FeatureReading | "unlike">> {
  const looks = await looksOf(engine, sample, names);
  const possible = looks.map((look) => candidates.filter((candidate) => mayBe(look, candidate)));
  const tried = names.flatMap((name, i) => (possible[i].length > 0 ? [{ name, possible: possible[i] }] : []));
  const few = tried.map(({ name }, i) => textsOf(sample, name, i, `LIMIT ${lookedAtFirst}`));
  const first = await sharesOf(
    engine,
    few,
    candidates.filter((candidate) => tried.some((one) => one.possible.includes(candidate))),
  );
  const found = new Map<string, FeatureReading | "unlike">();
  for (const [i, name] of names.entries())
    if (looks[i].levels >= Math.max(fewest.number, unlike * looks[i].present)) found.set(name, "unlike");
  for (const [i, { name, possible }] of tried.entries()) {
    const likely = possible.filter((candidate) => first[i].get(candidate)! >= fitting / 2);
    const [shares] = await sharesOf(engine, [textsOf(sample, name, 0)], likely);
    const best = likely
      .filter((candidate) => shares.get(candidate)! >= fitting)
      .sort((a, b) => shares.get(b)! - shares.get(a)!)[0] as Candidate | undefined;
    if (best) found.set(name, { column: name, type: best.type, formats: best.formats });
  }
  return found;
}

/** What is seen of a column of texts at first sight: texts, different ones, whether some are codes, those with digits enough for a type. */
interface Look extends Record<Candidate["type"], number> {
  present: number;
  levels: number;
  coded: boolean;
}

/** Different texts are looked at, each once, and many columns by one query. */
async function looksOf(engine: Engine, sample: string, names: readonly string[]): Promise<Look[]> {
  const looks = names.map((): Look => ({ present: 0, levels: 0, coded: false, number: 0, timestamp: 0 }));
  const enough = Object.entries(digits).map(
    ([type, least]) => `sum(CASE WHEN regexp_matches(t, '(\\d.*?){${least}}') THEN n END)::BIGINT AS ${type}`,
  );
  for (let at = 0; at < names.length; at += columnsAtOnce) {
    const seen = names
      .slice(at, at + columnsAtOnce)
      .map(
        (name, i) =>
          `SELECT ${at + i} AS c, ${ident(name)}::VARCHAR AS t, count(*) AS n FROM ${ident(sample)} GROUP BY ALL`,
      );
    const rows = await engine.rows<{ c: number } & Record<string, bigint | boolean | null>>(
      `SELECT c, sum(n)::BIGINT AS present, count(DISTINCT t) AS levels, bool_or(regexp_matches(t, '^[+-]?0[0-9]')) AS coded, ${enough.join(", ")} FROM (SELECT c, ${asText("t")} AS t, n FROM (${seen.join(" UNION ALL ")})) WHERE t IS NOT NULL GROUP BY c`,
    );
    for (const { c, present, levels, coded, number, timestamp } of rows)
      looks[c] = {
        present: Number(present),
        levels: Number(levels),
        coded: coded === true,
        number: Number(number ?? 0),
        timestamp: Number(timestamp ?? 0),
      };
  }
  return looks;
}

/** Digits that begin with a zero are codes: nobody adds up postcodes. */
function mayBe(look: Look, { type }: Candidate): boolean {
  return (
    look.levels >= fewest[type] && look[type] >= fitting * look.present && !(type === "number" && look.coded)
  );
}

/** The i-th column of texts that candidates are tried on. */
const textsOf = (sample: string, name: string, i: number, end = ""): string =>
  `(SELECT ${i} AS c, ${ident(name)}::VARCHAR AS t FROM ${ident(sample)} WHERE ${ident(name)} IS NOT NULL ${end})`;

/** Shares of columns' texts that are what each candidate says. */
async function sharesOf(
  engine: Engine,
  columns: readonly string[],
  tried: readonly Candidate[],
): Promise<Map<Candidate, number>[]> {
  const shares = columns.map(() => new Map(tried.map((candidate) => [candidate, 0])));
  if (tried.length === 0) return shares;
  const asks = tried.map((candidate) => ({ column: "t", ...candidate }));
  const counts = tried.map((_, i) => `count(${value(i)}) AS v${i}`).join(", ");
  for (let at = 0; at < columns.length; at += columnsAtOnce) {
    const part = columns.slice(at, at + columnsAtOnce).join(" UNION ALL ");
    const rows = await engine.rows<{ c: number } & Record<string, bigint | number>>(
      `SELECT c, count(${asText("t")}) AS present, ${counts} FROM (${withValues(part, asks)}) GROUP BY c`,
    );
    for (const { c, present, ...values } of rows)
      for (const [i, candidate] of tried.entries())
        shares[c].set(candidate, Number(values[`v${i}`]) / Math.max(1, Number(present)));
  }
  return shares;
}

/** Whether the values of a column differ in nearly all rows, not in a sample alone. */
export async function differs({ engine, sql }: Relation, name: string, share = unlike): Promise<boolean> {
  const [{ levels, present }] = await engine.rows<{ levels: bigint; present: bigint }>(
    `SELECT count(DISTINCT ${ident(name)}) AS levels, count(${ident(name)}) AS present FROM (${sql})`,
  );
  return Number(present) >= fewest.number && Number(levels) >= share * Number(present);
}

/** Whether most texts of a column have words with spaces between them, or are Chinese. */
export async function holdsWords(
  { engine, sql }: Pick<Relation, "engine" | "sql">,
  name: string,
): Promise<boolean> {
  const [{ words }] = await engine.rows<{ words: boolean }>(
    `SELECT coalesce(avg(regexp_matches(${ident(name)}, '\\pL+\\s+\\pL+|\\p{Han}{2}')::INTEGER) > 0.5, false) AS words FROM (${sql})`,
  );
  return words;
}

/** The day of an instant, and those of its parts that are not the same in all rows. */
async function varying(engine: Engine, sample: string, reading: FeatureReading): Promise<DatePart[]> {
  const list = usefulParts.map((part) => `count(DISTINCT ${dateParts[part](value(0))}) > 1 AS ${part}`);
  const [found] = await engine.rows<Record<string, boolean>>(
    `SELECT ${list.join(", ")} FROM (${withValues(`SELECT * FROM ${ident(sample)}`, [reading])})`,
  );
  // Of first days of months the weekday is no habit.
  return [
    "epoch_days",
    ...usefulParts.filter((part) => found[part] && (part !== "day_of_week" || found.day)),
  ];
}

const asText = (column: string): string =>
  normalisedText(contractColumn({ column, type: "number" }).column, `${ident(column)}::VARCHAR`);

function contractColumn({ column, type, formats }: FeatureReading) {
  const { source, columns } = parseContract(
    JSON.stringify({
      columns: {
        [column]: { type, null_words: ["", ...wordsForNothing], ...(formats?.length && { formats }) },
      },
    }),
    column,
  );
  return { column: columns[0], type: promisedType(source, columns[0])! };
}

/** Name of the value of the i-th reading. */
const value = (i: number): string => ident(`_shopai_v${i}`);

/** A SELECT with the values of some readings beside its columns: numbers, hours and finite instants, NULL for others. */
function withValues(sql: string, readings: readonly FeatureReading[]): string {
  const [text, guess] = ["t", "g"].map((kind) => (i: number) => ident(`_shopai_${kind}${i}`));
  const texts: string[] = [];
  const guesses: string[] = [];
  const values: string[] = [];
  for (const [i, reading] of readings.entries()) {
    if (reading.formats) {
      const { column, type } = contractColumn(reading);
      const found = conversionOf(type, column, text(i), guess(i));
      texts.push(`${asText(reading.column)} AS ${text(i)}`);
      guesses.push(`${found.guess ?? `NULL::${type.sql}`} AS ${guess(i)}`);
      values.push(`${found.value} AS ${value(i)}`);
    } else if (reading.type === "time")
      values.push(`(epoch(try_cast(${ident(reading.column)} AS TIME)) / 3600)::DOUBLE AS ${value(i)}`);
    else {
      const at = `try_cast(${ident(reading.column)} AS TIMESTAMP)`;
      values.push(`CASE WHEN isfinite(${at}) THEN ${at} END AS ${value(i)}`);
    }
  }
  if (texts.length === 0) return `SELECT *, ${values.join(", ")} FROM (${sql})`;
  return `SELECT *, ${values.join(", ")} FROM (SELECT *, ${guesses.join(", ")} FROM (SELECT *, ${texts.join(", ")} FROM (${sql})))`;
}

/** The features that a learner sees: those of the table, with what some are read as in their place. */
export function readFeatures(
  features: readonly Field[],
  readings: readonly FeatureReading[] = [],
): readonly Field[] {
  return features.flatMap((field): Field[] => {
    const reading = readings.find(({ column }) => column === field.name);
    return reading ? madeOf(reading).map(({ name }) => ({ name, type: "DOUBLE" })) : [field];
  });
}

function madeOf({ column, parts }: FeatureReading): { name: string; part?: DatePart }[] {
  return parts ?? [{ name: column }];
}

/** Where a column that is read as something else still holds what the table does. */
const rawName = (column: string): string => `${column} (raw)`;

/**
 * The rows as a learner sees them: with what some features are read as.
 *
 * @throws ShopaiError "data" for features that the rows lack
 */
export function readRows(
  rows: Relation,
  features: readonly Field[],
  readings: readonly FeatureReading[] = [],
): Relation {
  if (readings.length === 0) return rows;
  checkFeatures(rows, features);
  const made = readings.flatMap((reading, i) =>
    madeOf(reading).map(({ name, part }) => ({
      name,
      sql: `(${part ? dateParts[part](value(i)) : value(i)})::DOUBLE AS ${ident(name)}`,
    })),
  );
  const raw = readings.filter(({ parts }) => !parts).map(({ column }) => column);
  const taken = new Set(made.map(({ name }) => name.toLowerCase()));
  const kept = rows.schema.filter(({ name }) => !taken.has(name.toLowerCase()));
  const list = [
    ...kept.map(({ name }) => ident(name)),
    ...made.map(({ sql }) => sql),
    ...raw.map((column) => `${ident(column)} AS ${ident(rawName(column))}`),
    ...rows.key.filter((name) => !rows.schema.some((field) => field.name === name)).map(ident),
  ];
  return {
    ...rows,
    sql: `SELECT ${list.join(", ")} FROM (${withValues(rows.sql, readings)})`,
    schema: [
      ...kept,
      ...made.map(({ name }) => ({ name, type: "DOUBLE" })),
      ...raw.map((column) => ({ name: rawName(column), type: "VARCHAR" })),
    ],
    memory: undefined,
  };
}

/** Columns to carry over, under the names that they have in `readRows`. */
export function keptNames(keep: readonly string[], readings: readonly FeatureReading[] = []): string[] {
  const raw = new Set(readings.filter(({ parts }) => !parts).map(({ column }) => column));
  return keep.map((name) => (raw.has(name) ? rawName(name) : name));
}

/** Predictions with the columns that were carried over under their own names. */
export function withOwnNames(
  predictions: Relation,
  keep: readonly string[],
  readings: readonly FeatureReading[] = [],
): Relation {
  const renamed = keptNames(keep, readings).flatMap((now, i) =>
    now === keep[i] ? [] : [{ now, then: keep[i] }],
  );
  if (renamed.length === 0) return predictions;
  const list = renamed.map(({ now, then }) => `${ident(now)} AS ${ident(then)}`);
  return {
    ...predictions,
    sql: `SELECT * RENAME (${list.join(", ")}) FROM (${predictions.sql})`,
    schema: predictions.schema.map((field) => ({
      ...field,
      name: renamed.find(({ now }) => now === field.name)?.then ?? field.name,
    })),
  };
}
