import type { Engine } from "../../engine/engine.js";
import { ident, literal, pathLiteral } from "../../engine/sql.js";
import { provenanceKey, type Provenance } from "../../table/provenance.js";
import { findColumn, isNumeric, kindOf, type Relation } from "../../table/relation.js";
import type { ForecastColumns } from "../../forecast/forecast-table.js";
import type { Cell, Part } from "../page.js";

/** Series that get a chart, and that are listed. */
const charts = 6;
const listed = 20;
/** Periods of history before the forecast in a chart: this many horizons, and at least so many periods. */
const historyHorizons = 4;
const leastHistory = 28;

/**
 * The largest series with history, mean and bands.
 *
 * @param tables other tables of the report: the one that holds the series, the time and the value of the forecast is its history
 */
export async function forecastParts(
  relation: Relation,
  columns: ForecastColumns,
  tables: readonly Relation[],
): Promise<Part[]> {
  const { engine } = relation;
  const table = engine.fresh("forecasts");
  // Text keys compare alike whatever the types in history; sums are of whole millionths, so their order does not matter.
  await engine.run(
    `CREATE TABLE ${table} AS SELECT ${seriesText(columns.series)} AS series, ${ident(columns.time)} AS time, model::VARCHAR AS model, mean::DOUBLE AS mean${columns.levels
      .map(
        (level) =>
          `, ${ident(`lo_${level}`)}::DOUBLE AS ${ident(`lo_${level}`)}, ${ident(`hi_${level}`)}::DOUBLE AS ${ident(`hi_${level}`)}`,
      )
      .join("")} FROM (${relation.sql})`,
  );
  const [counts] = await engine.rows<{
    series: bigint;
    rows: bigint;
    models: string | null;
    first: string | null;
    last: string | null;
  }>(
    `SELECT count(DISTINCT series) AS series, count(*) AS rows, string_agg(DISTINCT model, ', ' ORDER BY model) AS models, min(time)::VARCHAR AS first, max(time)::VARCHAR AS last FROM ${table}`,
  );
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [
        ["series", counts.series],
        ["models", counts.models],
        ["from", dateText(counts.first)],
        ["to", dateText(counts.last)],
      ],
    },
  ];
  if (counts.rows === 0n)
    return [...parts, { kind: "note", text: "The table holds no forecasts.", tone: "warning" }];
  const top = await engine.rows<{
    series: string;
    model: string;
    volume: number;
    first: string;
    last: string;
    lo: number | null;
    hi: number | null;
  }>(
    `SELECT series, model, sum(round(CASE WHEN isfinite(mean) THEN mean ELSE 0 END * 1e6)::HUGEINT)::DOUBLE / 1e6 AS volume, count(*)::DOUBLE AS steps
     FROM ${table} GROUP BY series, model ORDER BY volume DESC, series, model LIMIT ${listed}`,
  );
  const history = await historyOf(engine, relation, columns, tables);
  const word = columns.series.join(", ");
  for (const { series, model } of top.slice(0, charts))
    parts.push(await fanFigure(engine, table, series, model, columns, history, word));
  parts.push({
    kind: "table",
    caption: Number(counts.series) > listed ? `The ${listed} largest series` : "All series",
    head: [columns.series.length > 0 ? word : "series", "model", "sum of the forecast"],
    rows: top.map(({ series, model, volume }) => [series || "the series", model, volume]),
  });
  if (!history)
    parts.push({
      kind: "note",
      text: "For the history in the charts, name the table that was forecast beside the forecasts.",
    });
  return parts;
}

interface History {
  /** A SELECT of `series, time (as text), value`. */
  sql: string;
}

async function fanFigure(
  engine: Engine,
  table: string,
  series: string,
  model: string,
  columns: ForecastColumns,
  history: History | undefined,
  word: string,
): Promise<Part> {
  const bounds = columns.levels.flatMap((level) => [`lo_${level}`, `hi_${level}`]);
  const ahead = await engine.rows<Record<string, number | null> & { time: string }>(
    `SELECT time::VARCHAR AS time, mean${bounds.map((name) => `, ${ident(name)}`).join("")} FROM ${table} WHERE series = $1 AND model = $2 ORDER BY time LIMIT 400`,
    [series, model],
  );
  const wanted = Math.max(leastHistory, historyHorizons * ahead.length);
  const past = history
    ? (
        await engine.rows<{ time: string; value: number | null }>(
          `SELECT time::VARCHAR AS time, value FROM (${history.sql}) WHERE series = $1 AND time < (SELECT min(time) FROM ${table} WHERE series = $1 AND model = $2) ORDER BY time DESC LIMIT ${wanted}`,
          [series, model],
        )
      ).reverse()
    : [];
  const none = past.map(() => null);
  const number = (value: number | null): number | null =>
    value !== null && Number.isFinite(value) ? value : null;
  const name = series === "" ? "The series" : `${word} ${series}`;
  const first = ahead[0];
  const last = ahead[ahead.length - 1];
  return {
    kind: "figure",
    caption: `${name}: ${model}${columns.levels.length > 0 ? `, with ${columns.levels.slice().reverse().join(" and ")} % intervals` : ""}`,
    alt: `Forecast of ${name} from ${dateText(first.time)} (${number(first.mean)}) to ${dateText(last.time)} (${number(last.mean)})`,
    chart: {
      kind: "fan",
      times: [...past, ...ahead].map(({ time }) => dateText(time) ?? ""),
      history: [...past.map(({ value }) => value), ...ahead.map(() => null)],
      mean: [...none, ...ahead.map((row) => number(row.mean))],
      bands: columns.levels.map((level) => ({
        level: Number(level),
        low: [...none, ...ahead.map((row) => number(row[`lo_${level}`]))],
        high: [...none, ...ahead.map((row) => number(row[`hi_${level}`]))],
      })),
    },
    data: {
      head: [columns.time, "mean", ...bounds],
      rows: ahead.map((row): Cell[] => [
        dateText(row.time),
        number(row.mean),
        ...bounds.map((bound) => number(row[bound])),
      ]),
    },
  };
}

/**
 * The table among the others that holds the past of the forecast: the file that its provenance names, else
 * the first with its series and time columns. The value column is known from the provenance too.
 */
async function historyOf(
  engine: Engine,
  relation: Relation,
  columns: ForecastColumns,
  tables: readonly Relation[],
): Promise<History | undefined> {
  const made = await provenanceIn(engine, relation);
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
      sql: `SELECT ${seriesText(series.map((field) => field!.name))} AS series, ${period} AS time, ${sum}${mean ? ` / count(${ident(value.name)})` : ""} AS value
        FROM (${table.sql}) WHERE ${ident(value.name)} IS NULL OR isfinite(${ident(value.name)}::DOUBLE) GROUP BY ALL`,
    };
  }
  return undefined;
}

/** How the forecast was made, where the file tells. */
async function provenanceIn(engine: Engine, relation: Relation): Promise<Provenance | undefined> {
  const path = relation.inputs[0]?.path;
  if (path === undefined || !/\.(parquet|pq)$/i.test(path)) return undefined;
  const [row] = await engine.rows<{ value: string }>(
    `SELECT decode(value) AS value FROM parquet_kv_metadata(${pathLiteral(path)}) WHERE decode(key) = ${literal(provenanceKey)}`,
  );
  return row ? (JSON.parse(row.value) as Provenance) : undefined;
}

function seriesText(names: readonly string[]): string {
  return names.length === 0
    ? "''"
    : `concat_ws(', ', ${names.map((name) => `coalesce(${ident(name)}::VARCHAR, 'null')`).join(", ")})`;
}

/** A time as people write it: midnights as dates. */
function dateText(time: string | null): string | null {
  return time === null ? null : time.replace(/ 00:00:00(\+00)?$/, "");
}
