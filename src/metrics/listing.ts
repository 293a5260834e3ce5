import { anomalyMetrics, classificationMetrics } from "./classification.js";
import { clusteringMetrics } from "./clustering.js";
import { forecastMetrics } from "./forecast.js";
import { unknownMetric, type Gate } from "./gates.js";
import { metricInfo, type MetricInfo } from "./metric.js";
import { queryMetrics } from "./queries.js";
import { rankingMetrics } from "./ranking.js";
import { regressionMetrics } from "./regression.js";

/** Every metric by task: a new one is an entry in its family's file. */
export const metricFamilies = {
  classification: classificationMetrics,
  regression: regressionMetrics,
  rating: regressionMetrics,
  recommendation: rankingMetrics,
  ranking: queryMetrics,
  clustering: clusteringMetrics,
  anomaly: anomalyMetrics,
  forecast: forecastMetrics,
} satisfies Record<string, MetricInfo[]>;

/**
 * Refuses gates on metrics that no task has, before any work is done.
 *
 * @throws ShopaiError "usage" with the nearest name
 */
export function checkGateNames(gates: readonly Gate[]): void {
  const all = Object.values(metricFamilies).flat();
  for (const { metric } of gates)
    if (!metricInfo(all, metric))
      throw unknownMetric(
        metric,
        all.map(({ name }) => name.replace("@k", "@10")),
        "--fail-if",
      );
}

/** Every metric of a held-out table by task, one line each, for help. */
export function metricsText(): string {
  const { forecast: _, ...families } = metricFamilies;
  const width = Math.max(
    ...Object.values(families).flatMap((family) => family.map(({ name }) => name.length)),
  );
  return Object.entries(families)
    .map(([task, family]) =>
      [
        `\nMetrics of ${task}:`,
        ...family.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
        "",
      ].join("\n"),
    )
    .join("");
}
