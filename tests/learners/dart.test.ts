import { expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Model } from "../../src/learners/learner.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun({ threads: 2 });

async function table(seed: number, rows = 300): Promise<Relation> {
  const rng = seededRng(seed, "dart rows");
  const draw = <T>(of: (r: number) => T): T[] => Array.from({ length: rows }, (_, r) => of(r));
  const [a, b] = [draw(() => rng.normal()), draw(() => rng.normal())];
  const kind = draw(() => "uvw"[rng.integer(3)]);
  const z = draw((r) => a[r] + a[r] * b[r] + (kind[r] === "u" ? 1 : 0) + rng.normal() / 2);
  const columns: Record<string, Values> = {
    a,
    b,
    kind,
    amount: z,
    y: z.map((value) => (value > 0 ? "yes" : "no")),
    grade: z.map((value) => (value < -0.5 ? "low" : value < 0.8 ? "middle" : "high")),
  };
  return relationFrom(await run.engine(), columns);
}

async function trained(target: string, params: TrainingAsk["params"], valid?: Relation): Promise<Model> {
  const ask = { roles: { target }, features: ["a", "b", "kind"], valid };
  const dart = { boosting: "dart", trees: 40, eta: 0.3, drop: 0.2, skip: 0.2, ...params };
  return trainModel(await learnerNamed("gbdt"), await table(1), { ...ask, params: dart }, run);
}

test.each<[string, { objective?: string; grow?: string; goss?: number }]>([
  ["y", {}],
  ["y", { grow: "leaf" }],
  ["y", { goss: 0.3 }],
  ["grade", {}],
  ["amount", {}],
  ["amount", { objective: "absolute" }],
])(
  "the trees that are kept add up to the scores that they were grown with: %s %j",
  async (target, params) => {
    const valid = await table(2);
    const model = await trained(target, params, valid);
    // The loss was kept while trees were dropped and put back; here the model that came of it is asked.
    const predictions = await rowsOf<Record<string, number | string>>(
      await model.predict(valid, { keep: [target] }, run),
    );
    const lossOf = (row: Record<string, number | string>): number => {
      if (target === "amount") {
        const off = Math.abs(Number(row.prediction) - Number(row.amount));
        return params.objective === "absolute" ? off / 2 : off * off;
      }
      if (target === "grade") return -Math.log(Number(row[`score_${row.grade}`]));
      const score = Number(row.score);
      return -Math.log(row.y === model.card.positive ? score : 1 - score);
    };
    const loss = predictions.reduce((sum, row) => sum + lossOf(row), 0) / predictions.length;
    const { rounds, valid_loss } = model.card.about as { rounds: number; valid_loss: number };
    expect(rounds).toBe(40);
    expect(valid_loss).toBeCloseTo(loss, 5);
  },
);

test("where nothing is dropped the trees are those without dropout", async () => {
  const dart = await trained("y", { drop: 0 });
  const plain = await trained("y", { boosting: "trees" });
  expect(dart.trees!.trees).toEqual(plain.trees!.trees);
  expect((await trained("y", {})).trees!.trees.value).not.toEqual(plain.trees!.trees.value);
});

test("a number of rounds is wanted", async () => {
  await expect(trained("y", { trees: 0 })).rejects.toMatchObject({ kind: "usage", try: "--param trees=300" });
});
