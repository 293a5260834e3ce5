import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Model } from "../../src/learners/learner.js";
import { learnerNamed, learnerNames } from "../../src/learners/registry.js";
import { answererOf } from "../../src/learners/stream.js";
import { trainModel } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";
import { sampleAsk, sampleItems, sampleTable } from "./sample.js";

const run = testRun();
let table: Relation;
beforeAll(async () => {
  table = await sampleTable(await run.engine());
});

const trained = async (name: string): Promise<Model> => {
  const learner = await learnerNamed(name);
  return trainModel(learner, table, sampleAsk(learner, false, await sampleItems(await run.engine())), run);
};
const lines = (requests: readonly object[]): string[] => requests.map((request) => JSON.stringify(request));

test.each(learnerNames)("%s answers line by line what predict writes", async (name) => {
  const model = await trained(name);
  const answer = await answererOf(model, { k: 3 }, run);
  const rows = await rowsOf(await model.predict(table, { k: 3 }, run));
  if (model.card.task === "recommendation") {
    const users = [...new Set(rows.map((row) => Number(row.customer)))];
    const answers = await answer(lines(users.map((customer) => ({ customer }))));
    expect(
      answers.flatMap(({ customer, recommendations }) =>
        (recommendations as object[]).map((one) => ({ customer, ...one })),
      ),
    ).toEqual(rows.map((row) => ({ ...row, customer: Number(row.customer) })));
    return;
  }
  const requests = (await rowsOf(table)).map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
    ),
  );
  const plain = rows.map((row) => JSON.parse(JSON.stringify(row)));
  const [first, ...rest] = lines(requests);
  const answers = [...(await answer([first])), ...(await answer(rest))];
  expect(JSON.parse(JSON.stringify(answers))).toEqual(plain);
});

describe("requests", () => {
  test("what is wrong is said in place of an answer, and disturbs no other", async () => {
    const answer = await answererOf(await trained("linear"), { keep: ["id"] }, run);
    const answers = await answer([
      '{"id": 7, "price": 3, "visits": 2, "country": "NO", "member": true}',
      "",
      "nonsense",
      "[1]",
      '{"visits": "two"}',
      '{"id": 8, "error": "none"}',
    ]);
    expect(answers).toMatchObject([
      { id: 7, prediction: expect.any(Number) },
      { error: { kind: "data", message: "a request is no JSON: nonsense" } },
      { error: { message: "a request must be a JSON object, got [1]" } },
      { error: { message: 'visits is "two", and was INTEGER in training' } },
      { id: 8, prediction: expect.any(Number) },
    ]);
  });

  test("recommenders: users, visitors by their items, strangers, similar items", async () => {
    const model = await trained("item-knn");
    const answer = await answererOf(model, { k: 2, explain: true }, run);
    const [known, visitor, stranger, odd, nobody, one] = await answer(
      lines([
        { customer: 1001 },
        { product: ["P1", "P2", "P1", "nothing"] },
        { customer: 1 },
        { customer: "x" },
        { page: 1 },
        { customer: 1002, k: 1 },
      ]),
    );
    expect(known).toMatchObject({ customer: 1001, source: "model" });
    expect(known.recommendations).toHaveLength(2);
    expect(visitor.source).toBe("history");
    expect((visitor.recommendations as { reason: string }[])[0].reason).toMatch(/^P[12] \(\d+ %\)/);
    expect(stranger.source).toBe("popularity");
    expect(odd).toMatchObject({
      error: { kind: "data", message: 'the customer "x" is no BIGINT, as in training' },
    });
    expect(nobody).toMatchObject({ error: { message: "a request needs customer or product" } });
    expect(one.recommendations).toHaveLength(1);
    const folded = await rowsOf(
      await model.predict(
        await relationFrom(
          await run.engine(),
          { customer: [1, 1], product: ["P1", "P2"] },
          { customer: "BIGINT" },
        ),
        { k: 2 },
        run,
      ),
    );
    expect(visitor.recommendations).toMatchObject(
      folded.map(({ product, score, rank }) => ({ product, score, rank })),
    );
    const similar = await answererOf(model, { similar: true }, run);
    const [[near], all] = [
      await similar(['{"product": "P1", "k": 1}']),
      await rowsOf(await model.similar!(undefined, { k: 1 }, run)),
    ];
    const expected = all.find((row) => row.product === "P1")!;
    expect(near.similar).toEqual([{ product: expected.similar_product, score: expected.score, rank: 1 }]);
  });
});

test("from the command line: stdin to stdout, words on stderr", async () => {
  const folder = temporaryFolder();
  const orders = join(folder, "orders.csv");
  writeFileSync(orders, "who,what\nann,tea\nann,jam\nbob,tea\nbob,oats\n");
  const model = join(folder, "model");
  await runCli(["train", "item-knn", orders, "--user", "who", "--item", "what", "-o", model]);
  const streamed = await runCli(["predict", model, "--stream", "--k", "1"], {
    input: '{"who":"ann"}\n{"who":"bob"}\n?',
  });
  expect(streamed.code).toBe(0);
  expect(
    streamed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { who: "ann", source: "model", recommendations: [{ what: "oats", rank: 1 }] },
    { who: "bob", recommendations: [{ what: "jam" }] },
    { error: { kind: "data" } },
  ]);
  expect(streamed.stderr).toContain("1 of 3 requests got an error for an answer");
  const both = await runCli(["predict", model, orders, "--stream"]);
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("--stream reads stdin")]);
  const neither = await runCli(["predict", model]);
  expect([neither.code, neither.stderr]).toEqual([
    2,
    expect.stringContaining("predict needs -o, --out <path>"),
  ]);
});
