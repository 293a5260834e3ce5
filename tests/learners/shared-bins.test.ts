import { beforeAll, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { crossValidated, outOfFold } from "../../src/learners/cross-validation.js";
import type { Learner } from "../../src/learners/learner.js";
import { learnerNamed } from "../../src/learners/registry.js";
import type { TrainingAsk } from "../../src/learners/training.js";
import { tuned } from "../../src/learners/tune/tuned.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun({ threads: 2 });
const rng = seededRng(5, "shared bins");
const rows = 180;
const draw = <T>(of: (r: number) => T): T[] => Array.from({ length: rows }, (_, r) => of(r));
// Few different numbers, so that the edges between them are the same for all rows and for a part.
const step = draw(() => (rng.uniform() < 0.1 ? null : rng.integer(12)));
const columns: Record<string, Values> = {
  step,
  kind: draw((r) => (r === 7 ? "only here" : ["a", "b", "c"][rng.integer(3)])),
  town: draw((r) => (r % 17 === 0 ? null : `town ${rng.integer(30)}`)),
  weight: draw(() => 0.5 + rng.uniform()),
  shop: draw((r) => r % 4),
  y: step.map((value) => ((value ?? 3) + 4 * rng.uniform() > 8 ? "yes" : "no")),
  grade: step.map((value, r) => ["low", "middle", "high"][((value ?? 0) + (r % 3)) % 3]),
};
let table: Relation;
let gbdt: Learner;
let forest: Learner;
beforeAll(async () => {
  table = await relationFrom(await run.engine(), columns);
  [gbdt, forest] = await Promise.all(["gbdt", "forest"].map(learnerNamed));
});

const alone = (learner: Learner): Learner => ({ ...learner, share: undefined });
const features = ["step", "kind", "town"];
// Towns are too many for a level each: ordered target statistics stand for them.
const params = { trees: 6, levels: 8 };

test.each<[string, TrainingAsk]>([
  ["two classes with weights", { roles: { target: "y", weight: "weight" }, features, params }],
  ["three classes", { roles: { target: "grade" }, features, params }],
  ["ranking", { roles: { target: "step", query: "shop" }, features: ["kind", "town"], params }],
  [
    "rounds that are found",
    { roles: { target: "y" }, features, params: { ...params, trees: 0, stop: 3, eta: 0.5 } },
  ],
])("folds of rows that were read once are as folds that read their own: %s", async (_, ask) => {
  const given = ask.roles.query ? await withoutNulls() : table;
  const of = (learner: Learner) => crossValidated(learner, given, ask, { folds: 2 }, run);
  expect(await of(gbdt)).toEqual(await of(alone(gbdt)));
});

test("so are those of a forest, and the trials of a search", async () => {
  const ask = { roles: { target: "y" }, features };
  const small = { ...ask, params: { trees: 5 } };
  const of = (learner: Learner) => crossValidated(learner, table, small, { folds: 2 }, run);
  expect(await of(forest)).toEqual(await of(alone(forest)));
  const search = (learner: Learner) =>
    tuned(learner, table, { ...ask, params }, { trials: 2, by: "random", folds: { folds: 2 } }, run);
  expect(await search(gbdt)).toEqual(await search(alone(gbdt)));
});

test("what a fold predicts does not depend on the target of the rows that it is measured on", async () => {
  const { y, shop } = columns;
  const answers = async (target: Values): Promise<number[][]> => {
    const given = await relationFrom(await run.engine(), { ...columns, y: target });
    const { outOfFold: told } = await outOfFold(
      gbdt,
      given,
      { roles: { target: "y" }, features, params, positive: "yes" },
      { folds: 2, group: "shop", keep: ["shop"] },
      run,
    );
    const found = await rowsOf<{ shop: number; fold: number; score: number }>(told);
    return found.map((row) => [row.shop, row.fold, row.score]);
  };
  const before = await answers(y);
  const fold = before[0][1];
  const held = before[0][0];
  const after = await answers(
    y.map((value, r) => (shop[r] === held ? (value === "yes" ? "no" : "yes") : value)),
  );
  const of = (list: number[][], own: boolean): number[][] => list.filter((row) => (row[1] === fold) === own);
  expect(of(after, true)).toEqual(of(before, true));
  expect(of(after, false)).not.toEqual(of(before, false));
});

/** Ranking wants a relevance of every row. */
async function withoutNulls(): Promise<Relation> {
  const kept = draw((r) => r).filter((r) => step[r] !== null);
  const of = (name: string): Values => kept.map((r) => columns[name][r]);
  return relationFrom(
    await run.engine(),
    Object.fromEntries(Object.keys(columns).map((name) => [name, of(name)])),
  );
}
