import { metricFamilies } from "../../metrics/listing.js";
import { metricInfo, type MetricInfo } from "../../metrics/metric.js";
import { numberText, shareText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { defineSection, has, isObject, weights } from "./section.js";

/** The result of `forecast`. */
interface BacktestResult {
  horizon: number;
  series?: number;
  metrics: Record<string, Record<string, number | null>>;
  chosen?: Record<string, number>;
  backtest?: { origins?: number; windows?: number };
  fallbacks?: { reason: string; model: string; series: number; examples?: string[] }[];
}

const family = (metricFamilies as Record<string, MetricInfo[]>).forecast ?? [];
/** Errors on a scale of their own, that series and models are compared by. */
const leading = ["rmsse", "mase", "wape", "smape"];
const naive = "seasonal-naive";

/** Models of a backtest side by side. */
export const backtest = defineSection<BacktestResult>({
  name: "backtest",
  document: (document) =>
    has(document, "horizon", "metrics") && isObject(document.metrics)
      ? (document as unknown as BacktestResult)
      : undefined,
  parts({ content: { metrics, horizon, series, chosen, backtest: how, fallbacks } }, { say }) {
    const words = say.backtest;
    const models = Object.keys(metrics);
    const names = namesOf(metrics);
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.horizon, horizon],
          ...(series === undefined ? [] : [[words.series, series] as [string, Cell]]),
          ...(how?.origins === undefined ? [] : [[words.origins, how.origins] as [string, Cell]]),
        ],
      },
    ];
    if (models.length === 0) return [...parts, { kind: "note", text: words.none }];
    const first = leading.find((name) => names.includes(name));
    if (first) {
      const ranked = models
        .filter((model) => typeof metrics[model][first] === "number")
        .sort((a, b) => metrics[a][first]! - metrics[b][first]!);
      const told = ranked.map((model) => `${model} ${numberText(metrics[model][first]!)}`);
      parts.push(
        figure({
          caption: words.figure(first),
          alt: words.alt(first, told.join(say.page.comma)),
          chart: {
            kind: "bars",
            axis: first,
            labels: ranked,
            values: ranked.map((model) => metrics[model][first]!),
            tips: told,
          },
          data: { head: [words.model, first], rows: ranked.map((model) => [model, metrics[model][first]]) },
        }),
      );
    }
    parts.push(
      {
        kind: "table",
        caption: words.table,
        head: [words.model, ...names],
        rows: models.map((model) => [model, ...names.map((name) => metrics[model][name])]),
      },
      {
        kind: "table",
        caption: words.meanings,
        head: [say.metrics.metric, say.metrics.meaning],
        rows: names.map((name) => {
          const info = metricInfo(family, name);
          return [name, say.metrics.summaries[info?.name ?? name] ?? info?.summary ?? ""];
        }),
      },
    );
    if (chosen)
      parts.push({
        kind: "table",
        caption: words.chosen,
        head: [words.model, words.series],
        rows: Object.entries(chosen).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)),
      });
    if (fallbacks && fallbacks.length > 0)
      parts.push({
        kind: "table",
        caption: words.fallbacks,
        head: [words.reason, words.model, words.series],
        rows: fallbacks.map(({ reason, model, series: n }) => [reason, model, n]),
      });
    return parts;
  },
  facts({ content: { metrics, backtest: how } }, { say }) {
    const first = leading.find((name) => namesOf(metrics).includes(name));
    const base = first === undefined ? undefined : metrics[naive]?.[first];
    const [model, ...others] = Object.keys(metrics).filter((name) => name !== naive);
    const own = "auto" in metrics ? "auto" : others.length === 0 ? model : undefined;
    const value = own === undefined || first === undefined ? undefined : metrics[own][first];
    if (own === undefined || first === undefined || !base || typeof value !== "number") return [];
    const better = value <= base;
    const windows = how?.windows === undefined ? "" : say.backtest.where(numberText(how.windows));
    return [
      {
        weight: weights.forecast + 1,
        figure: shareText(Math.abs(1 - value / base)),
        label: better ? say.backtest.better : say.backtest.worse,
        text: say.backtest.text(first, numberText(value), numberText(base), own, windows),
        tone: better ? "good" : "bad",
      },
    ];
  },
});

function namesOf(metrics: BacktestResult["metrics"]): string[] {
  const models = Object.keys(metrics);
  return [...new Set(models.flatMap((model) => Object.keys(metrics[model])))].filter((name) =>
    models.some((model) => typeof metrics[model][name] === "number"),
  );
}
