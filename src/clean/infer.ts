import { literal, ident } from "../engine/sql.js";
import { kindOf, type Relation } from "../table/relation.js";
import { cleanRows, type RawRows } from "./clean.js";
import { parseContract, type ContractColumn } from "./contract.js";
import { writtenContract, type InferredColumn } from "./infer-text.js";
import { topSql } from "./profile-sql.js";
import { columnar, overviewOf, type Columnar } from "./profile.js";
import { normalisedText, wordsForNothing } from "./repair.js";
import { conversionOf, promisedType } from "./types.js";

/** A type that a column of text may turn out to have, with the formats that its values need. */
interface Candidate {
  type: string;
  formats?: string[];
}

/** What is tried, the narrower before the wider. Two orders of day and month are told apart or not believed at all. */
const candidates: Candidate[] = [
  { type: "integer" },
  { type: "decimal(18,2)" },
  { type: "number" },
  { type: "boolean" },
  { type: "date" },
  { type: "timestamp" },
  { type: "time" },
  { type: "decimal(18,2)", formats: ["currency", "thousands"] },
  { type: "decimal(18,2)", formats: ["currency", "thousands", "comma-decimal"] },
  { type: "number", formats: ["percent"] },
  { type: "date", formats: ["%d/%m/%Y"] },
  { type: "date", formats: ["%m/%d/%Y"] },
  { type: "date", formats: ["%d.%m.%Y"] },
  { type: "timestamp", formats: ["%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"] },
  { type: "timestamp", formats: ["%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S"] },
  { type: "timestamp", formats: ["%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"] },
];

/** Rows that rule candidates out before all rows are looked at. */
const sampledRows = 300;

/** Names whose columns hold money: two decimals there are a promise, elsewhere a coincidence. */
const moneyName =
  /price|amount|total|cost|revenue|charge|fee|payment|salary|spend|budget|discount|tax|income/i;
/** Names whose digits are no number: nobody adds up postcodes. */
const codeName = /(zip|postal|postcode|post_code|phone|mobile|fax|ean|gtin|isbn|barcode|iban|vat)/i;
/** Whether a column's name says that it tells rows apart: order_id, PolicyNumber, Lead Number, and pandas' `Unnamed: 0`. */
export const isIdName = (name: string): boolean =>
  /^(unnamed[:_\s]+\d+|index|row|row_?names?)$/i.test(name) ||
  /(^|[_\s-])(id|key|uuid|guid|sku|code|number|no|nr|ref)$/i.test(name) ||
  /[a-z](I[dD]|No|Code|Number|Key)$/.test(name);

/**
 * A data contract that its own input satisfies: types that every value has, `required` where nothing is
 * missing, signs, short lists of values, fixed shapes of codes, unique ids. It promises what will
 * probably hold tomorrow too: no upper limits but 1 for shares and flags, no list with rare values.
 * What is written was tried on the rows; a rule that refused one was taken out again.
 *
 * @param read the rows as `clean` reads them: text untyped
 * @returns the contract as YAML
 */
export async function inferredContract(read: Relation): Promise<string> {
  const columnwise = await columnar(read);
  const raw = { rows: columnwise.relation };
  const columns = await typedColumns(columnwise);
  const typed = await cleanRows(read.engine, raw, contractOf(columns, read.name));
  await addRules(await columnar(typed.table), columns);
  await withdrawBroken(raw, columns);
  return writtenContract(columns, { name: read.name, rows: typed.counts.rows_out });
}

function contractOf(columns: readonly InferredColumn[], name: string): ReturnType<typeof parseContract> {
  return parseContract(
    JSON.stringify({ columns: Object.fromEntries(columns.map((column) => [column.name, column.rules])) }),
    name,
  );
}

async function typedColumns(table: Columnar): Promise<InferredColumn[]> {
  const { schema } = table.relation;
  const columns = schema.map(({ name, type }): InferredColumn => ({ name, rules: ownType(type) }));
  const texts = schema.filter(({ type }) => kindOf(type) === "text").map(({ name }) => name);
  if (texts.length === 0) return columns;
  const typed = await giveTypes(table, columns, new Map(texts.map((name) => [name, {}])));
  const untyped = texts.filter((name) => !typed.has(name));
  await giveTypes(table, columns, await wordsForNothingIn(table.relation, untyped));
  return columns;
}

type NullWords = Pick<InferredColumn["rules"], "null_words">;

/** Gives columns the types that all their values have, some words not counted; tells which had one. */
async function giveTypes(
  { relation, only }: Columnar,
  columns: readonly InferredColumn[],
  asked: ReadonlyMap<string, NullWords>,
): Promise<Set<string>> {
  const typed = new Set<string>();
  for (const [name, words] of asked) {
    const column = columns.find((one) => one.name === name)!;
    const all = only(name);
    const few = `${all} LIMIT ${sampledRows}`;
    const possible = await fittingOf(relation, few, name, candidates, words);
    const fits = possible.length > 0 ? await fittingOf(relation, all, name, possible, words) : [];
    const [best] = fits;
    if (!best) continue;
    typed.add(name);
    const twin = fits.find((other) => isSwapped(best, other));
    if (twin) column.note = `dates fit ${best.formats![0]} and ${twin.formats![0]}: say which`;
    else Object.assign(column.rules, best, words);
  }
  return typed;
}

/** Words that mean "nothing" in columns of text, by column; columns without any are left out. */
async function wordsForNothingIn(rows: Relation, names: readonly string[]): Promise<Map<string, NullWords>> {
  if (names.length === 0) return new Map();
  const words = ["", ...wordsForNothing].map(literal).join(", ");
  const asks = names.map((name, i) => {
    const text = `lower(trim(${ident(name)}))`;
    return `list_sort(list(DISTINCT ${text}) FILTER (WHERE ${text} IN (${words}))) AS w${i}`;
  });
  const [found] = await rows.engine.rows<Record<string, string[] | null>>(
    `SELECT ${asks.join(", ")} FROM (${rows.sql})`,
  );
  return new Map(
    names.flatMap((name, i): [string, NullWords][] => {
      const own = found[`w${i}`] ?? [];
      return own.some((word) => word !== "") ? [[name, { null_words: own }]] : [];
    }),
  );
}

/** The promise that a typed column (Parquet, Arrow) keeps already; none for types that a contract has no name for. */
function ownType(type: string): InferredColumn["rules"] {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  if (decimal) return { type: `decimal(${decimal[1]},${decimal[2]})` };
  const names: Record<string, string> = {
    VARCHAR: "text",
    BIGINT: "integer",
    INTEGER: "integer",
    SMALLINT: "integer",
    TINYINT: "integer",
    UINTEGER: "integer",
    USMALLINT: "integer",
    UTINYINT: "integer",
    DOUBLE: "number",
    FLOAT: "number",
    BOOLEAN: "boolean",
    DATE: "date",
    TIMESTAMP: "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    TIME: "time",
  };
  return Object.hasOwn(names, type) ? { type: names[type] } : {};
}

function isSwapped(one: Candidate, other: Candidate): boolean {
  const swapped = one.formats?.[0].replace(/%[dm]/g, (part) => (part === "%d" ? "%m" : "%d"));
  return swapped !== one.formats?.[0] && swapped === other.formats?.[0];
}

/** The candidates whose conversion loses no value of a column, words that mean nothing aside. */
async function fittingOf(
  rows: Relation,
  sql: string,
  name: string,
  tried: readonly Candidate[],
  words: NullWords,
): Promise<Candidate[]> {
  const plain = contractOf([{ name, rules: words }], rows.name);
  const [bare] = plain.columns;
  const tests = tried.map((candidate, i) => {
    const column: ContractColumn = { ...bare, ...candidate };
    const type = promisedType(plain.source, column)!;
    return conversionOf(type, column, "_t", `_g${i}`);
  });
  const guesses = tests
    .flatMap(({ guess }, i) => (guess === undefined ? [] : [`, ${guess} AS _g${i}`]))
    .join("");
  const values = tests.map(({ value }, i) => `, ${value} AS _v${i}`).join("");
  const text = normalisedText(bare, ident(name));
  const [counts] = await rows.engine.rows<Record<string, bigint | boolean | null>>(
    `SELECT count(_t) AS present, ${tests.map((_, i) => `count(_v${i}) AS v${i}`).join(", ")}, ` +
      `bool_or(regexp_full_match(_t, '[+-]?0[0-9]+.*|[+-]?[0-9]{16,}')) AS coded, ` +
      `count(DISTINCT lower(_t)) FILTER (lower(_t) IN ('true', 'false', 'yes', 'no')) AS words, ` +
      `bool_and(lower(_t) IN ('true', 'false', 'yes', 'no')) AS wordy ` +
      `FROM (SELECT *${values} FROM (SELECT *${guesses} FROM (SELECT ${text} AS _t FROM (${sql}))))`,
  );
  if (counts.present === 0n) return [];
  return tried.filter((candidate, i) => {
    if (counts[`v${i}`] !== counts.present) return false;
    if (candidate.type === "boolean") return counts.wordy === true && counts.words === 2n;
    const isNumber = /^(integer|number|decimal)/.test(candidate.type);
    if (isNumber && (counts.coded === true || codeName.test(name))) return false;
    return !(candidate.type.startsWith("decimal") && !candidate.formats && !moneyName.test(name));
  });
}

/** Rules from what the typed rows hold. */
async function addRules(table: Columnar, columns: readonly InferredColumn[]): Promise<void> {
  const { schema } = table.relation;
  const overview = await overviewOf(table.relation);
  const rows = Number(overview.rows);
  for (const [i, field] of schema.entries()) {
    const column = columns.find(({ name }) => name === field.name);
    if (!column) continue;
    const at = (key: string): unknown => overview[`${key}_${i}`];
    const kind = kindOf(field.type);
    const { rules } = column;
    const present = Number(at("present"));
    const distinct = Number(at("distinct"));
    if (kind === "float" && (Number(at("nan")) > 0 || Number(at("infinite")) > 0)) delete rules.type;
    if (present === 0) continue;
    if (present === rows) rules.required = true;
    const isNumber = kind === "integer" || kind === "float" || kind === "decimal";
    if (isNumber && Number(at("min")) >= 0) {
      rules.min = 0;
      const isShare = kind === "float" && distinct > 2 && Number(at("max")) === 1;
      const isFlag = kind === "integer" && distinct === 2 && Number(at("max")) === 1;
      if ((isShare || isFlag) && present >= fewRows) rules.max = 1;
    }
    if (present < fewRows) continue;
    if (kind === "text") await addTextRules(table, column, present, distinct);
    const isId = isIdName(column.name) && (kind === "text" || kind === "integer");
    if (isId && present === rows && distinct > 0.8 * rows && (await allDiffer(table, column.name)))
      rules.unique = true;
  }
}

/** Fewer rows than this say too little of what values a column may have. */
const fewRows = 100;
/** A list of allowed values is short, and each of its values is common and no long number. */
const mostValues = 12;
const leastShare = 0.002;

async function addTextRules(
  { relation: { engine }, only }: Columnar,
  column: InferredColumn,
  present: number,
  distinct: number,
): Promise<void> {
  if (distinct <= 2 * mostValues) {
    const found = await engine.rows<{ value: string; n: bigint }>(
      topSql(only(column.name), column.name, mostValues + 1),
    );
    const common = found.every(
      ({ value, n }) => Number(n) >= Math.max(5, leastShare * present) && !/[0-9]{4}/.test(value),
    );
    if (found.length >= 2 && found.length <= mostValues && common) {
      column.rules.values = found.map(({ value }) => value).sort();
      return;
    }
  }
  if (distinct < present / 10 || distinct < fewRows) return;
  const shape = ["[A-Z]", "[a-z]", "[0-9]"].reduce(
    (text, kind) =>
      `regexp_replace(${text}, ${literal(kind)}, ${literal(kind === "[0-9]" ? "9" : kind[1])}, 'g')`,
    ident(column.name),
  );
  const [{ shapes, one }] = await engine.rows<{ shapes: bigint; one: string }>(
    `SELECT count(DISTINCT shape) AS shapes, min(shape) AS one FROM (SELECT ${shape} AS shape FROM (${only(column.name)}) WHERE ${ident(column.name)} IS NOT NULL)`,
  );
  if (shapes === 1n && /9/.test(one) && one.length <= 40) column.rules.pattern = patternOf(one);
}

/** `9999-AAAAA` as a regular expression: `^[0-9]{4}-[A-Z]{5}$`. */
export function patternOf(shape: string): string {
  const classes: Record<string, string> = { "9": "[0-9]", A: "[A-Z]", a: "[a-z]" };
  const parts = [...shape.matchAll(/9+|A+|a+|[^9Aa]/gu)].map(([run]) => {
    const kind = classes[run[0]];
    if (kind === undefined) return run.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
    return run.length === 1 ? kind : `${kind}{${run.length}}`;
  });
  return `^${parts.join("")}$`;
}

async function allDiffer({ relation: { engine }, only }: Columnar, name: string): Promise<boolean> {
  const repeated = await engine.rows(
    `SELECT 1 FROM (${only(name)}) GROUP BY ${ident(name)} HAVING count(*) > 1 LIMIT 1`,
  );
  return repeated.length === 0;
}

/** Tries the contract on its own rows and takes back what refuses one. */
async function withdrawBroken(raw: RawRows, columns: readonly InferredColumn[]): Promise<void> {
  const { counts } = await cleanRows(raw.rows.engine, raw, contractOf(columns, raw.rows.name));
  if (counts.rejected === 0) return;
  for (const column of columns)
    for (const rule of Object.keys(counts.by_rule))
      if (rule.startsWith(`${column.name}.`))
        delete column.rules[rule.slice(column.name.length + 1) as keyof InferredColumn["rules"]];
}
