import { expect, test } from "vitest";
import { otherNames } from "../../src/learners/other-names.js";
import { checkParams } from "../../src/learners/params.js";
import { learnerNamed, learnerNames } from "../../src/learners/registry.js";

test("names of other tools lead to parameters that a learner has, and are none themselves where they do", async () => {
  const tables = await Promise.all(learnerNames.map(async (name) => (await learnerNamed(name)).params));
  for (const [other, owns] of Object.entries(otherNames))
    for (const own of owns)
      expect([other, own, tables.some((table) => own in table)]).toEqual([other, own, true]);
});

test("a parameter by the name of another tool is told by its own, with the value where it fits", async () => {
  const { params } = await learnerNamed("gbdt");
  for (const [other, value, own] of [
    ["n_estimators", 500, "--param trees=500"],
    ["learning_rate", 0.1, "--param eta=0.1"],
    ["colsample_bytree", "half", "--param columns=0"],
    ["random_state", 7, "--seed 7"],
    ["nthread", 4, "--threads 4"],
  ] as const)
    expect(() => checkParams("gbdt", params, { [other]: value })).toThrow(
      expect.objectContaining({ kind: "usage", try: own }),
    );
});
