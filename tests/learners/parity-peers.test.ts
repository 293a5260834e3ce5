import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Learner } from "../../src/learners/learner.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import { power } from "../../src/core/power.js";
import { stream } from "../support/mulberry.js";
import { root } from "../support/run-cli.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const fixture = <T>(name: string): T =>
  JSON.parse(readFileSync(join(root, `tests/parity/fixtures/${name}.json`), "utf8")) as T;
const run = testRun({ threads: 2 });
let gbdt: Learner;
beforeAll(async () => {
  gbdt = await learnerNamed("gbdt");
});

/** Predictions of rows by a model of others, in their order. */
async function told(
  train: Record<string, Values>,
  held: Record<string, Values>,
  target: string,
  features: string[],
  params: TrainingAsk["params"],
): Promise<number[]> {
  const engine = await run.engine();
  const table = await relationFrom(engine, train);
  const model = await trainModel(
    gbdt,
    table,
    { roles: { target }, task: "regression", features, params },
    run,
  );
  const predictions = await model.predict(await relationFrom(engine, held), {}, run);
  return (await rowsOf<{ prediction: number }>(predictions)).map(({ prediction }) => prediction);
}

const meanOf = (values: readonly number[], of: (value: number, i: number) => number): number =>
  values.reduce((sum, value, i) => sum + of(value, i), 0) / values.length;

const fine = fixture<{
  rows: number;
  steps: number;
  params: Record<string, number>;
  rmse: Record<string, Record<"lightgbm" | "xgboost", number>>;
}>("fine-bins");

function fineRows(seed: number): { x: number[]; y: number[] } {
  const [draw, levels] = [stream(seed), stream(1)];
  const heights = Array.from({ length: fine.steps }, () => levels());
  const drawn = Array.from({ length: fine.rows }, () => [draw(), draw()]);
  return {
    x: drawn.map(([a]) => a),
    y: drawn.map(([a, b]) => heights[Math.floor(a * fine.steps)] + 0.2 * b),
  };
}

test.each(["255", "2048"])(
  "a column of 600 steps is learned with %s bins as by LightGBM and XGBoost",
  async (bins) => {
    const held = fineRows(3);
    const params = { ...fine.params, bins: Number(bins), rows: 1, columns: 1 };
    const found = await told(fineRows(2), held, "y", ["x"], params);
    const rmse = Math.sqrt(meanOf(found, (p, i) => (p - held.y[i]) * (p - held.y[i])));
    const { lightgbm, xgboost } = fine.rmse[bins];
    // Which steps two of 255 bins share is drawn; of 2,048 all are apart.
    expect(rmse).toBeLessThan(Math.max(lightgbm, xgboost) * 1.02);
    expect(rmse).toBeGreaterThan(Math.min(lightgbm, xgboost) * 0.9);
  },
);

test("of more than 255 bins the best threshold is found, whichever byte it is in", async () => {
  const draw = stream(7);
  for (let round = 0; round < 4; round++) {
    const x = Array.from({ length: 900 }, () => draw());
    const cut = draw();
    const y = x.map((value) => (value < cut ? 0 : 1) + draw() / 4);
    const table = await relationFrom(await run.engine(), { x, y });
    const params = { trees: 1, depth: 1, eta: 1, bins: 1024, rows: 1, columns: 1, lambda: 0 };
    const model = await trainModel(gbdt, table, { roles: { target: "y" }, task: "regression", params }, run);
    const { threshold } = model.trees!.trees;
    const below = Math.max(...x.filter((value) => value < cut));
    const from = Math.min(...x.filter((value) => value >= cut));
    expect(threshold[0]).toBeGreaterThan(below);
    expect(threshold[0]).toBeLessThanOrEqual(from);
    expect(model.trees!.columns).toHaveLength(1);
  }
});

const skewed = fixture<{
  rows: number;
  params: Record<string, number>;
  sums: Record<string, number>;
  losses: Record<string, { target: string; lightgbm: number; xgboost: number; sklearn?: number }>;
}>("regression-peers");

function skewedRows(seed: number): Record<string, number[]> {
  const draw = stream(seed);
  const rows = Array.from({ length: skewed.rows }, () => [draw(), draw(), draw(), draw()]);
  const made: Record<string, number[]> = {
    ...Object.fromEntries(["a", "b", "c", "d"].map((name, i) => [name, rows.map((row) => row[i])])),
    count: [],
    amount: [],
    claim: [],
    skewed: [],
  };
  for (const [a, b, c] of rows) {
    const mean = Math.exp(2 * a - b + (c > 0.7 && a > 0.5 ? 1 : 0));
    let count = 0;
    for (let i = 0; i < 20; i++) if (draw() < mean / 20) count++;
    const size = -Math.log(1 - draw());
    made.count.push(count);
    made.amount.push(mean * (0.05 + size));
    let claims = 0;
    for (let i = 0; i < count; i++) claims -= Math.log(1 - draw());
    made.claim.push(mean * claims);
    const large = draw() < 0.2 ? 3 * size : 0;
    made.skewed.push(mean + large + draw());
  }
  return made;
}

/** What the script measures: deviances, and losses of one row. */
const losses: Record<string, (y: number, p: number) => number> = {
  poisson: (y, p) => 2 * ((y > 0 ? y * Math.log(y / p) : 0) - y + p),
  gamma: (y, p) => 2 * (Math.log(p / y) + y / p - 1),
  tweedie: (y, p) => 2 * (-4 * power(y, 0.5) + 2 * y * power(p, -0.5) + 2 * power(p, 0.5)),
  quantile: (y, p) => Math.max(0.9 * (y - p), -0.1 * (y - p)),
  huber: (y, p) => (Math.abs(y - p) <= 1 ? ((y - p) * (y - p)) / 2 : Math.abs(y - p) - 0.5),
  absolute: (y, p) => Math.abs(y - p),
};

test.each(Object.keys(losses))(
  "objective=%s is on unseen rows within two hundredths of the best tool",
  async (objective) => {
    const { target, ...peers } = skewed.losses[objective];
    const [train, held] = [skewedRows(2), skewedRows(3)];
    expect(train[target].reduce((sum, y) => sum + y, 0)).toBeCloseTo(skewed.sums[target], 6);
    const params = {
      ...skewed.params,
      objective,
      quantile: 0.9,
      delta: 1,
      power: 1.5,
      child_weight: 5,
      rows: 1,
      columns: 1,
    };
    const found = await told(train, held, target, ["a", "b", "c", "d"], params);
    const loss = meanOf(found, (p, i) => losses[objective](held[target][i], p));
    expect(loss).toBeLessThan(Math.min(...Object.values(peers)) * 1.02);
  },
);
