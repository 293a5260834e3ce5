import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const file = (name: string, head: string, line: (i: number) => string, rows = 60): string => {
  const path = join(folder, name);
  writeFileSync(path, `${head}\n${Array.from({ length: rows }, (_, i) => line(i)).join("\n")}\n`);
  return path;
};
const table = file(
  "rows.csv",
  "x,label,w",
  (i) => `${i % 7},${i % 3 ? "not paid" : "paid in full"},${i % 5}`,
);
const model = join(folder, "model");
const train = (...args: string[]) =>
  runCli(["train", "logistic", table, "--target", "label", "-o", model, ...args]);

test("labels with spaces are classes like others", async () => {
  const done = await train("--json", "--cv", "3", "--threshold", "f1", "--quiet");
  expect(done.json()).toMatchObject({ classes: ["not paid", "paid in full"], positive: "paid in full" });
  const evaluated = await runCli(["evaluate", model, table, "--json", "--quiet", "--group", "x > 3"]);
  expect(evaluated.json()).toMatchObject({
    confusion: { tp: expect.any(Number) as number },
    fairness: { column: "x > 3", groups: { true: {}, false: {} } },
  });
});

test.each([
  [["--where", "label = 'paid in full'"], 3, "one class only"],
  [["--where", "x > 100"], 3, "no rows to learn from"],
  [["--threshold", "perhaps"], 2, "--threshold must be"],
  [["--cost", "fp=1"], 2, "must cost more"],
  [["--alerts-per-day", "5"], 2, "--time"],
  [["--cv", "3", "--cv-gap", "7d"], 2, "--cv-time"],
  [["--tune", "5", "--param", "lambda=1", "--param", "balanced=false"], 2, "no parameter left"],
])("train logistic %j exits with %i: %s", async (args, code, message) => {
  const done = await train(...args);
  expect([done.code, done.stderr]).toEqual([code, expect.stringContaining(message)]);
});

test("negative weights and a validation table with other columns are refused by name", async () => {
  const negative = file("negative.csv", "x,label,w", (i) => `${i % 7},${i % 3 ? "a" : "b"},${(i % 5) - 1}`);
  const weighed = await runCli([
    "train",
    "logistic",
    negative,
    "--target",
    "label",
    "--weight",
    "w",
    "-o",
    model,
  ]);
  expect([weighed.code, weighed.stderr]).toEqual([
    3,
    expect.stringContaining("12 weights in w are missing, negative"),
  ]);
  const other = file("other.csv", "y,label", (i) => `${i},${i % 2 ? "paid in full" : "not paid"}`);
  const valid = await train("--tune", "2", "--valid", other);
  expect([valid.code, valid.stderr]).toEqual([
    3,
    expect.stringContaining("features of the model are not in the table: x, w"),
  ]);
});
