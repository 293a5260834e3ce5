import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { binary, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

function folderWith(files: Record<string, string>): string {
  const folder = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
interface Ran {
  project: string;
  stages: { stage: string; status: string; why: string[] }[];
}
/** Half of the output, and the rest when the test makes the file `go`. */
const slow =
  'stages:\n  slow: { run: shell, with: { command: "echo half > out.txt; while [ ! -e go ]; do sleep 0.05; done; echo whole > out.txt", out: out.txt } }\n';
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
/** Starts a run of the slow pipeline and comes back when its stage has written half. */
async function started(
  cwd: string,
): Promise<{ kill(signal: NodeJS.Signals): void; ended: Promise<number | null> }> {
  const child = spawn(process.execPath, [binary, "run", "p.yaml"], { cwd, stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  while (!existsSync(join(cwd, "out.txt"))) await soon();
  return { kill: (signal) => child.kill(signal), ended };
}

describe("shopai run", () => {
  test("runs, then has nothing to do; the table and --json say so; the project folder is where .shopai is", async () => {
    const cwd = folderWith({
      "pipelines/p.yaml":
        'stages:\n  a: { run: shell, with: { in: "in file.txt", command: "cat \'in file.txt\' > work/出.txt", out: work/出.txt } }\n',
      "in file.txt": "x",
    });
    const first = await runCli(["run", "pipelines/p.yaml"], { cwd });
    expect([first.code, first.stderr]).toEqual([0, expect.stringMatching(/^a: shell \(\d/)]);
    expect(first.stdout).toMatch(/a +shell +ran +\d+\.\d +never ran/);
    expect(readFileSync(join(cwd, "work/出.txt"), "utf8")).toBe("x");
    expect(readFileSync(join(cwd, ".shopai/.gitignore"), "utf8")).toBe("*\n");
    const again = await runCli(["run", "p.yaml", "--json", "--frozen"], { cwd: join(cwd, "pipelines") });
    expect(again.json<Ran>()).toMatchObject({
      project: cwd,
      stages: [{ stage: "a", status: "fresh", why: [] }],
    });
    expect(again.stderr).toBe("");
  });

  test("a mistake shows file, line, column, caret and the nearest word, exit 2, no stack", async () => {
    const cwd = folderWith({ "p.yaml": "stages:\n  a: { run: claen, with: { in: a.csv } }\n" });
    const { code, stderr, stdout } = await runCli(["run", "p.yaml"], { cwd });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(
      'error: "claen" is not a command\n' +
        "  in  p.yaml:2:13\n      2 |   a: { run: claen, with: { in: a.csv } }\n        |             ^\n" +
        "  try clean\n",
    );
  });

  test("two runs of one pipeline do not meet: the second waits, or ends with 7", async () => {
    const cwd = folderWith({ "p.yaml": slow });
    const first = await started(cwd);
    const refused = await runCli(["run", "p.yaml", "--lock-timeout", "0"], { cwd });
    expect(refused.code).toBe(7);
    expect(refused.stderr).toMatch(/^error: the pipeline p is running already \(process \d+/);
    expect((await runCli(["run", "p.yaml", "--dry-run"], { cwd })).code).toBe(0);

    const waiting = spawn(process.execPath, [binary, "run", "p.yaml", "--lock-timeout", "60", "--json"], {
      cwd,
    });
    const out: Buffer[] = [];
    waiting.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    await new Promise<void>((resolve) => {
      waiting.stderr.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("waiting for another run of the pipeline p")) resolve();
      });
    });
    const waited = new Promise((resolve) => waiting.on("close", resolve));
    writeFileSync(join(cwd, "go"), "");
    expect([await first.ended, await waited]).toEqual([0, 0]);
    expect((JSON.parse(Buffer.concat(out).toString()) as Ran).stages[0].status).toBe("fresh");
  });

  test("Ctrl-C ends what a stage started, leaves no half output and no lock, exit 130", async () => {
    const cwd = folderWith({ "p.yaml": slow });
    const first = await started(cwd);
    first.kill("SIGINT");
    expect(await first.ended).toBe(130);
    expect(readdirSync(cwd).sort()).toEqual([".shopai", "p.yaml"]);
    expect(readdirSync(join(cwd, ".shopai/locks"))).toEqual([]);
  });

  test("kill -9 leaves a state from which the same command ends well", async () => {
    const cwd = folderWith({ "p.yaml": slow });
    const first = await started(cwd);
    first.kill("SIGKILL");
    await first.ended;
    writeFileSync(join(cwd, "go"), "");
    const again = await runCli(["run", "p.yaml", "--lock-timeout", "0", "--json"], { cwd });
    expect(again.json<Ran>().stages[0].status).toBe("ran");
    expect(readFileSync(join(cwd, "out.txt"), "utf8")).toBe("whole\n");
  });
});
