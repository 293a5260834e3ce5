// featurize --preset behaviour against the same SQL written by hand. Goals: at most 1.2 times the time,
// under 2 GB with --memory 1GB. node bench/featurize.mjs [--events 2000000] [--many] [--pandas]
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clearInterval, setInterval } from "node:timers";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";

const argument = (name, usual) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : Number(process.argv[at + 1]);
};
const events = argument("events", 2_000_000);
const users = Math.max(1, Math.round(events / 100));
const repeats = argument("repeats", 3);
const shopai = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
const log = join(folder, "events.parquet");
const labels = join(folder, "labels.parquet");
const types = ["view", "cart", "purchase", "return"];
const asOf = "2024-06-29";

/** Runs a program to its end: wall and CPU seconds, peak resident memory (Linux). */
function measured(program, args) {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
    let peak = 0;
    let cpu = 0;
    const look = () => {
      try {
        peak = Math.max(
          peak,
          Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0),
        );
        const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ");
        cpu = (Number(fields[11]) + Number(fields[12])) / 100;
      } catch {
        // No /proc here, or the program has ended.
      }
    };
    const timer = setInterval(look, 20);
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(timer);
      if (code !== 0) return reject(new Error(`${program} ${args.join(" ")} ended with ${code}`));
      resolve({ seconds: (performance.now() - begin) / 1000, cpu, peakMb: Math.round(peak / 1024) });
    });
  });
}

/** What a person would write for one moment, or for many by the range join. */
function handWritten(many, out) {
  const moment = many ? "s.as_of" : `TIMESTAMP '${asOf}'`;
  const inside = (days, more = "") => `FILTER (WHERE e.ts >= ${moment} - INTERVAL ${days} DAY${more})`;
  const since = (more = "") =>
    `(epoch_us(${moment}) - epoch_us(max(e.ts) ${inside(90, more)})) // 86400000000`;
  const features = [
    ...[7, 30, 90].flatMap((days) => [
      `count(e.ts) ${inside(days)} AS n_${days}`,
      ...types.map((type) => `count(e.ts) ${inside(days, ` AND e.event = '${type}'`)} AS n_${type}_${days}`),
      `sum(e.amount) ${inside(days)} AS amount_${days}`,
      `count(DISTINCT e.item_id) ${inside(days)} AS items_${days}`,
    ]),
    `${since()} AS since`,
    ...types.map((type) => `${since(` AND e.event = '${type}'`)} AS since_${type}`),
  ];
  const from = many
    ? `read_parquet('${labels}') s LEFT JOIN read_parquet('${log}') e ON e.user_id = s.user_id AND e.ts < s.as_of AND e.ts >= s.as_of - INTERVAL 90 DAY GROUP BY s.user_id, s.as_of`
    : `read_parquet('${log}') e WHERE e.ts < ${moment} GROUP BY e.user_id`;
  const entity = many ? "s.user_id, s.as_of" : "e.user_id";
  return `COPY (SELECT ${entity}, ${features.join(", ")} FROM ${from} ORDER BY ALL) TO '${out}' (FORMAT parquet, COMPRESSION zstd)`;
}

async function compare(name, many) {
  const out = join(folder, "features.parquet");
  const words = ["--preset", "behaviour", "--as-of", many ? labels : asOf, "--memory", "1GB", "--quiet"];
  const script = `
    import { DuckDBInstance } from ${JSON.stringify(import.meta.resolve("@duckdb/node-api"))};
    const db = await DuckDBInstance.create(":memory:", { memory_limit: "768MiB", temp_directory: ${JSON.stringify(folder)} });
    const connection = await db.connect();
    await connection.run(${JSON.stringify(handWritten(many, join(folder, "hand.parquet")))});`;
  const ours = [];
  const theirs = [];
  // Turn about, so that a busy machine slows both alike; the least of each is told.
  for (let i = 0; i < repeats; i++) {
    theirs.push(await measured(process.execPath, ["--input-type=module", "-e", script]));
    ours.push(await measured(process.execPath, [shopai, "featurize", log, ...words, "-o", out]));
  }
  const least = (runs, key) => Math.min(...runs.map((run) => run[key]));
  console.log(
    JSON.stringify({
      bench: `featurize ${name}`,
      events,
      seconds: round(least(ours, "seconds")),
      by_hand: round(least(theirs, "seconds")),
      ratio: round(least(ours, "seconds") / least(theirs, "seconds")),
      cpu_ratio: round(least(ours, "cpu") / least(theirs, "cpu")),
      goal: 1.2,
      peak_mb: Math.max(...ours.map((run) => run.peakMb)),
      by_hand_peak_mb: Math.max(...theirs.map((run) => run.peakMb)),
    }),
  );
  return { seconds: least(ours, "seconds"), cpu: least(ours, "cpu") };
}

const round = (x) => Number(x.toFixed(2));

/** The same table in pandas, where Python has it. */
async function comparePandas(ours) {
  const python = process.env.PYTHON ?? "python3";
  const script = fileURLToPath(new URL("pandas_behaviour.py", import.meta.url));
  const has = await measured(python, ["-c", "import pandas, pyarrow"]).catch(() => undefined);
  if (!has) return console.log("pandas is not installed: not compared");
  const pandas = await measured(python, [script, log, asOf, join(folder, "pandas.parquet")]);
  console.log(
    JSON.stringify({
      bench: "featurize behaviour against pandas",
      events,
      pandas_seconds: round(pandas.seconds),
      pandas_peak_mb: pandas.peakMb,
      times_faster: round(pandas.seconds / ours.seconds),
      pandas_cpu_seconds: round(pandas.cpu),
      cpu_seconds: round(ours.cpu),
      goal: 10,
    }),
  );
}

try {
  if (!existsSync(shopai)) throw new Error("build first: npm run build");
  const db = await DuckDBInstance.create(":memory:", { memory_limit: "1GB", temp_directory: folder });
  const connection = await db.connect();
  await connection.run(
    `COPY (SELECT (i * 7919 + i // 977) % ${users} AS user_id, (i * 104729) % 9973 AS item_id,
       TIMESTAMP '2024-01-01' + to_seconds(i * 15552000 // ${events}) AS ts,
       [${types.map((type) => `'${type}'`)}][1 + (i * 31 + i // 13) % 4] AS event,
       ((i * 7907) % 100000 / 100)::DECIMAL(10,2) AS amount
     FROM range(${events}) AS r(i)) TO '${log}' (FORMAT parquet)`,
  );
  await connection.run(
    `COPY (SELECT u AS user_id, TIMESTAMP '2024-04-01' + to_days(18 * m) AS as_of
     FROM range(${users}) AS a(u), range(5) AS b(m)) TO '${labels}' (FORMAT parquet)`,
  );
  connection.closeSync();
  const ours = await compare("behaviour, one moment", false);
  if (process.argv.includes("--many")) await compare("behaviour, five moments a user", true);
  if (process.argv.includes("--pandas")) await comparePandas(ours);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
