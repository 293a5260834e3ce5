import { join } from "node:path";

/** One small file of every kind that a report shows. */
export const example = [
  "metrics.json",
  "decision.json",
  "drift.json",
  "promotion.json",
  "clean.json",
  "backtest.json",
  "orders.csv",
  "forecast.csv",
  "demand.csv",
  "rejects.csv",
  "recommendations.csv",
  "scores.csv",
  "model.json",
].map((name) => join("fixtures/report", name));
