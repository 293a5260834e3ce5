import { dirname, isAbsolute, join } from "node:path";
import { z } from "zod";
import { checkYaml, parseYaml, readYaml, type YamlSource } from "../core/yaml-source.js";
import { checkSense } from "./contract-sense.js";

/** What happens to a row, or a value, that breaks a rule (docs/data-contracts.md). */
export const actions = ["reject", "fix", "null", "flag", "fail"] as const;
export type Action = (typeof actions)[number];

/** The rules that one column can carry. */
export const columnRules = [
  "type",
  "required",
  "min",
  "max",
  "above",
  "below",
  "min_length",
  "max_length",
  "pattern",
  "values",
] as const;
export type ColumnRuleName = (typeof columnRules)[number];

/** Rules that have one obvious mended value; a column-wide `fix` lets the others reject. */
export const mendable: ReadonlySet<string> = new Set<ColumnRuleName>(["min", "max", "max_length", "values"]);

/** In YAML the bare word null is no text. */
const nullWord = z.null().transform((): "null" => "null");
const action = z.union([z.enum(actions), nullWord]);
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const names = z.array(z.string().min(1)).min(1);

const imputeSchema = z.strictObject({
  method: z.enum(["constant", "mean", "median", "mode", "forward"]),
  value: scalar.optional(),
  by: names.optional(),
  order_by: z.string().optional(),
});

const outlierSchema = z.strictObject({
  method: z.enum(["iqr", "mad", "zscore", "quantile"]),
  k: z.number().positive().optional(),
  low: z.number().min(0).max(1).optional(),
  high: z.number().min(0).max(1).optional(),
  by: names.optional(),
  action: z.union([z.enum(["reject", "clip", "null", "flag", "fail"]), nullWord]),
});

const columnSchema = z.strictObject({
  description: z.string().optional(),
  from: z.union([z.string(), names]).optional(),
  type: z.string().optional(),
  formats: names.optional(),
  optional: z.boolean().optional(),
  keep: z.boolean().optional(),
  trim: z.union([z.boolean(), z.literal("collapse")]).optional(),
  unicode: z.enum(["none", "nfc", "nfkc"]).optional(),
  case: z.enum(["upper", "lower"]).optional(),
  null_words: z.array(scalar).optional(),
  replace: z.record(z.string(), scalar).optional(),
  default: scalar.optional(),
  required: z.boolean().optional(),
  unique: z.boolean().optional(),
  min: scalar.optional(),
  max: scalar.optional(),
  above: scalar.optional(),
  below: scalar.optional(),
  min_length: z.number().int().min(0).optional(),
  max_length: z.number().int().min(0).optional(),
  pattern: z.string().optional(),
  values: z.array(scalar).min(1).optional(),
  on: z.union([action, z.partialRecord(z.enum([...columnRules, "unique"]), action)]).optional(),
  outliers: outlierSchema.optional(),
  impute: imputeSchema.optional(),
  derive: z.string().min(1).optional(),
});

/** A data contract as it is written; docs/data-contracts.md explains every key. */
export const contractSchema = z.strictObject({
  table: z.string().optional(),
  description: z.string().optional(),
  trim: z.union([z.boolean(), z.literal("collapse")]).optional(),
  unicode: z.enum(["none", "nfc", "nfkc"]).optional(),
  null_words: z.array(scalar).optional(),
  columns: z.record(z.string().min(1), z.union([columnSchema, z.null()])),
  keys: z
    .union([
      names,
      z.array(z.strictObject({ columns: names, on: z.enum(["reject", "flag", "fail"]).optional() })),
    ])
    .optional(),
  duplicates: z
    .strictObject({
      exact: z.boolean().optional(),
      by: names.optional(),
      keep: z.enum(["first", "last"]).optional(),
      order_by: z.string().optional(),
    })
    .optional(),
  rules: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        sql: z.string().min(1),
        on: action.optional(),
        columns: names.optional(),
        set: z.record(z.string(), z.string()).optional(),
      }),
    )
    .optional(),
  foreign_keys: z
    .array(
      z.strictObject({
        columns: names,
        table: z.string().min(1),
        references: names.optional(),
        on: z.union([z.enum(["reject", "null", "flag", "fail"]), nullWord]).optional(),
      }),
    )
    .optional(),
  extra_columns: z.enum(["keep", "drop", "fail"]).optional(),
});

export type ContractText = z.output<typeof contractSchema>;
export type Impute = z.output<typeof imputeSchema>;
export type Outliers = z.output<typeof outlierSchema>;

/** A column of a contract with the contract's own defaults filled in. */
export interface ContractColumn extends Omit<
  z.output<typeof columnSchema>,
  "from" | "on" | "values" | "null_words" | "replace"
> {
  name: string;
  /** Names under which it may stand in the input, the first that is there wins. */
  from: string[];
  values?: string[];
  nullWords: string[];
  replace?: Record<string, string>;
  trim: boolean | "collapse";
  unicode: "none" | "nfc" | "nfkc";
  on: (rule: ColumnRuleName | "unique") => Action;
}

export interface KeyRule {
  columns: string[];
  on: Action;
}

/** A contract, checked: what `clean` works from. */
export interface Contract {
  source: YamlSource;
  columns: ContractColumn[];
  keys: KeyRule[];
  duplicates?: { exact: boolean; by?: string[]; keep: "first" | "last"; orderBy?: string };
  rules: { name: string; sql: string; on: Action; columns: string[]; set: Record<string, string> }[];
  foreignKeys: { columns: string[]; table: string; references: string[]; on: Action }[];
  extraColumns: "keep" | "drop" | "fail";
}

/**
 * Reads a contract.
 *
 * @throws ShopaiError "data" when the file is not there; "usage" with file, line, column and caret for
 *         YAML that does not parse, an unknown key, or a rule that makes no sense
 */
export function readContract(path: string): Contract {
  return contractOf(readYaml(path));
}

/** A contract from its text; `path` names it in errors, and relative tables are looked up beside it. */
export function parseContract(text: string, path: string): Contract {
  return contractOf(parseYaml(text, path));
}

function contractOf(source: YamlSource): Contract {
  const text = checkYaml(source, contractSchema);
  const columns = Object.entries(text.columns).map(([name, column]) =>
    columnOf(source, text, name, column ?? {}),
  );
  const contract: Contract = {
    source,
    columns,
    keys: keysOf(text, columns),
    duplicates: text.duplicates && {
      exact: text.duplicates.exact ?? text.duplicates.by === undefined,
      by: text.duplicates.by,
      keep: text.duplicates.keep ?? "first",
      orderBy: text.duplicates.order_by,
    },
    rules: (text.rules ?? []).map((rule) => ({
      name: rule.name,
      sql: rule.sql,
      on: rule.on ?? "reject",
      columns: rule.columns ?? [],
      set: rule.set ?? {},
    })),
    foreignKeys: (text.foreign_keys ?? []).map((key) => ({
      columns: key.columns,
      table: isAbsolute(key.table) ? key.table : join(dirname(source.path), key.table),
      references: key.references ?? key.columns,
      on: key.on ?? "reject",
    })),
    extraColumns: text.extra_columns ?? "keep",
  };
  checkSense(contract, text);
  return contract;
}

function columnOf(
  source: YamlSource,
  contract: ContractText,
  name: string,
  column: z.output<typeof columnSchema>,
): ContractColumn {
  const { from, on, values, null_words, replace, ...rest } = column;
  const spelled = (path: (string | number)[], value: unknown): string => source.textAt(path) ?? String(value);
  const at = (key: string, i: number): string =>
    spelled(["columns", name, key, i], (column as never)[key][i]);
  const words = null_words
    ? null_words.map((_, i) => at("null_words", i))
    : (contract.null_words?.map((word, i) => spelled(["null_words", i], word)) ?? [""]);
  return {
    ...rest,
    name,
    from: from === undefined ? [name] : typeof from === "string" ? [from] : from,
    values: values?.map((_, i) => at("values", i)),
    nullWords: words,
    replace:
      replace &&
      Object.fromEntries(
        Object.entries(replace).map(([key, value]) => [
          key,
          spelled(["columns", name, "replace", key], value),
        ]),
      ),
    trim: column.trim ?? contract.trim ?? true,
    unicode: column.unicode ?? contract.unicode ?? "none",
    on: (rule) => (typeof on === "string" ? wideAction(on, rule) : (on?.[rule] ?? "reject")),
  };
}

/** What a column-wide action means for one rule that cannot carry it. */
function wideAction(on: Action, rule: ColumnRuleName | "unique"): Action {
  if (on === "fix") return mendable.has(rule) ? on : "reject";
  if (on === "null") return rule === "unique" || rule === "required" ? "reject" : on;
  return on;
}

function keysOf(text: ContractText, columns: readonly ContractColumn[]): KeyRule[] {
  const unique = columns
    .filter((column) => column.unique)
    .map((column) => ({ columns: [column.name], on: column.on("unique") }));
  const keys = text.keys ?? [];
  const whole = keys.length > 0 && typeof keys[0] === "string";
  const composite: KeyRule[] = whole
    ? [{ columns: keys as string[], on: "reject" }]
    : (keys as { columns: string[]; on?: Action }[]).map((key) => ({
        columns: key.columns,
        on: key.on ?? "reject",
      }));
  return [...unique, ...composite];
}

/** The other tables that a contract reads, for those who must know before it runs; none when it cannot be read. */
export function tablesOf(path: string): string[] {
  try {
    return readContract(path).foreignKeys.map((key) => key.table);
  } catch {
    return [];
  }
}
