import { nearest, type ShopaiError } from "../core/errors.js";
import { yamlError, type YamlPath } from "../core/yaml-source.js";
import { checkScalar } from "../engine/duckdb.js";
import type { Engine } from "../engine/engine.js";
import { ident } from "../engine/sql.js";
import { openTable } from "../table/open.js";
import { columnNamed, type Relation } from "../table/relation.js";
import { checkConstants, checkedColumn, type Note } from "./column-rules.js";
import type { Step } from "./column-plan.js";
import type { Contract } from "./contract.js";
import type { Ledger } from "./ledger.js";
import { promisedType } from "./types.js";

/** Adds masks, and columns where `replaced` names them, on top of a step. Rows refused before are asked nothing. */
export function noted(
  step: Step,
  ledger: Ledger,
  notes: readonly Note[],
  replaced: Record<string, string> = {},
): Step {
  const goesOn = ledger.goesOn();
  const masks = ledger.noted(notes.map((note) => ({ ...note, broken: `${goesOn} AND (${note.broken})` })));
  const replacing = Object.entries(replaced).map(([name, sql]) => `${sql} AS ${ident(name)}`);
  const list = replacing.length > 0 ? `* REPLACE (${replacing.join(", ")})` : "*";
  return {
    ...step,
    sql: `SELECT ${[list, ...masks.columns].join(", ")} FROM (${step.sql})`,
    masks: [...step.masks, ...masks.names],
  };
}

/** Columns worked out from others, in the order of the contract, each with its own rules. */
export async function derivedStep(
  engine: Engine,
  step: Step,
  contract: Contract,
  ledger: Ledger,
): Promise<Step> {
  let done = step;
  for (const column of contract.columns) {
    if (column.derive === undefined) continue;
    const path = ["columns", column.name, "derive"];
    const type = promisedType(contract.source, column);
    const name = ident(column.name);
    const worked = await worksOut(engine, done, contract, path, column.derive);
    const sqlType = type?.sql ?? worked;
    await checkConstants(engine, contract.source, column, type, sqlType);
    const raw = "_shopai_derived";
    const value = type ? `try_cast(${raw} AS ${type.sql})` : raw;
    const checks = checkedColumn(
      column,
      {
        value,
        mistyped: type ? `${raw} IS NOT NULL AND ${value} IS NULL` : undefined,
        text: `CAST(${raw} AS VARCHAR)`,
        sqlType,
      },
      false,
    );
    // A row that was refused may hold what the expression cannot bear.
    const guarded = `CASE WHEN ${ledger.goesOn()} THEN (${column.derive}\n) END`;
    const asked = { ...done, sql: `SELECT *, ${guarded} AS ${raw} FROM (${done.sql})` };
    const after = noted(asked, ledger, checks.notes);
    done = {
      ...after,
      sql: `SELECT * EXCLUDE (${raw}), ${checks.value} AS ${name} FROM (${after.sql})`,
      columns: [...done.columns, column.name],
    };
  }
  return done;
}

/** Rules over several columns of a row; as in SQL's CHECK, a rule whose answer is unknown is not broken. */
export async function rulesStep(
  engine: Engine,
  step: Step,
  contract: Contract,
  ledger: Ledger,
): Promise<Step> {
  let done = step;
  for (const [i, rule] of contract.rules.entries()) {
    await worksOut(engine, done, contract, ["rules", i, "sql"], rule.sql);
    for (const [name, sql] of Object.entries(rule.set))
      await worksOut(engine, done, contract, ["rules", i, "set", name], sql);
    const broken = `${ledger.goesOn()} AND NOT (${rule.sql}\n)`;
    const types = new Map((await engine.describe(done.sql)).map((field) => [field.name, field.type]));
    const replaced: Record<string, string> = {};
    if (rule.on === "fix")
      for (const [name, sql] of Object.entries(rule.set))
        replaced[name] =
          `CASE WHEN ${broken} THEN CAST((${sql}\n) AS ${types.get(name)}) ELSE ${ident(name)} END`;
    if (rule.on === "null")
      for (const name of rule.columns)
        replaced[name] = `CASE WHEN ${broken} THEN NULL ELSE ${ident(name)} END`;
    done = noted(done, ledger, [{ rule: rule.name, action: rule.on, broken }], replaced);
  }
  return done;
}

/** Values that must stand in another table. A key with a null in it is not looked up, as in SQL. */
export async function foreignKeyStep(
  engine: Engine,
  step: Step,
  contract: Contract,
  ledger: Ledger,
): Promise<{ step: Step; inputs: Relation["inputs"] }> {
  let done = step;
  const inputs: Relation["inputs"][number][] = [];
  for (const key of contract.foreignKeys) {
    const table = await openTable(engine, [key.table]);
    inputs.push(...table.inputs);
    const types = new Map((await engine.describe(done.sql)).map((field) => [field.name, field.type]));
    const there = engine.fresh("references");
    const list = key.references.map((name, j) => {
      const field = columnNamed(table, name);
      return `try_cast(${ident(field.name)} AS ${types.get(key.columns[j])}) AS k${j}`;
    });
    await engine.run(
      `CREATE TABLE ${ident(there)} AS SELECT DISTINCT ${list.join(", ")} FROM (${table.sql})`,
    );
    const present = key.columns.map((name) => `${ident(name)} IS NOT NULL`).join(" AND ");
    const own = `(${key.columns.map(ident).join(", ")})`;
    const others = `SELECT ${key.columns.length > 1 ? `(${key.columns.map((_, j) => `k${j}`).join(", ")})` : "k0"} FROM ${ident(there)} WHERE ${key.columns.map((_, j) => `k${j} IS NOT NULL`).join(" AND ")}`;
    const broken = `${present} AND NOT (${own} IN (${others}))`;
    const missing = "_shopai_missing";
    const rule = `foreign_key(${key.columns.join(",")})`;
    const asked: Step = { ...done, sql: `SELECT *, (${broken}) AS ${missing} FROM (${done.sql})` };
    const replaced =
      key.on === "null"
        ? Object.fromEntries(
            key.columns.map((name) => [name, `CASE WHEN ${missing} THEN NULL ELSE ${ident(name)} END`]),
          )
        : {};
    const after = noted(asked, ledger, [{ rule, action: key.on, broken: missing }], replaced);
    done = { ...after, sql: `SELECT * EXCLUDE (${missing}) FROM (${after.sql})` };
  }
  return { step: done, inputs };
}

/** `required` of imputed columns, asked when imputation is done. */
export function lateRequiredStep(step: Step, contract: Contract, ledger: Ledger): Step {
  const late = contract.columns.filter((column) => column.required && column.impute !== undefined);
  return noted(
    step,
    ledger,
    late.map((column) => ({
      rule: `${column.name}.required`,
      action: column.on("required"),
      broken: `${ident(column.name)} IS NULL`,
    })),
  );
}

/** The type of a user's expression over a step. @throws ShopaiError pointing into the contract */
async function worksOut(
  engine: Engine,
  step: Step,
  contract: Contract,
  path: YamlPath,
  expression: string,
): Promise<string> {
  try {
    await checkScalar(engine, expression, path.join("."));
    const [field] = await engine.describe(`SELECT (${expression}\n) AS value FROM (${step.sql})`);
    return field.type;
  } catch (cause) {
    const message = (cause as ShopaiError).message;
    const unknown = /Referenced column "(.+?)" not found/.exec(message)?.[1];
    const near = unknown && nearest(unknown, step.columns);
    throw yamlError(
      contract.source,
      path,
      unknown ? `column "${unknown}" is not in the table at this step` : message,
      {
        try:
          near ||
          (unknown ? `one of ${step.columns.join(", ")}` : "an SQL expression over the contract's columns"),
        cause,
      },
    );
  }
}
