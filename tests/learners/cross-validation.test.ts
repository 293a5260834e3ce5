import { expect, test } from "vitest";
import { crossValidated } from "../../src/learners/cross-validation.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { testRun } from "../support/test-run.js";
import { relationFrom } from "./rows.js";
import { sampleAsk, sampleTable } from "./sample.js";

const run = testRun({ threads: 4 });
const alone = testRun({ threads: 1 });

test("every fold has every class, and what can be learned is found in all of them", async () => {
  const x = Array.from({ length: 40 }, (_, i) => i);
  const table = await relationFrom(await run.engine(), {
    x,
    y: x.map((value) => (value < 10 ? "low" : "high")),
  });
  const { metrics } = await crossValidated(
    await learnerNamed("logistic"),
    table,
    { roles: { target: "y" }, params: { lambda: 0.01 } },
    { folds: 5 },
    run,
  );
  expect(metrics.auc).toEqual({ mean: 1, std: 0, folds: [1, 1, 1, 1, 1] });
});

test.each(["linear", "kmeans", "item-knn"])("%s: the figures do not depend on threads", async (name) => {
  const learner = await learnerNamed(name);
  const [many, one] = await Promise.all(
    [run, alone].map(async (each) =>
      crossValidated(learner, await sampleTable(await each.engine()), sampleAsk(learner), { folds: 3 }, each),
    ),
  );
  expect(many).toEqual(one);
  for (const { folds } of Object.values(many.metrics)) expect(folds).toHaveLength(3);
});

test("fewer rows than folds is an error", async () => {
  const table = await relationFrom(await run.engine(), { x: [1, 2], y: [1, 2] });
  await expect(
    crossValidated(await learnerNamed("linear"), table, { roles: { target: "y" } }, { folds: 3 }, run),
  ).rejects.toThrow("2 rows cannot be dealt to 3 folds");
});
