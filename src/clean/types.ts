import { yamlError, type YamlSource } from "../core/yaml-source.js";
import { nearest } from "../core/errors.js";
import type { Engine } from "../engine/engine.js";
import { literal } from "../engine/sql.js";
import { kindOf } from "../table/relation.js";
import type { ContractColumn } from "./contract.js";

/** The types that a contract can promise. */
export type TypeName =
  "text" | "integer" | "number" | "decimal" | "boolean" | "date" | "timestamp" | "timestamptz" | "time";

/** A promised type in the engine's terms. */
export interface PromisedType {
  name: TypeName;
  /** The engine's type. */
  sql: string;
  /** Digits after the point of a decimal. */
  scale: number;
}

const sqlTypes: Record<Exclude<TypeName, "decimal">, string> = {
  text: "VARCHAR",
  integer: "BIGINT",
  number: "DOUBLE",
  boolean: "BOOLEAN",
  date: "DATE",
  timestamp: "TIMESTAMP",
  timestamptz: "TIMESTAMP WITH TIME ZONE",
  time: "TIME",
};

/** Ways of writing a number beside the plain one; several combine ("€ 1,234.50"). */
export const numberFormats = [
  "currency",
  "thousands",
  "percent",
  "comma-decimal",
  "accounting",
  "round",
] as const;
/** Ways of writing an instant beside ISO 8601 and strptime patterns. */
const instantFormats = ["epoch", "epoch-ms"] as const;

/** The type that a contract's column promises, or undefined when it promises none. */
export function promisedType(source: YamlSource, column: ContractColumn): PromisedType | undefined {
  if (column.type === undefined) return undefined;
  const text = column.type.trim().toLowerCase();
  const decimal = /^decimal\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(text);
  const path = ["columns", column.name, "type"];
  if (decimal) {
    const [width, scale] = [Number(decimal[1]), Number(decimal[2])];
    if (width < 1 || width > 38 || scale > width)
      throw yamlError(
        source,
        path,
        `decimal(${width},${scale}) is no type: 1 to 38 digits, not more of them after the point`,
        {
          try: "decimal(18,2)",
        },
      );
    return { name: "decimal", sql: `DECIMAL(${width},${scale})`, scale };
  }
  if (Object.hasOwn(sqlTypes, text)) {
    const name = text as keyof typeof sqlTypes;
    return { name, sql: sqlTypes[name], scale: 0 };
  }
  const known = [...Object.keys(sqlTypes), "decimal(18,2)"];
  throw yamlError(source, path, `"${column.type}" is not a type`, {
    try: text.startsWith("decimal")
      ? "decimal(18,2)"
      : (nearest(text, known) ?? `one of ${known.join(", ")}`),
  });
}

/** How a column's value comes about: a cheap cast tried on every value, and what is believed of it. */
export interface Conversion {
  /** Over `text`: the cast that DuckDB does, which believes too much. Undefined where none helps. */
  guess?: string;
  /** The value, over `text` and `guess`; NULL where the text is no such value. */
  value: string;
}

const plainInteger = "[+-]?[0-9]+(\\.0*)?";
const plainNumber = "[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?";
const plainDecimal = (scale: number): string =>
  `[+-]?([0-9]+(\\.[0-9]{0,${scale}}0*)?|\\.[0-9]{1,${Math.max(1, scale)}}0*)`;
const anyDecimal = "[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)";
const offset = "([Zz]| ?[+-][0-9]{2}(:?[0-9]{2})?)";
const isoDate = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}";
const isoClock = "[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?";

/**
 * The conversion of a text to a promised type. A pattern is asked before a cast is believed, because casts
 * lie: '12.7' would be the integer 13, '1e3' an integer, 'nan' a number, 'infinity' a date. A text that the
 * value prints back to needs no pattern, which is the fast road.
 *
 * @param text  SQL of the normalised text
 * @param guess SQL of the `guess` column, once it has been worked out
 */
export function conversionOf(
  type: PromisedType,
  column: ContractColumn,
  text: string,
  guess: string,
): Conversion {
  const formats = column.formats ?? [];
  switch (type.name) {
    case "text":
      return { value: text };
    case "integer":
    case "number":
    case "decimal":
      return numberConversion(type, formats, text, guess);
    case "boolean":
      return { value: booleanSql(formats, text) };
    case "date":
    case "timestamp":
    case "timestamptz":
      return instantConversion(type, formats, text, guess);
    case "time":
      return {
        guess: `try_cast(${text} AS TIME)`,
        value: believed(text, guess, isoClock),
      };
  }
}

/** The cast that DuckDB does of a text, which believes too much; undefined for texts and booleans. */
export function castOf(type: PromisedType, text: string): string | undefined {
  return type.name === "text" || type.name === "boolean" ? undefined : `try_cast(${text} AS ${type.sql})`;
}

/** Whether a cast is beyond doubt: its value prints as the text it came from, and is no infinity. */
export function printsBack(type: PromisedType, text: string, guess: string): string {
  const finite = ["number", "date", "timestamp", "timestamptz"].includes(type.name)
    ? ` AND isfinite(${guess})`
    : "";
  return `CAST(${guess} AS VARCHAR) = ${text}${finite}`;
}

/** The guess where it prints back to the text, or where the text has the pattern. */
function believed(text: string, guess: string, pattern: string, finite = ""): string {
  return `CASE WHEN CAST(${guess} AS VARCHAR) = ${text}${finite} THEN ${guess} WHEN regexp_full_match(${text}, ${literal(pattern)})${finite} THEN ${guess} END`;
}

function numberConversion(
  type: PromisedType,
  formats: readonly string[],
  text: string,
  guess: string,
): Conversion {
  const round = formats.includes("round");
  const pattern =
    type.name === "integer"
      ? round
        ? anyDecimal
        : plainInteger
      : type.name === "number"
        ? plainNumber
        : round
          ? anyDecimal
          : plainDecimal(type.scale);
  const finite = type.name === "number" ? ` AND isfinite(${guess})` : "";
  const plain = believed(text, guess, pattern, finite);
  const castGuess = `try_cast(${text} AS ${type.sql})`;
  if (formats.every((format) => format === "round")) return { guess: castGuess, value: plain };
  const written = writtenNumber(formats, text);
  const number = writtenValue(type, pattern, written, text, formats.includes("percent"));
  // With a comma as decimal sign "1.234" is not what the plain cast takes it for.
  return formats.includes("comma-decimal")
    ? { value: number }
    : { guess: castGuess, value: `coalesce(${plain}, ${number})` };
}

const currencySigns = "(\\p{Sc}|[A-Z]{3}|kr\\.?|zł|R\\$|Fr\\.?)";

/** A number as people write it, rewritten as plain digits; NULL when it is not written in one of the formats. */
function writtenNumber(formats: readonly string[], text: string): string {
  const has = (format: string): boolean => formats.includes(format);
  let sql = text;
  const replaced = (pattern: string, by: string, options = ""): void => {
    sql = `regexp_replace(${sql}, ${literal(pattern)}, ${literal(by)}${options})`;
  };
  if (has("accounting")) replaced("^\\((.*)\\)$", "-\\1");
  if (has("currency")) {
    replaced(`^([+-]?)\\s*${currencySigns}\\s*([+-]?)`, "\\1\\3");
    replaced(`\\s*${currencySigns}$`, "");
  }
  if (has("percent")) replaced("\\s*%$", "");
  const [point, groups] = has("comma-decimal") ? [",", "[. '\u00a0\u202f’]"] : ["[.]", "[, '\u00a0\u202f’]"];
  const grouped = `^[+-]?[0-9]{1,3}(${groups}[0-9]{3})+(${point}[0-9]*)?$`;
  if (has("thousands"))
    sql = `CASE WHEN regexp_matches(${sql}, ${literal(grouped)}) THEN regexp_replace(${sql}, ${literal(groups)}, '', 'g') ELSE ${sql} END`;
  // What is left of the other sign makes the text no number at all.
  if (has("comma-decimal"))
    sql = `CASE WHEN contains(${sql}, '.') THEN NULL ELSE replace(${sql}, ',', '.') END`;
  return sql;
}

function writtenValue(
  type: PromisedType,
  pattern: string,
  written: string,
  text: string,
  percent: boolean,
): string {
  const cast = `CASE WHEN regexp_full_match(${written}, ${literal(pattern)}) THEN try_cast(${written} AS ${type.sql}) END`;
  if (!percent) return cast;
  // Hundredths are exact in decimal; a division would go through floating point.
  const hundredth = `CASE WHEN regexp_full_match(${written}, ${literal(anyDecimal)}) THEN try_cast(${written} AS DECIMAL(30,8)) * 0.01::DECIMAL(3,2) END`;
  const exact =
    type.name === "number"
      ? `CAST(${hundredth} AS DOUBLE)`
      : `CASE WHEN try_cast(${hundredth} AS ${type.sql}) = ${hundredth} THEN try_cast(${hundredth} AS ${type.sql}) END`;
  return `CASE WHEN suffix(${text}, '%') THEN ${exact} ELSE ${cast} END`;
}

const trueWords = ["true", "t", "yes", "y", "1"];
const falseWords = ["false", "f", "no", "n", "0"];

function booleanSql(formats: readonly string[], text: string): string {
  const pairs = formats.map((format) => format.toLowerCase().split("/"));
  const yes = [...trueWords, ...pairs.map(([word]) => word)];
  const no = [...falseWords, ...pairs.map(([, word]) => word)];
  const list = (words: readonly string[]): string => `(${words.map(literal).join(", ")})`;
  return `CASE WHEN lower(${text}) IN ${list(yes)} THEN true WHEN lower(${text}) IN ${list(no)} THEN false END`;
}

function instantConversion(
  type: PromisedType,
  formats: readonly string[],
  text: string,
  guess: string,
): Conversion {
  const patterns = formats.filter((format) => !(instantFormats as readonly string[]).includes(format));
  const pattern = {
    date: isoDate,
    timestamp: `${isoDate}([ Tt]${isoClock})?`,
    timestamptz: `${isoDate}[ Tt]${isoClock}${offset}`,
  }[type.name as "date" | "timestamp" | "timestamptz"];
  const roads = [believed(text, guess, pattern, ` AND isfinite(${guess})`)];
  if (type.name === "date")
    // A day with a clock at midnight is that day; any other time of day would be lost.
    roads.push(
      `CASE WHEN regexp_full_match(${text}, ${literal(`${isoDate}[ Tt]0?0:00(:00([.]0{1,6})?)?`)}) THEN try_cast(${text}[:10] AS DATE) END`,
    );
  if (type.name === "timestamp")
    // A cast to TIMESTAMP would drop the offset; this instant is kept, as UTC.
    roads.push(
      `CASE WHEN regexp_full_match(${text}, ${literal(`${isoDate}[ Tt]${isoClock}${offset}`)}) THEN try_cast(${text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END`,
    );
  if (patterns.length > 0) roads.push(parsedInstant(type, patterns, text));
  for (const format of formats)
    if (format === "epoch" || format === "epoch-ms")
      roads.push(epochInstant(type, text, format === "epoch" ? 1_000_000 : 1000));
  return {
    guess: `try_cast(${text} AS ${type.sql})`,
    // coalesce stops at the first value: the slow formats see only what the cast left over.
    value: roads.length === 1 ? roads[0] : `coalesce(${roads.join(", ")})`,
  };
}

function parsedInstant(type: PromisedType, patterns: readonly string[], text: string): string {
  // strptime knows words such as infinity and epoch, whatever the pattern.
  const parsed = `try_strptime(CASE WHEN regexp_matches(${text}, '[0-9]') THEN ${text} END, [${patterns.map(literal).join(", ")}])`;
  if (type.name === "timestamp") return `CAST(${parsed} AS TIMESTAMP)`;
  if (type.name === "timestamptz") return `CAST(${parsed} AS TIMESTAMPTZ)`;
  return `CASE WHEN CAST(${parsed} AS TIMESTAMP) = CAST(${parsed} AS DATE) THEN CAST(${parsed} AS DATE) END`;
}

function epochInstant(type: PromisedType, text: string, micros: number): string {
  const instant = `CASE WHEN regexp_full_match(${text}, '-?[0-9]{1,13}([.]0*)?') THEN make_timestamp(try_cast(${text} AS BIGINT) * ${micros}) END`;
  if (type.name === "date")
    return `CASE WHEN ${instant} = CAST(${instant} AS DATE) THEN CAST(${instant} AS DATE) END`;
  return type.name === "timestamptz" ? `(${instant}) AT TIME ZONE 'UTC'` : instant;
}

/**
 * The conversion of a value that has a type already (Parquet, Arrow) to the promised one: NULL where
 * something would be lost, so that 12.5 is no integer and NaN no number.
 *
 * @param value SQL of the value
 * @param from  the engine's type it has
 */
export function typedConversion(type: PromisedType, value: string, from: string): string {
  if (from === type.sql)
    return type.name === "number" ? `CASE WHEN isfinite(${value}) THEN ${value} END` : value;
  const cast = `try_cast(${value} AS ${type.sql})`;
  const kind = kindOf(from);
  if (type.name === "text") return `CAST(${value} AS VARCHAR)`;
  if (kind === "float" && type.name === "integer") return `CASE WHEN ${cast} = ${value} THEN ${cast} END`;
  if (kind === "float" && type.name === "decimal")
    // A double such as 2.55 is only near its decimal.
    return `CASE WHEN abs(CAST(${cast} AS DOUBLE) - ${value}) <= 1e-9 * greatest(1, abs(${value})) THEN ${cast} END`;
  if (kind === "float" && type.name === "number") return `CASE WHEN isfinite(${value}) THEN ${cast} END`;
  if (kind === "decimal" && (type.name === "integer" || type.name === "decimal"))
    return `CASE WHEN ${cast} = ${value} THEN ${cast} END`;
  if (kind === "timestamp" && type.name === "date")
    return `CASE WHEN CAST(${cast} AS ${from}) = ${value} THEN ${cast} END`;
  return cast;
}

/** Refuses formats that the type does not know. */
export async function checkFormats(
  engine: Engine,
  source: YamlSource,
  column: ContractColumn,
  type: PromisedType | undefined,
): Promise<void> {
  for (const [i, format] of (column.formats ?? []).entries()) {
    const path = ["columns", column.name, "formats", i];
    const unknown = (what: string, advice: string): never => {
      throw yamlError(source, path, `"${format}" is not ${what}`, { try: advice });
    };
    switch (type?.name) {
      case "integer":
      case "number":
      case "decimal":
        if (!(numberFormats as readonly string[]).includes(format))
          unknown(
            "a way of writing numbers",
            nearest(format, numberFormats) ?? `one of ${numberFormats.join(", ")}`,
          );
        break;
      case "boolean":
        if (!/^[^/]+\/[^/]+$/.test(format)) unknown("a pair of words for true and false", "ja/nein");
        break;
      case "date":
      case "timestamp":
      case "timestamptz":
        if ((instantFormats as readonly string[]).includes(format)) break;
        if (!format.includes("%")) unknown("a pattern of dates", `"%d/%m/%Y %H:%M", epoch or epoch-ms`);
        try {
          await engine.rows(`SELECT try_strptime('', ${literal(format)})`);
        } catch (cause) {
          throw yamlError(
            source,
            path,
            `"${format}" is not a pattern of dates: ${(cause as Error).message}`,
            {
              try: '"%d/%m/%Y %H:%M"',
              cause,
            },
          );
        }
        break;
      default:
        throw yamlError(
          source,
          ["columns", column.name, "formats"],
          `formats say nothing of the type ${type?.name ?? "left open"}`,
          {
            at: "key",
            try: type
              ? "leaving them out"
              : "type: date, timestamp, integer, number, decimal(p,s) or boolean",
          },
        );
    }
  }
}
