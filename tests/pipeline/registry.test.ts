import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { ShopaiError } from "../../src/core/errors.js";
import { promote, rollBack } from "../../src/cli/model-actions.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { referenceName, referenceOf } from "../../src/learners/reference.js";
import { trainModel } from "../../src/learners/training.js";
import { existingRegistry } from "../../src/pipeline/registry.js";
import { openTable } from "../../src/table/open.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const folder = temporaryFolder();
const run = testRun();
const table = join(folder, "visits.csv");
const rules = join(folder, "rules.yaml");
const registry = join(folder, "registry");
const model = (name: string): string => join(folder, name);
const now = "2026-01-02T06:00:00Z";

/** Whether a visit buys follows `pages`; `noise` tells nothing. */
beforeAll(async () => {
  const random = run.rng("visits");
  const lines = ["pages,noise,device,day,bought"];
  for (let i = 0; i < 400; i++) {
    const pages = random.integer(20);
    const bought = random.uniform() < 1 / (1 + Math.exp(10 - pages));
    lines.push(`${pages},${random.integer(9)},${i % 3 ? "mobile" : "desktop"},2026-01-01,${bought}`);
  }
  writeFileSync(table, `${lines.join("\n")}\n`);
  const rows = await openTable(await run.engine(), [table]);
  const learner = await learnerNamed("logistic");
  for (const [name, features, params] of [
    ["weak", ["noise"], {}],
    ["good", ["pages"], {}],
    ["same", ["pages"], { lambda: 2 }],
  ] as const) {
    const fitted = await trainModel(learner, rows, { roles: { target: "bought" }, features, params }, run);
    const reference = await referenceOf(fitted, rows, rows, run);
    await fitted.save(model(name), (into) => into.json(referenceName, reference));
  }
});

const asked = (text: string) => {
  writeFileSync(rules, text);
  return { registry, name: "conversion", rules, now, lockTimeout: 5 };
};
const refusal = async (work: Promise<unknown>): Promise<ShopaiError> =>
  (await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as ShopaiError;
const champion = (): number | undefined => existingRegistry(registry, "conversion").alias("champion");
const better = "metric: auc\n";

describe("promotion", () => {
  test("the first model is champion; a better one takes over; one that gains nothing is refused and stays challenger", async () => {
    const first = await promote([model("weak"), table], asked(better), run);
    expect(first.json).toMatchObject({ version: 1, champion: 1, promoted: true, from: null });

    const second = await promote([model("good"), table], asked(better), run);
    expect(second.json).toMatchObject({ version: 2, champion: 2, promoted: true, from: 1 });

    const error = await refusal(promote([model("same"), table], asked(better), run));
    expect([error.exitCode, error.message]).toEqual([
      6,
      expect.stringMatching(
        /^conversion 3 is not promoted: auc gains: 0\.\d+ → 0\.\d+, a gain of \S+ \(95 %: \S+ to \S+\)$/,
      ),
    ]);
    const it = existingRegistry(registry, "conversion");
    expect([it.alias("champion"), it.alias("challenger")]).toEqual([2, 3]);
    expect(readFileSync(join(registry, "conversion/champion/model.json"), "utf8")).toBe(
      readFileSync(join(model("good"), "model.json"), "utf8"),
    );
    expect(it.version(2)).toMatchObject({ learner: "logistic", rows: 400, inputs: [{ path: table }] });
    expect(it.version(3).metrics!.auc).toBeGreaterThan(0.9);
    expect(it.history().map(({ action, version, to }) => [action, version, to])).toEqual([
      ["promote", 1, 1],
      ["promote", 2, 2],
      ["refuse", 3, 2],
    ]);
    const again = await promote([model("good"), table], asked(better), run);
    expect(again.json).toMatchObject({ version: 2, promoted: false });
  });

  test.each([
    ["an absolute condition", "fail-if: auc < 0.999", "auc is 0.9"],
    ["a guardrail", "guardrails: [{ metric: log_loss }]", "log_loss falls back by no more than 0"],
    ["a slice", "guardrails: [{ metric: log_loss, by: device }]", "log_loss for device = "],
    [
      "freshness",
      "freshness: { column: day, max-age: 3h }",
      "day is no older than 3h: the newest is 2026-01-01, 6 h old",
    ],
    ["drift", "drift: { psi: 0, share: 0 }", "columns drift (PSI above 0)"],
    ["too few rows", "least-rows: 1000", "at least 1000 rows: 400 rows"],
  ])("%s refuses by itself", async (_, rule, message) => {
    const where = rule.startsWith("drift") ? "pages > 9" : undefined;
    const error = await refusal(
      promote([model("same"), table], { ...asked(`${better}${rule}\n`), where }, run),
    );
    expect([error.exitCode, error.message]).toEqual([6, expect.stringContaining(message)]);
    expect(champion()).toBe(2);
  });

  test("a mistake in the rules shows its place", async () => {
    const error = await refusal(promote([model("same"), table], asked("metric: acu\n"), run));
    expect([error.exitCode, error.where]).toEqual([2, expect.stringContaining("rules.yaml:1:9")]);
    expect((await refusal(promote([model("same"), table], asked("metrc: auc\n"), run))).try).toBe("metric");
  });

  test("two writers at once: one after the other, and the log has both", async () => {
    const before = existingRegistry(registry, "conversion").history().length;
    await Promise.all([
      refusal(promote([model("same"), table], asked(better), run)),
      refusal(promote([model("weak"), table], asked(better), run)),
    ]);
    expect(existingRegistry(registry, "conversion").history()).toHaveLength(before + 2);
    expect([champion(), existsSync(join(registry, "conversion/.lock"))]).toEqual([2, false]);
  });

  test("rollback goes one champion back, each time one further, and --to names one", async () => {
    const about = { registry };
    expect((await rollBack(["conversion"], about, run)).json).toEqual({
      name: "conversion",
      from: 2,
      champion: 1,
    });
    const error = await refusal(rollBack(["conversion"], about, run));
    expect([error.exitCode, error.message]).toEqual([4, "conversion had no champion before the present one"]);
    // What was rolled back stays out, whatever the rules would say, until somebody asks for it.
    const refused = await promote([model("good"), table], { ...asked(better), keepChampion: true }, run);
    expect(refused.json).toMatchObject({ version: 2, champion: 1, promoted: false });
    expect(refused.json).toMatchObject({
      checks: [{ rule: "was not rolled back", passed: false }, { passed: true }],
    });
    const again = await promote([model("good"), table], { ...asked(better), again: true }, run);
    expect(again.json).toMatchObject({ version: 2, champion: 2, promoted: true });
    await rollBack(["conversion"], about, run);
    await rollBack(["conversion"], { ...about, to: 3 }, run);
    expect(champion()).toBe(3);
    expect((await rollBack(["conversion"], about, run)).json).toMatchObject({ champion: 1 });
  });

  test("a log that was changed is noticed; a line that a killed process left half written is not", () => {
    const file = join(registry, "conversion/audit.ndjson");
    const it = existingRegistry(registry, "conversion");
    const entries = it.history().length;
    appendFileSync(file, '{"time":"20');
    expect(it.history()).toHaveLength(entries);
    writeFileSync(file, readFileSync(file, "utf8").replace('"version":2', '"version":1'));
    expect(() => it.history()).toThrow("the audit log was changed after it was written");
  });
});
