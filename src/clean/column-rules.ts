import { yamlError, type YamlPath, type YamlSource } from "../core/yaml-source.js";
import type { Engine } from "../engine/engine.js";
import { literal } from "../engine/sql.js";
import { isNumeric } from "../table/relation.js";
import type { Action, ContractColumn } from "./contract.js";
import type { Entry } from "./ledger.js";
import type { PromisedType } from "./types.js";

/** One thing to note of a row. */
export interface Note {
  rule: string;
  action: Entry["action"];
  /** SQL that is true for a row that broke the rule (NULL is no). */
  broken: string;
}

/** A column's rules in SQL, and the value that stays when fixes and nulls are done. */
export interface CheckedColumn {
  notes: Note[];
  value: string;
}

/** What the rules of a column are asked of. */
export interface ColumnValue {
  /** SQL of the typed value, NULL where the type was broken. */
  value: string;
  /** SQL: something stood there and had not the type. */
  mistyped?: string;
  /** SQL of the text that `pattern` looks at. */
  text: string;
  /** The engine's type of `value`. */
  sqlType: string;
}

/**
 * The rules of one column: type, default, required, ranges, lengths, pattern, allowed values. A null
 * breaks no rule but `required`.
 *
 * @param later `required` is asked later, when imputation had its turn
 */
export function checkedColumn(column: ContractColumn, from: ColumnValue, later: boolean): CheckedColumn {
  const { name } = column;
  const constant = (value: unknown): string => constantSql(value, from.sqlType);
  const notes: Note[] = [];
  const mended: string[] = [];
  const emptied: string[] = [];
  const note = (rule: string, action: Action, broken: string, fixed?: string): void => {
    notes.push({ rule: `${name}.${rule}`, action, broken });
    if (action === "fix" && fixed !== undefined) mended.push(`WHEN ${broken} THEN ${fixed}`);
    if (action === "null") emptied.push(broken);
  };

  if (from.mistyped) note("type", column.on("type"), from.mistyped);
  let value = from.value;
  if (column.default !== undefined) {
    const missing = from.mistyped ? `${value} IS NULL AND NOT (${from.mistyped})` : `${value} IS NULL`;
    notes.push({ rule: `${name}.default`, action: "repair", broken: missing });
    value = `coalesce(${value}, ${constant(column.default)})`;
  }
  if (column.required && !later) {
    const known = from.mistyped && column.on("type") !== "null" ? ` AND NOT (${from.mistyped})` : "";
    note("required", column.on("required"), `${value} IS NULL${known}`);
  }
  if (column.min !== undefined)
    note("min", column.on("min"), `${value} < ${constant(column.min)}`, constant(column.min));
  if (column.max !== undefined)
    note("max", column.on("max"), `${value} > ${constant(column.max)}`, constant(column.max));
  if (column.above !== undefined) note("above", column.on("above"), `${value} <= ${constant(column.above)}`);
  if (column.below !== undefined) note("below", column.on("below"), `${value} >= ${constant(column.below)}`);
  if (column.min_length !== undefined)
    note("min_length", column.on("min_length"), `length(${value}) < ${column.min_length}`);
  if (column.max_length !== undefined)
    note(
      "max_length",
      column.on("max_length"),
      `length(${value}) > ${column.max_length}`,
      `left(${value}, ${column.max_length})`,
    );
  if (column.pattern !== undefined)
    note("pattern", column.on("pattern"), `NOT regexp_matches(${from.text}, ${literal(column.pattern)})`);
  if (column.values) {
    const broken = `${value} NOT IN (${column.values.map(constant).join(", ")})`;
    const action = column.on("values");
    if (action === "fix") {
      const nearby = sameButForForm(column.values, value, constant);
      note("values", "fix", `${broken} AND ${nearby} IS NOT NULL`, nearby);
      note("values", "reject", `${broken} AND ${nearby} IS NULL`);
    } else note("values", action, broken);
  }
  const nulled =
    emptied.length > 0 ? [`WHEN ${emptied.map((one) => `(${one})`).join(" OR ")} THEN NULL`] : [];
  const branches = [...nulled, ...mended];
  return { notes, value: branches.length > 0 ? `CASE ${branches.join(" ")} ELSE ${value} END` : value };
}

/** The allowed value that differs from a text in case, spaces and punctuation alone. */
function sameButForForm(
  values: readonly string[],
  value: string,
  constant: (value: unknown) => string,
): string {
  const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  const branches = values.map((one) => `WHEN ${literal(bare(one))} THEN ${constant(one)}`);
  return `CASE regexp_replace(lower(CAST(${value} AS VARCHAR)), '[^\\p{L}\\p{N}]', '', 'g') ${branches.join(" ")} END`;
}

/** A constant of a contract as a value of a type. */
export function constantSql(value: unknown, sqlType: string): string {
  return `CAST(${literal(String(value))} AS ${sqlType})`;
}

/** Refuses constants that are no value of the column's type, and patterns that are no RE2. */
export async function checkConstants(
  engine: Engine,
  source: YamlSource,
  column: ContractColumn,
  type: PromisedType | undefined,
  sqlType: string,
): Promise<void> {
  const described = type ? column.type! : sqlType;
  const checked = async (path: YamlPath, value: unknown): Promise<void> => {
    // A cast would round 0.5 to an integer without a word.
    const exact = isNumeric(sqlType) ? ` = CAST(${literal(String(value))} AS DOUBLE)` : " IS NOT NULL";
    let cause: unknown;
    const fits = await engine
      .rows<{ fits: boolean }>(`SELECT ${constantSql(value, sqlType)}${exact} AS fits`)
      .then(([row]) => row.fits)
      .catch((error: unknown) => void (cause = error));
    if (!fits)
      throw yamlError(
        source,
        ["columns", column.name, ...path],
        `"${String(value)}" is not a value of the type ${described}`,
        {
          try: `a value such as the column ${column.name} holds`,
          cause,
        },
      );
  };
  for (const key of ["default", "min", "max", "above", "below"] as const)
    if (column[key] !== undefined) await checked([key], column[key]);
  for (const [i, value] of (column.values ?? []).entries()) await checked(["values", i], value);
  if (column.impute?.value !== undefined) await checked(["impute", "value"], column.impute.value);
  for (const key of ["min_length", "max_length"] as const)
    if (column[key] !== undefined && sqlType !== "VARCHAR")
      throw yamlError(
        source,
        ["columns", column.name, key],
        `${key} is for texts; ${column.name} is ${described}`,
        {
          at: "key",
          try: key === "min_length" ? "min" : "max",
        },
      );
  if (column.pattern === undefined) return;
  try {
    await engine.rows(`SELECT regexp_matches('', ${literal(column.pattern)})`);
  } catch (cause) {
    throw yamlError(
      source,
      ["columns", column.name, "pattern"],
      `the pattern is no regular expression: ${(cause as Error).message}`,
      {
        try: "RE2 syntax, which has no look-around and no back references",
        cause,
      },
    );
  }
}
