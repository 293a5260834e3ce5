import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { gateResults, parseGate } from "../../src/metrics/gates.js";
import { junitText } from "../../src/metrics/junit.js";
import { readSide, workingSide } from "../../src/pipeline/compared.js";
import { compared } from "../../src/pipeline/diff.js";
import { runNumbers } from "../../src/pipeline/history.js";
import { lockPath } from "../../src/pipeline/state.js";
import { verifyPipeline } from "../../src/pipeline/verify.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { outsideOf, project } from "./project.js";

const yaml = `params: { tail: x }
stages:
  one: { run: concat, with: { in: a.txt, suffix: "\${params.tail}", out: work/one.txt } }
  two: { run: concat, with: { in: work/one.txt, out: work/two.txt } }
`;
const failure = async (work: Promise<unknown>): Promise<ShopaiError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
};
const none = (): undefined => undefined;

describe("diff", () => {
  const metrics = (auc: number, low: number, high: number): string =>
    JSON.stringify({ task: "classification", metrics: { auc, brier: 0.1 }, intervals: { auc: [low, high] } });

  test("runs and locks differ by stage, option and content", async () => {
    const it = project(yaml, { "a.txt": "a" });
    await it.run();
    await it.run({}, ["tail=y"]);
    it.write("old.lock.yaml", it.read("flow.lock.yaml").replace("suffix: y", "suffix: z"));
    const { stages } = compared(readSide("flow#1"), readSide("flow#last"), none);
    expect(stages.map(({ stage, change, what }) => [stage, change, what[0]])).toEqual([
      ["one", "changed", "option `suffix` x → y"],
      ["two", "changed", expect.stringMatching(/^input work\/one\.txt changed/)],
    ]);
    expect(compared(readSide("old.lock.yaml"), readSide("flow.yaml"), none).stages).toEqual([
      { lock: undefined, stage: "one", change: "changed", what: ["option `suffix` z → y"] },
    ]);
    const error = await failure(Promise.resolve().then(() => readSide("flow#9")));
    expect([error.exitCode, error.try]).toEqual([3, "flow#2"]);
  });

  test("metrics are better or worse where intervals lie apart, unclear where they overlap", () => {
    const folder = temporaryFolder();
    const at = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const before = at("before.json", metrics(0.8, 0.78, 0.82));
    const verdicts = (after: string): string[] =>
      compared(readSide(before), readSide(after), none).metrics.map(({ verdict }) => verdict);
    expect(verdicts(at("better.json", metrics(0.85, 0.83, 0.87)))).toEqual(["better", "equal"]);
    expect(verdicts(at("worse.json", metrics(0.7, 0.68, 0.72)))).toEqual(["worse", "equal"]);
    expect(verdicts(at("near.json", metrics(0.81, 0.79, 0.83)))).toEqual(["unclear", "equal"]);
  });

  test("against a git revision: the locks and metrics files that changed", async () => {
    const it = project(yaml, { "a.txt": "a", "metrics.json": metrics(0.8, 0.78, 0.82) });
    const git = (...words: string[]): string =>
      execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...words], {
        cwd: it.folder,
        encoding: "utf8",
      });
    await it.run();
    git("init", "-q", "-b", "main");
    git("add", "flow.yaml", "flow.lock.yaml", "metrics.json");
    git("commit", "-qm", "one");
    await it.run({}, ["tail=y"]);
    it.write("metrics.json", metrics(0.9, 0.88, 0.92));
    const main = readSide("main");
    const { stages, metrics: found } = compared(main, workingSide(main), none);
    expect(stages[0].what).toEqual([
      "option `suffix` x → y",
      expect.stringMatching(/^output work\/one\.txt/),
    ]);
    expect(found[0]).toMatchObject({ of: "metrics.json", metric: "auc", verdict: "better" });
    const said = await runCli(["diff", "main", "--md"], { cwd: it.folder });
    expect([said.code, said.stdout]).toEqual([
      0,
      expect.stringMatching(/^### main → working tree\n\n\| of \| metric/),
    ]);
    const error = await failure(Promise.resolve().then(() => readSide("mian")));
    expect(error.message).toBe('"mian" is neither a file, a run nor a git revision');
  });
});

describe("verify", () => {
  const ask = (rerun: string) => ({ lockFile: lockPath("flow.yaml"), names: [], rerun, seed: 1 });

  test("runs a sample again and leaves everything as it stood; a lock written by hand is found out", async () => {
    const it = project(yaml, { "a.txt": "a" });
    await it.run();
    const verified = await verifyPipeline(await it.plan(), ask("50%"), outsideOf(it));
    expect(verified.map(({ status }) => status).sort()).toEqual(["held", "rerun"]);
    expect(Object.values(await it.states({ frozen: true }))).toEqual(["fresh", "fresh"]);
    // Outputs changed together with their hashes in the lock: everything is equal but what a stage really writes.
    it.write("work/two.txt", "forged");
    const forged = execFileSync("sha256sum", ["work/two.txt"], { cwd: it.folder, encoding: "utf8" }).slice(
      0,
      64,
    );
    it.write(
      "flow.lock.yaml",
      it.read("flow.lock.yaml").replace(/(two:[^]*outputs:\n +work\/two\.txt: )[0-9a-f]+/, `$1${forged}`),
    );
    const error = await failure(verifyPipeline(await it.plan(), ask("100%"), outsideOf(it)));
    expect([error.exitCode, error.message]).toEqual([
      6,
      "--frozen: two, run again, gave another work/two.txt than the lock says",
    ]);
    expect(it.read("work/two.txt")).toBe("forged");
    expect((await failure(verifyPipeline(await it.plan(), ask("many"), outsideOf(it)))).exitCode).toBe(2);
  });
});

test("a stage on a GPU is held to its metrics, and so is what reads from it; its bytes may differ", async () => {
  const gpuYaml = `stages:
  fit: { run: train, with: { in: a.txt, out: work/model.txt } }
  use: { run: concat, with: { in: work/model.txt, out: work/used.txt } }
  apart: { run: concat, with: { in: a.txt, out: work/apart.txt } }
`;
  const it = project(gpuYaml, { "a.txt": "0.8" });
  await it.run();
  const lock = it.read("flow.lock.yaml");
  expect(lock.match(/tolerance: 0\.01/g)).toHaveLength(2);
  const ask = { lockFile: lockPath("flow.yaml"), names: [], rerun: "100%", seed: 1 };
  const verified = await verifyPipeline(await it.plan(), ask, outsideOf(it));
  expect(verified.map(({ status }) => status)).toEqual(["within", "rerun", "rerun"]);
  // As in a fresh clone: the lock, and no outputs.
  for (const path of ["work", ".shopai"]) rmSync(join(it.folder, path), { recursive: true });
  expect(await it.states({ frozen: true })).toEqual({ fit: "ran", use: "ran", apart: "ran" });
  expect(await it.states({ frozen: true })).toEqual({ fit: "fresh", use: "fresh", apart: "fresh" });
  expect(it.read("flow.lock.yaml")).toBe(lock);
  it.write("flow.lock.yaml", lock.replace(/(auc:\n +- )[\d.]+/, "$10.7"));
  const plan = await it.plan();
  for (const work of [() => it.run({ frozen: true }), () => verifyPipeline(plan, ask, outsideOf(it))])
    expect((await failure(work())).message).toMatch(
      /^--frozen: fit: auc 0\.7 → 0\.8\d*, more than the tolerance 0\.01/,
    );
});

describe("history", () => {
  test("a dry run tells how long stages took; runs with nothing to do leave no record", async () => {
    const it = project(yaml, { "a.txt": "a" });
    expect((await it.run({ dryRun: true }))[0].expected).toBeUndefined();
    await it.run();
    await it.run();
    expect(runNumbers("flow")).toEqual([1]);
    const ahead = await it.run({ dryRun: true }, ["tail=y"]);
    expect(ahead.map(({ expected }) => typeof expected)).toEqual(["number", "number"]);
  });
});

describe("on the command line", () => {
  test("status says what is stale and why, cache ls what is kept, on_failure is told of a failure", async () => {
    const cwd = temporaryFolder();
    const write = (path: string, text: string): void => {
      mkdirSync(dirname(join(cwd, path)), { recursive: true });
      writeFileSync(join(cwd, path), text);
    };
    const text = (command: string): string =>
      `on_failure: 'echo "$SHOPAI_PIPELINE/$SHOPAI_STAGE $SHOPAI_EXIT: $SHOPAI_ERROR" > told.txt'\nstages:\n  one: { run: shell, with: { in: a.csv, command: "${command}", out: out.txt } }\n`;
    write("a.csv", "x\n1\n");
    write("p.yaml", text("cp a.csv out.txt"));
    expect((await runCli(["run", "p.yaml"], { cwd })).code).toBe(0);
    write("a.csv", "x\n1\n2\n3\n4\n");
    const status = await runCli(["status"], { cwd });
    expect(status.stdout).toMatch(
      /^p\.yaml: 0 of 1 stages fresh, 1 stage would run: about \d\.\d s by the last runs/,
    );
    expect(status.stdout).toMatch(/one +shell +would run +\d\.\d +input a\.csv: 3 rows more/);
    expect((await runCli(["cache", "ls"], { cwd })).stdout).toMatch(/p +one +[0-9a-f]{16} +\d+ B/);
    write("p.yaml", text("exit 9"));
    expect((await runCli(["run", "p.yaml"], { cwd })).code).toBe(3);
    expect(readFileSync(join(cwd, "told.txt"), "utf8")).toMatch(
      /^p\/one 3: stage one: the command ended with 9/,
    );
  });
});

test("gates as JUnit: one case each, failures with their words", () => {
  const gates = ["auc < 0.9", "brier > 0.2"].map(parseGate);
  const text = junitText('model & "co"', gateResults(gates, { auc: 0.8, brier: 0.1 }));
  expect(text).toContain(
    '<testsuite name="model &amp; &quot;co&quot;" tests="2" failures="1" errors="0" skipped="0">',
  );
  expect(text).toContain('<failure message="auc is 0.8, and the gate is auc &lt; 0.9">');
  expect(text).toContain("<system-out>brier = 0.1</system-out>");
});
