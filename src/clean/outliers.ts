import { yamlError } from "../core/yaml-source.js";
import type { Engine } from "../engine/engine.js";
import { ident } from "../engine/sql.js";
import { isNumeric, kindOf } from "../table/relation.js";
import type { Step } from "./column-plan.js";
import type { Contract, Outliers } from "./contract.js";
import { goingOn } from "./dedupe.js";
import type { Ledger } from "./ledger.js";
import { noted } from "./row-rules.js";
import { groupedBy, meanSql, quantileSql, sameGroup, spreadSql, type Grouped } from "./statistics.js";

/** A normal distribution's standard deviation in units of its median absolute deviation. */
const madToSd = 1.4826;

/**
 * Values far outside the others of their column (or group), told by fences: quartiles and their distance
 * (Tukey 1977), median and median absolute deviation (Iglewicz & Hoaglin 1993), mean and standard
 * deviation, or quantiles. Fences are worked out once, over the rows that are still in; where the spread
 * is nought there are none.
 */
export async function outlierStep(
  engine: Engine,
  step: Step,
  contract: Contract,
  ledger: Ledger,
): Promise<Step> {
  let done = step;
  for (const column of contract.columns) {
    const { outliers, name } = column;
    if (!outliers) continue;
    const type = (await engine.describe(done.sql)).find((field) => field.name === name)!.type;
    if (!isNumeric(type))
      throw yamlError(
        contract.source,
        ["columns", name, "outliers"],
        `outliers are for numbers; ${name} is ${type}`,
        {
          at: "key",
          try: "type: integer, number or decimal(p,s)",
        },
      );
    const by = outliers.by ?? [];
    const fences = engine.fresh("fences");
    const grouped = groupedBy(goingOn(done, ledger), name, by);
    await engine.run(`CREATE TABLE ${ident(fences)} AS ${await fenceSql(engine, grouped, outliers)}`);
    const asked: Step = {
      ...done,
      sql: `SELECT s.*, f.lo AS _shopai_lo, f.hi AS _shopai_hi FROM (${done.sql}) s LEFT JOIN ${ident(fences)} f ON ${sameGroup(by, "f")}`,
    };
    const x = ident(name);
    const broken = `${x}::DOUBLE < _shopai_lo OR ${x}::DOUBLE > _shopai_hi`;
    const bound = (side: string, rounded: string): string =>
      `CAST(${kindOf(type) === "integer" ? `${rounded}(${side})` : side} AS ${type})`;
    const clipped = `CASE WHEN ${x}::DOUBLE < _shopai_lo THEN ${bound("_shopai_lo", "ceil")} WHEN ${x}::DOUBLE > _shopai_hi THEN ${bound("_shopai_hi", "floor")} ELSE ${x} END`;
    const { action } = outliers;
    const replaced =
      action === "clip"
        ? clipped
        : action === "null"
          ? `CASE WHEN ${broken} THEN NULL ELSE ${x} END`
          : undefined;
    const after = noted(
      asked,
      ledger,
      [{ rule: `${name}.outlier`, action: action === "clip" ? "fix" : action, broken }],
      replaced === undefined ? {} : { [name]: replaced },
    );
    done = { ...after, sql: `SELECT * EXCLUDE (_shopai_lo, _shopai_hi) FROM (${after.sql})` };
  }
  return done;
}

async function fenceSql(
  engine: Engine,
  grouped: Grouped,
  { method, k, low, high }: Outliers,
): Promise<string> {
  const groups = grouped.by.map((name) => `${ident(name)}, `).join("");
  const between = (from: string, middle: string, spread: string): string =>
    `SELECT ${groups}CASE WHEN ${spread} > 0 THEN ${middle} - ${spread} END AS lo, CASE WHEN ${spread} > 0 THEN ${middle} + ${spread} END AS hi FROM (${from})`;
  switch (method) {
    case "iqr": {
      const reach = `${k ?? 1.5} * (q[2] - q[1])`;
      return `SELECT ${groups}CASE WHEN q[2] > q[1] THEN q[1] - ${reach} END AS lo, CASE WHEN q[2] > q[1] THEN q[2] + ${reach} END AS hi FROM (${quantileSql(grouped, [0.25, 0.75])})`;
    }
    case "mad":
      return between(quantileSql(grouped, [0.5]), "q[1]", `${k ?? 3.5} * ${madToSd} * mad`);
    case "zscore": {
      const means = engine.fresh("means");
      await engine.run(`CREATE TABLE ${ident(means)} AS ${meanSql(grouped)}`);
      return between(spreadSql(grouped, means), "mean", `${k ?? 3} * sd`);
    }
    case "quantile":
      return `SELECT ${groups}q[1] AS lo, q[2] AS hi FROM (${quantileSql(grouped, [low ?? 0.01, high ?? 0.99])})`;
  }
}
