import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { ident } from "../../src/engine/sql.js";
import {
  roleHelp,
  rolesOf,
  type Learner,
  type Model,
  type RoleName,
  type Task,
} from "../../src/learners/learner.js";
import { loadModel } from "../../src/learners/model.js";
import { checkParams, type Param, type ParamValue } from "../../src/learners/params.js";
import { learnerNamed, learnerNames, registry } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import { relationOf, type Relation } from "../../src/table/relation.js";
import { root } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { rowsOf } from "./rows.js";
import { sampleAsk, sampleItems, sampleTable } from "./sample.js";

const run = testRun({ threads: 4 });
const alone = testRun({ threads: 1 });
const folder = temporaryFolder();
const learners = await Promise.all(learnerNames.map(learnerNamed));
let table: Relation;
let tableAlone: Relation;
let items: Relation;

beforeAll(async () => {
  table = await sampleTable(await run.engine());
  tableAlone = await sampleTable(await alone.engine());
  items = await sampleItems(await run.engine());
});

async function refused(work: Promise<unknown>): Promise<ShopaiError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
}

/** What multiplies the work of a fit, at its least where it is not what is tried. */
const fewest = { trees: 5, cuts: 1, folds: 2 };

/** Fits with all roles, for the first of the learner's tasks that the parameters go with. */
async function trainForSomeTask(learner: Learner, params: Record<string, ParamValue>): Promise<Model> {
  const [task, ...others] = learner.tasks ?? [learner.task];
  const few = Object.fromEntries(Object.entries(fewest).filter(([name]) => name in learner.params));
  const train = (task: Task): Promise<Model> => {
    const ask = sampleAsk(learner, true, items, task);
    return trainModel(learner, table, { ...ask, params: { ...few, ...ask.params, ...params } }, run);
  };
  return train(task).catch((error: unknown) => {
    const other = others.find((name) => error instanceof ShopaiError && error.try === `--task ${name}`);
    if (!other) throw error;
    return train(other);
  });
}

/** Every file of a folder, by name. */
function contents(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path).map((name) => [name, readFileSync(join(path, name), "base64")]),
  );
}

const without = (relation: Relation, column: string): Promise<Relation> =>
  relationOf(relation.engine, `SELECT * EXCLUDE (${ident(column)}) FROM (${relation.sql})`, relation);

test("every file that defines a learner is listed", () => {
  const defining = readdirSync(join(root, "src/learners"), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ts") && name !== "learner.ts")
    .flatMap((name) =>
      [
        ...readFileSync(join(root, "src/learners", name), "utf8").matchAll(
          /defineLearner\(\{\s*name: "(.+?)"/g,
        ),
      ].map((match) => match[1]),
    );
  expect(defining.sort()).toEqual([...learnerNames].sort());
});

describe.each(learners.map((learner) => [learner.name, learner] as const))("%s", (name, learner) => {
  let ask: TrainingAsk;
  let model: Model;
  let path: string;

  beforeAll(async () => {
    path = join(folder, name);
    ask = sampleAsk(learner, false, items);
    model = await trainModel(learner, table, ask, run);
    await model.save(path);
  });

  test("tells all about itself", () => {
    expect(registry[name].task).toBe(learner.task);
    expect(learner.summary.length).toBeGreaterThan(10);
    expect(learner.source).toMatch(/\b(19|20)\d\d\b/);
    for (const [param, about] of Object.entries(learner.params)) {
      expect(about.help, param).not.toBe("");
      expect(checkParams(name, learner.params, { [param]: about.default })[param]).toBe(about.default);
      for (const end of searched(about))
        expect(checkParams(name, learner.params, { [param]: end })[param]).toBe(end);
    }
  });

  test("stands in docs/learners.md with every parameter", () => {
    const docs = readFileSync(join(root, "docs/learners.md"), "utf8");
    const section = docs.split(/^## /m).find((part) => part.startsWith(`\`${name}\``));
    expect(section).toBeDefined();
    for (const param of Object.keys(learner.params)) expect(section).toContain(`\`${param}\``);
  });

  test("loaded, it predicts as it did before saving", async () => {
    const loaded = await loadModel(path);
    expect(loaded.card).toEqual({ ...JSON.parse(JSON.stringify(model.card)), files: loaded.card.files });
    const before = await rowsOf(await model.predict(table, {}, run));
    expect(before.length).toBeGreaterThan(0);
    expect(await rowsOf(await loaded.predict(table, {}, run))).toEqual(before);
  });

  test("same seed, same bytes, whatever the number of threads", async () => {
    const again = join(folder, `${name}-alone`);
    const same = sampleAsk(learner, false, await sampleItems(await alone.engine()));
    await (await trainModel(learner, tableAlone, same, alone)).save(again);
    expect(contents(again)).toEqual(contents(path));
    const loaded = await loadModel(again);
    expect(await rowsOf(await loaded.predict(tableAlone, {}, alone))).toEqual(
      await rowsOf(await model.predict(table, {}, run)),
    );
  });

  test("predictions have the columns of the task", async () => {
    const keep = learner.task === "recommendation" ? undefined : ["product"];
    const predictions = await model.predict(table, { keep }, run);
    const names = predictions.schema.map((field) => field.name);
    const rows = await rowsOf(predictions);
    if (learner.task === "recommendation") {
      expect(names).toEqual(["customer", "product", "score", "rank"]);
      expect(predictions.schema[0].type).toBe("BIGINT");
      expect(rows.filter((row) => row.rank === 1)).toHaveLength(25);
      return;
    }
    expect(rows).toHaveLength(150);
    expect(names).toEqual([
      "product",
      "prediction",
      ...{
        classification: ["score"],
        regression: [],
        rating: [],
        ranking: [],
        clustering: ["distance"],
        anomaly: ["score"],
      }[learner.task],
    ]);
    const target = model.card.target;
    if (target)
      expect(predictions.schema[1].type).toBe(learner.task === "classification" ? target.type : "DOUBLE");
    if (learner.task === "anomaly") expect(predictions.schema[1].type).toBe("BOOLEAN");
    const input = await rowsOf(table);
    expect(rows.map((row) => row.product)).toEqual(input.map((row) => row.product));
  });

  test("fits with every role and every parameter at its ends", async () => {
    await trainModel(learner, table, sampleAsk(learner, true, items), run);
    for (const [param, about] of Object.entries(learner.params))
      for (const value of valuesOf(about, learner.parts ? 10 : 100)) {
        const fitted = await trainForSomeTask(learner, { [param]: value });
        expect(await rowsOf(await fitted.predict(table, {}, run)), `${param}=${value}`).not.toEqual([]);
      }
  });

  test("a parameter out of its range is refused by name", async () => {
    for (const [param, about] of Object.entries(learner.params))
      for (const value of wrongValues(about)) {
        const error = await refused(trainModel(learner, table, { ...ask, params: { [param]: value } }, run));
        expect([error.kind, error.message]).toEqual([
          "usage",
          expect.stringMatching(new RegExp(`^${param} must be `)),
        ]);
      }
  });

  test("an unknown parameter is refused by name, with the nearest", async () => {
    const [known] = Object.keys(learner.params);
    const error = await refused(trainModel(learner, table, { ...ask, params: { [`${known}x`]: 1 } }, run));
    expect(error.kind).toBe("usage");
    expect(error.message).toContain(`"${known}x"`);
    if (known.length > 1) expect(error.try).toContain(known);
  });

  test("roles: required ones are asked for, others are refused, columns must be there", async () => {
    for (const role of Object.keys(roleHelp) as RoleName[]) {
      const need = rolesOf(learner)[role];
      const roles = { ...ask.roles, [role]: need === "required" ? undefined : "price" };
      if (need === "optional") continue;
      const error = await refused(trainModel(learner, table, { ...ask, roles, features: undefined }, run));
      expect([error.kind, error.message]).toEqual(["usage", expect.stringContaining(`--${role}`)]);
    }
    for (const role of Object.keys(ask.roles) as RoleName[]) {
      const error = await refused(
        trainModel(learner, table, { ...ask, roles: { ...ask.roles, [role]: `${ask.roles[role]!}s` } }, run),
      );
      expect([error.kind, error.try]).toEqual(["data", expect.stringContaining(ask.roles[role]!)]);
    }
  });

  test("empty input is a data error", async () => {
    const empty = { ...table, sql: `SELECT * FROM (${table.sql}) WHERE false` };
    expect((await refused(trainModel(learner, empty, ask, run))).kind).toBe("data");
  });

  test("a column that the model needs and the table lacks is named", async () => {
    const needed = learner.features === true ? "visits" : "customer";
    const error = await refused(model.predict(await without(table, needed), {}, run));
    expect([error.kind, error.message]).toEqual(["data", expect.stringContaining(needed)]);
  });

  test("a flipped byte, a missing file and another format version are refused, each by name", async () => {
    const files = Object.keys((await loadModel(path)).card.files);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const whole = readFileSync(join(path, file));
      const flipped = Buffer.from(whole);
      flipped[flipped.length - 1] ^= 1;
      writeFileSync(join(path, file), flipped);
      const error = await refused(loadModel(path));
      expect([error.kind, error.message]).toEqual(["model", expect.stringContaining(file)]);
      rmSync(join(path, file));
      const missing = await refused(loadModel(path));
      expect([missing.kind, missing.message]).toEqual(["model", expect.stringContaining(file)]);
      writeFileSync(join(path, file), whole);
    }
    const card = readFileSync(join(path, "model.json"), "utf8");
    writeFileSync(join(path, "model.json"), card.replace('"format_version": 1', '"format_version": 99'));
    const error = await refused(loadModel(path));
    expect(error.kind).toBe("model");
    expect(error.message).toMatch(/99.*format version 1/);
  });
});

function searched(param: Param): ParamValue[] {
  return param.kind === "flag" ? [] : [...(param.search ?? [])];
}

/** The ends that can be tried in a moment: `most` is the largest, and less where each one fits all parts of a learner. */
function valuesOf(param: Param, most: number): ParamValue[] {
  if (param.kind === "flag") return [true, false];
  if (param.kind === "choice") return [...param.choices];
  if (param.kind === "text") return [];
  return [param.min, ...(param.max <= most ? [param.max] : [])];
}

function wrongValues(param: Param): ParamValue[] {
  if (param.kind === "flag") return ["perhaps", 2];
  if (param.kind === "choice") return ["nothing-of-the-kind"];
  if (param.kind === "text") return [7];
  return [
    "many",
    NaN,
    param.min - 1,
    ...(param.kind === "int" ? [param.min + 0.5] : []),
    ...(param.max < Number.MAX_SAFE_INTEGER ? [param.max + 1] : []),
  ];
}
