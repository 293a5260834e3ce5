import type { Engine } from "../engine/engine.js";
import { ident } from "../engine/sql.js";
import { fileColumn, rowColumn, type Relation } from "../table/relation.js";
import { printColumn, type Step } from "./column-plan.js";
import type { Contract, KeyRule } from "./contract.js";
import type { Ledger } from "./ledger.js";
import { noted } from "./row-rules.js";

type Duplicates = NonNullable<Contract["duplicates"]>;

const key = [fileColumn, rowColumn].map(ident);
const keyList = key.join(", ");

/** The rows of a step that go on. */
export const goingOn = (step: Step, ledger: Ledger): string =>
  `SELECT * FROM (${step.sql}) WHERE ${ledger.goesOn()}`;

/**
 * Leaves out rows that say again what another row says. Only rows that share a fingerprint or a key with
 * another one are ranked, so a table without duplicates costs one grouping.
 */
export async function duplicateStep(
  engine: Engine,
  raw: Relation,
  step: Step,
  duplicates: Duplicates,
  ledger: Ledger,
): Promise<Step> {
  let done = step;
  if (duplicates.exact) {
    const again = await exactDuplicates(engine, raw, goingOn(done, ledger));
    done = markedRows(done, ledger, again, { rule: "duplicate(exact)", action: "duplicate" });
  }
  if (duplicates.by) {
    const again = engine.fresh("duplicates");
    await engine.run(
      `CREATE TABLE ${ident(again)} AS ${laterOnes(goingOn(done, ledger), duplicates.by, keepOrder(duplicates))}`,
    );
    done = markedRows(done, ledger, again, {
      rule: `duplicate(${duplicates.by.join(",")})`,
      action: "duplicate",
    });
  }
  return done;
}

/** Rows equal as read in every column; the first stays. Equal fingerprints are only candidates. */
async function exactDuplicates(engine: Engine, raw: Relation, rows: string): Promise<string> {
  const candidates = engine.fresh("candidates");
  const again = engine.fresh("duplicates");
  await engine.run(
    `CREATE TABLE ${ident(candidates)} AS SELECT ${keyList} FROM (${rows}) WHERE ${printColumn} IN (SELECT ${printColumn} FROM (${rows}) GROUP BY ${printColumn} HAVING count(*) > 1)`,
  );
  const columns = raw.schema.map((field) => ident(field.name)).join(", ");
  await engine.run(
    `CREATE TABLE ${ident(again)} AS SELECT ${keyList} FROM (SELECT ${keyList}, row_number() OVER (PARTITION BY ${columns} ORDER BY ${keyList}) AS place FROM (${raw.sql}) SEMI JOIN ${ident(candidates)} USING (${keyList})) WHERE place > 1`,
  );
  return again;
}

function keepOrder({ keep, orderBy }: Duplicates): string {
  const direction = keep === "first" ? "ASC" : "DESC";
  const by = orderBy === undefined ? [] : [`${ident(orderBy)} ${direction} NULLS LAST`];
  return [...by, ...key.map((column) => `${column} ${direction}`)].join(", ");
}

/** Rows that share their key with another row and do not come first in an order. A key with a null in it is none. */
function laterOnes(rows: string, by: readonly string[], order: string): string {
  const columns = by.map(ident);
  const list = columns.join(", ");
  const whole = columns.map((column) => `${column} IS NOT NULL`).join(" AND ");
  const repeated = `SELECT ${list} FROM (${rows}) WHERE ${whole} GROUP BY ${list} HAVING count(*) > 1`;
  return `SELECT ${keyList} FROM (SELECT ${keyList}, row_number() OVER (PARTITION BY ${list} ORDER BY ${order}) AS place FROM (${rows}) SEMI JOIN (${repeated}) USING (${list})) WHERE place > 1`;
}

/** Keys that must be unique: every row but the first with a key breaks the rule. */
export async function keyStep(
  engine: Engine,
  step: Step,
  keys: readonly KeyRule[],
  ledger: Ledger,
): Promise<Step> {
  let done = step;
  for (const rule of keys) {
    const again = engine.fresh("repeated");
    await engine.run(
      `CREATE TABLE ${ident(again)} AS ${laterOnes(goingOn(done, ledger), rule.columns, keyList)}`,
    );
    done = markedRows(done, ledger, again, { rule: `key(${rule.columns.join(",")})`, action: rule.on });
  }
  return done;
}

/** Notes something of the rows that a table names. */
function markedRows(
  step: Step,
  ledger: Ledger,
  table: string,
  note: { rule: string; action: Parameters<Ledger["noted"]>[0][number]["action"] },
): Step {
  const marked = "_shopai_marked";
  const asked: Step = {
    ...step,
    sql: `SELECT *, ((${keyList}) IN (SELECT (${keyList}) FROM ${ident(table)})) AS ${marked} FROM (${step.sql})`,
  };
  const after = noted(asked, ledger, [{ ...note, broken: marked }]);
  return { ...after, sql: `SELECT * EXCLUDE (${marked}) FROM (${after.sql})` };
}
