import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import { defineCommand, option, telling } from "../../src/pipeline/command.js";
import { typedLine } from "../../src/pipeline/typed.js";
import { root, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const command = defineCommand({
  name: "try",
  summary: "try options",
  inputs: { usage: "<file...>", min: 1, max: Infinity, help: "files" },
  examples: [],
  options: {
    out: option.path("output", { short: "o" }),
    k: option.integer("how many", { min: 1, max: 100 }).default(10),
    features: option.names("columns").optional(),
    failIf: option.repeated("gates").default([]),
    where: option.text("rows").optional(),
    force: option.flag("a switch").default(false),
    param: option.pairs("parameters").default({}),
  },
  reads: () => [],
  writes: () => [],
  run: () => Promise.resolve({ json: null }),
});

/** The words that a POSIX shell makes of a line with quotes. */
function words(line: string): string[] {
  const found: string[] = [];
  let [word, open, begun] = ["", "", false];
  for (let i = 0; i < line.length; i++) {
    const letter = line[i];
    if (open !== "") {
      if (letter === open) open = "";
      else word += letter;
    } else if (letter === "'" || letter === '"') [open, begun] = [letter, true];
    else if (letter === "\\") [word, begun] = [word + line[++i], true];
    else if (letter === " ") {
      if (begun || word !== "") found.push(word);
      [word, begun] = ["", false];
    } else word += letter;
  }
  return begun || word !== "" ? [...found, word] : found;
}

test("a recorded call is typed as a line that means the same call, defaults left out", () => {
  expect(
    typedLine(command, {
      in: ["a.csv"],
      options: {
        k: 10,
        where: "split = 'test'",
        features: ["-id", "b"],
        "fail-if": ["auc < 0.9"],
        force: false,
      },
      seed: 42,
      out: "b.csv",
    }),
  ).toBe(`shopai try a.csv -o b.csv --where "split = 'test'" --features=-id,b --fail-if 'auc < 0.9'`);
  const text = fc.string({ minLength: 1, maxLength: 12, unit: "grapheme-ascii" });
  const name = fc.stringMatching(/^[a-z_$'"! -]{1,8}$/).filter((one) => one !== "" && one === one.trim());
  const call = fc.record({
    k: fc.integer({ min: 1, max: 100 }),
    features: fc.array(name, { minLength: 1, maxLength: 3 }),
    failIf: fc.array(text, { maxLength: 2 }),
    where: text,
    force: fc.boolean(),
    param: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.integer(), { maxKeys: 2 }),
    seed: fc.integer({ min: 0, max: 1000 }),
  });
  fc.assert(
    fc.property(call, ({ seed, ...options }) => {
      const line = typedLine(command, {
        in: ["in put.csv"],
        options: telling(command, options),
        seed,
        out: "o$.csv",
      });
      const parsed = parseArguments(command, words(line).slice(2));
      expect("options" in parsed && parsed.options).toMatchObject({
        ...options,
        in: ["in put.csv"],
        out: "o$.csv",
        seed,
      });
    }),
  );
});

test("a pipeline's name gives its last run, what it left and how to do it again; a failed run is told as such", async () => {
  const folder = temporaryFolder();
  const put = (path: string, content: unknown): void => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), typeof content === "string" ? content : JSON.stringify(content));
  };
  const result = { rows_in: 3, rows_out: 3, rejected: 0, duplicates: 0, repaired: 0, by_rule: {} };
  put(".shopai/results/nightly/orders.json", { command: "clean", stage: "orders", result });
  put(".shopai/results/nightly/gate.json", {
    command: "evaluate",
    stage: "gate",
    result: { task: "regression" },
  });
  const locked = (run: string, inputs: string[], outputs: string[], options: object) => ({
    run,
    version: "0",
    seed: 42,
    in: inputs,
    options,
    inputs: Object.fromEntries(inputs.map((path) => [path, "0"])),
    outputs: Object.fromEntries(outputs.map((path) => [path, "0"])),
  });
  put(".shopai/runs/nightly/3.json", {
    run: 3,
    pipeline: "nightly",
    began: "2024-03-11T02:00:00.000Z",
    seconds: 61,
    params: { day: "2024-03-11" },
    stages: [
      { stage: "orders", command: "clean", status: "ran", why: ["input orders.csv: 1 row more"], seconds: 1 },
      { stage: "gate", command: "evaluate", status: "failed", why: [], seconds: 2 },
    ],
    lock: {
      orders: locked("clean", ["raw.csv"], ["orders.csv", "no.csv"], {
        rejects: "no.csv",
        "max-reject-rate": 0.1,
      }),
      gate: locked("evaluate", ["model", "orders.csv"], ["metrics.json"], { "fail-if": ["auc < 0.9"] }),
    },
    error: "stage gate: auc is 0.8",
  });
  put("pipelines/nightly.yaml", "name: nightly\n");
  put("orders.csv", "a,b\n1,x\n2,y\n3,z\n");
  cpSync(join(root, "fixtures/report/metrics.json"), join(folder, "metrics.json"));
  const outcome = await runCli(["report", "nightly", "-o", "r.md", "--json"], { cwd: folder });
  expect(outcome.code, outcome.stderr).toBe(0);
  expect(outcome.json<{ title: string; sections: { title: string }[] }>()).toMatchObject({
    title: "nightly",
    sections: ["In short", "The run", "Evaluation", "Cleaning", "Data quality", "How it was made"].map(
      (title) => ({
        title,
      }),
    ),
  });
  const text = readFileSync(join(folder, "r.md"), "utf8");
  expect(text).toContain("Pipeline nightly, run 3, began 2024-03-11 02:00 UTC and took 61 s");
  expect(text).toContain("The run did not end well: stage gate: auc is 0.8.");
  expect(text).toContain("| gate | evaluate | failed | 2.0 |");
  expect(text).toContain(
    [
      "shopai run pipelines/nightly.yaml --param day=2024-03-11",
      "shopai run pipelines/nightly.yaml --param day=2024-03-11 --frozen",
    ].join("\n"),
  );
  expect(text).toContain(
    [
      "shopai clean raw.csv -o orders.csv --rejects no.csv --max-reject-rate 0.1",
      "shopai evaluate model orders.csv -o metrics.json --fail-if 'auc < 0.9'",
    ].join("\n"),
  );
  const other = await runCli(["report", "weekly", "-o", "r.md"], { cwd: folder });
  expect(other.code).toBe(3);
  expect(other.stderr).toMatch(/no pipeline of that name ran here[\s\S]*try shopai report nightly/);
});
