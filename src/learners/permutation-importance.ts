import { ShopaiError } from "../core/errors.js";
import type { Column } from "../engine/frame.js";
import { unheard, type Run } from "../engine/run.js";
import { scoped } from "../engine/scope.js";
import { ident } from "../engine/sql.js";
import { unknownMetric } from "../metrics/gates.js";
import { metricInfo } from "../metrics/metric.js";
import { quantileOfSorted } from "../metrics/bootstrap.js";
import { countRows, orderSql, type Relation, relationOf, rowColumn } from "../table/relation.js";
import { breathe } from "./breathe.js";
import type { Model } from "./learner.js";
import { measured } from "./measured.js";

/** By how much a metric gets worse when a feature tells nothing any more. */
export interface FeatureDrop {
  feature: string;
  /** Mean over the shuffles, in units of the metric; positive where the feature helps. */
  drop: number;
  /** Lowest and highest drop of the shuffles between which 95 % of them lie. */
  interval: [number, number];
}

export interface PermutationImportance {
  metric: string;
  /** The metric as the rows are. */
  value: number;
  repeats: number;
  /** Strongest first. */
  features: FeatureDrop[];
}

const usualMetric = { regression: "rmse", anomaly: "auc", classification: undefined } as const;

/**
 * Importance by shuffling: how much worse the model does on rows whose values of one feature were dealt
 * anew among them, for every feature in turn. Breiman (2001), Random Forests, section 10; Fisher, Rudin &
 * Dominici (2019), JMLR 20(177), eq. 5. Features that tell the same stand in for each other and look weak.
 *
 * @param asked   metric of `evaluate`; by default auc, log_loss for more than two classes, rmse
 * @param repeats shuffles of every feature, 1 or more; the same ones for all features
 */
export async function permutationImportance(
  model: Model,
  rows: Relation,
  asked: { metric?: string; weight?: string; repeats: number },
  run: Run,
): Promise<PermutationImportance> {
  const { task, positive, features } = model.card;
  if (features.length === 0 || !(task in usualMetric))
    throw new ShopaiError(
      "usage",
      `--importance shuffles features, and ${model.card.learner} has none to measure`,
      {
        try: "a model for classification or regression",
      },
    );
  const metric =
    asked.metric ??
    usualMetric[task as keyof typeof usualMetric] ??
    (positive === undefined ? "log_loss" : "auc");
  const { engine, drop } = scoped(rows.engine);
  const silent: Run = {
    ...run,
    warn: () => undefined,
    progress: unheard,
  };
  const value = async (relation: Relation): Promise<number> => {
    const { subject } = await measured(model, relation, { cuts: [10], by: [], weight: asked.weight }, silent);
    const at = subject.measure.names.indexOf(metric);
    if (at < 0) throw unknownMetric(metric, subject.measure.names, "--metrics");
    const weights = subject.weights ?? new Float64Array(subject.measure.units).fill(1);
    const { better } = metricInfo(subject.measure.family, metric)!;
    return subject.measure.at(weights)[at] * (better === "higher" ? 1 : -1);
  };
  run.progress.stage("shuffling features");
  try {
    const staged = await shuffled({ ...rows, engine }, asked.repeats, run);
    const before = await value(await staged.relation());
    const found: FeatureDrop[] = [];
    for (const [done, { name }] of features.entries()) {
      const drops = new Float64Array(asked.repeats);
      for (let repeat = 0; repeat < asked.repeats; repeat++) {
        drops[repeat] = before - (await value(await staged.relation(name, repeat)));
        run.progress.update(done * asked.repeats + repeat, features.length * asked.repeats, "shuffles");
        await breathe(run);
      }
      drops.sort();
      found.push({
        feature: name,
        drop: drops.reduce((sum, each) => sum + each, 0) / asked.repeats,
        interval: [quantileOfSorted(drops, 0.025), quantileOfSorted(drops, 0.975)],
      });
    }
    run.progress.done(`${features.length} features`);
    found.sort((a, b) => b.drop - a.drop || (a.feature < b.feature ? -1 : 1));
    return { metric, value: Math.abs(before), repeats: asked.repeats, features: found };
  } finally {
    await drop();
  }
}

/** The rows, and the rows with one column shuffled in one of several ways. */
async function shuffled(
  rows: Relation,
  repeats: number,
  run: Run,
): Promise<{ relation(feature?: string, repeat?: number): Promise<Relation> }> {
  const { engine } = rows;
  const [staged, order] = [engine.fresh("to_shuffle"), engine.fresh("shuffles")];
  const number = ident(rowColumn);
  const names = rows.schema.map(({ name }) => name);
  const by = orderSql(rows);
  await engine.run(
    `CREATE TABLE ${ident(staged)} AS SELECT (row_number() OVER (${by}) - 1)::INTEGER AS ${number}, ${names.map(ident).join(", ")} FROM (${rows.sql})`,
  );
  const count = await countRows({ ...rows, sql: `SELECT * FROM ${ident(staged)}` });
  const columns = new Map<string, Column>();
  for (let repeat = 0; repeat < repeats; repeat++) {
    const values = Int32Array.from({ length: count }, (_, row) => row);
    columns.set(`r${repeat}`, { kind: "i32", values: run.rng(`importance ${repeat}`).shuffle(values) });
  }
  columns.set("row", { kind: "i32", values: Int32Array.from({ length: count }, (_, row) => row) });
  await engine.load(order, { rows: count, columns });
  const about = { key: [rowColumn], inputs: rows.inputs, name: rows.name };
  return {
    relation(feature, repeat) {
      if (feature === undefined) return relationOf(engine, `SELECT * FROM ${ident(staged)}`, about);
      const list = names.map((name) => `${name === feature ? "b" : "a"}.${ident(name)}`);
      return relationOf(
        engine,
        `SELECT a.${number}, ${list.join(", ")} FROM ${ident(staged)} a JOIN ${ident(order)} s ON s.row = a.${number} JOIN ${ident(staged)} b ON b.${number} = s.r${repeat}`,
        about,
      );
    },
  };
}
