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

test("what gives the target away is warned of, whatever its shape", async () => {
  const day = (i: number): string => new Date(Date.UTC(2024, 0, 1 + (i % 50))).toISOString().slice(0, 10);
  const fraud = (i: number): boolean => (i * 37) % 11 < 3;
  const leaky = file(
    "leaky.csv",
    "at,Unnamed: 0,order,email,age_days,amount,currency,chargeback_at,chargeback_reason,fraud",
    (i) =>
      [
        ...[day(i), i, 5000 + i, `u${i}@shop`, fraud(i) ? 0 : 1 + (i % 90), (i * 17) % 101, "EUR"],
        ...(fraud(i) ? ["2025-01-01", "stolen"] : ["", ""]),
        fraud(i) ? 1 : 0,
      ].join(","),
    400,
  );
  const { code, stderr } = await runCli([
    ...["train", "logistic", leaky, "--target", "fraud", "--time", "at"],
    ...["--features", "-chargeback_*", "-o", model],
  ]);
  expect(code).toBe(0);
  for (const warning of [
    "age_days alone separates fraud (AUC 1.0000)",
    "a feature looks like an id, a value for every row: order (",
    "a feature has one value in nearly every row and can teach little: currency",
    "chargeback_at is later than at in 110 of 400 rows",
    "left out, for they differ in nearly every row: Unnamed: 0, email",
  ])
    expect(stderr).toContain(warning);
  expect(stderr).not.toContain("amount");
});

test("300 features of which 290 are empty, constants, and few numbers for a target", async () => {
  const wide = file(
    "wide.csv",
    `${Array.from({ length: 300 }, (_, c) => `c${c}`).join(",")},y`,
    (i) => `${Array.from({ length: 300 }, (_, c) => (c < 10 ? (i * (c + 3)) % 13 : "")).join(",")},${i % 3}`,
  );
  const done = await runCli(["train", "logistic", wide, "--target", "y", "-o", model, "--json"]);
  expect([done.code, done.json<{ features: string[] }>().features.length]).toEqual([0, 300]);
  expect(done.stderr).toMatch(/one value in nearly every row and can teach little: c10, .* more/);
  const same = file("same.csv", "same,y", (i) => `1,${i % 3}`);
  const constant = await runCli([
    ...["train", "gbdt", same, "--target", "y", "-o", model, "--param", "trees=5"],
  ]);
  expect([constant.code, constant.stderr]).toEqual([0, expect.stringContaining("can teach little: same")]);
  expect(constant.stderr).toContain("if they are classes: --task classification");
});

test("infinities are refused by learners of sums and split by trees", async () => {
  const infinite = file(
    "infinite.csv",
    "x,z,y",
    (i) => `${i === 3 ? "inf" : i % 7},${i % 5},${i % 2 ? "a" : "b"}`,
  );
  const refused = await runCli(["train", "logistic", infinite, "--target", "y", "-o", model]);
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("infinite values in x")]);
  const taken = await runCli(["train", "gbdt", infinite, "--target", "y", "-o", model, "--param", "trees=5"]);
  expect(taken.code).toBe(0);
});

test("a category of a hundred thousand levels is learned from", async () => {
  const levels = file(
    "levels.csv",
    "visitor,x,y",
    (i) => `v${(i * 7919) % 100_003},${i % 10},${(i * 7919) % 100_003 < 30_000 ? "yes" : "no"}`,
    120_000,
  );
  const done = await runCli([
    ...["train", "gbdt", levels, "--target", "y", "-o", model, "--json", "--param", "trees=10"],
  ]);
  expect([done.code, done.json()]).toEqual([0, expect.objectContaining({ features: ["visitor", "x"] })]);
});
