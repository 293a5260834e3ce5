import { writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const orders = join(folder, "orders.csv");
writeFileSync(
  orders,
  `customer,product,split\n${Array.from({ length: 60 }, (_, i) => `c${i % 7},p${(i * 7) % 40},${i % 5 ? "train" : "test"}`).join("\n")}\n`,
);

describe("train, predict and learners from the command line", () => {
  test("train writes a model, predict answers for every user it knows", async () => {
    const model = join(folder, "model");
    const trained = await runCli([
      ...[
        "train",
        "item-knn",
        orders,
        "--user",
        "customer",
        "--item",
        "product",
        "--where",
        "split = 'train'",
      ],
      ...["--param", "k=5", "--param", "similarity=jaccard", "-o", model, "--json"],
    ]);
    expect(trained.stderr).not.toContain("error");
    expect(trained.json()).toMatchObject({
      model,
      learner: "item-knn",
      task: "recommendation",
      rows: 48,
      params: { k: 5, similarity: "jaccard", shrink: 10 },
    });
    const out = join(folder, "recommendations.parquet");
    const predicted = await runCli(["predict", model, "-o", out, "--k", "2", "--json"]);
    expect(predicted.json()).toMatchObject({ out, rows: 14, learner: "item-knn" });
    const inspected = await runCli(["inspect", out, "--json"]);
    expect(inspected.stdout).toContain('"rank"');

    const said = async (split: string): Promise<string> =>
      (await runCli(["evaluate", model, orders, "--where", `split = '${split}'`, "--resamples", "0"])).stderr;
    expect(await said("train")).toContain(`the model has learned from these rows of ${orders}`);
    expect(await said("test")).not.toContain("has learned from");
  });

  test("a learner of ratings is trained and answers every row", async () => {
    const ratings = join(folder, "ratings.csv");
    const stars = Array.from({ length: 60 }, (_, i) => `c${i % 7},p${(i * 7) % 40},${1 + (i % 5)}`);
    writeFileSync(ratings, `customer,product,stars\n${stars.join("\n")}\n`);
    const [model, out] = [join(folder, "baseline"), join(folder, "ratings.parquet")];
    const roles = ["--user", "customer", "--item", "product", "--rating", "stars"];
    const trained = await runCli(["train", "baseline", ratings, ...roles, "-o", model, "--json"]);
    expect(trained.json()).toMatchObject({ task: "rating", rows: 60, target: "stars" });
    await runCli(["predict", model, ratings, "-o", out]);
    expect((await runCli(["inspect", out, "--json"])).json()).toMatchObject({ rows: 60 });
  });

  test("what goes wrong is said, with the documented exit code and no model", async () => {
    const nothing = join(folder, "nothing");
    const unknown = await runCli(["train", "eese", orders, "-o", nothing]);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("try shopai train ease")]);
    const column = await runCli([
      "train",
      "ease",
      orders,
      "--user",
      "custmer",
      "--item",
      "product",
      "-o",
      nothing,
    ]);
    expect([column.code, column.stderr]).toEqual([3, expect.stringContaining("try --user customer")]);
    mkdirSync(join(folder, "empty"));
    const model = await runCli(["predict", join(folder, "empty"), "-o", `${nothing}.csv`]);
    expect([model.code, model.stderr]).toEqual([4, expect.stringContaining("holds no model.json")]);
  });

  test("learners lists every learner with its parameters; train <learner> --help does too", async () => {
    const listed = (await runCli(["learners", "--json"])).json<
      { name: string; params: { name: string }[] }[]
    >();
    expect(listed.find(({ name }) => name === "ease")!.params.map(({ name }) => name)).toEqual(["lambda"]);
    const help = await runCli(["train", "kmeans", "--help"]);
    expect(help.stdout).toContain("k=8");
  });
});
