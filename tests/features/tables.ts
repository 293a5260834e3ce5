import { parseYaml } from "../../src/core/yaml-source.js";
import type { DuckDbEngine } from "../../src/engine/duckdb.js";
import { ident, literal } from "../../src/engine/sql.js";
import { featurize, type FeaturizeAsk } from "../../src/features/featurize.js";
import { planSql, visibleColumns, type Plan } from "../../src/features/plan.js";
import { specOf, type Spec } from "../../src/features/spec.js";
import { fileColumn, relationOf, rowColumn, type Relation } from "../../src/table/relation.js";
import type { TestRun } from "../support/test-run.js";

export type Row = Record<string, string | number | boolean | null>;

/** A relation of given rows, keyed by file and row as if it were read from a file. */
export async function tableOf(
  engine: DuckDbEngine,
  types: Record<string, string>,
  rows: readonly Row[],
): Promise<Relation> {
  const table = engine.fresh("given");
  const names = Object.keys(types);
  const columns = names.map((name) => `${ident(name)} ${types[name]}`);
  await engine.run(
    `CREATE TABLE ${table} (${[...columns, `${fileColumn} INTEGER`, `${rowColumn} BIGINT`].join(", ")})`,
  );
  const value = (v: Row[string]): string =>
    v === null || v === undefined
      ? "NULL"
      : typeof v === "string"
        ? literal(v)
        : Number.isFinite(Number(v))
          ? String(v)
          : `'${v}'`;
  const texts = rows.map((row, i) => `(${[...names.map((name) => value(row[name])), 0, i].join(", ")})`);
  if (rows.length > 0) await engine.run(`INSERT INTO ${table} VALUES ${texts.join(", ")}`);
  return relationOf(engine, `SELECT * FROM ${table}`, {
    key: [fileColumn, rowColumn],
    name: "given.parquet",
  });
}

/** A spec written as YAML. */
export const spec = (yaml: string): Spec => specOf(parseYaml(yaml, "spec.yaml"));

/** The visible rows of a plan in the order they would be written. */
export function rowsOf(plan: Plan): Promise<Record<string, unknown>[]> {
  const list = visibleColumns(plan).map((field) => ident(field.name));
  const order = plan.key.map(ident).join(", ");
  return plan.engine.rows(`SELECT ${list.join(", ")} FROM (${planSql(plan)}) ORDER BY ${order}`);
}

/** Features of given rows by a spec. */
export async function featuresOf(
  run: TestRun,
  source: Relation,
  yaml: string,
  more: Partial<FeaturizeAsk> = {},
): Promise<{ rows: Record<string, unknown>[]; made: Awaited<ReturnType<typeof featurize>> }> {
  const made = await featurize(source, { recipe: { spec: spec(yaml) }, seed: 42, ...more }, run);
  return { rows: await rowsOf(made.plan), made };
}
