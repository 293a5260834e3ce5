import { expect, test } from "vitest";
import svdpp from "../../src/learners/rating/svd-pp.js";
import { trainModel } from "../../src/learners/training.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";

const run = testRun();

/** Koren (2008), section 5.1, step by step: every step moves every y_j of the user. */
function stepByStep(user: number[], item: number[], value: number[], factors: number, epochs: number) {
  const [eta, lambda, start] = [0.007, 0.02, 0.05];
  const rng = run.rng("svd-pp");
  const draw = (count: number) => Array.from({ length: count * factors }, () => start * rng.normal());
  const [users, items] = [Math.max(...user) + 1, Math.max(...item) + 1];
  const [p, q, y] = [draw(users), draw(items), draw(items)];
  const [bu, bi] = [Array<number>(users).fill(0), Array<number>(items).fill(0)];
  const mean = value.reduce((sum, v) => sum + v, 0) / value.length;
  const rated = Array.from({ length: users }, (_, u) => [...new Set(item.filter((_, e) => user[e] === u))]);
  const implicit = (u: number, f: number) =>
    rated[u].reduce((sum, j) => sum + y[j * factors + f], 0) / Math.sqrt(rated[u].length);
  const estimate = (u: number, i: number) => {
    let sum = mean + bu[u] + bi[i];
    for (let f = 0; f < factors; f++) sum += q[i * factors + f] * (p[u * factors + f] + implicit(u, f));
    return sum;
  };
  for (let epoch = 0; epoch < epochs; epoch++)
    user.forEach((u, e) => {
      const i = item[e];
      const error = value[e] - estimate(u, i);
      bu[u] += eta * (error - lambda * bu[u]);
      bi[i] += eta * (error - lambda * bi[i]);
      for (let f = 0; f < factors; f++) {
        const [pu, qi, sum] = [p[u * factors + f], q[i * factors + f], implicit(u, f)];
        p[u * factors + f] += eta * (error * qi - lambda * pu);
        q[i * factors + f] += eta * (error * (pu + sum) - lambda * qi);
        for (const j of rated[u])
          y[j * factors + f] +=
            eta * ((error * qi) / Math.sqrt(rated[u].length) - lambda * y[j * factors + f]);
      }
    });
  return estimate;
}

test("moves the implicit factors of a user once, as step by step", async () => {
  // Sorted by user, as the learner goes; one pair comes twice.
  const user = [0, 0, 0, 0, 1, 1, 2, 2, 2, 3];
  const item = [0, 1, 2, 1, 1, 3, 0, 2, 3, 2];
  const stars = [5, 3, 1, 4, 4, 2, 5, 1, 2, 3];
  const table = await relationFrom(await run.engine(), { user, item, stars });
  const params = { factors: 3, epochs: 7 };
  const model = await trainModel(
    svdpp,
    table,
    { roles: { user: "user", item: "item", rating: "stars" }, params },
    run,
  );
  const found = await rowsOf(await model.predict(table, {}, run));
  const estimate = stepByStep(user, item, stars, params.factors, params.epochs);
  found.forEach(({ prediction }, e) => expect(prediction).toBeCloseTo(estimate(user[e], item[e]), 9));
});
