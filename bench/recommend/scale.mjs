// A million users: trains, evaluates all of them and lists the best ten of each; peak resident memory of every command.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";

const users = 1_000_000;
const items = 20_000;
const perUser = 12;
const binary = fileURLToPath(new URL("../../dist/bin/shopai.js", import.meta.url));

/** Runs a command of the program; wall clock and peak memory of its process. */
function shopai(...words) {
  const tell = `process.on("exit",()=>process.stderr.write("\\n@"+process.resourceUsage().maxRSS/1024+"\\n"))`;
  const began = performance.now();
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(tell)}`, binary, ...words, "--threads", "2"],
    { encoding: "utf8", maxBuffer: 1e9 },
  );
  if (status !== 0) throw new Error(`${words.join(" ")}\n${stderr}${stdout}`);
  const peak = Number(stderr.trim().split("\n@").pop());
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `  ${words.slice(0, 2).join(" ").padEnd(24)} ${seconds.toFixed(0).padStart(5)} s  ${peak.toFixed(0).padStart(6)} MB peak`,
  );
}

async function writeEvents(path) {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  // Popular items come first; the last of a user's rows is the test.
  await connection.run(`COPY (
    SELECT u AS "user", floor(((hash(u * 100 + n) % 1000003) / 1000003.0) ** 4 * ${items})::INTEGER AS item, n = ${perUser} AS test
      FROM range(${users}) a(u), range(1, ${perUser + 1}) b(n) ORDER BY u, n) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
}

export async function scale() {
  const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
  try {
    const events = join(folder, "events.parquet");
    await writeEvents(events);
    console.log(
      `\nScale: ${users.toLocaleString("en")} users, ${items.toLocaleString("en")} items, ${perUser} rows each`,
    );
    const roles = ["--user", "user", "--item", "item"];
    for (const [learner, ...params] of [
      ["item-knn"],
      ["als", "--param", "factors=32", "--param", "epochs=3"],
    ]) {
      const model = join(folder, learner);
      console.log(learner);
      shopai("train", learner, events, "--where", "NOT test", ...roles, ...params, "-o", model);
      shopai("evaluate", model, events, "--where", "test", "--resamples", "100");
      shopai("predict", model, "-o", join(folder, "lists.parquet"));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
