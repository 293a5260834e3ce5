import type { Command } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

/** Where every command is; its file is loaded only when it was typed. */
const loaders: Record<keyof typeof summaries, () => Promise<{ default: Command }>> = {
  inspect: () => import("./inspect.js"),
  clean: () => import("./clean.js"),
  featurize: () => import("./featurize.js"),
  train: () => import("./train.js"),
  evaluate: () => import("./evaluate.js"),
  predict: () => import("./predict.js"),
  forecast: () => import("./forecast.js"),
  decide: () => import("./decide.js"),
  report: () => import("./report.js"),
  run: () => import("./run.js"),
  status: () => import("./status.js"),
  diff: () => import("./diff.js"),
  verify: () => import("./verify.js"),
  cache: () => import("./cache.js"),
  models: () => import("./models.js"),
  monitor: () => import("./monitor.js"),
  doctor: () => import("./doctor.js"),
  generate: () => import("./generate.js"),
  learners: () => import("./learners.js"),
  schema: () => import("./schema.js"),
  completion: () => import("./completion.js"),
};

/** Every command by name, in the order that help shows. */
export const listing = Object.fromEntries(
  Object.entries(summaries).map(([name, summary]) => [
    name,
    { summary, load: loaders[name as keyof typeof summaries] },
  ]),
);
