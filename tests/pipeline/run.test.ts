import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { project } from "./project.js";

const chain = `# a comment
params: { tail: "!", times: 1 }
stages:
  report:
    run: concat
    with: { in: ["\${stages.left.out}", "\${stages.right.out}"], out: work/report.txt }
  left:
    run: concat
    with: { in: data/a.txt, suffix: "\${params.tail}", out: work/left.txt }
  right:
    run: concat
    with: { in: data/b.txt, times: "\${params.times}", out: work/right.txt }
`;
const files = { "data/a.txt": "a", "data/b.txt": "b" };
const failure = async (work: Promise<unknown>): Promise<ShopaiError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
};

describe("what runs", () => {
  test("stages run in the order of their paths, and a second run runs nothing and changes no byte of the lock", async () => {
    const it = project(chain, files);
    const first = await it.run();
    expect(first.map(({ stage, status }) => [stage, status])).toEqual([
      ["left", "ran"],
      ["right", "ran"],
      ["report", "ran"],
    ]);
    expect(first[0].why).toEqual(["never ran"]);
    expect(it.read("work/report.txt")).toBe("a!b");
    const lock = it.read("flow.lock.yaml");
    expect(await it.states()).toEqual({ left: "fresh", right: "fresh", report: "fresh" });
    expect(it.read("flow.lock.yaml")).toBe(lock);
    expect(lock).toMatch(/^# Written by shopai run/);
    expect(JSON.parse(it.read(".shopai/results/flow/left.json"))).toEqual({
      command: "concat",
      stage: "left",
      result: { length: 2, big: "1152921504606846976" },
    });
  });

  test("a comment, the order of keys, a description and the spelling of a path change nothing", async () => {
    const it = project(chain, files);
    await it.run();
    it.write(
      "flow.yaml",
      chain
        .replace("# a comment", "description: other words")
        .replace(
          'in: data/a.txt, suffix: "${params.tail}", out: work/left.txt',
          'out: ./work//left.txt, suffix: "${params.tail}", in: ./data/../data/a.txt',
        ),
    );
    expect(await it.states()).toEqual({ left: "fresh", right: "fresh", report: "fresh" });
  });

  test("a touched file is read again but is no change; a changed byte runs what depends on it", async () => {
    const it = project(chain, files);
    await it.run();
    utimesSync(join(it.folder, "data/a.txt"), new Date(), new Date());
    expect(Object.values(await it.states())).toEqual(["fresh", "fresh", "fresh"]);
    it.write("data/b.txt", "B");
    const [left, right, report] = await it.run();
    expect([left.status, right.status, report.status]).toEqual(["fresh", "ran", "ran"]);
    expect(right.why[0]).toMatch(/^input data\/b\.txt changed \([0-9a-f]{8} → [0-9a-f]{8}\)$/);
  });

  test("a parameter runs only what depends on it, and --dry-run names it without running", async () => {
    const it = project(chain, files);
    await it.run();
    const dry = await it.run({ dryRun: true }, ["times=3"]);
    expect(dry).toMatchObject([
      { stage: "left", status: "fresh", why: [] },
      { stage: "right", status: "would run", why: ["option `times` 1 → 3"] },
      { stage: "report", status: "may run", why: ["reads what right will write"] },
    ]);
    expect(it.read("work/right.txt")).toBe("b");
    expect(await it.states({}, ["times=3"])).toEqual({ left: "fresh", right: "ran", report: "ran" });
    expect(it.read("work/report.txt")).toBe("a!bbb");
  });

  test("a stage whose output is the same bytes as before does not wake what follows", async () => {
    const it = project(chain, files);
    await it.run();
    // "ab" + "" and "a" + "b" are equal outputs of other inputs.
    it.write("data/a.txt", "a!");
    expect(await it.states({}, ["tail="])).toEqual({ left: "ran", right: "fresh", report: "fresh" });
  });

  test("outputs that are missing or were changed by others are made again", async () => {
    const it = project(chain, files);
    await it.run();
    rmSync(join(it.folder, "work/left.txt"));
    it.write("work/right.txt", "by hand");
    const outcomes = await it.run();
    // What was written over in place was the cache's copy too: its hash tells, and the stage runs.
    expect(outcomes.map(({ status }) => status)).toEqual(["restored", "ran", "fresh"]);
    expect(outcomes[0].why).toEqual(["output work/left.txt is missing"]);
    expect(outcomes[1].why[0]).toMatch(/^output work\/right\.txt is not what the stage wrote/);
    expect(it.read("work/right.txt")).toBe("b");
  });

  test("naming a stage runs it and what it needs; --force runs the named one alone", async () => {
    const it = project(chain, files);
    expect(await it.states({ names: ["right"] })).toEqual({ right: "ran" });
    expect(await it.states({ names: ["report"] })).toEqual({ left: "ran", right: "fresh", report: "ran" });
    expect(await it.states({ names: ["report"], force: true })).toEqual({
      left: "fresh",
      right: "fresh",
      report: "ran",
    });
    expect(Object.values(await it.states({ force: true }))).toEqual(["ran", "ran", "ran"]);
    const error = await failure(it.run({ names: ["reprot"] }));
    expect([error.kind, error.try]).toEqual(["usage", "report"]);
  });

  test("--jobs runs the same and gives the same bytes", async () => {
    const it = project(chain, files);
    expect(Object.values(await it.states({ jobs: 4 }))).toEqual(["ran", "ran", "ran"]);
    const lock = it.read("flow.lock.yaml");
    const other = project(chain, files);
    await other.run();
    expect(other.read("flow.lock.yaml")).toBe(lock);
  });

  test("the whole of .shopai may be deleted: nothing runs again", async () => {
    const it = project(chain, files);
    await it.run();
    rmSync(join(it.folder, ".shopai"), { recursive: true });
    expect(Object.values(await it.states())).toEqual(["fresh", "fresh", "fresh"]);
  });

  test("a result that another stage reads, and a stage without other output, count as outputs", async () => {
    const it = project(
      `stages:
  check: { run: gate, with: { in: a.txt } }
  note: { run: concat, with: { in: "\${stages.check.result}", out: work/note.txt } }
`,
      { "a.txt": "aaa" },
    );
    await it.run();
    expect(JSON.parse(it.read("work/note.txt"))).toEqual({
      command: "gate",
      stage: "check",
      result: { size: 3 },
    });
    expect(await it.states()).toEqual({ check: "fresh", note: "fresh" });
    rmSync(join(it.folder, ".shopai"), { recursive: true });
    expect(await it.states()).toEqual({ check: "ran", note: "fresh" });
  });

  test("a folder and a glob are inputs by all their files", async () => {
    const it = project(
      `stages:
  one: { run: shell, with: { in: parts, command: "cat parts/*.txt > out.txt", out: out.txt } }
  two: { run: shell, with: { in: "parts/*.txt", command: "cat parts/*.txt > two.txt", out: two.txt } }
`,
      { "parts/a.txt": "a", "parts/b.txt": "b" },
    );
    await it.run();
    expect(Object.values(await it.states())).toEqual(["fresh", "fresh"]);
    it.write("parts/c.txt", "c");
    expect(Object.values(await it.states())).toEqual(["ran", "ran"]);
    expect(it.read("out.txt")).toBe("abc");
  });
});

describe("failures", () => {
  const shellChain = (command: string): string => `stages:
  first: { run: concat, with: { in: a.txt, out: work/first.txt } }
  broken: { run: shell, with: { in: work/first.txt, command: ${JSON.stringify(command)}, out: work/broken.txt } }
  after: { run: concat, with: { in: work/broken.txt, out: work/after.txt } }
  apart: { run: concat, with: { in: a.txt, suffix: x, out: work/apart.txt } }
`;

  test("a failing stage is named with its words, keeps the old output, and earlier stages stay recorded", async () => {
    const it = project(shellChain("cat work/first.txt > work/broken.txt"), { "a.txt": "a" });
    await it.run();
    it.write("flow.yaml", shellChain("echo half > work/broken.txt; echo it broke >&2; exit 3"));
    it.write("a.txt", "b");
    const error = await failure(it.run());
    expect(error.message).toBe("stage broken: the command ended with 3: it broke");
    expect(error.exitCode).toBe(3);
    expect(it.read("work/broken.txt")).toBe("a");
    expect(it.read(".shopai/logs/flow/broken.log")).toContain("it broke");
    it.write("flow.yaml", shellChain("cat work/first.txt > work/broken.txt"));
    expect(await it.states()).toEqual({ first: "fresh", broken: "ran", after: "ran", apart: "ran" });
    expect(it.read("work/after.txt")).toBe("b");
  });

  test("--keep-going runs what does not depend on the failed stage", async () => {
    const it = project(shellChain("exit 1"), { "a.txt": "a" });
    const error = await failure(it.run({ keepGoing: true }));
    expect(error.message).toMatch(/^stage broken: the command ended with 1/);
    expect(it.warnings[0]).toMatch(/^stage broken failed/);
    expect([it.has("work/apart.txt"), it.has("work/after.txt")]).toEqual([true, false]);
  });

  test("an output that was promised and not written is an error", async () => {
    const it = project(shellChain("true"), { "a.txt": "a" });
    expect((await failure(it.run())).message).toContain("ended without writing work/broken.txt");
  });

  test("an input that is not there is named with the line of the pipeline", async () => {
    const it = project(chain, { "data/a.txt": "a", "data/notb.txt": "b" });
    const error = await failure(it.run());
    expect([error.kind, error.message]).toEqual(["data", "stage right: no such file"]);
    expect(error.where).toBe(`data/b.txt in the project folder ${process.cwd()} (flow.yaml:12:17)`);
    expect(it.has("work/left.txt")).toBe(false);
  });

  test("an input that changes while it is read is not recorded", async () => {
    const it = project(
      `stages:
  one: { run: shell, with: { in: a.txt, command: "cat a.txt > out.txt; echo more >> a.txt", out: out.txt } }
`,
      { "a.txt": "a" },
    );
    await it.run();
    expect(it.warnings[0]).toMatch(/^a\.txt changed while stage one/);
    const [outcome] = await it.run({ dryRun: true });
    expect(outcome.status).toBe("would run");
  });
});

describe("--frozen", () => {
  test("passes on what the lock says, and names the first thing that differs", async () => {
    const it = project(chain, files);
    expect((await failure(it.run({ frozen: true }))).message).toContain("there is no lock");
    await it.run();
    expect(Object.values(await it.states({ frozen: true }))).toEqual(["fresh", "fresh", "fresh"]);

    const option = await failure(it.run({ frozen: true }, ["tail=?"]));
    expect([option.exitCode, option.message]).toEqual([6, "--frozen: left: option `suffix` ! → ?"]);

    it.write("work/right.txt", "by hand");
    expect((await failure(it.run({ frozen: true }))).message).toMatch(
      /^--frozen: right: output work\/right\.txt/,
    );
    await it.run();

    it.write("data/a.txt", "A");
    const input = await failure(it.run({ frozen: true }));
    expect([input.exitCode, input.message.slice(0, 39)]).toEqual([
      6,
      "--frozen: left: input data/a.txt change",
    ]);
  });

  test("makes absent outputs again and compares their bytes, as on another machine", async () => {
    const it = project(chain, files);
    await it.run();
    const lock = it.read("flow.lock.yaml");
    rmSync(join(it.folder, "work"), { recursive: true });
    rmSync(join(it.folder, ".shopai"), { recursive: true });
    expect(Object.values(await it.states({ frozen: true }))).toEqual(["ran", "ran", "ran"]);
    expect(it.read("flow.lock.yaml")).toBe(lock);

    const cheat = project(
      `stages:
  one: { run: shell, with: { command: "cat hidden.txt > out.txt", out: out.txt } }
`,
      { "hidden.txt": "1" },
    );
    await cheat.run();
    cheat.write("hidden.txt", "2");
    rmSync(join(cheat.folder, "out.txt"));
    expect((await failure(cheat.run({ frozen: true }))).message).toMatch(
      /one gave other bytes than the lock says/,
    );
  });

  test("a lock with conflict marks, or that is no lock, says what to do", async () => {
    const it = project(chain, files);
    await it.run();
    const good = it.read("flow.lock.yaml");
    writeFileSync(join(it.folder, "flow.lock.yaml"), `<<<<<<< ours\n${good}=======\n${good}>>>>>>> theirs\n`);
    expect((await failure(it.run())).message).toContain("merge conflict");
    it.write("flow.lock.yaml", "lock: 99\n");
    const error = await failure(it.run());
    expect([error.kind, error.try]).toEqual(["data", "deleting it; shopai run writes it anew"]);
  });
});
