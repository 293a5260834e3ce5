// clean against DuckDB, CPU for CPU, in the same minute.
// Usage: node bench/clean.mjs [csv|events] [--lines 1000000] [--events 20000000] [--keep folder]
//   csv     a raw CSV with planted faults: every one must be found, no good row lost; against DuckDB's own
//           typed read (store_rejects) to Parquet. Limit 1.5.
//   events  Parquet events, cleaned by a contract under --memory 1GB; against the same SQL by hand.
//           Limits 1.2 and 2 GB of resident memory.
import { spawnSync } from "node:child_process";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lines: { type: "string", default: "1000000" },
    events: { type: "string", default: "20000000" },
    keep: { type: "string" },
    rounds: { type: "string", default: "1" },
  },
});
const parts = positionals.length > 0 ? positionals : ["csv", "events"];
const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const folder = flags.keep ?? mkdtempSync(join(tmpdir(), "shopai-bench-"));
mkdirSync(folder, { recursive: true });

/** Runs node and tells CPU seconds, wall seconds and peak resident MB of that process alone. */
function measured(args) {
  const tell = `process.on("exit",()=>{const u=process.resourceUsage();process.stderr.write("\\n@"+JSON.stringify({cpu:(u.userCPUTime+u.systemCPUTime)/1e6,rss:u.maxRSS/1024})+"\\n")})`;
  const began = performance.now();
  const child = spawnSync(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(tell)}`, ...args],
    {
      encoding: "utf8",
      maxBuffer: 1 << 26,
    },
  );
  if (child.status !== 0) throw new Error(`${args.join(" ")}\n${child.stderr}`);
  const usage = JSON.parse(child.stderr.slice(child.stderr.lastIndexOf("\n@") + 2));
  return { ...usage, wall: (performance.now() - began) / 1000, stdout: child.stdout };
}

/** One statement of DuckDB in a process of its own, with the settings that shopai uses. */
function byHand(sql, memory) {
  const script = `import{DuckDBInstance}from ${JSON.stringify(import.meta.resolve("@duckdb/node-api"))};const i=await DuckDBInstance.create(":memory:",{${memory ? `memory_limit:"${memory}",` : ""}temp_directory:${JSON.stringify(join(folder, "spill"))}});const c=await i.connect();await c.run("SET TimeZone='UTC'");for(const s of ${JSON.stringify([sql].flat())})await c.run(s);`;
  return measured(["--input-type=module", "-e", script]);
}

async function rowsOf(sql) {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  return (await connection.runAndReadAll(sql)).getRowObjectsJson();
}

/** Best of some rounds: what else the machine does only adds. */
const best = (make) =>
  Array.from({ length: Number(flags.rounds) }, make).reduce((a, b) => (a.cpu <= b.cpu ? a : b));

const failures = [];
function verdict(name, ours, theirs, limit) {
  const ratio = ours.cpu / theirs.cpu;
  const line = (who, one) =>
    `  ${who.padEnd(10)} ${one.cpu.toFixed(2).padStart(7)} s CPU  ${one.wall.toFixed(2).padStart(7)} s wall  ${one.rss.toFixed(0).padStart(6)} MB peak`;
  console.log(
    [
      name,
      line("shopai", ours),
      line("by hand", theirs),
      `  ratio ${ratio.toFixed(2)} (limit ${limit})`,
    ].join("\n"),
  );
  if (ratio > limit) failures.push(`${name}: ${ratio.toFixed(2)} > ${limit}`);
}

function check(what, got, wanted) {
  console.log(`  ${what}: ${got} of ${wanted}`);
  if (Number(got) !== Number(wanted)) failures.push(`${what}: ${got}, not ${wanted}`);
}

const plan = {
  columns:
    "{'order_id':'VARCHAR','sku':'VARCHAR','title':'VARCHAR','quantity':'INTEGER','price':'DECIMAL(10,2)','ordered_at':'TIMESTAMP','customer':'VARCHAR','country':'VARCHAR'}",
  contract: `columns:
  order_id: { type: text, required: true }
  sku: { type: text }
  title: { type: text }
  quantity: { type: integer }
  price: { type: "decimal(10,2)" }
  ordered_at: { type: timestamp }
  customer: { type: text }
  country: { type: text }
`,
};

/** Faults by kind, one line in 5,000 has one. */
const faults = {
  short: (line) => line.slice(0, line.lastIndexOf(",")),
  long: (line) => `${line},surplus`,
  quote: (line) => line.replace(/,/, ',"torn" quote '),
  bytes: (line) => Buffer.concat([Buffer.from(line), Buffer.from([0xff, 0xfe])]),
  number: (line) => line.replace(/,(\d+),([\d.]+),/, ",many,$2,"),
  price: (line) => line.replace(/,(\d+),([\d.]+),/, ",$1,12.3.4,"),
  date: (line) => line.replace(/,20\d\d-/, ",2023-19-"),
};

async function rawCsv(path, lines) {
  const out = createWriteStream(path, { highWaterMark: 1 << 22 });
  out.write("order_id,sku,title,quantity,price,ordered_at,customer,country\n");
  const kinds = Object.keys(faults);
  const planted = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  const pad = (n, width) => String(n).padStart(width, "0");
  const countries = ["NO", "GB", "DE", "FR"];
  let pieces = [];
  for (let i = 0; i < lines; i++) {
    const item = (i * 7919) % 50000;
    const line = `O${pad(Math.floor(i / 3), 9)},SKU-${pad(item, 6)},item number ${item},${(i % 12) + 1},${(((i * 31) % 10000) / 100).toFixed(2)},2023-${pad(1 + ((i * 13) % 12), 2)}-${pad(1 + ((i * 7) % 28), 2)} ${pad((i * 3) % 24, 2)}:${pad(i % 60, 2)}:00,C${(i * 104729) % 1000000},${countries[i % 4]}`;
    if (i % 5000 === 2500) {
      const kind = kinds[Math.floor(i / 5000) % kinds.length];
      planted[kind]++;
      pieces.push(Buffer.from(faults[kind](line)), Buffer.from("\n"));
    } else pieces.push(Buffer.from(`${line}\n`));
    if (pieces.length >= 20000) {
      if (!out.write(Buffer.concat(pieces))) await once(out, "drain");
      pieces = [];
    }
  }
  out.end(Buffer.concat(pieces));
  await once(out, "close");
  return planted;
}

async function benchCsv() {
  const lines = Number(flags.lines);
  const path = join(folder, `raw-${lines}.csv`);
  const known = join(folder, `raw-${lines}.json`);
  if (!existsSync(known)) writeFileSync(known, JSON.stringify(await rawCsv(path, lines)));
  const planted = (await import(known, { with: { type: "json" } })).default;
  const contract = join(folder, "raw.yaml");
  writeFileSync(contract, plan.contract);
  const [out, rejects, hand] = ["clean.parquet", "rejects.csv", "hand.parquet"].map((name) =>
    join(folder, name),
  );
  const theirs = best(() =>
    byHand(
      `COPY (SELECT * FROM read_csv('${path}', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', columns = ${plan.columns}, store_rejects = true)) TO '${hand}' (FORMAT parquet, COMPRESSION zstd)`,
    ),
  );
  const ours = best(() =>
    measured([
      binary,
      "clean",
      path,
      "--contract",
      contract,
      "-o",
      out,
      "--rejects",
      rejects,
      "--json",
      "--quiet",
    ]),
  );
  verdict(`csv: ${lines} lines, ${(statSync(path).size / 1e6).toFixed(0)} MB`, ours, theirs, 1.5);
  const total = Object.values(planted).reduce((a, b) => a + b, 0);
  const counts = JSON.parse(ours.stdout);
  check("faults found", counts.rejected, total);
  const [{ n }] = await rowsOf(`SELECT count(*) AS n FROM '${out}'`);
  check("good rows kept", n, lines - total);
  const bad = await rowsOf(
    `SELECT count(*) AS n FROM read_csv('${rejects}', all_varchar = true, header = true) WHERE (_line::BIGINT - 2) % 5000 <> 2500`,
  );
  check("rejects that are no fault", bad[0].n, 0);
}

async function benchEvents() {
  const events = Number(flags.events);
  const path = join(folder, `events-${events}.parquet`);
  if (!existsSync(path))
    byHand(
      `COPY (SELECT i AS event_id, (i * 7919) % 200000 AS user_id, 'SKU-' || (i * 104729) % 50000 AS sku, ['view','cart','order','return'][(i % 4 + 1)::INT] AS kind, TIMESTAMP '2023-01-01' + to_seconds((i * 13) % 31536000) AS at, ((i * 31) % 10000 - 100)::DECIMAL(10,2) / 100 AS price, (i % 7)::INTEGER AS quantity FROM range(${events}) t(i)) TO '${path}' (FORMAT parquet, COMPRESSION zstd)`,
      "4GB",
    );
  const contract = join(folder, "events.yaml");
  writeFileSync(
    contract,
    `columns:
  event_id: { type: integer, required: true }
  user_id: { type: integer, required: true }
  sku: { type: text }
  kind: { type: text, values: [view, cart, order, return] }
  at: { type: timestamp, required: true }
  price: { type: number, min: 0 }
  quantity: { type: integer, min: 1, on: fix }
  value: { derive: "price * quantity", type: number }
`,
  );
  const [out, hand] = ["events-clean.parquet", "events-hand.parquet"].map((name) => join(folder, name));
  const select = `SELECT event_id, user_id, trim(sku) AS sku, kind, "at", price, greatest(quantity, 1)::BIGINT AS quantity, price * greatest(quantity, 1) AS value FROM read_parquet('${path}') WHERE event_id IS NOT NULL AND user_id IS NOT NULL AND "at" IS NOT NULL AND kind IN ('view','cart','order','return') AND price >= 0`;
  const copied = (sql) =>
    best(() => byHand(`COPY (${sql}) TO '${hand}' (FORMAT parquet, COMPRESSION zstd)`, "1GB"));
  const ordered = copied(`${select} ORDER BY event_id`);
  const theirs = copied(select);
  const ours = best(() =>
    measured([
      binary,
      "clean",
      path,
      "--contract",
      contract,
      "-o",
      out,
      "--memory",
      "1GB",
      "--json",
      "--quiet",
    ]),
  );
  verdict(`events: ${events} rows`, ours, theirs, 1.2);
  // Without an ORDER BY the bytes depend on the threads, which shopai's never do.
  console.log(`  ratio to the same SQL with ORDER BY ${(ours.cpu / ordered.cpu).toFixed(2)}`);
  const [{ n }] = await rowsOf(
    `SELECT (SELECT count(*) FROM '${out}') - (SELECT count(*) FROM '${hand}') AS n`,
  );
  check("rows beside the hand-written SQL", n, 0);
  if (ours.rss > 2000) failures.push(`events: ${ours.rss.toFixed(0)} MB of memory, more than 2000`);
}

if (parts.includes("csv")) await benchCsv();
if (parts.includes("events")) await benchEvents();
if (!flags.keep) rmSync(folder, { recursive: true, force: true });
if (failures.length > 0) {
  console.error(`error: ${failures.join("; ")}`);
  process.exitCode = 1;
}
