import { listed, nearest, ShopaiError } from "../core/errors.js";
import { checkPredicate, checkScalar } from "../engine/duckdb.js";
import type { Engine, Field, Schema } from "../engine/engine.js";
import type { ColumnAsk, Frame } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import type { FieldKind } from "./copy-records.js";
import type { InputRecord } from "./provenance.js";

/** A lazy table in the engine. Its SELECT gives the visible columns and the key columns. */
export interface Relation {
  readonly engine: Engine;
  /** A SELECT; wrap it in parentheses to read from it. */
  readonly sql: string;
  /** The visible columns: what users see and what outputs hold. */
  readonly schema: Schema;
  /**
   * Columns that order the rows uniquely: file number and physical row for what came from files
   * (`_shopai_file`, `_shopai_row`, not in `schema`), or visible columns for what was grouped.
   */
  readonly key: readonly string[];
  /** The files that it was read from, for provenance. */
  readonly inputs: readonly InputRecord[];
  /** What to call it in an error: the file as it was typed. */
  readonly name: string;
  /** Where the SELECT gives `plainColumn` as well: the columns of which it says that they look like a kind. */
  readonly plain?: ReadonlyMap<string, FieldKind>;
  /** Of rows of one file, no matter which: the largest line or row number that one can have. */
  readonly lastRow?: number;
  /** The same rows in typed columns, where they are few and in memory anyway: requests that are answered one by one. */
  readonly memory?: Frame;
}

/** The hidden key columns of everything that was read from files: number of the file, physical line or row in it. */
export const fileColumn = "_shopai_file";
export const rowColumn = "_shopai_row";
/**
 * A hidden column of CSV as it stands: true for a record of plain ASCII, none of it quoted, none of its
 * fields with an outer space or tab, those of a kind as such values are commonly written (copy-records.ts).
 * Trimming and normalising its texts would change nothing.
 */
export const plainColumn = "_shopai_plain";
const hidden = new Set([fileColumn, rowColumn, plainColumn]);

/** A relation over any SELECT of the engine; columns named by `fileColumn` and `rowColumn` stay hidden. */
export async function relationOf(
  engine: Engine,
  sql: string,
  about: { key: readonly string[]; inputs?: readonly InputRecord[]; name?: string },
): Promise<Relation> {
  const schema = (await engine.describe(sql)).filter((field) => !hidden.has(field.name));
  return { engine, sql, schema, key: about.key, inputs: about.inputs ?? [], name: about.name ?? "the table" };
}

const namesOf = ({ schema }: Relation): string[] => schema.map(({ name }) => name);

/** The same columns, other rows: those that satisfy a user's predicate. */
export async function where(relation: Relation, predicate: string | undefined): Promise<Relation> {
  if (predicate === undefined) return relation;
  await checkPredicate(relation.engine, predicate, "--where", namesOf(relation));
  const sql = `SELECT * FROM (${relation.sql}) WHERE (${predicate}\n)`;
  try {
    await relation.engine.describe(sql);
  } catch (cause) {
    throw badPredicate(relation, predicate, cause);
  }
  return { ...relation, sql };
}

/**
 * A column that a user names, or works out by an SQL expression: `age < 25` becomes a text column of that name.
 *
 * @throws ShopaiError "data" for a column that is not there, "usage" for a text that is no expression
 */
export async function withExpression(
  relation: Relation,
  text: string,
  option: string,
): Promise<{ relation: Relation; column: string }> {
  const field = findColumn(relation.schema, text);
  if (field) return { relation, column: field.name };
  if (/^\w+$/.test(text)) throw unknownColumn(text, relation, option);
  await checkScalar(relation.engine, text, option, namesOf(relation));
  const sql = `SELECT *, (${text}\n)::VARCHAR AS ${ident(text)} FROM (${relation.sql})`;
  try {
    await relation.engine.describe(sql);
  } catch (cause) {
    throw badPredicate(relation, text, cause, option);
  }
  const schema = [...relation.schema, { name: text, type: "VARCHAR" }];
  return { relation: { ...relation, sql, schema }, column: text };
}

function badPredicate(
  relation: Relation,
  predicate: string,
  cause: unknown,
  option = "--where",
): ShopaiError {
  const message = (cause as Error).message ?? "";
  const unknown = /Referenced column "(.+?)" not found/.exec(message);
  if (unknown) return unknownColumn(unknown[1], relation, option);
  return new ShopaiError(
    "usage",
    `${option} cannot be worked out: ${message.replace(/^[A-Za-z ]+ Error: /, "")}`,
    {
      where: predicate,
      cause,
    },
  );
}

/**
 * What to try where a column is not of the type that it must be: texts are given types by a contract.
 *
 * @param otherwise what to try for a column of another type
 */
export const typedInstead = ({ type }: Field, name: string, otherwise: string): string =>
  kindOf(type) === "text"
    ? `shopai inspect ${name} --contract c.yaml, then shopai clean ${name} --contract c.yaml -o typed.parquet: texts become what they hold`
    : otherwise;

/**
 * A SELECT of expressions over a relation, in the order of its key.
 * @param columns SQL expressions with their names, or names of columns; all visible columns by default
 */
export function selectOrdered(relation: Relation, columns: readonly string[] = visible(relation)): string {
  return `SELECT ${columns.join(", ")} FROM (${relation.sql}) ${orderSql(relation)}`.trimEnd();
}

/** `ORDER BY` the key of a relation; nothing for one without. */
export function orderSql({ key, lastRow }: Pick<Relation, "key" | "lastRow">): string {
  if (key.length === 0) return "";
  if (lastRow === undefined || lastRow >= 2 ** 32 || !key.includes(rowColumn))
    return `ORDER BY ${key.map(ident).join(", ")}`;
  // With its NULL byte a key of 32 bits fits a word, which the engine sorts in half the time.
  const narrow = key
    .filter((name) => name !== fileColumn)
    .map((name) => (name === rowColumn ? `${ident(name)}::UINTEGER` : ident(name)));
  return `ORDER BY ${narrow.join(", ")}`;
}

/** The visible columns as quoted identifiers. */
export function visible(relation: Relation): string[] {
  return relation.schema.map((field) => ident(field.name));
}

/** Columns of a relation in memory, rows in the order of the key. */
export function frameOf(relation: Relation, columns: readonly ColumnAsk[]): Promise<Frame> {
  return relation.engine.frame(
    selectOrdered(
      relation,
      columns.map((column) => ident(column.name)),
    ),
    columns,
  );
}

/** What stands behind FROM: of a table of the engine its name, for every `SELECT *` between costs milliseconds where columns are thousands. */
export function source({ sql }: Pick<Relation, "sql">): string {
  return /^SELECT \* FROM ("(?:[^"]|"")+")$/.exec(sql)?.[1] ?? `(${sql})`;
}

export async function countRows(relation: Relation): Promise<number> {
  const [{ n }] = await relation.engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${source(relation)}`);
  return Number(n);
}

/** Copies a relation into a table of the engine: for what is read several times and is dear to work out. */
export async function materialised(relation: Relation, prefix = "rows"): Promise<Relation> {
  const table = relation.engine.fresh(prefix);
  await relation.engine.run(`CREATE TABLE ${ident(table)} AS ${relation.sql}`);
  return { ...relation, sql: `SELECT * FROM ${ident(table)}` };
}

/** The field of a name, exact or differing in case only. */
export function findColumn(schema: Schema, name: string): Field | undefined {
  return (
    schema.find((field) => field.name === name) ??
    schema.find((field) => field.name.toLowerCase() === name.toLowerCase())
  );
}

/** The field of a name that a user gave. @throws ShopaiError "data" naming the nearest column */
export function columnNamed(relation: Relation, name: string, option?: string): Field {
  const field = findColumn(relation.schema, name);
  if (!field) throw unknownColumn(name, relation, option);
  return field;
}

export function unknownColumn(name: string, relation: Relation, option?: string): ShopaiError {
  const known = relation.schema.map((field) => field.name);
  const near = nearest(name, known);
  const advice = near ? `${option ? `${option} ` : ""}${near}` : `shopai inspect ${relation.name}`;
  return new ShopaiError("data", `column "${name}" is not in the table (it has ${listed(known)})`, {
    where: relation.name,
    try: advice,
  });
}

export type TypeKind =
  "integer" | "float" | "decimal" | "boolean" | "text" | "date" | "time" | "timestamp" | "nested" | "other";

/** What an engine type is, coarsely. */
export function kindOf(type: string): TypeKind {
  if (/\[\d*\]$/.test(type) || /^(STRUCT|MAP|UNION|LIST)/.test(type)) return "nested";
  if (/^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(type) || /^U?(INTEGER|HUGEINT)$/.test(type))
    return "integer";
  if (/^(DOUBLE|FLOAT|REAL)/.test(type)) return "float";
  if (type.startsWith("DECIMAL")) return "decimal";
  if (type === "BOOLEAN") return "boolean";
  if (/^(VARCHAR|ENUM|UUID|JSON)/.test(type)) return "text";
  if (type === "DATE") return "date";
  if (type.startsWith("TIMESTAMP")) return "timestamp";
  if (type.startsWith("TIME")) return "time";
  return "other";
}

export function isNumeric(type: string): boolean {
  return ["integer", "float", "decimal"].includes(kindOf(type));
}
