import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Engine } from "../engine/engine.js";
import { ident, literalList } from "../engine/sql.js";
import { countRows, fileColumn, relationOf, rowColumn, type Relation } from "../table/relation.js";
import { columnStep, type Step } from "./column-plan.js";
import type { Contract } from "./contract.js";
import { duplicateStep, keyStep } from "./dedupe.js";
import { imputeStep } from "./impute.js";
import { Ledger, type Entry } from "./ledger.js";
import { outlierStep } from "./outliers.js";
import { derivedStep, foreignKeyStep, lateRequiredStep, rulesStep } from "./row-rules.js";
import { registerUnicode } from "./unicode.js";

/** What is cleaned: rows as read, and the records of text files that could not be read. */
export interface RawRows {
  /** Key: number of the file, and line or row in it. */
  rows: Relation;
  /** `_reason`, `_source`, `_line`, `_raw` of unreadable records; absent for Parquet and Arrow. */
  refused?: Relation;
}

/** Where every row that came in went: rows_in = rows_out + rejected + duplicates. */
export interface CleanCounts {
  rows_in: number;
  rows_out: number;
  rejected: number;
  duplicates: number;
  /** Rows of the output in which at least one value was mended. */
  repaired: number;
  /** Rows that broke a rule or were mended, by the rule's name; unreadable records as `structure: reason`. */
  by_rule: Record<string, number>;
}

export interface Cleaned {
  table: Relation;
  /** Every refused row as read, with `_reason`, `_source`, `_line` (and `_raw` of what could not be read). */
  rejects: Relation;
  counts: CleanCounts;
  /** What each rule of `by_rule` does. */
  actions: Record<string, Entry["action"]>;
}

const key = [fileColumn, rowColumn];
const keyList = key.map(ident).join(", ");

/**
 * Cleans rows by a contract. The order of the steps is fixed (docs/data-contracts.md): columns one by one,
 * duplicates, outliers, imputation, derived columns, rules over columns, foreign keys, keys. A row that
 * one step refuses is out of the later ones.
 *
 * @throws ShopaiError "data" when a rule that says `fail` is broken, or a column is missing
 */
export async function cleanRows(engine: Engine, raw: RawRows, contract: Contract): Promise<Cleaned> {
  const ledger = new Ledger();
  if (contract.columns.some((column) => column.unicode === "nfkc")) await registerUnicode(engine);
  const { step, inputs } = await plan(engine, raw, contract, ledger);
  const noted = await notedRows(engine, step);
  const counts = await countedRows(engine, raw, noted, step, ledger);
  await refuseFailures(engine, raw.rows, noted, step, ledger);
  return {
    table: await goodRows(engine, raw.rows, step, ledger, contract, inputs),
    rejects: await rejectedRows(engine, raw, noted, step, ledger),
    counts,
    actions: Object.fromEntries(ledger.entries.map(({ rule, action }) => [rule, action])),
  };
}

async function plan(
  engine: Engine,
  { rows, refused }: RawRows,
  contract: Contract,
  ledger: Ledger,
): Promise<{ step: Step; inputs: Relation["inputs"] }> {
  let step = await columnStep(rows, contract, ledger, { print: contract.duplicates?.exact === true });
  const looksBack =
    contract.duplicates !== undefined ||
    contract.keys.length > 0 ||
    contract.columns.some((column) => column.outliers || column.impute);
  // Text would be split and cast again by each of these passes; a column store need not be copied.
  if (looksBack && refused) step = await staged(engine, step);
  if (contract.duplicates) step = await duplicateStep(engine, rows, step, contract.duplicates, ledger);
  step = await outlierStep(engine, step, contract, ledger);
  step = await imputeStep(engine, step, contract, ledger);
  step = lateRequiredStep(step, contract, ledger);
  step = await derivedStep(engine, step, contract, ledger);
  step = await rulesStep(engine, step, contract, ledger);
  const referred = await foreignKeyStep(engine, step, contract, ledger);
  return { step: await keyStep(engine, referred.step, contract.keys, ledger), inputs: referred.inputs };
}

async function staged(engine: Engine, step: Step): Promise<Step> {
  const table = engine.fresh("staged");
  await engine.run(`CREATE TABLE ${ident(table)} AS ${step.sql}`);
  return { ...step, sql: `SELECT * FROM ${ident(table)}` };
}

/** A table of the rows of which something was noted: key and masks. */
async function notedRows(engine: Engine, step: Step): Promise<string> {
  const table = engine.fresh("noted");
  const any = step.masks.map((mask) => `${ident(mask)} <> 0`).join(" OR ") || "false";
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT ${[keyList, ...step.masks.map(ident)].join(", ")} FROM (${step.sql}) WHERE ${any}`,
  );
  return table;
}

async function countedRows(
  engine: Engine,
  { rows, refused }: RawRows,
  noted: string,
  step: Step,
  ledger: Ledger,
): Promise<CleanCounts> {
  const counts: CleanCounts = {
    rows_in: await countRows(rows),
    rows_out: 0,
    rejected: 0,
    duplicates: 0,
    repaired: 0,
    by_rule: {},
  };
  const add = (rule: string, n: number): void =>
    void (counts.by_rule[rule] = (counts.by_rule[rule] ?? 0) + n);
  const masks = step.masks.map(ident);
  if (masks.length > 0) {
    const groups = await engine.rows<Record<string, bigint>>(
      `SELECT ${masks.join(", ")}, count(*) AS n FROM ${ident(noted)} GROUP BY ALL ORDER BY ALL`,
    );
    for (const group of groups) {
      const n = Number(group.n);
      const held = ledger.entries.filter(({ mask, bit }) => (group[mask] >> BigInt(bit)) & 1n);
      for (const rule of new Set(held.map((entry) => entry.rule))) add(rule, n);
      const does = (...actions: Entry["action"][]): boolean =>
        held.some(({ action }) => actions.includes(action));
      if (does("reject")) counts.rejected += n;
      else if (does("duplicate")) counts.duplicates += n;
      else if (does("fix", "null", "repair")) counts.repaired += n;
    }
  }
  for (const { reason, n } of refused ? await refusedByReason(engine, refused) : []) {
    add(`structure: ${reason}`, Number(n));
    counts.rows_in += Number(n);
    counts.rejected += Number(n);
  }
  counts.rows_out = counts.rows_in - counts.rejected - counts.duplicates;
  return counts;
}

function refusedByReason(engine: Engine, refused: Relation): Promise<{ reason: string; n: bigint }[]> {
  return engine.rows(
    `SELECT _reason AS reason, count(*) AS n FROM (${refused.sql}) GROUP BY ALL ORDER BY ALL`,
  );
}

async function refuseFailures(
  engine: Engine,
  rows: Relation,
  noted: string,
  step: Step,
  ledger: Ledger,
): Promise<void> {
  for (const entry of ledger.of(step.masks, "fail")) {
    const broken = `SELECT *, count(*) OVER () AS n FROM ${ident(noted)} WHERE ${ledger.holds([entry])} ORDER BY ${keyList} LIMIT 5`;
    const first = await engine.rows<{ source: string; line: bigint; n: bigint }>(
      `SELECT ${sourceSql(rows)} AS source, ${lineSql} AS line, n FROM (${broken}) ORDER BY ${keyList}`,
    );
    if (first.length === 0) continue;
    const n = Number(first[0].n);
    throw new ShopaiError(
      "data",
      `${grouped(n)} row${n === 1 ? " breaks" : "s break"} the rule "${entry.rule}", which says fail`,
      {
        where:
          first.map(({ source, line }) => `${source}:${line}`).join(", ") + (n > first.length ? ", …" : ""),
        try: "mending the input, or reject, null or flag in the contract",
      },
    );
  }
}

async function goodRows(
  engine: Engine,
  rows: Relation,
  step: Step,
  ledger: Ledger,
  contract: Contract,
  inputs: Relation["inputs"],
): Promise<Relation> {
  const dropped = new Set(
    contract.columns.filter((column) => column.keep === false).map((column) => column.name),
  );
  const columns = step.columns.filter((name) => !dropped.has(name)).map(ident);
  const flags = ledger.of(step.masks, "flag");
  const flagged = flags.length > 0 ? [`${ledger.names(flags)} AS _flags`] : [];
  return relationOf(
    engine,
    `SELECT ${[...columns, ...flagged, keyList].join(", ")} FROM (${step.sql}) WHERE ${ledger.goesOn(step.masks)}`,
    { key, inputs: [...rows.inputs, ...inputs], name: rows.name },
  );
}

const lineSql = ident(rowColumn);

const sourceSql = ({ inputs }: Relation): string =>
  `(${literalList(inputs.map((input) => input.path))})[${ident(fileColumn)} + 1]`;

/** Names that a rejects file gives itself; a column of the input so called is left out of it. */
const ownColumns = new Set(["_reason", "_source", "_line", "_raw"]);

async function rejectedRows(
  engine: Engine,
  { rows, refused }: RawRows,
  noted: string,
  step: Step,
  ledger: Ledger,
): Promise<Relation> {
  const rejecting = ledger.of(step.masks, "reject");
  const rejected = `SELECT ${keyList}, ${ledger.names(rejecting)} AS _reason FROM ${ident(noted)} WHERE ${ledger.holds(rejecting)}`;
  const columns = rows.schema
    .map((field) => field.name)
    .filter((name) => !ownColumns.has(name.toLowerCase()))
    .map(ident);
  const about = [
    `_reason`,
    `${sourceSql(rows)} AS _source`,
    `${lineSql} AS _line`,
    ...(refused ? ["NULL::VARCHAR AS _raw"] : []),
  ];
  const broken = `SELECT ${[...columns, ...about, ident(fileColumn)].join(", ")} FROM (${rows.sql}) JOIN (${rejected}) USING (${keyList})`;
  const unread = refused
    ? ` UNION ALL BY NAME SELECT _reason, _source, _line, _raw, ${ident(fileColumn)} FROM (${refused.sql})`
    : "";
  return relationOf(engine, `${broken}${unread}`, {
    key: [fileColumn, "_line"],
    inputs: rows.inputs,
    name: "the rejects",
  });
}
