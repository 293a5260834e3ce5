// Lists and items alike of a large catalogue with the index of neighbours and without it, one after the other: wall clock
// of predict, and how many of the places of the exact lists are found.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";

const users = 50_000;
const items = 200_000;
const perUser = 40;
const binary = fileURLToPath(new URL("../../dist/bin/shopai.js", import.meta.url));

function shopai(...words) {
  const began = performance.now();
  const { status, stderr, stdout } = spawnSync(process.execPath, [binary, ...words, "--json", "--quiet"], {
    encoding: "utf8",
    maxBuffer: 1e9,
  });
  if (status !== 0) throw new Error(`${words.join(" ")}\n${stderr}${stdout}`);
  return { seconds: (performance.now() - began) / 1000, json: JSON.parse(stdout) };
}

/** Users have two tastes of 500, and now and then something else. */
const events = (path) => `COPY (
  SELECT u AS "user", CASE WHEN n % 10 = 0 THEN floor(r * ${items}) ELSE (hash(u * 2 + n % 2) % 500) * ${items / 500} + floor(r * r * ${items / 500}) END::INTEGER AS item
    FROM (SELECT u, n, (hash(u * 100 + n) % 1000003) / 1000003.0 AS r FROM range(${users}) a(u), range(${perUser}) b(n)) ORDER BY 1, n) TO '${path}' (FORMAT parquet)`;

export async function near() {
  const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
  const connection = await (await DuckDBInstance.create()).connect();
  try {
    const table = join(folder, "events.parquet");
    await connection.run(events(table));
    console.log(
      `\nIndex of neighbours: ${items.toLocaleString("en")} items, ${users.toLocaleString("en")} users`,
    );
    const seconds = {};
    for (const [name, from] of [
      ["exact", 0],
      ["index", 1],
    ]) {
      const model = join(folder, name);
      const trained = shopai(
        ...["train", "als", table, "--user", "user", "--item", "item", "-o", model],
        ...["--param", "epochs=5", "--param", `index=${from}`],
      );
      const { index, "alike index": alike } = trained.json.about;
      if (index) console.log(`  ${JSON.stringify({ index, alike })}`);
      seconds[name] = [
        trained.seconds,
        shopai("predict", model, "-o", join(folder, `${name}-lists.parquet`)).seconds,
        shopai("predict", model, "--similar", "-o", join(folder, `${name}-alike.parquet`)).seconds,
      ];
    }
    ["train als", "predict", "predict --similar"].forEach((what, i) =>
      console.log(
        `  ${what.padEnd(18)} exact ${seconds.exact[i].toFixed(1).padStart(6)} s  index ${seconds.index[i].toFixed(1).padStart(6)} s`,
      ),
    );
    for (const [what, keys] of [
      ["lists", ["user", "item"]],
      ["alike", ["item", "similar_item"]],
    ]) {
      const file = (name) => `'${join(folder, `${name}-${what}.parquet`)}'`;
      const found = await connection.runAndReadAll(
        `SELECT count(b.${keys[0]}) / count(*) FROM ${file("exact")} a LEFT JOIN ${file("index")} b USING (${keys.map((key) => `"${key}"`).join(", ")})`,
      );
      console.log(`  ${what}: ${(100 * found.getRows()[0][0]).toFixed(2)} % of the exact places`);
    }
  } finally {
    connection.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}
