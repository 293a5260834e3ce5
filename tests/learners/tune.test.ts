import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { openStore } from "../../src/learners/tune/state.js";
import { bestTrial, searched, type Study, type Trial } from "../../src/learners/tune/study.js";
import { drawn, placeOf, searchSpace, valueAt } from "../../src/learners/tune/space.js";
import { tuned, type TuneAsk } from "../../src/learners/tune/tuned.js";
import { choice, flag, int, real } from "../../src/learners/params.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { sampleAsk, sampleTable } from "./sample.js";
import { branin, hartmann6 } from "./test-functions.js";

const folder = temporaryFolder();
const run = testRun();

const table = {
  rate: real({ default: 0.1, min: 0, help: "h", search: [1e-4, 1], log: true }),
  depth: int({ default: 6, min: 1, help: "h", search: [2, 9] }),
  kind: choice({ default: "a", choices: ["a", "b", "c"], help: "h", search: ["a", "b"] }),
  wide: flag({ default: false, help: "h", search: true }),
  fixed: int({ default: 1, min: 0, help: "no range: never searched" }),
};

test("the space is the parameters with a range that are not given, and draws stay within", () => {
  const axes = searchSpace(table, { depth: 4 });
  expect(axes.map(({ name }) => name)).toEqual(["rate", "kind", "wide"]);
  const all = searchSpace(table);
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const { rate, depth, kind, wide } = drawn(all, seededRng(seed));
      expect(rate).toBeGreaterThanOrEqual(1e-4);
      expect(rate).toBeLessThanOrEqual(1);
      expect([2, 3, 4, 5, 6, 7, 8, 9]).toContain(depth);
      expect(["a", "b"]).toContain(kind);
      expect(typeof wide).toBe("boolean");
    }),
    { numRuns: 200 },
  );
  for (const axis of all)
    if (axis.kind !== "choice")
      for (const value of [axis.low, axis.high])
        expect(valueAt(axis, placeOf(axis, value))).toBeCloseTo(value, 9);
});

const studyOf = (about: Partial<Study> & Pick<Study, "axes" | "objective">): Study => ({
  trials: 60,
  by: "tpe",
  better: "lower",
  steps: 1,
  combine: "mean",
  rng: (name) => seededRng(7, name),
  ...about,
});

test.each([
  ["branin", branin],
  ["hartmann6", hartmann6],
])("tpe ends nearer to the minimum of %s than random search, by the median of seven seeds", async (_, f) => {
  const median = async (by: "tpe" | "random"): Promise<number> => {
    const bests = await Promise.all(
      Array.from({ length: 7 }, async (_, seed) => {
        const study = studyOf({
          axes: f.axes,
          by,
          rng: (name) => seededRng(seed, name),
          objective: async (p) => f.at(p),
        });
        return bestTrial(await searched(study), study)!.score!;
      }),
    );
    expect(Math.min(...bests)).toBeGreaterThan(f.minimum - 1e-4);
    return bests.sort((a, b) => a - b)[3];
  };
  expect(await median("tpe")).toBeLessThan(await median("random"));
});

describe("a study", () => {
  const measured: number[] = [];
  const study = (trials: number, done: Trial[] = []): Study =>
    studyOf({
      axes: searchSpace(table),
      trials,
      by: "halving",
      better: "higher",
      steps: 9,
      done,
      async objective({ rate, depth }, step) {
        measured.push(step);
        return (depth as number) - Math.abs(Math.log10(rate as number) + 2) + step / 10;
      },
    });

  test("that is cut short goes on as if it had not been", async () => {
    const whole = await searched(study(25));
    const begun = await searched(study(11));
    expect(await searched(study(25, begun))).toEqual(whole);
  });

  test("gives up trials that are not among the best third after 1, 3 steps", async () => {
    measured.length = 0;
    const trials = await searched(study(25));
    const lengths = new Set(trials.filter(({ pruned }) => pruned).map(({ steps }) => steps.length));
    for (const length of lengths) expect([1, 3]).toContain(length);
    expect(measured.length).toBeLessThan(0.6 * 25 * 9);
    const best = bestTrial(trials, { better: "higher" })!;
    expect(best.pruned).toBe(false);
    for (const { pruned, score } of trials) if (!pruned) expect(score).toBeLessThanOrEqual(best.score!);
  });

  test("whose trials have no value has no best one", async () => {
    const trials = await searched(
      studyOf({ axes: branin.axes, trials: 3, objective: async () => undefined }),
    );
    expect(bestTrial(trials, { better: "lower" })).toBeUndefined();
  });
});

describe("trials on disk", () => {
  const trial = (number: number): Trial => ({
    trial: number,
    params: { rate: 0.1 + number / 3 },
    score: 1 / number,
    steps: [1 / number],
    pruned: false,
  });
  const never = (): void => expect.unreachable();

  test("come back, but for a line that a crash cut short", async () => {
    const path = join(folder, "whole.ndjson");
    const store = await openStore(path, { learner: "x" }, never);
    store.add("a", trial(1));
    store.add("b", trial(1));
    store.add("a", trial(2));
    writeFileSync(path, readFileSync(path, "utf8").slice(0, -9));
    const again = await openStore(path, { learner: "x" }, never);
    expect(again.done("a")).toEqual([trial(1)]);
    expect(again.done("b")).toEqual([trial(1)]);
    again.add("a", trial(2));
    expect((await openStore(path, { learner: "x" }, never)).done("a")).toEqual([trial(1), trial(2)]);
  });

  test("of another search are dropped, with what differs", async () => {
    const path = join(folder, "other.ndjson");
    (await openStore(path, { seed: 1, learner: "x" }, never)).add("a", trial(1));
    const told: string[] = [];
    expect((await openStore(path, { seed: 2, learner: "x" }, (what) => told.push(what))).done("a")).toEqual(
      [],
    );
    expect(told).toEqual(["seed"]);
  });
});

describe("tuning a learner", () => {
  const ask: TuneAsk = { trials: 4, folds: { folds: 2 } };

  test.each(["linear", "item-knn", "kmeans"])(
    "%s: finds what scores best, the same for any threads",
    async (name) => {
      const learner = await learnerNamed(name);
      const alone = testRun({ threads: 1 });
      const [many, one] = await Promise.all(
        [testRun({ threads: 4 }), alone].map(async (each) =>
          tuned(learner, await sampleTable(await each.engine()), sampleAsk(learner), ask, each),
        ),
      );
      expect(many).toEqual(one);
      expect(many.trials).toHaveLength(4);
      const scores = many.trials.map(({ score }) => score!);
      expect(many.score).toBe(many.metric === "rmse" ? Math.min(...scores) : Math.max(...scores));
    },
  );

  test("scores on validation rows, with growing shares of the rows for halving", async () => {
    const learner = await learnerNamed("linear");
    const rows = await sampleTable(await run.engine());
    const found = await tuned(learner, rows, sampleAsk(learner), { ...ask, by: "halving", valid: rows }, run);
    expect(found.scored_by).toBe("validation rows");
    for (const { pruned, steps } of found.trials) if (!pruned) expect(steps).toHaveLength(3);
  });

  test("whose points all need what is not there fails as the learner does", async () => {
    const popularity = await learnerNamed("popularity");
    const rows = await sampleTable(await run.engine());
    await expect(tuned(popularity, rows, sampleAsk(popularity), ask, run)).rejects.toThrow(
      "by a time column",
    );
  });

  test("with nothing to search, or for a metric that is not there, is refused", async () => {
    const rows = await sampleTable(await run.engine());
    const linear = await learnerNamed("linear");
    const given = { ...sampleAsk(linear), params: { lambda: 1 } };
    await expect(tuned(linear, rows, given, ask, run)).rejects.toThrow("no parameter left");
    await expect(tuned(linear, rows, sampleAsk(linear), { ...ask, metric: "auc" }, run)).rejects.toThrow(
      '"auc" is no metric',
    );
  });
});

test("a tuning that was killed goes on with its trials, and ends with the same model", async () => {
  const csv = join(folder, "rows.csv");
  const lines = Array.from(
    { length: 120 },
    (_, i) => `${i % 7},${(i * 37) % 11},${(i * 13) % 5 > (i % 7) / 2 ? "yes" : "no"}`,
  );
  writeFileSync(csv, `a,b,y\n${lines.join("\n")}\n`);
  const train = (out: string, trials: number) =>
    runCli([
      "train",
      "logistic",
      csv,
      "--target",
      "y",
      "--tune",
      String(trials),
      "--tune-folds",
      "2",
      "-o",
      join(folder, out),
      "--json",
    ]);
  const whole = await train("whole", 5);
  expect(whole.code).toBe(0);
  const state = readFileSync(join(folder, "whole.tune.ndjson"), "utf8").split("\n");
  expect(state).toHaveLength(7);
  // What a kill in the middle of the third trial's line leaves.
  writeFileSync(
    join(folder, "killed.tune.ndjson"),
    `${state.slice(0, 3).join("\n")}\n${state[3].slice(0, 20)}`,
  );
  const killed = await train("killed", 5);
  expect(readFileSync(join(folder, "killed/model.json"), "utf8")).toBe(
    readFileSync(join(folder, "whole/model.json"), "utf8"),
  );
  expect(killed.json<{ about: { tune: { trials: unknown[] } } }>().about.tune.trials).toHaveLength(5);
  const again = await runCli([
    "train",
    "logistic",
    csv,
    "--target",
    "y",
    "--tune-by",
    "random",
    "-o",
    join(folder, "no"),
  ]);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("--tune")]);
});
