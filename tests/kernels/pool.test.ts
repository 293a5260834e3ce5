import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pool } from "../../src/engine/pool.js";
import { openPool } from "../../src/kernels/pool.js";
import { root } from "../support/run-cli.js";

/** Every thread takes blocks by a shared counter and writes the squares of their numbers. */
const squares = `
export function square(thread: i32, threads: i32, counter: usize, out: usize, count: i32): void {
  for (;;) {
    const from = atomic.add<i32>(counter, 64);
    if (from >= count) return;
    for (let i = from; i < min(from + 64, count); i++) store<i32>(out + (<usize>i << 2), i * i);
  }
}
export function trap(thread: i32, threads: i32, wrong: i32): void {
  if (thread == wrong) unreachable();
}`;

let module: WebAssembly.Module;
const pools: Pool[] = [];
const pool = (threads: number): Pool => {
  pools.push(openPool({ threads }));
  return pools[pools.length - 1];
};
const tasks = join(root, "dist/bin/pool-test.tasks.js");

beforeAll(async () => {
  const { binary, error, stderr } = await asc.compileString(squares, {
    importMemory: true,
    sharedMemory: true,
    maximumMemory: 65536,
    enable: ["threads"],
    runtime: "stub",
  });
  if (error ?? !binary) throw new Error(stderr.toString());
  module = new WebAssembly.Module(binary as Uint8Array<ArrayBuffer>);
  mkdirSync(join(root, "dist/bin"), { recursive: true });
  writeFileSync(
    tasks,
    `export default async ({ n, wait = 0 }) => {
       if (n < 0) throw new Error("negative " + n);
       await new Promise((resolve) => setTimeout(resolve, wait));
       return n * 2;
     }`,
  );
});

afterAll(async () => {
  for (const open of pools) await open.close();
  rmSync(tasks, { force: true });
});

describe.each([1, 2, 5])("%i threads", (threads) => {
  test("every thread works on one memory, in phases, and kernels keep apart", async () => {
    const workers = pool(threads);
    const [one, two] = [(await workers.kernel(module))!, (await workers.kernel(module))!];
    const count = 10_000;
    for (const kernel of [one, two, one]) {
      const mark = kernel.mark();
      const counter = kernel.alloc(4);
      const out = kernel.alloc(4 * count);
      expect([counter % 64, out % 64]).toEqual([0, 0]);
      kernel.i32(counter, 1)[0] = 0;
      kernel.each("square", counter, out, count);
      expect(kernel.i32(out, count).every((value, i) => value === i * i)).toBe(true);
      kernel.release(mark);
    }
    one.close();
    expect(() => two.each("trap", threads - 1)).toThrow();
    two.each("trap", -1);
    two.close();
  });

  test("tasks answer in the order of their inputs, between calls of kernels", async () => {
    const workers = pool(threads);
    const kernel = (await workers.kernel(module))!;
    const counter = kernel.alloc(4);
    const outputs: number[] = [];
    const inputs = Array.from({ length: 40 }, (_, n) => ({ n, wait: (7 * n) % 5 }));
    for await (const output of workers.map<object, number>("pool-test.tasks", inputs)) {
      kernel.i32(counter, 1)[0] = 1;
      kernel.each("square", counter, 0, 0);
      outputs.push(output);
    }
    expect(outputs).toEqual(inputs.map(({ n }) => 2 * n));
  });
});

test("what a task throws reaches who asked, and the pool goes on", async () => {
  const workers = pool(2);
  const drawn = async (numbers: number[]): Promise<number[]> => {
    const outputs: number[] = [];
    for await (const output of workers.map<object, number>(
      "pool-test.tasks",
      numbers.map((n) => ({ n })),
    ))
      outputs.push(output);
    return outputs;
  };
  await expect(drawn([1, -3, 2])).rejects.toThrow("negative -3");
  expect(await drawn([4, 5])).toEqual([8, 10]);
});

test("memory grows as it is given away; too much is an engine error", async () => {
  const kernel = (await pool(2).kernel(module))!;
  const at = kernel.alloc(200_000_000);
  kernel.u8(at, 200_000_000)[199_999_999] = 7;
  kernel.alloc(4);
  expect(kernel.u8(at + 199_999_999, 1)[0]).toBe(7);
  expect(() => kernel.alloc(5e9)).toThrow(/there is no room/);
});

test("plain: no kernel is given", async () => {
  expect(await openPool({ threads: 2, plain: true }).kernel("scan-csv")).toBeUndefined();
});
