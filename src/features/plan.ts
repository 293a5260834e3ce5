import { ShopaiError } from "../core/errors.js";
import type { Engine, Field, Schema } from "../engine/engine.js";
import { stage } from "../engine/duckdb.js";
import { ident } from "../engine/sql.js";
import { fileColumn, relationOf, rowColumn, unknownColumn, type Relation } from "../table/relation.js";

/** One named SELECT of a plan; it may read the ones before it. */
export interface Step {
  name: string;
  sql: string;
}

/** A feature table as one SQL statement: a chain of named SELECTs, the last of which is the table. */
export interface Plan {
  readonly engine: Engine;
  readonly steps: readonly Step[];
  /** All columns of the last step, hidden key columns included. */
  readonly columns: Schema;
  /** Columns that order the rows uniquely. */
  readonly key: readonly string[];
  readonly source: Relation;
  /** A SELECT with the columns of the first step and no rows: columns are asked of it, so that no file is sniffed again. */
  readonly sketch: string;
}

/** The plan that gives a relation as it is. */
export async function planOf(relation: Relation): Promise<Plan> {
  const { engine } = relation;
  const columns = await engine.describe(relation.sql);
  const table = engine.fresh("sketch");
  await engine.run(
    `CREATE TABLE ${ident(table)} (${columns.map((field) => `${ident(field.name)} ${field.type}`).join(", ")})`,
  );
  const steps = [{ name: "input", sql: relation.sql }];
  return {
    engine,
    steps,
    columns,
    key: relation.key,
    source: relation,
    sketch: `SELECT * FROM ${ident(table)}`,
  };
}

/** The whole plan as SQL text. */
export function planSql(plan: Pick<Plan, "steps">): string {
  return stepsSql(plan.steps);
}

function stepsSql(steps: readonly Step[]): string {
  const last = steps.at(-1)!;
  if (steps.length === 1) return last.sql;
  // A chain is read once from end to end: held copies of its links would only cost memory.
  const named = steps.slice(0, -1).map((step) => `${ident(step.name)} AS NOT MATERIALIZED (\n${step.sql}\n)`);
  return `WITH ${named.join(",\n")}\n${last.sql}`;
}

/** The quoted name of the last step, to select from. */
export function tip(plan: Plan): string {
  return ident(plan.steps.at(-1)!.name);
}

/** Adds steps; columns and types are asked of the engine. */
export async function extended(
  plan: Plan,
  steps: readonly Step[],
  key: readonly string[] = plan.key,
): Promise<Plan> {
  const all = [...plan.steps];
  for (const step of steps) all.push({ ...step, name: freshName(all, step.name) });
  return {
    ...plan,
    steps: all,
    key,
    columns: await plan.engine.describe(stepsSql([{ ...all[0], sql: plan.sketch }, ...all.slice(1)])),
  };
}

/** A step name that the plan does not use yet. */
export function freshName(steps: readonly Step[], wanted: string): string {
  const used = new Set(steps.map((step) => step.name));
  let name = wanted;
  for (let i = 2; used.has(name); i++) name = `${wanted}_${i}`;
  return name;
}

/** What a step does to the columns of the one before it. */
export interface Change {
  /** New expressions for columns that stay in their place. */
  replace?: ReadonlyMap<string, string>;
  /** Columns added at the end: name and expression. */
  add?: readonly (readonly [name: string, expression: string])[];
  drop?: ReadonlySet<string>;
  /** JOIN clauses after the FROM; the step before is called `t`. */
  joins?: readonly string[];
}

/**
 * Adds a step that changes columns and keeps rows.
 * @throws ShopaiError "usage" when a new column has the name of one that is there
 */
export function changed(plan: Plan, name: string, change: Change): Promise<Plan> {
  const kept = plan.columns.filter((field) => !change.drop?.has(field.name));
  const names = new Set(kept.map((field) => field.name.toLowerCase()));
  for (const [added] of change.add ?? []) {
    if (names.has(added.toLowerCase()))
      throw new ShopaiError("usage", `the features make the column ${added} twice`, {
        try: `as: another name, or leaving out the column ${added}`,
      });
    names.add(added.toLowerCase());
  }
  const list = [
    ...kept.map((field) => {
      const expression = change.replace?.get(field.name);
      return expression === undefined ? `t.${ident(field.name)}` : `${expression} AS ${ident(field.name)}`;
    }),
    ...(change.add ?? []).map(([added, expression]) => `${expression} AS ${ident(added)}`),
  ];
  const joins = (change.joins ?? []).map((join) => `\n${join}`).join("");
  return extended(plan, [{ name, sql: `SELECT ${list.join(", ")}\nFROM ${tip(plan)} AS t${joins}` }]);
}

/** Works the plan out into a table of the engine and goes on from there: for what is read more than once. */
export async function staged(plan: Plan): Promise<Plan> {
  const { table } = await stage(plan.engine, planSql(plan), "features");
  const sql = `SELECT * FROM ${ident(table)}`;
  return { ...plan, steps: [{ name: "base", sql }], sketch: sql };
}

/** The plan as a relation, to be written. */
export function relationOfPlan(plan: Plan): Promise<Relation> {
  return relationOf(plan.engine, planSql(plan), {
    key: plan.key,
    inputs: plan.source.inputs,
    name: plan.source.name,
  });
}

/** The columns that users see. */
export function visibleColumns(plan: Plan): Field[] {
  return plan.columns.filter((field) => field.name !== fileColumn && field.name !== rowColumn);
}

/** The column of a name that a user gave. @throws ShopaiError "data" naming the nearest */
export function planColumn(plan: Plan, name: string, option?: string): Field {
  const field =
    plan.columns.find((column) => column.name === name) ??
    plan.columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
  if (!field) throw unknownColumn(name, { ...plan.source, schema: visibleColumns(plan) }, option);
  return field;
}

/** Columns named by names and globs; `-name` takes out. @throws ShopaiError "data" for a name that is not there */
export function chosenColumns(plan: Plan, patterns: readonly string[], option?: string): Field[] {
  const known = visibleColumns(plan);
  const chosen = new Set<Field>();
  if (patterns.every((pattern) => pattern.startsWith("-"))) for (const field of known) chosen.add(field);
  for (const pattern of patterns) {
    const out = pattern.startsWith("-");
    const name = out ? pattern.slice(1) : pattern;
    const found = /[*?]/.test(name)
      ? known.filter((field) => globbed(name).test(field.name))
      : [planColumn(plan, name, option)];
    if (found.length === 0) throw unknownColumn(name, { ...plan.source, schema: known }, option);
    for (const field of found)
      if (out) chosen.delete(field);
      else chosen.add(field);
  }
  return known.filter((field) => chosen.has(field));
}

function globbed(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^$()|\\{}[\]]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`, "i");
}
