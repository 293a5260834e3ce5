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

test("a parameter by the name of another tool is told by its own", async () => {
  const { params } = await learnerNamed("gbdt");
  for (const [other, own] of [
    ["n_estimators", "trees"],
    ["learning_rate", "eta"],
    ["colsample_bytree", "columns"],
  ])
    expect(() => checkParams("gbdt", params, { [other]: 1 })).toThrow(
      expect.objectContaining({ kind: "usage", try: expect.stringMatching(`^--param ${own}=`) }),
    );
});
