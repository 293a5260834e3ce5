import { afterAll } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { openDuckDb, type DuckDbEngine } from "../../src/engine/duckdb.js";
import type { Run } from "../../src/engine/run.js";
import { openPool } from "../../src/kernels/pool.js";

export interface TestRun extends Run {
  engine(): Promise<DuckDbEngine>;
  warnings: string[];
}

/** A Run for tests: silent, seeded, with an engine of its own that is closed after the tests of the file. */
export function testRun(options: { seed?: number; threads?: number; plain?: boolean } = {}): TestRun {
  const seed = options.seed ?? 42;
  const threads = options.threads ?? 2;
  const warnings: string[] = [];
  let engine: Promise<DuckDbEngine> | undefined;
  const pool = openPool({ threads, plain: options.plain });
  afterAll(async () => {
    await pool.close();
    await (await engine)?.close();
  });
  return {
    seed,
    threads,
    pool,
    warnings,
    device: () => import("../../src/tensor/open-device.js").then((m) => m.openDevice({ name: "cpu" })),
    engine: () => (engine ??= openDuckDb({ threads, memory: 2e9 })),
    rng: (name) => seededRng(seed, name),
    progress: { stage: () => undefined, update: () => undefined, done: () => undefined },
    warn: (message) => void warnings.push(message),
    signal: new AbortController().signal,
  };
}
