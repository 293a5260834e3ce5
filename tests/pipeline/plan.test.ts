import { describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { project } from "./project.js";

async function refusal(yaml: string, params?: string[]): Promise<ShopaiError> {
  const it = project(yaml, { "a.txt": "a" });
  const error = await it.plan(params).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
}

const one = (options: string): string => `stages:\n  one: { run: concat, with: { ${options} } }\n`;

describe("every mistake shows file, line, column, caret and a suggestion", () => {
  test.each([
    [
      "an unknown key of the document",
      "stages: {}\nstagse: 1\n",
      'unknown key "stagse"',
      "flow.yaml:2:1\n2 | stagse: 1\n  | ^",
      "stages",
    ],
    [
      "an unknown key of a stage, in a flow map",
      "stages:\n  one: { run: concat, wiht: { in: a.txt } }\n",
      'unknown key "wiht" in stages.one',
      "flow.yaml:2:23\n2 |   one: { run: concat, wiht: { in: a.txt } }\n  |                       ^",
      "with",
    ],
    [
      "an unknown command",
      "stages:\n  one: { run: concta }\n",
      '"concta" is not a command',
      "flow.yaml:2:15\n2 |   one: { run: concta }\n  |               ^",
      "concat",
    ],
    [
      "a command that cannot be a stage",
      "stages:\n  one: { run: run }\n",
      '"run" cannot be a stage',
      "flow.yaml:2:15\n2 |   one: { run: run }\n  |               ^",
      undefined,
    ],
    [
      "an unknown option",
      one("in: a.txt, out: b.txt, sufix: x"),
      'concat has no option "sufix"',
      "flow.yaml:2:54\n2 |   one: { run: concat, with: { in: a.txt, out: b.txt, sufix: x } }\n  |                                                      ^",
      "suffix",
    ],
    [
      "an option about the terminal",
      one("in: a.txt, out: b.txt, json: true"),
      'concat has no option "json"',
      "flow.yaml:2:54",
      undefined,
    ],
    [
      "a value of another type",
      one("in: a.txt, out: b.txt, times: often"),
      "times must be an integer from 1 to 9, got often",
      "flow.yaml:2:61",
      "times: an integer from 1 to 9",
    ],
    [
      "a value out of range",
      one("in: a.txt, out: b.txt, times: 10"),
      "times must be an integer from 1 to 9, got 10",
      "flow.yaml:2:61",
      "times: an integer from 1 to 9",
    ],
    [
      "a wrong choice",
      one("in: a.txt, out: b.txt, mode: uper"),
      "mode must be one of plain, upper, got uper",
      "flow.yaml:2:60",
      "upper",
    ],
    ["a missing out", one("in: a.txt"), 'concat needs "out"', "flow.yaml:2:23", "out: a path"],
    [
      "too few inputs",
      one("out: b.txt"),
      "concat takes 1 to 4 inputs (<file...>), got 0",
      "flow.yaml:2:29",
      undefined,
    ],
    [
      "an unknown parameter",
      `params: { horizon: 3 }\n${one('in: a.txt, out: b.txt, times: "${params.horizn}"')}`,
      "unknown parameter ${params.horizn}",
      "flow.yaml:3:61",
      "${params.horizon}",
    ],
    [
      "an unknown stage in a reference",
      one('in: "${stages.won.out}", out: b.txt'),
      "unknown stage in ${stages.won.out}",
      "flow.yaml:2:35",
      "one of ${stages.one.out}",
    ],
    [
      "an unknown part of a stage",
      `${one("in: a.txt, out: b.txt")}  two: { run: concat, with: { in: "\${stages.one.ot}", out: c.txt } }\n`,
      'stage one has no "ot", so ${stages.one.ot} is nothing',
      "flow.yaml:3:35",
      "${stages.one.out}",
    ],
    [
      "a shell variable",
      'stages:\n  one: { run: shell, with: { command: "echo ${HOME}" } }\n',
      "unknown reference ${HOME} (a plain ${ is written $${)",
      "flow.yaml:2:39",
      "one of ${stages.<stage>.out}",
    ],
    [
      "a cycle",
      "stages:\n  a: { run: concat, with: { in: c.txt, out: a1.txt } }\n  b: { run: concat, with: { in: a1.txt, out: b.txt } }\n  c: { run: concat, with: { in: b.txt, out: c.txt } }\n",
      "the stages need each other: a → c → b → a",
      "flow.yaml:2:3",
      "another output for one of them",
    ],
    [
      "a stage that reads what it writes",
      one("in: a.txt, out: a.txt"),
      "stage one reads what it writes",
      "flow.yaml:2:3",
      "another output for one of them",
    ],
    [
      "a stage that reads the folder of all results, its own among them",
      one("in: .shopai/results/flow, out: b.txt"),
      "stage one reads what it writes",
      "flow.yaml:2:3",
      "the results of other stages one by one: ${stages.<stage>.result}",
    ],
    [
      "two stages with one output",
      "stages:\n  a: { run: concat, with: { in: a.txt, out: work/x } }\n  b:\n    run: concat\n    with:\n      in: a.txt\n      out: ./work/x\n",
      "stages a and b both write work/x",
      "flow.yaml:7:12\n7 |       out: ./work/x\n  |            ^",
      "another path for one of them",
    ],
    [
      "an output inside another",
      "stages:\n  a: { run: concat, with: { in: a.txt, out: work/x } }\n  b: { run: concat, with: { in: a.txt, out: work/x/y } }\n",
      "stage b writes work/x/y, and stage a writes work/x: one lies inside the other",
      "flow.yaml:3:45",
      "another path for one of them",
    ],
    [
      "stdout as an output",
      one("in: a.txt, out: '-'"),
      "stage one can use neither stdin nor stdout",
      "flow.yaml:2:3",
      "a file instead of -",
    ],
    [
      "a stage name with a dot",
      "stages:\n  a.b: { run: concat }\n",
      'the stage name "a.b" may hold letters, digits, _ and - only',
      "flow.yaml:2:3",
      "a-b",
    ],
    ["no stage", "stages: {}\n", "the pipeline has no stage", "flow.yaml:1:1", "a stage"],
  ])("%s", async (_, yaml, message, where, advice) => {
    const error = await refusal(yaml);
    expect(error.exitCode).toBe(2);
    expect(error.message).toBe(message);
    expect(error.where?.startsWith(where), error.where).toBe(true);
    if (advice !== undefined) expect(error.try).toBe(advice);
  });

  test("YAML that does not parse, and a key that stands twice", async () => {
    expect((await refusal("stages:\n\tone: 1\n")).where).toMatch(/^flow\.yaml:2:\d/);
    expect((await refusal("stages: {}\nstages: {}\n")).where).toMatch(/^flow\.yaml:2:1\n/);
  });
});

describe("parameters", () => {
  const yaml = `params: { n: 2, on: true, list: [a, b], data: x, must: }\n${one('in: a.txt, out: "${params.data}/${params.n}.txt", times: "${params.n}", by: "${params.list}", suffix: "${params.must}"')}`;

  test("keep their types, and what is typed takes the type of the default", async () => {
    const it = project(yaml, { "a.txt": "a" });
    const { stages } = await it.plan(["must=007", "n=3", "list=c,d", "data=y"]);
    expect(stages[0].options).toMatchObject({
      in: ["a.txt"],
      out: "y/3.txt",
      times: 3,
      by: ["c", "d"],
      suffix: "007",
    });
  });

  test.each([
    [["must=1", "n=many"], 'the parameter "n" must be a number, as its default 2; got many'],
    [["must=1", "on=maybe"], 'the parameter "on" must be true or false, as its default true; got maybe'],
    [["must=1", "nn=1"], 'the pipeline has no parameter "nn"'],
    [["must"], "--param takes k=v, got must"],
    [[], 'the parameter "must" has no value'],
  ])("%j is refused", async (params, message) => {
    expect((await refusal(yaml, params)).message).toBe(message);
  });
});

describe("references", () => {
  test("$${ is a plain ${, a list in a text is joined, and references make stages depend on each other", async () => {
    const it = project(
      `params: { files: [a.txt, b.txt] }
stages:
  last: { run: shell, with: { command: "cat \${stages.first.rejects} \${params.files} $\${HOME}", out: z.txt } }
  first: { run: concat, with: { in: a.txt, out: x.txt, rejects: work/r.txt } }
`,
      { "a.txt": "a" },
    );
    const { stages } = await it.plan();
    expect(stages.map(({ name }) => name)).toEqual(["first", "last"]);
    expect(stages[1].options).toMatchObject({ command: "cat work/r.txt a.txt b.txt ${HOME}" });
    expect(stages[1].reads).toEqual(["work/r.txt"]);
  });

  test("a reference to itself is refused", async () => {
    const error = await refusal(one('in: a.txt, out: "${stages.one.suffix}", suffix: "${stages.one.out}"'));
    expect(error.message).toMatch(/refers to itself/);
  });

  test("1,000 stages in a row are planned in order", async () => {
    const stages = Array.from(
      { length: 1000 },
      (_, i) =>
        `  s${i}: { run: concat, with: { in: "${i === 999 ? "a.txt" : `f${i + 1}.txt`}", out: f${i}.txt } }\n`,
    );
    const it = project(`stages:\n${stages.join("")}`, { "a.txt": "a" });
    const plan = await it.plan();
    expect(plan.stages.map(({ name }) => name)).toEqual(
      Array.from({ length: 1000 }, (_, i) => `s${999 - i}`),
    );
  });
});
