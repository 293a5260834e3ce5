import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { rememberChild } from "../../src/pipeline/child.js";
import { ownMark } from "../../src/pipeline/process.js";
import { planPipeline } from "../../src/pipeline/plan.js";
import { readPipeline } from "../../src/pipeline/document.js";
import { binary, root, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { project, stubs } from "./project.js";

const failure = async (work: Promise<unknown>): Promise<ShopaiError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
};
const one = (options: string): string => `stages:\n  one: { run: concat, with: { in: a.txt, ${options} } }\n`;

describe("outputs outside the project folder", () => {
  test.each([["../../etc/passwd"], ["/etc/passwd"], ["work/../../x"], ["link/x"], ["loose"]])(
    "%s is refused at its place in the file",
    async (path) => {
      const it = project(one(`out: ${path}`), { "a.txt": "a" });
      symlinkSync("..", join(it.folder, "link"));
      symlinkSync("../nowhere", join(it.folder, "loose"));
      const error = await failure(it.plan());
      expect([error.exitCode, error.where?.split("\n")[0]]).toEqual([2, "flow.yaml:2:47"]);
      expect(error.message).toMatch(/^stage one would write .*, outside the project folder/);
      expect(error.try).toContain("--allow-outside");
    },
  );

  test("--allow-outside lets them", async () => {
    const it = project(one("out: ../outside.txt"), { "a.txt": "a" });
    const ask = { seed: 42, device: "auto", engine: "duckdb", allowOutside: true };
    const { stages } = await planPipeline(readPipeline("flow.yaml"), stubs, it.folder, ask);
    expect(stages[0].writes).toEqual(["../outside.txt"]);
  });
});

describe("what a stage does behind the pipeline's back", () => {
  test("a file that it wrote without declaring it is named", async () => {
    const it = project(
      `stages:
  one: { run: shell, with: { in: a.txt, command: "echo 1 > work/out.txt; echo 2 > work/stray.txt; echo 3 > top.txt", out: work/out.txt } }
`,
      { "a.txt": "a" },
    );
    await it.run();
    expect(it.warnings).toEqual([
      "one: it wrote top.txt, work/stray.txt without declaring it: nobody sees that change (out: …)",
    ]);
    expect(it.read(".shopai/logs/flow/one.log")).toContain("warning: it wrote top.txt");
  });

  test("an input that it changes makes it stale", async () => {
    const it = project(
      `stages:\n  one: { run: shell, with: { in: a.txt, command: "cp a.txt out.txt; echo more >> a.txt", out: out.txt } }\n`,
      { "a.txt": "a" },
    );
    await it.run();
    expect((await it.run({ dryRun: true }))[0]).toMatchObject({ status: "would run", why: ["never ran"] });
  });
});

describe("killed runs", () => {
  test("what stages left running is ended, temporaries go, and old outputs come back", async () => {
    const it = project(one("out: work/out.txt"), { "a.txt": "a" });
    const dead = spawnSync(process.execPath, ["-e", "0"]).pid;
    it.write(`work/.out.txt.${dead}.tmp`, "half");
    it.write(`work/.out.txt.${dead}.kept`, "old");
    it.write(`work/.out.txt.${process.ppid}.tmp`, "of a process that lives");
    const orphan = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
    const gone = new Promise<string | null>((resolve) => orphan.on("exit", (_, signal) => resolve(signal)));
    rememberChild(join(it.folder, ".shopai/locks/flow.one.child"), orphan.pid!);
    // Another process under the number of a child is left alone.
    it.write(".shopai/locks/flow.two.child", JSON.stringify({ ...ownMark(), start: "1" }));
    await it.run();
    expect(await gone).toBe("SIGKILL");
    expect(it.warnings[0]).toBe("a killed run left 1 processes behind: they were ended");
    expect(readdirSync(join(it.folder, "work")).sort()).toEqual([`.out.txt.${process.ppid}.tmp`, "out.txt"]);
    expect(readdirSync(join(it.folder, ".shopai/locks"))).toEqual([]);
  });

  test(
    "kill -9 at random moments: the same command then ends with the same bytes",
    { timeout: 120_000 },
    () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "bench/kill.mjs"), "3"]);
      expect([status, stderr.toString()]).toEqual([0, ""]);
      expect(stdout.toString()).toMatch(/^3 kills, 0 left another state behind/);
    },
  );
});

describe("the world around", () => {
  test("a clock that goes backwards changes nothing but that files are read again", async () => {
    const it = project(one("out: work/out.txt"), { "a.txt": "a" });
    await it.run();
    const before = it.read("flow.lock.yaml");
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() - 86_400_000);
    try {
      expect(await it.states()).toEqual({ one: "fresh" });
      it.write("a.txt", "b");
      expect(await it.states()).toEqual({ one: "ran" });
    } finally {
      clock.mockRestore();
    }
    it.write("a.txt", "a");
    expect(await it.states()).toEqual({ one: "restored" });
    expect(it.read("flow.lock.yaml")).toBe(before);
  });

  test("a read-only folder is an error in words, not a stack", async () => {
    const cwd = temporaryFolder();
    writeFileSync(
      join(cwd, "p.yaml"),
      'stages:\n  one: { run: shell, with: { command: "echo 1 > work/x.txt", out: work/x.txt } }\n',
    );
    mkdirSync(join(cwd, "work"));
    chmodSync(join(cwd, "work"), 0o555);
    // The superuser may write everywhere: for him the same in a file's place.
    if (process.getuid?.() === 0) {
      chmodSync(join(cwd, "work"), 0o755);
      writeFileSync(join(cwd, ".shopai"), "a file");
    }
    const { code, stderr } = await runCli(["run", "p.yaml"], { cwd });
    chmodSync(join(cwd, "work"), 0o755);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^error: .*\n {2}in/m);
    expect(stderr).not.toContain("    at ");
  });

  test("a disk that is full (a limit on the size of files) fails the stage; its old output stays", () => {
    const cwd = temporaryFolder();
    const yaml = (lines: number): string =>
      `stages:\n  one: { run: shell, with: { command: "seq ${lines} > out.txt", out: out.txt } }\n`;
    const limited = (): { status: number | null; stderr: string } => {
      const { status, stderr } = spawnSync(
        "bash",
        ["-c", 'ulimit -f 64; exec "$0" "$1" run p.yaml', process.execPath, binary],
        { cwd, encoding: "utf8" },
      );
      return { status, stderr };
    };
    writeFileSync(join(cwd, "p.yaml"), yaml(3));
    expect(limited().status).toBe(0);
    writeFileSync(join(cwd, "p.yaml"), yaml(100_000));
    const full = limited();
    expect([full.status, full.stderr]).toEqual([
      3,
      expect.stringContaining("error: stage one: the command ended"),
    ]);
    expect(readFileSync(join(cwd, "out.txt"), "utf8")).toBe("1\n2\n3\n");
    expect(existsSync(join(cwd, ".shopai/logs/p/one.log"))).toBe(true);
  });

  test("a folder with a link to itself is an input like any other, for our own commands, too", async () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "ta bles/ünï"), { recursive: true });
    writeFileSync(join(cwd, "ta bles/ünï/a.csv"), "id,v\n1,2\n");
    symlinkSync("..", join(cwd, "ta bles/ünï/loop"));
    writeFileSync(
      join(cwd, "p.yaml"),
      'stages:\n  one: { run: clean, with: { in: "ta bles", out: "wörk/o ut.csv" } }\n',
    );
    const { code, stderr } = await runCli(["run", "p.yaml", "--threads", "1"], { cwd });
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(readFileSync(join(cwd, "wörk/o ut.csv"), "utf8")).toBe("id,v\n1,2\n");
  });

  test("1,000 stages run, and then have nothing to do", { timeout: 60_000 }, async () => {
    const stages = Array.from({ length: 1000 }, (_, i) => `  s${i}: { run: gate, with: { in: [a.txt] } }\n`);
    const it = project(`stages:\n${stages.join("")}`, { "a.txt": "a" });
    expect(
      Object.values(await it.states({ jobs: 8, cacheBytes: 0 })).filter((one) => one === "ran"),
    ).toHaveLength(1000);
    expect(new Set(Object.values(await it.states()))).toEqual(new Set(["fresh"]));
  });
});

describe("environment", () => {
  test("values go by name: not into lock, logs, results, history or errors", async () => {
    process.env.SHOPAI_TEST_TOKEN = "s3cr3t-value";
    const it = project(
      `stages:
  one: { run: shell, with: { command: "echo token $SHOPAI_TEST_TOKEN; printf %s $SHOPAI_TEST_TOKEN | wc -c > out.txt", env: [SHOPAI_TEST_TOKEN], out: out.txt } }
  two: { run: shell, with: { in: out.txt, command: "echo bad $SHOPAI_TEST_TOKEN >&2; exit 4", env: [SHOPAI_TEST_TOKEN] } }
`,
    );
    const error = await failure(it.run());
    expect(error.message).toBe("stage two: the command ended with 4: bad $SHOPAI_TEST_TOKEN");
    expect(it.read(".shopai/logs/flow/one.log")).toBe("token $SHOPAI_TEST_TOKEN\n");
    expect(it.read("out.txt").trim()).toBe("12");
    const everything = spawnSync("grep", ["-rl", "s3cr3t-value", it.folder]).stdout.toString();
    expect(everything).toBe("");
    // The value may change: nothing runs for it.
    process.env.SHOPAI_TEST_TOKEN = "another";
    expect((await it.run({ dryRun: true, names: ["one"] }))[0].status).toBe("fresh");
    delete process.env.SHOPAI_TEST_TOKEN;
    const missing = await failure(it.run());
    expect([missing.exitCode, missing.message]).toEqual([
      2,
      "stage one needs SHOPAI_TEST_TOKEN in the environment",
    ]);
    it.write("flow.yaml", 'stages:\n  one: { run: shell, with: { command: "echo ${env.HOME}" } }\n');
    expect((await failure(it.plan())).try).toContain("env: [HOME]");
  });
});
