import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Engine } from "../engine/engine.js";
import { ident, literal, literalList } from "../engine/sql.js";
import {
  countRows,
  fileColumn,
  materialised,
  relationOf,
  rowColumn,
  type Relation,
} from "../table/relation.js";
import { columnStep, type Step } from "./column-plan.js";
import type { Contract } from "./contract.js";
import { duplicateStep, keyStep } from "./dedupe.js";
import { imputeStep } from "./impute.js";
import { Ledger, type Entry } from "./ledger.js";
import { outlierStep } from "./outliers.js";
import { derivedStep, foreignKeyStep, lateRequiredStep, rulesStep } from "./row-rules.js";
import { openTap, type Tap } from "./tap.js";
import { registerUnicode } from "./unicode.js";

/** What is cleaned: rows as read, and the records of text files that could not be read. */
export interface RawRows {
  /** Key: number of the file, and line or row in it. */
  rows: Relation;
  /** `_reason`, `_source`, `_line`, `_raw` of unreadable records; absent for Parquet and Arrow. */
  refused?: Relation;
  /** Records of text files, unreadable ones included; absent where nobody counted them. */
  records?: number;
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

/** A cleaning that is planned and not done: reading `table` does it. */
export interface Cleaning {
  /** The clean rows. To be read once, to the end: what is refused is set aside on the way. */
  table: Relation;
  /** What came of it, once `table` was read and gave so many rows. */
  outcome(rowsOut: number): Promise<Outcome>;
}

export interface Outcome {
  counts: CleanCounts;
  /** Every refused row as read, with `_reason`, `_source`, `_line` (and `_raw` of what could not be read). */
  rejects: Relation;
  /** What each rule of `by_rule` does. */
  actions: Record<string, Entry["action"]>;
}

const key = [fileColumn, rowColumn];
const keyList = key.map(ident).join(", ");

/**
 * Plans the cleaning of rows by a contract. The order of the steps is fixed (docs/data-contracts.md):
 * columns one by one, duplicates, outliers, imputation, derived columns, rules over columns, foreign keys,
 * keys. A row that one step refuses is out of the later ones.
 *
 * @throws ShopaiError "data" when a column is missing; from `outcome`, when a rule that says `fail` is broken
 */
export async function planCleaning(engine: Engine, raw: RawRows, contract: Contract): Promise<Cleaning> {
  const ledger = new Ledger();
  if (contract.columns.some((column) => column.unicode === "nfkc")) await registerUnicode(engine);
  const { step, inputs } = await allSteps(engine, raw, contract, ledger);
  const tap = await openTap(engine, step, ledger);
  return {
    table: await goodRows(raw.rows, tap.sql, step, ledger, contract, inputs),
    async outcome(rowsOut) {
      const kept = engine.fresh("refused");
      await engine.run(`CREATE TABLE ${ident(kept)} AS ${tap.close()}`);
      await refuseFailures(engine, raw, kept, ledger);
      return {
        counts: await countedRows(engine, raw, tap, ledger, rowsOut),
        rejects: await rejectedRows(engine, raw, kept, step, ledger),
        actions: Object.fromEntries(ledger.entries.map(({ rule, action }) => [rule, action])),
      };
    },
  };
}

/** Cleans rows at once, into a table of the engine that can be read as often as one likes. */
export async function cleanRows(
  engine: Engine,
  raw: RawRows,
  contract: Contract,
): Promise<Outcome & { table: Relation }> {
  const plan = await planCleaning(engine, raw, contract);
  const table = await materialised(plan.table, "clean");
  return { table, ...(await plan.outcome(await countRows(table))) };
}

async function allSteps(
  engine: Engine,
  { rows, refused }: RawRows,
  contract: Contract,
  ledger: Ledger,
): Promise<{ step: Step; inputs: Relation["inputs"] }> {
  const looksBack =
    contract.duplicates !== undefined ||
    contract.keys.length > 0 ||
    contract.columns.some((column) => column.outliers || column.impute);
  const isText = refused !== undefined;
  let step = await columnStep(rows, contract, ledger, {
    print: contract.duplicates?.exact === true,
    raw: isText && !looksBack,
  });
  // Text would be split and cast again by each of these passes; a column store need not be copied.
  if (looksBack && isText) step = await staged(engine, step);
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

async function goodRows(
  rows: Relation,
  passed: string,
  step: Step,
  ledger: Ledger,
  contract: Contract,
  inputs: Relation["inputs"],
): Promise<Relation> {
  const dropped = new Set(
    contract.columns.filter((column) => column.keep === false).map((column) => column.name),
  );
  const columns = step.columns.filter((name) => !dropped.has(name)).map(ident);
  const flags = ledger.of("flag");
  const flagged = flags.length > 0 ? [`${ledger.names(flags)} AS _flags`] : [];
  const sql = `SELECT ${[...columns, ...flagged, keyList].join(", ")} FROM (${passed})`;
  const about = { key, inputs: [...rows.inputs, ...inputs], name: rows.name };
  return { ...(await relationOf(rows.engine, sql, about)), lastRow: rows.lastRow };
}

async function countedRows(
  engine: Engine,
  { refused, records }: RawRows,
  tap: Tap,
  ledger: Ledger,
  rowsOut: number,
): Promise<CleanCounts> {
  const found = new Map<string, number>();
  const add = (rule: string, n: number): void => void found.set(rule, (found.get(rule) ?? 0) + n);
  let [rejected, duplicates, repaired] = [0, 0, 0];
  for (const { held, rows } of tap.heard()) {
    for (const rule of new Set(held.map((entry) => entry.rule))) add(rule, rows);
    const does = (...actions: Entry["action"][]): boolean =>
      held.some(({ action }) => actions.includes(action));
    if (does("reject")) rejected += rows;
    else if (does("duplicate")) duplicates += rows;
    else if (does("fix", "null", "repair")) repaired += rows;
  }
  const order = ledger.entries.map((entry) => entry.rule);
  for (const { reason, n } of refused ? await reasonsOf(engine, refused) : []) {
    order.push(`structure: ${reason}`);
    add(order.at(-1)!, Number(n));
    rejected += Number(n);
  }
  const rowsIn = rowsOut + rejected + duplicates;
  if (records !== undefined && rowsIn !== records)
    throw new Error(`${records} records were read, and ${rowsOut} + ${rejected} + ${duplicates} came out`);
  return {
    rows_in: rowsIn,
    rows_out: rowsOut,
    rejected,
    duplicates,
    repaired,
    by_rule: Object.fromEntries(order.flatMap((rule) => (found.has(rule) ? [[rule, found.get(rule)!]] : []))),
  };
}

function reasonsOf(engine: Engine, refused: Relation): Promise<{ reason: string; n: bigint }[]> {
  return engine.rows(
    `SELECT _reason AS reason, count(*) AS n FROM (${refused.sql}) GROUP BY ALL ORDER BY ALL`,
  );
}

async function refuseFailures(engine: Engine, raw: RawRows, kept: string, ledger: Ledger): Promise<void> {
  for (const entry of ledger.of("fail")) {
    const broken = `SELECT *, count(*) OVER () AS n FROM ${ident(kept)} WHERE ${ledger.holds([entry])} ORDER BY ${keyList} LIMIT 5`;
    const first = await engine.rows<{ source: string; line: bigint; n: bigint }>(
      `SELECT ${sourceSql(raw.rows)} AS source, ${lineSql(raw)} AS line, n FROM (${broken}) ORDER BY ${keyList}`,
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

/** The physical line of a text file, or the number of the row in a column store: the first is 1. */
const lineSql = ({ refused }: RawRows): string => (refused ? ident(rowColumn) : `${ident(rowColumn)} + 1`);

const sourceSql = ({ inputs }: Relation): string =>
  `(${literalList(inputs.map((input) => input.path))})[${ident(fileColumn)} + 1]`;

/** Names that a rejects file gives itself; a column of the input so called is left out of it. */
const ownColumns = new Set(["_reason", "_source", "_line", "_raw"]);

async function rejectedRows(
  engine: Engine,
  raw: RawRows,
  kept: string,
  step: Step,
  ledger: Ledger,
): Promise<Relation> {
  const { rows, refused } = raw;
  const rejecting = ledger.of("reject");
  const own = rows.schema
    .map(({ name }, i) => ({ name, kept: `json_extract_string(raw, ${literal(`$[${i}]`)})` }))
    .filter(({ name }) => !ownColumns.has(name.toLowerCase()));
  const columns = own.map((column) => (step.raw ? `${column.kept} AS ` : "") + ident(column.name));
  const refusedRows = `SELECT *, ${ledger.names(rejecting)} AS _reason FROM ${ident(kept)} WHERE ${ledger.holds(rejecting)}`;
  const from = step.raw
    ? `(${refusedRows})`
    : `(${rows.sql}) JOIN (SELECT ${keyList}, _reason FROM (${refusedRows})) USING (${keyList})`;
  const about = [
    "_reason",
    `${sourceSql(rows)} AS _source`,
    `${lineSql(raw)} AS _line`,
    ...(refused ? ["NULL::VARCHAR AS _raw"] : []),
  ];
  const broken = `SELECT ${[...columns, ...about, ident(fileColumn)].join(", ")} FROM ${from}`;
  const unread = refused
    ? ` UNION ALL BY NAME SELECT _reason, _source, _line, _raw, ${ident(fileColumn)} FROM (${refused.sql})`
    : "";
  return relationOf(engine, `${broken}${unread}`, {
    key: [fileColumn, "_line"],
    inputs: rows.inputs,
    name: "the rejects",
  });
}
