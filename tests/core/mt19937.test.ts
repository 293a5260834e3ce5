import { expect, test } from "vitest";
import { legacyRng } from "../../src/core/mt19937.js";

// numpy.random.RandomState(7): random_sample(3), then shuffle(arange(13)); NumPy 2.4.6.
test("draws and shuffles as NumPy's legacy generator", () => {
  const rng = legacyRng(7);
  expect([rng.uniform(), rng.uniform(), rng.uniform()]).toEqual([
    0.07630828937395717, 0.7799187922401146, 0.4384092314408935,
  ]);
  expect([...rng.permutation(13)]).toEqual([10, 3, 4, 0, 5, 2, 6, 1, 8, 11, 9, 12, 7]);
});
