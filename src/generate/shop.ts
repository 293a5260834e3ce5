import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { stableJson } from "../core/hash.js";
import type { Engine } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { literal, pathLiteral } from "../engine/sql.js";
import { writeAtomically } from "../table/atomic.js";
import type { Provenance } from "../table/provenance.js";
import { writeAds } from "./ads.js";
import { calendar, type Day } from "./calendar.js";
import { createCatalogue, type ShopTables } from "./catalogue.js";
import { createCustomers } from "./customers.js";
import { faultListSql, faults, numberedSql, orderColumns, recordsSql } from "./dirt.js";
import { eventsSql, sessionsSql } from "./events.js";
import { createLookups, type Lookups } from "./lookups.js";
import { visitsPerOrder, type ShopSize } from "./model.js";
import { linesSql, ordersSql, type OrderCut } from "./orders.js";
import { writeService } from "./service-files.js";
import { ShopFolder } from "./shop-folder.js";
import { addToLevels, createLevels, writeDemandTruth, writeEntityTruth, writeOrderTruth } from "./truth.js";
import { createCalendar, looksSql, visitNumbersSql, visitsSql } from "./visits.js";
import { writeCustomers, writeProducts } from "./master-files.js";

/** Visits worked on at a time: bounds the memory whatever the size of the shop. */
const blockVisits = 400_000;

/** What was generated: rows of every file, and how many faults of each kind. */
export interface GeneratedShop {
  files: Record<string, number>;
  faults: Record<string, number>;
}

/** The file that marks a folder as a generated shop. */
export const shopFile = "shop.json";

/**
 * Writes a synthetic shop into a folder, whole or not at all; docs/generate.md describes its files.
 * The bytes depend on size and seed alone, not on threads or memory.
 *
 * @throws ShopaiError "data" when the folder holds something else than a generated shop and `force` is off
 */
export async function generateShop(
  path: string,
  size: ShopSize,
  run: Run,
  provenance: Provenance,
  force: boolean,
): Promise<GeneratedShop> {
  if (!force) refuseForeign(path);
  const engine = await run.engine();
  return writeAtomically(path, async (temporary) => {
    const folder = new ShopFolder(engine, temporary, provenance);
    try {
      return await writeShop(folder, size, run, provenance);
    } finally {
      folder.close();
    }
  });
}

function refuseForeign(path: string): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory())
    throw new ShopaiError("data", "the output is a file, and a shop is a folder", {
      where: path,
      try: "another -o",
    });
  const mark = join(path, shopFile);
  const ours = existsSync(mark) && readFileSync(mark, "utf8").includes('"command":"generate"');
  if (ours || readdirSync(path).length === 0) return;
  throw new ShopaiError("data", "the folder holds something else than a generated shop", {
    where: path,
    try: "another -o, or --force to replace the whole folder",
  });
}

async function writeShop(
  folder: ShopFolder,
  size: ShopSize,
  run: Run,
  provenance: Provenance,
): Promise<GeneratedShop> {
  const { engine } = folder;
  const names = ["category", "product", "week", "day", "season", "customer", "level"] as const;
  const tables = Object.fromEntries(
    names.map((name) => [name, engine.fresh(`shop_${name}`)]),
  ) as unknown as ShopTables;
  run.progress.stage("planning the shop");
  await createCatalogue(engine, tables, size, run.seed);
  await createCustomers(engine, tables, size, run.seed);
  const lookups = await createLookups(engine, size);
  const plan = await planVisits(engine, tables, lookups, size, run);
  run.progress.done(`${plan.visits} visits, ${plan.cut.found} orders found, ${size.orders} kept`);
  const planted = await writeBlocks(folder, tables, size, run, plan);
  run.progress.stage("writing customers, products and truth");
  await writeCustomers(folder, tables, size, run.seed);
  await writeProducts(folder, tables, size);
  writeAds(folder, plan.days, run.rng("ads"));
  await writeEntityTruth(folder, tables);
  await writeDemandTruth(folder, tables, plan.cut);
  folder.append(shopFile, `${stableJson(provenance)}\n`, 1);
  for (const table of [...Object.values(tables), ...Object.values(lookups)])
    await engine.run(`DROP TABLE ${table}`);
  run.progress.done();
  return { files: folder.rows, faults: planted };
}

interface Plan {
  days: Day[];
  visits: number;
  cut: OrderCut;
  blocks: PlannedBlock[];
}

/** A block of visits, kept in scratch files between planning and writing. */
interface PlannedBlock {
  /** SELECTs of its visits and of their looks at products. */
  visits: string;
  looks: string;
  files: string[];
  /** Orders found in the blocks before it. */
  before: number;
}

/** Draws as many visits as give at least the orders asked for, and once more with more visits if they were too few. */
async function planVisits(
  engine: Engine,
  tables: ShopTables,
  lookups: Lookups,
  size: ShopSize,
  run: Run,
): Promise<Plan> {
  for (let visits = Math.ceil(size.orders * visitsPerOrder + 12 * Math.sqrt(size.orders)); ;) {
    const days = calendar(size.start, size.days, visits, run.rng("calendar"));
    await createCalendar(engine, tables, days);
    await createLevels(engine, tables);
    const blocks: PlannedBlock[] = [];
    let found = 0;
    for (let first = 0; first < visits; first += blockVisits) {
      run.signal.throwIfAborted();
      const block = await drawBlock(engine, tables, lookups, size, run.seed, first);
      blocks.push({ ...block, before: found });
      const [{ n }] = await engine.rows<{ n: bigint }>(
        `SELECT count(DISTINCT visit) AS n FROM (${block.looks}) WHERE bought`,
      );
      found += Number(n);
      await addToLevels(engine, tables, block.looks);
      run.progress.update(Math.min(visits, first + blockVisits), visits, "visits");
    }
    if (found >= size.orders) return { days, visits, blocks, cut: { found, wanted: size.orders } };
    for (const file of blocks.flatMap(({ files }) => files)) rmSync(file);
    visits = Math.ceil((visits * 1.05 * size.orders) / Math.max(found, size.orders / 10));
  }
}

async function drawBlock(
  engine: Engine,
  tables: ShopTables,
  lookups: Lookups,
  size: ShopSize,
  seed: number,
  first: number,
): Promise<Omit<PlannedBlock, "before">> {
  // A table of numbers, unlike a list unnested on the fly, is read by all threads.
  const numbers = engine.fresh("numbers");
  await engine.run(`CREATE TABLE ${numbers} AS ${visitNumbersSql(tables, first, first + blockVisits)}`);
  const visits = await kept(engine, "visits", visitsSql(tables, lookups, size, seed, numbers));
  await engine.run(`DROP TABLE ${numbers}`);
  const looks = await kept(engine, "looks", looksSql(tables, lookups, size, seed, `(${visits.sql})`));
  return { visits: visits.sql, looks: looks.sql, files: [visits.file, looks.file] };
}

/** Writes a SELECT to a scratch file, and gives the SELECT that reads it back. */
async function kept(engine: Engine, prefix: string, select: string): Promise<{ sql: string; file: string }> {
  const file = join(engine.scratch, `${engine.fresh(prefix)}.parquet`);
  await engine.run(`COPY (${select}) TO ${literal(file)} (FORMAT parquet, COMPRESSION snappy)`);
  return { sql: `SELECT * FROM read_parquet(${pathLiteral(file)})`, file };
}

async function writeBlocks(
  folder: ShopFolder,
  tables: ShopTables,
  size: ShopSize,
  run: Run,
  plan: Plan,
): Promise<Record<string, number>> {
  const planted: Record<string, number> = Object.fromEntries(faults.map(({ kind }) => [kind, 0]));
  let physicalLines = 1;
  folder.append("orders.csv", `${orderColumns.join(",")}\n`, 0);
  folder.append("truth/faults.csv", "file,line,kind,class,column,order_id,order_line\n", 0);
  run.progress.stage("writing visits and orders");
  for (const [index, block] of plan.blocks.entries()) {
    run.signal.throwIfAborted();
    physicalLines += await writeBlock(
      folder,
      tables,
      size,
      run.seed,
      { ...block, part: index + 1, cut: plan.cut, physicalLines },
      planted,
    );
    for (const file of block.files) rmSync(file);
    run.progress.update(Math.min(plan.visits, (index + 1) * blockVisits), plan.visits, "visits");
  }
  run.progress.done();
  return planted;
}

/** Writes everything that stems from one block of visits. @returns the physical lines added to orders.csv */
async function writeBlock(
  folder: ShopFolder,
  tables: ShopTables,
  size: ShopSize,
  seed: number,
  plan: PlannedBlock & { part: number; cut: OrderCut; physicalLines: number },
  planted: Record<string, number>,
): Promise<number> {
  const { engine } = folder;
  const own = {
    orders: engine.fresh("orders"),
    lines: engine.fresh("lines"),
    records: engine.fresh("records"),
  };
  const block = { visits: `(${plan.visits})`, looks: `(${plan.looks})`, ...own };
  await engine.run(`CREATE TABLE ${block.orders} AS ${ordersSql(block.looks, plan.before, plan.cut)}`);
  await engine.run(`CREATE TABLE ${block.lines} AS ${linesSql(tables, size, seed, block)}`);
  await engine.run(
    `CREATE TABLE ${block.records} AS ${numberedSql(recordsSql(block.lines, tables, seed), plan.physicalLines)}`,
  );
  await folder.parquet("sessions", sessionsSql(tables, block), plan.part);
  await folder.parquet("events", eventsSql(tables, block), plan.part);
  await folder.lines("orders.csv", `SELECT record FROM ${block.records} ORDER BY order_number, line, copy`);
  await folder.lines(
    "truth/faults.csv",
    `SELECT concat_ws(',', file, line, kind, class, coalesce("column", ''), order_id, order_line) AS record FROM (${faultListSql(block.records)})`,
  );
  await writeOrderTruth(folder, tables, block.lines, plan.part);
  await writeService(folder, tables, seed, block.lines);
  const kinds = await engine.rows<{ fault: number; n: bigint }>(
    `SELECT fault, count(*) AS n FROM ${block.records} WHERE fault IS NOT NULL GROUP BY fault`,
  );
  for (const { fault, n } of kinds) planted[faults[fault].kind] += Number(n);
  const [{ written }] = await engine.rows<{ written: bigint }>(
    `SELECT coalesce(count(*) + sum(breaks), 0)::BIGINT AS written FROM ${block.records}`,
  );
  for (const table of Object.values(own)) await engine.run(`DROP TABLE ${table}`);
  return Number(written);
}
