import { classificationMetrics } from "./classification.js";
import { clusteringMetrics } from "./clustering.js";
import { forecastMetrics } from "./forecast.js";
import type { MetricInfo } from "./metric.js";
import { rankingMetrics } from "./ranking.js";
import { regressionMetrics } from "./regression.js";

/** Every metric by task: a new one is an entry in its family's file. */
export const metricFamilies = {
  classification: classificationMetrics,
  regression: regressionMetrics,
  recommendation: rankingMetrics,
  clustering: clusteringMetrics,
  forecast: forecastMetrics,
} satisfies Record<string, MetricInfo[]>;
