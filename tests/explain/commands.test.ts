import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { root, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const { cases } = JSON.parse(readFileSync(join(root, "tests/parity/fixtures/tree-peers.json"), "utf8")) as {
  cases: Record<string, { text: string; rows: (number | string | null)[][]; prediction: number[] }>;
};

beforeAll(async () => {
  const rows = Array.from({ length: 80 }, (_, i) => {
    const country = ["NO", "DE", ""][i % 3];
    return `${(i * 7) % 11},${country},${(i * 7) % 11 > 5 === (country !== "DE") ? "yes" : "no"}`;
  });
  writeFileSync(at("orders.csv"), `visits,country,bought\n${rows.join("\n")}\n`);
  const trained = await runCli([
    ...["train", "gbdt", at("orders.csv"), "--target", "bought", "-o", at("model")],
    ...["--param", "trees=8", "--param", "child_weight=0"],
  ]);
  expect(trained.stderr).not.toContain("error");
});

/** Scores of a model on a table. */
async function scores(model: string, table: string): Promise<number[]> {
  const predicted = await runCli(["predict", model, table, "-o", "-", "--format", "csv", "--quiet"]);
  const [head, ...lines] = predicted.stdout.trim().split("\n");
  const column = head.split(",").findIndex((name) => name === "score");
  return lines.map((line) => Number(line.split(",")[column]));
}

describe("models export and import", () => {
  test.each(["xgboost", "lightgbm"])("a model that went through %s predicts as before", async (format) => {
    const file = at(`model.${format}`);
    const written = await runCli(["models", "export", at("model"), "--format", format, "-o", file, "--json"]);
    expect(written.json()).toMatchObject({ format, out: file, learner: "gbdt" });
    const read = await runCli(["models", "import", file, "-o", at(`from-${format}`), "--json"]);
    expect(read.json()).toMatchObject({ task: "classification", classes: ["no", "yes"] });
    const [before, after] = [
      await scores(at("model"), at("orders.csv")),
      await scores(at(`from-${format}`), at("orders.csv")),
    ];
    expect(before).toHaveLength(80);
    before.forEach((score, i) => expect(after[i]).toBeCloseTo(score, 6));
  });

  test("a model of XGBoost predicts as XGBoost does, under names that the user gives", async () => {
    const { text, rows, prediction } = cases["xgboost named levels"];
    writeFileSync(at("booster.json"), text);
    writeFileSync(
      at("rows.csv"),
      `cost,country\n${rows.map((row) => row.map((value) => value ?? "").join(",")).join("\n")}\n`,
    );
    const read = await runCli([
      ...["models", "import", at("booster.json"), "-o", at("booster"), "--json"],
      ...["--target", "bought", "--classes", "no,yes", "--features", "cost,country"],
    ]);
    expect(read.json()).toMatchObject({ classes: ["no", "yes"] });
    expect(read.json<{ from: string }>().from).toMatch(/^xgboost 3/);
    const found = await scores(at("booster"), at("rows.csv"));
    prediction.forEach((score, i) => expect(found[i]).toBeCloseTo(score, 6));
    const inspected = await runCli(["inspect", at("booster")]);
    expect(inspected.stdout).toMatch(/imported_from\s+xgboost 3/);
    expect(inspected.stdout).toMatch(/feature\s+type\s+gain\s+cover\s+splits/);
  });
});

describe("what cannot be imported or exported is said, with what to do", () => {
  const good = cases["xgboost binary"].text;
  const text = cases["lightgbm binary"].text;
  const bad: [name: string, content: string | undefined, message: RegExp][] = [
    ["gblinear.json", cases["xgboost gblinear"].text, /the booster gblinear/],
    ["cut.json", good.slice(0, good.length / 2), /no whole JSON \(cut off\?\)/],
    ["no-learner.json", '{"version":[3,0,0]}', /no model of XGBoost/],
    ["bent.json", good.replace(/"left_children":\[1,/, '"left_children":[9999,'), /tree 0 names a node/],
    ["version.txt", text.replace("version=v4", "version=v2"), /text format v2/],
    ["cut.txt", text.slice(0, 900), /end of trees/],
    ["short.txt", text.replace(/leaf_value=\S+ /, "leaf_value="), /leaf_value where/],
    ["old.bin", "binf\u0000\u0001", /old binary format/],
    ["table.csv", "a,b\n1,2\n", /neither a model of XGBoost/],
    ["empty.json", "", /the file is empty/],
    ["nothing.json", undefined, /no file to import/],
  ];
  test.each(bad)("%s", async (name, content, message) => {
    if (content !== undefined) writeFileSync(at(name), content);
    const failed = await runCli(["models", "import", at(name), "-o", at("never")]);
    expect([failed.code, failed.stderr]).toEqual([4, expect.stringMatching(message)]);
    expect(failed.stderr).toContain(`  in  ${at(name)}`);
    expect(failed.stderr).toMatch(/\n {2}try /);
  });

  test("other mistakes", async () => {
    writeFileSync(at("plain.json"), good);
    mkdirSync(at("none"), { recursive: true });
    const mistakes: [words: string[], code: number, message: RegExp][] = [
      [["exprot", at("model"), "-o", at("x")], 2, /no action "exprot"[\s\S]*try shopai models export/],
      [["export", at("model"), "-o", at("x")], 2, /needs --format/],
      [["export", at("none"), "--format", "onnx", "-o", at("x")], 4, /holds no model.json/],
      [["import", at("plain.json"), "-o", at("x"), "--classes", "a,b,c"], 2, /names 3 classes/],
      [["import", at("plain.json"), "-o", at("x"), "--features", "a"], 2, /names 1 columns/],
      [["import", at("plain.json"), "-o", at("x"), "--grid", "3"], 2, /no option --grid/],
    ];
    for (const [words, code, message] of mistakes) {
      const failed = await runCli(["models", ...words]);
      expect([failed.code, failed.stderr]).toEqual([code, expect.stringMatching(message)]);
    }
  });
});

test("predict --explain and --counterfactual on the command line; line by line, too", async () => {
  const told = await runCli([
    ...["predict", at("model"), at("orders.csv"), "-o", "-", "--format", "csv", "--quiet"],
    ...["--explain", "--reasons", "1", "--counterfactual", "--freeze", "country"],
  ]);
  expect(told.stdout.split("\n")[0]).toBe(
    "prediction,score,reasons,counterfactual,counterfactual_score,counterfactual_plausibility",
  );
  expect(told.stdout.split("\n")[1]).toMatch(
    /(visits|country) (= \S+|is missing) (raises|lowers) by [\d.]+,/,
  );
  const line = await runCli(["predict", at("model"), "--stream", "--explain", "--quiet"], {
    input: '{"visits":9,"country":"NO"}\n',
  });
  expect(line.json<{ reasons: string }>().reasons).toMatch(/visits = 9 raises by/);
  const alone = await runCli(["predict", at("model"), at("orders.csv"), "-o", at("x.csv"), "--reasons", "2"]);
  expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("--reasons goes with --explain")]);
});

test("evaluate --importance and models explain on the command line", async () => {
  const measured = await runCli([
    ...["evaluate", at("model"), at("orders.csv"), "--importance", "--repeats", "2", "--json"],
    ...["--resamples", "0"],
  ]);
  const { importance } = measured.json<{ importance: { metric: string; features: { feature: string }[] } }>();
  expect([importance.metric, importance.features[0].feature]).toEqual(["auc", "visits"]);
  const table = await runCli([
    ...["models", "explain", at("model"), at("orders.csv"), "-o", at("effects.csv"), "--features", "country"],
    "--json",
  ]);
  expect(table.json()).toMatchObject({ rows: 3 });
});
