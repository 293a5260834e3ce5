import { ident } from "../../engine/sql.js";
import type { ForecastColumns } from "../../forecast/forecast-table.js";
import { findColumn, isNumeric, kindOf, type Relation } from "../../table/relation.js";
import { provenanceIn } from "../provenance.js";

/** The past of a forecast, summed by series and period. */
export interface History {
  /** A SELECT of `series, time, value`. */
  sql: string;
  /** Name of the value. */
  value: string;
}

/**
 * The table among the others that holds the past of the forecast: the file that its provenance names, else
 * the first with its series and time columns. The value column is known from the provenance too.
 */
export async function historyOf(
  relation: Relation,
  columns: ForecastColumns,
  tables: readonly Relation[],
): Promise<History | undefined> {
  const made = await provenanceIn(relation);
  const asked = made?.options;
  const isSource = (table: Relation): boolean =>
    table.inputs.some(({ sha256 }) => made?.inputs.some((input) => input.sha256 === sha256));
  const candidates = tables.some(isSource) ? tables.filter(isSource) : tables;
  for (const table of candidates) {
    const time = findColumn(table.schema, columns.time);
    const series = columns.series.map((name) => findColumn(table.schema, name));
    if (!time || series.some((field) => !field)) continue;
    const numbers = table.schema.filter(
      (field) => isNumeric(field.type) && field !== time && !series.includes(field),
    );
    const value =
      typeof asked?.value === "string"
        ? findColumn(table.schema, asked.value)
        : numbers.length === 1
          ? numbers[0]
          : undefined;
    if (!value || !isNumeric(value.type)) continue;
    const type = findColumn(relation.schema, columns.time)!.type;
    const units: Record<string, string> = {
      H: "hour",
      D: "day",
      W: "week",
      M: "month",
      Q: "quarter",
      Y: "year",
    };
    const unit =
      units[String(asked?.freq ?? "")] ??
      (units[String(asked?.freq ?? "")[0]?.toUpperCase()] as string | undefined);
    const period =
      unit && (kindOf(time.type) === "date" || kindOf(time.type) === "timestamp")
        ? `date_trunc('${unit}', ${ident(time.name)})::${type}`
        : `${ident(time.name)}::${type}`;
    const mean = asked?.aggregate === "mean";
    const sum = `sum(round(${ident(value.name)}::DOUBLE * 1e6)::HUGEINT)::DOUBLE / 1e6`;
    return {
      value: value.name,
      sql: `SELECT ${seriesText(series.map((field) => field!.name))} AS series, ${period} AS time, ${sum}${mean ? ` / count(${ident(value.name)})` : ""} AS value
        FROM (${table.sql}) WHERE ${ident(value.name)} IS NULL OR isfinite(${ident(value.name)}::DOUBLE) GROUP BY ALL`,
    };
  }
  return undefined;
}

/** The key of a series as one text. */
export function seriesText(names: readonly string[]): string {
  return names.length === 0
    ? "''"
    : `concat_ws(', ', ${names.map((name) => `coalesce(${ident(name)}::VARCHAR, 'null')`).join(", ")})`;
}

/** A time as people write it: midnights as dates. */
export function dateText(time: string | null): string | null {
  return time === null ? null : time.replace(/ 00:00:00(\+00)?$/, "");
}
