import { constants, PerformanceObserver } from "node:perf_hooks";
import { expect, test } from "vitest";
import { LetGo } from "../../src/engine/let-go.js";

test("the collector looks among young objects once 4 MB of chunks are done with, and not before", async () => {
  let seen = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind, flags } = (entry as unknown as { detail: { kind: number; flags: number } }).detail;
      if (kind === constants.NODE_PERFORMANCE_GC_MINOR && flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED)
        seen++;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
  const letGo = new LetGo();
  letGo.chunk(4_000_000);
  await turn();
  expect(seen).toBe(0);
  letGo.chunk(200_000);
  await turn();
  expect(seen).toBe(1);
  observer.disconnect();
});
