import { yamlError } from "../core/yaml-source.js";
import type { Engine } from "../engine/engine.js";
import { ident } from "../engine/sql.js";
import { fileColumn, isNumeric, rowColumn } from "../table/relation.js";
import { constantSql } from "./column-rules.js";
import type { Step } from "./column-plan.js";
import type { Contract, Impute } from "./contract.js";
import { goingOn } from "./dedupe.js";
import type { Ledger } from "./ledger.js";
import { noted } from "./row-rules.js";
import { groupedBy, meanSql, modeSql, quantileSql, sameGroup, type Grouped } from "./statistics.js";

/**
 * Fills what is missing: with a constant, the mean, median or mode of the column (of the group first, of
 * the whole column where the group has no value), or the last value before it. Statistics are those of the
 * rows that are still in.
 */
export async function imputeStep(
  engine: Engine,
  step: Step,
  contract: Contract,
  ledger: Ledger,
): Promise<Step> {
  let done = step;
  for (const { name, impute } of contract.columns) {
    if (!impute) continue;
    const type = (await engine.describe(done.sql)).find((field) => field.name === name)!.type;
    if ((impute.method === "mean" || impute.method === "median") && !isNumeric(type))
      throw yamlError(
        contract.source,
        ["columns", name, "impute", "method"],
        `a ${impute.method} needs numbers; ${name} is ${type}`,
        {
          try: "mode, forward or constant",
        },
      );
    const filled = await filledStep(engine, done, ledger, { name, type, impute });
    const x = ident(name);
    const after = noted(
      filled,
      ledger,
      [{ rule: `${name}.impute`, action: "repair", broken: `${x} IS NULL AND _shopai_fill IS NOT NULL` }],
      { [name]: `coalesce(${x}, _shopai_fill)` },
    );
    done = { ...after, sql: `SELECT * EXCLUDE (_shopai_fill) FROM (${after.sql})` };
  }
  return done;
}

/** The step with a column `_shopai_fill`: what would stand where a value is missing. */
async function filledStep(
  engine: Engine,
  step: Step,
  ledger: Ledger,
  { name, type, impute }: { name: string; type: string; impute: Impute },
): Promise<Step> {
  const x = ident(name);
  const by = impute.by ?? [];
  if (impute.method === "constant")
    return {
      ...step,
      sql: `SELECT *, ${constantSql(impute.value, type)} AS _shopai_fill FROM (${step.sql})`,
    };
  if (impute.method === "forward") {
    const order = [...(impute.order_by ? [ident(impute.order_by)] : []), ident(fileColumn), ident(rowColumn)];
    const partition = by.length > 0 ? `PARTITION BY ${by.map(ident).join(", ")} ` : "";
    const seen = `CASE WHEN ${ledger.goesOn()} THEN ${x} END`;
    return {
      ...step,
      sql: `SELECT *, last_value(${seen} IGNORE NULLS) OVER (${partition}ORDER BY ${order.join(", ")} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS _shopai_fill FROM (${step.sql})`,
    };
  }
  const rows = goingOn(step, ledger);
  const whole = await fillTable(engine, groupedBy(rows, name, []), impute.method, type);
  if (by.length === 0)
    return {
      ...step,
      sql: `SELECT s.*, w.fill AS _shopai_fill FROM (${step.sql}) s LEFT JOIN ${ident(whole)} w ON true`,
    };
  const groups = await fillTable(engine, groupedBy(rows, name, by), impute.method, type);
  return {
    ...step,
    sql: `SELECT s.*, coalesce(g.fill, w.fill) AS _shopai_fill FROM (${step.sql}) s LEFT JOIN ${ident(groups)} g ON ${sameGroup(by, "g")} LEFT JOIN ${ident(whole)} w ON true`,
  };
}

async function fillTable(
  engine: Engine,
  grouped: Grouped,
  method: "mean" | "median" | "mode",
  type: string,
): Promise<string> {
  const table = engine.fresh("fills");
  const groups = grouped.by.map((name) => `${ident(name)}, `).join("");
  const [statistic, from] =
    method === "mean"
      ? ["mean", meanSql(grouped)]
      : method === "median"
        ? ["q[1]", quantileSql(grouped, [0.5])]
        : ["mode", modeSql(grouped)];
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT ${groups}CAST(${statistic} AS ${type}) AS fill FROM (${from})`,
  );
  return table;
}
