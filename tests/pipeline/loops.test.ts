import { describe, expect, test } from "vitest";
import type { ShopaiError } from "../../src/core/errors.js";
import { project } from "./project.js";

const failure = async (work: Promise<unknown>): Promise<ShopaiError> =>
  (await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as ShopaiError;

describe("loops", () => {
  test("foreach makes a stage of every item; others read all of them or one; a name means all turns", async () => {
    const it = project(
      `params: { stores: [north, south] }
stages:
  each:
    foreach: "\${params.stores}"
    run: concat
    with: { in: a.txt, suffix: "\${item}", out: "work/\${item}.txt" }
  all: { run: concat, with: { in: "\${stages.each.out}", out: work/all.txt } }
  one: { run: concat, with: { in: "\${stages.each@south.out}", out: work/one.txt } }
`,
      { "a.txt": "-" },
    );
    expect(await it.states()).toEqual({ "each@north": "ran", "each@south": "ran", all: "ran", one: "ran" });
    expect([it.read("work/all.txt"), it.read("work/one.txt")]).toEqual(["-north-south", "-south"]);
    expect(await it.states({ names: ["each"] })).toEqual({ "each@north": "fresh", "each@south": "fresh" });
    expect(await it.states({ dryRun: true }, ["stores=north,west"]).catch((e: Error) => e.message)).toBe(
      "unknown stage in ${stages.each@south.out}",
    );
  });

  test("foreach over a mapping has keys and fields; matrix has every combination", async () => {
    const it = project(
      `stages:
  own:
    foreach: { a: { text: x, times: 2 }, b: { text: y, times: 1 } }
    run: concat
    with: { in: a.txt, suffix: "\${item.text}", times: "\${item.times}", out: "work/\${key}.txt" }
  grid:
    matrix: { mode: [plain, upper], times: [1, 0.5e1] }
    run: concat
    with: { in: a.txt, mode: "\${matrix.mode}", times: "\${matrix.times}", out: "work/\${matrix.mode}-\${matrix.times}.txt" }
`,
      { "a.txt": "q" },
    );
    const { stages } = await it.plan();
    expect(stages.map(({ name }) => name)).toEqual([
      "own@a",
      "own@b",
      "grid@plain-1",
      "grid@plain-5",
      "grid@upper-1",
      "grid@upper-5",
    ]);
    await it.run();
    expect([it.read("work/a.txt"), it.read("work/upper-5.txt")]).toEqual(["qxqx", "QQQQQ"]);
  });

  test.each([
    ["foreach: []", "foreach goes over nothing", "3:14"],
    ["matrix: {}", "matrix goes over nothing", "3:13"],
    ["foreach: [a], matrix: { n: [1] }", "a stage has foreach or matrix, not both", "3:19"],
    ['foreach: "${params.stor}"', "unknown reference ${params.stor}: a loop goes over parameters", "3:14"],
    ['foreach: "${params.n}"', "${params.n} is no list", "3:14"],
    ["foreach: [a b, a-b]", "two turns of the loop would be called each@a-b", "2:3"],
    ["foreach: [a, b]", "stages each@a and each@b both write out.txt", "4:31"],
  ])("%s is refused at its place", async (loop, message, place) => {
    const it = project(
      `stages:\n  each:\n    { ${loop},\n    run: concat, with: { out: out.txt, in: a.txt } }\nparams: { n: 1, stores: [a] }\n`,
      { "a.txt": "" },
    );
    const error = await failure(it.plan());
    expect(error.message).toBe(message);
    expect(error.where?.split("\n")[0]).toMatch(new RegExp(`^flow.yaml:${place.split(":")[0]}:`));
    if (message.includes("loop") || message.includes("nothing")) expect(error.exitCode).toBe(2);
  });
});

describe("include", () => {
  const main =
    'include: parts/common.yaml\nparams: { tail: "!" }\nstages:\n  last: { run: concat, with: { in: "${stages.first.out}", out: work/last.txt } }\n';
  const common =
    'params: { tail: "?", other: 1 }\nstages:\n  first: { run: concat, with: { in: a.txt, suffix: "${params.tail}", out: work/first.txt } }\n';

  test("brings stages and parameters; the including file's parameters win", async () => {
    const it = project(main, { "a.txt": "a", "parts/common.yaml": common });
    await it.run();
    expect(it.read("work/last.txt")).toBe("a!");
  });

  test("a mistake in it shows its own file and line", async () => {
    const it = project(main, { "a.txt": "a", "parts/common.yaml": common.replace("suffix:", "sufix:") });
    const error = await failure(it.plan());
    expect(error.message).toBe('concat has no option "sufix"');
    expect(error.where).toMatch(/^parts\/common\.yaml:3:/);
  });

  test("a file that is not there, a circle and a stage that stands twice are refused", async () => {
    const absent = await failure(project(main, { "parts/comon.yaml": common }).plan());
    expect([absent.message, absent.try]).toEqual([
      "there is no parts/common.yaml beside the pipeline",
      "parts/comon.yaml",
    ]);
    const circle = project(main, { "parts/common.yaml": `include: ../flow.yaml\n${common}` });
    expect((await failure(circle.plan())).message).toBe("../flow.yaml includes itself");
    const twice = project(main.replace("last:", "first:"), { "parts/common.yaml": common });
    expect((await failure(twice.plan())).message).toBe("parts/common.yaml has a stage first already");
  });
});

describe("declared parameters", () => {
  const yaml = `params:
  times: { type: integer, default: 2, min: 1, max: 9, description: how often }
  mode: { type: text, choices: [plain, upper], default: plain }
  by: { type: list, default: [] }
  must: { type: number }
stages:
  one: { run: concat, with: { in: a.txt, times: "\${params.times}", mode: "\${params.mode}", by: "\${params.by}", suffix: "\${params.must}", out: out.txt } }
`;
  test("have a type, a range and choices", async () => {
    const it = project(yaml, { "a.txt": "" });
    const { stages } = await it.plan(["must=0.5", "mode=upper", "by=a,b"]);
    expect(stages[0].options).toMatchObject({ times: 2, mode: "upper", by: ["a", "b"], suffix: "0.5" });
  });

  test.each([
    [
      ["must=1", "times=10"],
      'the parameter "times" must be an integer from 1 to 9, got 10',
      "--param times=2",
    ],
    [
      ["must=1", "times=1.5"],
      'the parameter "times" must be an integer from 1 to 9, got 1.5',
      "--param times=2",
    ],
    [
      ["must=1", "mode=uper"],
      'the parameter "mode" must be one of plain, upper, got uper',
      "--param mode=upper",
    ],
    [["must=x"], 'the parameter "must" must be a number, got x', "--param must=…"],
    [[], 'the parameter "must" has no value', "--param must=…"],
  ])("%j is refused", async (params, message, advice) => {
    const error = await failure(project(yaml, { "a.txt": "" }).plan(params));
    expect([error.exitCode, error.message, error.try]).toEqual([2, message, advice]);
  });

  test("a default that does not fit is refused at its place", async () => {
    const error = await failure(project(yaml.replace("default: 2", "default: 20")).plan(["must=1"]));
    expect(error.message).toBe('the default of "times" must be an integer from 1 to 9, got 20');
    expect(error.where).toMatch(/^flow\.yaml:2:36/);
  });
});
