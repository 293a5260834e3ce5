import { isDeepStrictEqual } from "node:util";
import { listed, ShopaiError } from "../core/errors.js";
import { yamlError } from "../core/yaml-source.js";
import { ident } from "../engine/sql.js";
import type { FieldKind } from "../table/copy-records.js";
import {
  columnNamed,
  fileColumn,
  findColumn,
  kindOf,
  plainColumn,
  rowColumn,
  type Relation,
} from "../table/relation.js";
import { checkConstants, checkedColumn, type Note } from "./column-rules.js";
import type { Contract, ContractColumn } from "./contract.js";
import type { Ledger } from "./ledger.js";
import { isLeftAlone, normalisedText } from "./repair.js";
import {
  castOf,
  checkFormats,
  conversionOf,
  printsBack,
  promisedType,
  typedConversion,
  type PromisedType,
} from "./types.js";

/** A step of the plan: rows under their final names, with the masks that say what was noted of them. */
export interface Step {
  /** SELECT of key, masks and named columns. */
  sql: string;
  /** Mask columns so far. */
  masks: string[];
  /** Names of the columns in the order of the output. */
  columns: string[];
  /** SQL of the fields as read, as a JSON list; absent where they are not carried along. */
  raw?: string;
}

/** The columns of the input that no column of the contract reads. */
export function extraColumns(raw: Relation, contract: Contract): string[] {
  const read = new Set(
    contract.columns
      .map((column) => sourceOf(raw, column))
      .filter((name) => name !== undefined)
      .map((name) => name.toLowerCase()),
  );
  return raw.schema.map((field) => field.name).filter((name) => !read.has(name.toLowerCase()));
}

function sourceOf(raw: Relation, column: ContractColumn): string | undefined {
  if (column.derive !== undefined) return undefined;
  return column.from.map((name) => findColumn(raw.schema, name)?.name).find((name) => name !== undefined);
}

/** Internal names: no user's column may begin so. */
const inner = {
  raw: (i: number) => `_shopai_r${i}`,
  text: (i: number) => `_shopai_t${i}`,
  guess: (i: number) => `_shopai_g${i}`,
  value: (i: number) => `_shopai_v${i}`,
  checked: (i: number) => `_shopai_x${i}`,
  /** A fingerprint of the row as read, for exact duplicates. */
  print: "_shopai_print",
};
export const printColumn = inner.print;

interface Planned {
  column: ContractColumn;
  type?: PromisedType;
  /** The engine's type of the value. */
  sqlType: string;
  text?: string;
  guess?: string;
  value: string;
  checked: string;
  notes: Note[];
}

/**
 * The first step: columns found, renamed, normalised, typed, checked one by one. Each layer of the SELECT
 * works out what the next one asks for, so that nothing is worked out twice.
 *
 * @throws ShopaiError "data" for a column that is not there, "usage" with line and caret for types, formats
 *         and constants that make no sense
 */
export async function columnStep(
  raw: Relation,
  contract: Contract,
  ledger: Ledger,
  options: { print: boolean; raw: boolean },
): Promise<Step> {
  const extras = extraColumns(raw, contract);
  if (contract.extraColumns === "fail" && extras.length > 0)
    throw new ShopaiError("data", `columns that the contract does not name: ${listed(extras)}`, {
      where: raw.name,
      try: `naming them in ${contract.source.path}, or extra_columns: keep`,
    });
  const readable = contract.columns.filter((column) => column.derive === undefined);
  const planned: Planned[] = [];
  for (const [i, column] of readable.entries()) planned.push(await plannedColumn(raw, contract, column, i));
  const kept = contract.extraColumns === "drop" ? [] : extras.filter((name) => !takenBy(contract, name));
  const refused = contract.extraColumns === "drop" ? [] : extras.filter((name) => takenBy(contract, name));
  if (refused.length > 0)
    throw new ShopaiError("data", `the contract gives another column the name of ${listed(refused)}`, {
      where: raw.name,
      try: "extra_columns: drop, or other names",
    });
  const key = `${ident(fileColumn)}, ${ident(rowColumn)}`;
  const rawList = raw.schema.map((field, i) => `${ident(field.name)} AS ${inner.raw(i)}`);
  if (raw.plain) rawList.push(ident(plainColumn));
  const layers = [
    rawList,
    aliased(planned, "text"),
    aliased(planned, "guess"),
    planned.map(({ value }, i) => `${value} AS ${inner.value(i)}`),
  ];
  let sql = raw.sql;
  layers.forEach((layer, depth) => {
    if (layer.length > 0) sql = `SELECT ${depth === 0 ? key : "*"}, ${layer.join(", ")} FROM (${sql})`;
  });
  const masks = ledger.noted(planned.flatMap(({ notes }) => notes));
  const names = [...planned.map(({ column }) => column.name), ...kept];
  const values = [
    ...planned.map(({ checked, column }) => `${checked} AS ${ident(column.name)}`),
    ...kept.map(
      (name) => `${inner.raw(raw.schema.findIndex((field) => field.name === name))} AS ${ident(name)}`,
    ),
  ];
  const print = options.print
    ? [`hash(${raw.schema.map((_, i) => inner.raw(i)).join(", ")}) AS ${inner.print}`]
    : [];
  const rawNames = options.raw ? raw.schema.map((_, i) => inner.raw(i)) : [];
  return {
    sql: `SELECT ${[key, ...print, ...rawNames, ...masks.columns, ...values].join(", ")} FROM (${sql})`,
    masks: masks.names,
    columns: names,
    // Columns may have types of their own; a list has one.
    raw: options.raw
      ? `to_json([${rawNames.map((name) => `${name}::VARCHAR`).join(", ")}])::VARCHAR`
      : undefined,
  };
}

const takenBy = (contract: Contract, name: string): boolean =>
  contract.columns.some((column) => column.name.toLowerCase() === name.toLowerCase());

function aliased(planned: readonly Planned[], what: "text" | "guess"): string[] {
  return planned.flatMap((one, i) => (one[what] === undefined ? [] : [`${one[what]} AS ${inner[what](i)}`]));
}

async function plannedColumn(
  raw: Relation,
  contract: Contract,
  column: ContractColumn,
  i: number,
): Promise<Planned> {
  const { engine } = raw;
  const { source } = contract;
  const type = promisedType(source, column);
  await checkFormats(engine, source, column, type);
  const from = sourceOf(raw, column);
  if (from === undefined && !column.optional) throw missingColumn(raw, contract, column);
  const field = from === undefined ? undefined : columnNamed(raw, from);
  const sqlType = type?.sql ?? field?.type ?? "VARCHAR";
  await checkConstants(engine, source, column, type, sqlType);
  const later = column.impute !== undefined;
  const read = inner.raw(raw.schema.findIndex((one) => one.name === from));

  if (!field) {
    const checks = checkedColumn(column, { value: inner.value(i), text: inner.value(i), sqlType }, later);
    return {
      column,
      type,
      sqlType,
      value: `CAST(NULL AS ${sqlType})`,
      checked: checks.value,
      notes: checks.notes,
    };
  }
  if (kindOf(field.type) === "text")
    return plannedText(column, type, read, i, {
      later,
      plain: raw.plain && ident(plainColumn),
      known: raw.plain?.get(field.name),
    });
  const value = type ? typedConversion(type, read, field.type) : read;
  const mistyped = value === read ? undefined : `${read} IS NOT NULL AND ${inner.value(i)} IS NULL`;
  const checks = checkedColumn(
    column,
    { value: inner.value(i), mistyped, text: `CAST(${read} AS VARCHAR)`, sqlType },
    later,
  );
  return { column, type, sqlType, value, checked: checks.value, notes: checks.notes };
}

function plannedText(
  column: ContractColumn,
  type: PromisedType | undefined,
  read: string,
  i: number,
  { later, plain, known }: { later: boolean; plain?: string; known?: FieldKind },
): Planned {
  const text = inner.text(i);
  const raw = `CAST(${read} AS VARCHAR)`;
  const normalised = normalisedText(column, raw, plain);
  if (type === undefined || type.name === "text") {
    const checks = checkedColumn(
      column,
      { value: inner.value(i), text: inner.value(i), sqlType: "VARCHAR" },
      later,
    );
    const asRead = plain !== undefined && isLeftAlone(column) ? `NOT ${plain} AND ` : "";
    const broken = `${asRead}${text} <> ${read}`;
    const repaired: Note = { rule: `${column.name}.text`, action: "repair", broken };
    return {
      column,
      type,
      sqlType: "VARCHAR",
      text: normalised,
      value: text,
      checked: checks.value,
      notes: [repaired, ...checks.notes],
    };
  }
  const cast = castOf(type, raw);
  if (cast !== undefined && takesPlainValues(column)) {
    // Most values print back as they stand: only the others are normalised and looked at closely.
    const { value: careful } = conversionOf(type, column, normalised, castOf(type, normalised)!);
    const sure = known && isDeepStrictEqual(known, kindOfColumn(type, column)) ? plain : undefined;
    const value = `CASE WHEN ${sure ?? printsBack(type, raw, inner.guess(i))} THEN ${inner.guess(i)} WHEN ${raw} IS NOT NULL THEN ${careful} END`;
    const mistyped = `CASE WHEN ${inner.value(i)} IS NULL THEN ${normalised} IS NOT NULL ELSE false END`;
    const about = { value: inner.value(i), mistyped, text: normalised, sqlType: type.sql };
    const checks = checkedColumn(column, about, later);
    return {
      column,
      type,
      sqlType: type.sql,
      guess: cast,
      value,
      checked: checks.value,
      notes: checks.notes,
    };
  }
  const { guess, value } = conversionOf(type, column, text, inner.guess(i));
  const mistyped = `${text} IS NOT NULL AND ${inner.value(i)} IS NULL`;
  const checks = checkedColumn(column, { value: inner.value(i), mistyped, text, sqlType: type.sql }, later);
  return {
    column,
    type,
    sqlType: type.sql,
    text: normalised,
    guess,
    value,
    checked: checks.value,
    notes: checks.notes,
  };
}

/** What the fields of a contract's columns are to be read as, where the plain way of writing them says it all. */
export function fieldKinds(contract: Contract): Map<string, FieldKind> {
  return new Map(
    contract.columns.flatMap((column) => {
      const type = column.derive === undefined ? promisedType(contract.source, column) : undefined;
      const kind = type && kindOfColumn(type, column);
      return kind === undefined ? [] : column.from.map((name) => [name, kind] as const);
    }),
  );
}

function kindOfColumn({ name, scale }: PromisedType, column: ContractColumn): FieldKind | undefined {
  if (column.formats?.length || !takesPlainValues(column)) return undefined;
  if (name === "integer") return { decimal: 0 };
  if (name === "decimal") return { decimal: scale };
  return name === "number" || name === "date" || name === "timestamp" ? name : undefined;
}

/** Whether a value that needs no normalising means what it says: no word of the contract may stand for something else. */
function takesPlainValues(column: ContractColumn): boolean {
  const rewritten = column.nullWords.some((word) => word !== "") || column.replace !== undefined;
  return !rewritten && !column.formats?.includes("comma-decimal");
}

function missingColumn(raw: Relation, contract: Contract, column: ContractColumn): ShopaiError {
  try {
    columnNamed(raw, column.from[0]);
  } catch (error) {
    const { message, try: advice } = error as ShopaiError;
    const known = raw.schema.map((field) => field.name);
    const near = known.find((name) => advice === name);
    const path = ["columns", column.name];
    return yamlError(contract.source, path, message, {
      kind: "data",
      at: "key",
      try: near ? `from: ${near}` : "optional: true, or another from",
      cause: error,
    });
  }
  throw new Error(`column ${column.name} is there`);
}
