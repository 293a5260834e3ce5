import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    // The default leaves a core free, which of two is half of all.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: ["tests/support/seeded-properties.ts"],
    env: { TZ: "UTC", NO_COLOR: "1" },
    coverage: { include: ["src/**", "commands/**"], exclude: ["**/*.as.ts"] },
  },
});
