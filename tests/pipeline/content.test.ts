import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sha256 } from "../../src/core/hash.js";
import { openPool } from "../../src/kernels/pool.js";
import { contentChange } from "../../src/pipeline/changes.js";
import { openContents } from "../../src/pipeline/content.js";
import { root } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const cache = join(folder, "state/files.json");
const old = new Date(Date.now() - 10_000);
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 40));

test("a file is read once; what was learned is trusted while size, times and inode stand", async () => {
  const path = join(folder, "a.txt");
  writeFileSync(path, "one");
  const first = openContents(cache);
  expect(await first.of(path)).toBe(sha256("one"));
  await pause();
  await first.save();
  const learned = JSON.parse(readFileSync(cache, "utf8")) as { files: Record<string, { sha256: string }> };
  // A wrong hash in the cache comes back: the file was not read again.
  learned.files[path].sha256 = "from the cache";
  writeFileSync(cache, JSON.stringify(learned));
  expect(await openContents(cache).of(path)).toBe("from the cache");
  writeFileSync(path, "two");
  utimesSync(path, statSync(path).atime, old);
  expect(await openContents(cache).of(path)).toBe(sha256("two"));
});

test("what was written a moment ago is not remembered: it may change again within the clock's tick", async () => {
  const path = join(folder, "young.txt");
  const contents = openContents(cache);
  writeFileSync(path, "1");
  await contents.of(path);
  await contents.save();
  expect(Object.keys((JSON.parse(readFileSync(cache, "utf8")) as { files: object }).files)).not.toContain(
    path,
  );
});

test("a folder is its files by name, hidden ones aside; an absent path is undefined", async () => {
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "b"), { recursive: true });
  writeFileSync(join(tree, "a"), "1");
  writeFileSync(join(tree, "b/c"), "2");
  const hash = () => openContents(cache).of(tree);
  const first = await hash();
  writeFileSync(join(tree, ".hidden"), "x");
  expect(await hash()).toBe(first);
  writeFileSync(join(tree, "b/d"), "");
  expect(await hash()).not.toBe(first);
  rmSync(join(tree, "b/d"));
  expect(await hash()).toBe(first);
  expect(await openContents(cache).of(join(folder, "nothing"))).toBeUndefined();
});

test("a link to a folder around it ends; a damaged cache is as none", async () => {
  const loop = join(folder, "loop");
  mkdirSync(loop);
  symlinkSync(loop, join(loop, "self"));
  writeFileSync(cache, "{ half");
  expect(await openContents(cache).of(loop)).toMatch(/^[0-9a-f]{64}$/);
});

test("one reading tells the rows of CSV, NDJSON and Parquet, the bytes of anything, and how a YAML file differs", async () => {
  const shop = join(root, "fixtures/shop");
  const contents = openContents(join(folder, "facts.json"));
  const rows = async (path: string): Promise<number | undefined> =>
    contents.facts((await contents.of(path))!)?.rows;
  expect(await rows(join(shop, "sessions/part-0001.parquet"))).toBe(4980);
  expect(await rows(join(shop, "products.ndjson"))).toBe(40);
  writeFileSync(join(folder, "a.csv"), "a\n1\n2");
  expect(await rows(join(folder, "a.csv"))).toBe(3);
  const change = async (path: string, before: string, after: string): Promise<string> => {
    const hashes = [];
    for (const text of [before, after]) {
      writeFileSync(path, text);
      hashes.push((await contents.meaningOf(path))!);
    }
    return contentChange(hashes[0], hashes[1], contents.facts);
  };
  expect(await change(join(folder, "b.csv"), "a\n1\n", "a\n1\n22\n333\n4\n")).toBe(": 3 rows more");
  expect(await change(join(folder, "b.txt"), "12345", "1")).toBe(": 4 bytes fewer");
  const yaml = join(folder, "contract.yaml");
  expect(await change(yaml, "outliers: { iqr: 1.5 }\n", "# looser\noutliers:\n  iqr: 3.0\n")).toBe(
    ": `outliers.iqr` 1.5 → 3.0",
  );
  writeFileSync(yaml, "a: 1 # one\n");
  const one = await contents.meaningOf(yaml);
  writeFileSync(yaml, "# a comment\n\na:   1\n");
  expect(await contents.meaningOf(yaml)).toBe(one);
  writeFileSync(yaml, 'a: "1"\n');
  expect(await contents.meaningOf(yaml)).not.toBe(one);
});

test("large files are read on the threads of the pool, to the same hash", async () => {
  const pool = openPool({ threads: 2 });
  const paths = [1, 2, 3].map((n) => {
    const path = join(folder, `large-${n}.bin`);
    writeFileSync(path, Buffer.alloc(400_000, n));
    return path;
  });
  const contents = openContents(join(folder, "pool.json"), pool);
  const found = await Promise.all(paths.map((path) => contents.of(path)));
  await pool.close();
  expect(found).toEqual(paths.map((path) => sha256(readFileSync(path))));
});
