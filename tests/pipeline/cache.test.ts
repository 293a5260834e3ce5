import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cacheEntries, trimCache } from "../../src/pipeline/cache.js";
import { project, type Project } from "./project.js";

const yaml = `params: { tail: x }
stages:
  one: { run: concat, with: { in: a.txt, suffix: "\${params.tail}", out: work/one.txt, rejects: work/refused.txt } }
  parts: { run: shell, with: { in: work/one.txt, command: "mkdir -p work/parts/in && cp work/one.txt work/parts/in/x && ln -s in/x work/parts/link", out: work/parts } }
`;
const made = async (tails: readonly string[]): Promise<Project> => {
  const it = project(yaml, { "a.txt": "a" });
  for (const tail of tails) await it.run({}, [`tail=${tail}`]);
  return it;
};
const kept = (it: Project, stage: string): string[] =>
  readdirSync(join(it.folder, ".shopai/cache/flow", stage)).map((id) => `.shopai/cache/flow/${stage}/${id}`);

test("switching a parameter back gives the outputs of that state back, without running and without new bytes", async () => {
  const it = await made(["x", "y"]);
  const again = await it.run({}, ["tail=x"]);
  expect(again.map(({ status }) => status)).toEqual(["restored", "restored"]);
  expect(again[0].why).toEqual(["option `suffix` y → x"]);
  expect(again[1].why[0]).toMatch(/^input work\/one\.txt changed/);
  expect([it.read("work/one.txt"), it.read("work/refused.txt"), it.read("work/parts/link")]).toEqual([
    "ax",
    "refused\n",
    "ax",
  ]);
  expect(Object.values(await it.states({ frozen: true }, ["tail=x"]))).toEqual(["fresh", "fresh"]);
  expect((JSON.parse(it.read(".shopai/results/flow/one.json")) as { result: object }).result).toMatchObject({
    length: 2,
  });
  expect(statSync(join(it.folder, "work/one.txt")).nlink).toBeGreaterThan(1);
});

test("an entry with a flipped byte is found out and dropped, and the stage runs", async () => {
  const it = await made(["x", "y"]);
  for (const folder of kept(it, "one"))
    for (const name of readdirSync(join(it.folder, folder)).filter((one) => one.endsWith("one.txt"))) {
      const bytes = readFileSync(join(it.folder, folder, name));
      bytes[0] ^= 1;
      writeFileSync(join(it.folder, folder, name), bytes);
    }
  expect((await it.run({}, ["tail=x"]))[0].status).toBe("ran");
  expect(it.read("work/one.txt")).toBe("ax");
});

test("--force and --frozen run the stage itself; without room nothing is kept", async () => {
  const it = await made(["x", "y"]);
  expect((await it.run({ force: true, names: ["one"] }, ["tail=x"]))[0].status).toBe("ran");
  rmSync(join(it.folder, "work"), { recursive: true });
  expect(Object.values(await it.states({ frozen: true, names: ["one"] }, ["tail=x"]))).toEqual(["ran"]);
  const bare = project(yaml, { "a.txt": "a" });
  await bare.run({ cacheBytes: 0 });
  expect(existsSync(join(bare.folder, ".shopai/cache"))).toBe(false);
});

test("what was not used for longest goes first, until the rest fits; half entries of a dead process go, too", async () => {
  const it = await made(["a", "b", "c"]);
  await it.run({}, ["tail=a"]);
  const tails = (): string[] =>
    cacheEntries()
      .filter(({ stage }) => stage === "one")
      .map(({ about }) => /suffix=(\w)/.exec(about)![1]);
  expect(tails()).toEqual(["a", "c", "b"]);
  const half = join(it.folder, ".shopai/cache/flow/one/0123.999999999.tmp");
  writeFileSync(half, "");
  const newest = cacheEntries().slice(0, 4);
  trimCache(newest.reduce((sum, { bytes }) => sum + bytes, 0));
  expect([tails(), existsSync(half)]).toEqual([["a", "c"], false]);
  expect((await it.run({}, ["tail=b"]))[0].status).toBe("ran");
});
