import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sha256 } from "../../src/core/hash.js";
import { openContents } from "../../src/pipeline/content.js";
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
