import type { Engine } from "../../engine/engine.js";
import { ident } from "../../engine/sql.js";
import { forecastColumns, type ForecastColumns } from "../../forecast/forecast-table.js";
import type { Relation } from "../../table/relation.js";
import { numberText } from "../numbers.js";
import { figure, type Cell, type Figure, type Part } from "../page.js";
import { provenanceIn } from "../provenance.js";
import { dateText, historyOf, seriesText, type History } from "./forecast-history.js";
import { table } from "./quality.js";
import { defineSection, weights, type Making } from "./section.js";

/** Series that get a chart, and that are listed. */
const charts = 6;
const listed = 20;
/** Periods of history before the forecast in a chart: this many horizons, and at least so many periods. */
const historyHorizons = 4;
const leastHistory = 28;

interface ForecastContent {
  relation: Relation;
  columns: ForecastColumns;
  /** The forecasts under plain names, once they were asked for. */
  staged?: Promise<string>;
}

/** The forecast as a whole, and the largest series with history, mean and bands. */
export const forecasts = defineSection<ForecastContent>({
  name: "forecasts",
  table(relation) {
    const columns = forecastColumns(relation);
    return columns && { relation, columns };
  },
  async parts({ content }, making) {
    const { say } = making;
    const words = say.forecasts;
    const { relation, columns } = content;
    const { engine } = relation;
    const staged = await (content.staged ??= stagedOf(content));
    const [counts] = await engine.rows<{
      series: bigint;
      rows: bigint;
      models: string | null;
      first: string | null;
      last: string | null;
    }>(
      `SELECT count(DISTINCT series) AS series, count(*) AS rows, string_agg(DISTINCT model, ', ' ORDER BY model) AS models, min(time)::VARCHAR AS first, max(time)::VARCHAR AS last FROM ${staged}`,
    );
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.series, counts.series],
          [words.models, counts.models],
          [words.from, dateText(counts.first)],
          [words.to, dateText(counts.last)],
        ],
      },
    ];
    if (counts.rows === 0n) return [...parts, { kind: "note", text: words.none, tone: "warning" }];
    const top = await engine.rows<{ series: string; model: string; volume: number }>(
      `SELECT series, model, ${sumOf("mean")} AS volume FROM ${staged} GROUP BY series, model ORDER BY volume DESC, series, model LIMIT ${listed}`,
    );
    const tables = making.of(table).map((other) => other.content.relation);
    const history = await historyOf(relation, columns, tables);
    const about = { engine, staged, columns, history, making };
    if (counts.series > 1n && (await modelsPerSeries(engine, staged)) === 1n)
      parts.push(figure(await totalFan(about)));
    const fans: Figure[] = [];
    for (const { series, model } of top.slice(0, charts)) fans.push(await seriesFan(about, series, model));
    parts.push({ kind: "figures", figures: fans });
    const word = columns.series.join(", ");
    parts.push({
      kind: "table",
      caption: Number(counts.series) > listed ? words.largest(numberText(listed)) : words.all,
      head: [columns.series.length > 0 ? word : words.series, words.model, words.total],
      rows: top.map(({ series, model, volume }) => [series || words.oneSeries, model, volume]),
    });
    if (!history) parts.push({ kind: "note", text: words.noHistory });
    return parts;
  },
  async facts({ content }, { say }) {
    const words = say.forecasts;
    const { engine } = content.relation;
    const staged = await (content.staged ??= stagedOf(content));
    const [sum] = await engine.rows<{
      volume: number | null;
      series: bigint;
      first: string;
      last: string;
    }>(
      `SELECT ${sumOf("mean")} AS volume, count(DISTINCT series) AS series, min(time)::VARCHAR AS first, max(time)::VARCHAR AS last FROM ${staged}`,
    );
    // With several models a series would count several times.
    if (sum.volume === null || (await modelsPerSeries(engine, staged)) !== 1n) return [];
    const made = await provenanceIn(content.relation);
    const value = typeof made?.options.value === "string" ? made.options.value : "";
    return [
      {
        weight: weights.forecast,
        figure: numberText(Math.abs(sum.volume) >= 100 ? Math.round(sum.volume) : sum.volume),
        label: value === "" ? words.labelPlain : words.label(value),
        text: words.text(
          value,
          numberText(Number(sum.series)),
          dateText(sum.first) ?? "",
          dateText(sum.last) ?? "",
        ),
      },
    ];
  },
});

/** Sums are of whole millionths, so that their order does not matter. */
const sumOf = (column: string): string =>
  `sum(round(CASE WHEN isfinite(${column}) THEN ${column} ELSE 0 END * 1e6)::HUGEINT)::DOUBLE / 1e6`;

/** Text keys compare alike whatever the types in history. */
async function stagedOf({ relation, columns }: ForecastContent): Promise<string> {
  const staged = relation.engine.fresh("forecasts");
  const bounds = columns.levels.flatMap((level) => [`lo_${level}`, `hi_${level}`]);
  await relation.engine.run(
    `CREATE TABLE ${staged} AS SELECT ${seriesText(columns.series)} AS series, ${ident(columns.time)} AS time, model::VARCHAR AS model, mean::DOUBLE AS mean${bounds
      .map((name) => `, ${ident(name)}::DOUBLE AS ${ident(name)}`)
      .join("")} FROM (${relation.sql})`,
  );
  return staged;
}

async function modelsPerSeries(engine: Engine, staged: string): Promise<bigint> {
  const [{ most }] = await engine.rows<{ most: bigint | null }>(
    `SELECT max(n) AS most FROM (SELECT count(DISTINCT model) AS n FROM ${staged} GROUP BY series)`,
  );
  return most ?? 0n;
}

interface About {
  engine: Engine;
  staged: string;
  columns: ForecastColumns;
  history: History | undefined;
  making: Making;
}

type Ahead = Record<string, number | null> & { time: string };

async function seriesFan(about: About, series: string, model: string): Promise<Figure> {
  const { engine, staged, columns, history, making } = about;
  const words = making.say.forecasts;
  const bounds = columns.levels.flatMap((level) => [`lo_${level}`, `hi_${level}`]);
  const ahead = await engine.rows<Ahead>(
    `SELECT time::VARCHAR AS time, mean${bounds.map((name) => `, ${ident(name)}`).join("")} FROM ${staged} WHERE series = $1 AND model = $2 ORDER BY time LIMIT 400`,
    [series, model],
  );
  const past = history
    ? (
        await engine.rows<{ time: string; value: number | null }>(
          `SELECT time::VARCHAR AS time, value FROM (${history.sql}) WHERE series = $1 AND time < (SELECT min(time) FROM ${staged} WHERE series = $1 AND model = $2) ORDER BY time DESC LIMIT ${pastOf(ahead.length)}`,
          [series, model],
        )
      ).reverse()
    : [];
  const word = columns.series.join(", ");
  const name = series === "" ? words.oneSeries : `${word} ${series}`;
  const levels = columns.levels.slice().reverse().join(words.and);
  return fanFigure(words.fan(name, model, levels), name, past, ahead, about);
}

/** The sum of all series: the means add up, the ends of their intervals do not, so there are none. */
async function totalFan(about: About): Promise<Figure> {
  const { engine, staged, history, making } = about;
  const ahead = await engine.rows<Ahead>(
    `SELECT time::VARCHAR AS time, ${sumOf("mean")} AS mean FROM ${staged} GROUP BY time ORDER BY time LIMIT 400`,
  );
  const past = history
    ? (
        await engine.rows<{ time: string; value: number | null }>(
          `SELECT time::VARCHAR AS time, ${sumOf("value")} AS value FROM (${history.sql}) WHERE time < (SELECT min(time) FROM ${staged}) AND series IN (SELECT series FROM ${staged}) GROUP BY time ORDER BY time DESC LIMIT ${pastOf(ahead.length)}`,
        )
      ).reverse()
    : [];
  const name = making.say.forecasts.together;
  return fanFigure(name, name, past, ahead, { ...about, columns: { ...about.columns, levels: [] } });
}

const pastOf = (ahead: number): number => Math.max(leastHistory, historyHorizons * ahead);

function fanFigure(
  caption: string,
  name: string,
  past: readonly { time: string; value: number | null }[],
  ahead: readonly Ahead[],
  { columns, history, making }: About,
): Figure {
  const { say } = making;
  const words = say.forecasts;
  const bounds = columns.levels.flatMap((level) => [`lo_${level}`, `hi_${level}`]);
  const number = (value: number | null): number | null =>
    value !== null && Number.isFinite(value) ? value : null;
  const shown = (value: number | null): string => (value === null ? "–" : numberText(value));
  const none = past.map(() => null);
  const [first, last] = [ahead[0], ahead[ahead.length - 1]];
  const bandsAt = (row: Ahead): string =>
    columns.levels
      .map((level) =>
        words.tipBand(Number(level), shown(number(row[`lo_${level}`])), shown(number(row[`hi_${level}`]))),
      )
      .join("");
  return {
    caption,
    alt: words.alt(
      name,
      dateText(first.time)!,
      shown(number(first.mean)),
      dateText(last.time)!,
      shown(number(last.mean)),
    ),
    chart: {
      kind: "fan",
      axis: history?.value ?? words.value,
      times: [...past, ...ahead].map(({ time }) => dateText(time) ?? ""),
      history: [...past.map(({ value }) => value), ...ahead.map(() => null)],
      mean: [...none, ...ahead.map((row) => number(row.mean))],
      bands: columns.levels.map((level) => ({
        level: Number(level),
        low: [...none, ...ahead.map((row) => number(row[`lo_${level}`]))],
        high: [...none, ...ahead.map((row) => number(row[`hi_${level}`]))],
      })),
      legend: { history: words.history, mean: words.mean, band: words.band },
      tips: [
        ...past.map(({ time, value }) => words.tip(dateText(time)!, words.history, shown(value), "")),
        ...ahead.map((row) =>
          words.tip(dateText(row.time)!, words.mean, shown(number(row.mean)), bandsAt(row)),
        ),
      ],
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
