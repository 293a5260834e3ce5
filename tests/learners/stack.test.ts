import { expect, test } from "vitest";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel } from "../../src/learners/training.js";
import { testRun } from "../support/test-run.js";
import { rowsOf } from "./rows.js";
import { sampleTable } from "./sample.js";

const run = testRun();
const features = ["price", "visits", "country", "member"];

test("a part that knows nothing gets no say; the answers are those of the others", async () => {
  const table = await sampleTable(await run.engine(), 300);
  const stack = await learnerNamed("stack");
  const params = { "blind.lambda": 1e9, lambda: 0.01, folds: 3 };
  const model = await trainModel(
    stack,
    table,
    { roles: { target: "bought" }, features, parts: ["logistic", "blind=logistic"], params },
    run,
  );
  const alone = model.card.about.parts as Record<string, { auc: number }>;
  expect(Object.keys(alone)).toEqual(["logistic", "blind"]);
  expect(alone.logistic.auc).toBeGreaterThan(0.85);
  const one = await trainModel(
    await learnerNamed("logistic"),
    table,
    { roles: { target: "bought" }, features },
    run,
  );
  const ours = await rowsOf(await model.predict(table, {}, run));
  const its = await rowsOf(await one.predict(table, {}, run));
  const same = ours.filter(({ prediction }, r) => prediction === its[r].prediction).length;
  expect(same / ours.length).toBeGreaterThan(0.95);
});

test("several classes and numbers are stacked too; a part for another task is refused", async () => {
  const table = await sampleTable(await run.engine());
  const stack = await learnerNamed("stack");
  const classes = await trainModel(
    stack,
    table,
    {
      roles: { target: "country" },
      features: ["price", "visits", "member"],
      params: { folds: 2, "gbdt.trees": 10 },
    },
    run,
  );
  expect(classes.card.parts ?? classes.card.about.parts).toBeDefined();
  for (const row of await rowsOf(await classes.predict(table, { keep: ["product"] }, run))) {
    const scores = Object.entries(row).filter(([name]) => name.startsWith("score_"));
    expect(scores.reduce((sum, [, score]) => sum + (score as number), 0)).toBeCloseTo(1, 9);
  }
  const numbers = await trainModel(
    stack,
    table,
    { roles: { target: "spent" }, features, params: { folds: 2, "gbdt.trees": 10 } },
    run,
  );
  expect(numbers.card.task).toBe("regression");
  expect(Object.keys(numbers.card.about.parts as object)).toEqual(["gbdt", "linear"]);
  for (const parts of [
    ["linear", "ease"],
    ["linear", "logistic"],
    ["stack", "linear"],
  ])
    await expect(
      trainModel(stack, table, { roles: { target: "spent" }, features, parts }, run),
    ).rejects.toThrow("the parts of stack are learners for regression");
});
