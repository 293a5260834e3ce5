import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { binary } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const folder = temporaryFolder();
const run = testRun();
const table = join(folder, "orders.parquet");

beforeAll(async () => {
  const engine = await run.engine();
  await engine.run(
    `COPY (SELECT i AS id, i % 100 AS sku FROM range(1000000) AS r(i)) TO '${table}' (FORMAT parquet)`,
  );
});

/** A predicate that takes a minute over the table. */
const slow = "md5(repeat(id::VARCHAR, 20000)) <> ''";

/** Runs a command in a folder of its own, sends signals once the engine works, and says how it ended. */
async function interrupted(
  name: string,
  args: (out: string) => string[],
  signals: NodeJS.Signals[],
): Promise<{
  code: number | null;
  stderr: string;
  stdout: string;
  left: string[];
  scratch: string[];
  out: string;
}> {
  const home = join(folder, name);
  const scratch = join(home, "scratch");
  const outputs = join(home, "outputs");
  mkdirSync(scratch, { recursive: true });
  mkdirSync(outputs);
  const out = join(outputs, "result.parquet");
  writeFileSync(out, "the old result");
  const child = spawn(process.execPath, [binary, ...args(out)], {
    env: { ...process.env, SHOPAI_TMPDIR: scratch, NO_COLOR: "1" },
  });
  let stderr = "";
  let stdout = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const deadline = Date.now() + 20_000;
  while (readdirSync(scratch).length === 0 && Date.now() < deadline) await wait(20);
  await wait(700);
  for (const signal of signals) child.kill(signal);
  const code = await ended;
  return {
    code,
    stderr,
    stdout,
    left: readdirSync(outputs),
    scratch: readdirSync(scratch),
    out: readFileSync(out, "utf8"),
  };
}

const clean = (out: string): string[] => ["clean", table, "--where", slow, "-o", out, "--json"];
const inspect = (out: string): string[] => ["inspect", table, "--where", slow, "--contract", out, "--json"];

test.each<[string, (out: string) => string[], NodeJS.Signals[]]>([
  ["Ctrl-C", clean, ["SIGINT"]],
  ["a polite kill", inspect, ["SIGTERM"]],
  ["Ctrl-C twice", clean, ["SIGINT", "SIGINT"]],
])("%s leaves nothing half written and exits 130", async (name, args, signals) => {
  const { code, stderr, stdout, left, scratch, out } = await interrupted(name, args, signals);
  expect({ code, left, scratch, out }).toEqual({
    code: 130,
    left: ["result.parquet"],
    scratch: [],
    out: "the old result",
  });
  expect(stderr).toContain("error: interrupted; nothing was left half written");
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(JSON.parse(stdout)).toMatchObject({ error: { kind: "interrupted" } });
});
