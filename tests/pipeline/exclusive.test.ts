import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ShopaiError } from "../../src/core/errors.js";
import { holdLock } from "../../src/pipeline/exclusive.js";
import { ownMark } from "../../src/pipeline/process.js";
import { temporaryFolder } from "../support/temporary.js";

const never = new AbortController().signal;
const folder = temporaryFolder();
const dead = (): number => spawnSync(process.execPath, ["-e", "0"]).pid;

test("a second holder is refused after its timeout, with the process that holds it", async () => {
  const path = join(folder, "a.lock");
  const release = await holdLock(path, "the pipeline a", 0, never);
  const error = (await holdLock(path, "the pipeline a", 0.05, never).catch(
    (thrown: unknown) => thrown,
  )) as ShopaiError;
  expect([error.exitCode, error.message]).toEqual([
    7,
    `the pipeline a is running already (process ${process.pid} on ${hostname()})`,
  ]);
  release();
  expect(existsSync(path)).toBe(false);
});

test("who waits gets the lock when it is given back", async () => {
  const path = join(folder, "b.lock");
  const release = await holdLock(path, "b", 0, never);
  const said: string[] = [];
  const second = holdLock(path, "b", 5, never, (message) => said.push(message));
  setTimeout(release, 30);
  (await second)();
  expect(said).toEqual([`waiting for another run of b (process ${process.pid})`]);
});

test("the lock of a dead process, or of another process under its number, is taken over", async () => {
  const path = join(folder, "c.lock");
  writeFileSync(path, JSON.stringify({ ...ownMark(), pid: dead() }));
  (await holdLock(path, "c", 0, never))();
  if (existsSync("/proc/self/stat")) {
    writeFileSync(path, JSON.stringify({ ...ownMark(), start: "1" }));
    const release = await holdLock(path, "c", 0, never);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid });
    release();
  }
  expect(existsSync(path)).toBe(false);
});

const before = (path: string, seconds: number): void => {
  const then = new Date(Date.now() - seconds * 1000);
  utimesSync(path, then, then);
};

test("an empty lock is believed while it is young", async () => {
  const path = join(folder, "d.lock");
  writeFileSync(path, "");
  await expect(holdLock(path, "d", 0, never)).rejects.toThrow("d is running already");
  before(path, 60);
  (await holdLock(path, "d", 0, never))();
});

test.each([
  ["of another machine", { host: "elsewhere" }],
  ["from before a restart", { boot: "another" }],
  ["of another container", { space: "pid:[1]" }],
])("a lock %s is believed while its heart beats", async (_, other) => {
  const path = join(folder, "beat.lock");
  const mark = { ...ownMark(), ...other };
  writeFileSync(path, JSON.stringify(mark));
  before(path, 60);
  await expect(holdLock(path, "d", 0, never)).rejects.toThrow(
    `d is running already (process ${process.pid} on ${mark.host})`,
  );
  // Ahead of our clock: it was put back, and the holder may well live.
  before(path, -3600);
  await expect(holdLock(path, "d", 0, never)).rejects.toThrow("d is running already");
  before(path, 600);
  (await holdLock(path, "d", 0, never))();
});

test("of many that want it at once, one at a time has it", async () => {
  const path = join(folder, "e.lock");
  writeFileSync(path, JSON.stringify({ ...ownMark(), pid: dead() }));
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const release = await holdLock(path, "e", 10, never);
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside--;
      release();
    }),
  );
  expect(most).toBe(1);
});
