import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel } from "../../src/learners/training.js";
import { openTable } from "../../src/table/open.js";
import { tooOld } from "../../src/tensor/nvidia-driver.js";
import { tf } from "../../src/tensor/tf.js";
import { startWebGpu } from "../../src/tensor/webgpu.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const folder = temporaryFolder();
const table = join(folder, "visits.csv");
const rng = seededRng(3, "visits");
writeFileSync(
  table,
  `pages,country,bought\n${Array.from({ length: 120 }, () => {
    const pages = rng.integer(20);
    return `${pages},${["NO", "DE", "FR"][rng.integer(3)]},${pages + rng.integer(8) > 14 ? "yes" : "no"}`;
  }).join("\n")}\n`,
);

/** Software Vulkan, as Debian's chromium package ships it. */
const software = "/usr/lib/chromium/vk_swiftshader_icd.json";
const vulkan = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"].some((place) =>
  existsSync(join(place, "libvulkan.so.1")),
);
const env = { VK_ICD_FILENAMES: software, XDG_CACHE_HOME: join(folder, "cache"), XDG_RUNTIME_DIR: folder };

const small = ["epochs=1", "patience=0", "layers=1", "width=4", "factors=2", "batch=60"].flatMap((param) => [
  "--param",
  param,
]);
const train = (model: string, ...more: string[]): string[] => [
  ...["train", "mlp", table, "--target", "bought", "-o", join(folder, model), ...small, ...more],
];

function installed(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

describe("a device that was named", () => {
  test.skipIf(installed("@tensorflow/tfjs-node-gpu"))(
    "and is not installed is exit 5 with what to install",
    async () => {
      const { code, stderr, json } = await runCli(train("no", "--device", "cuda", "--json"), { env });
      expect(code).toBe(5);
      expect(stderr).toContain("try npm install @tensorflow/tfjs-node-gpu");
      expect(json<{ error: object }>().error).toMatchObject({
        kind: "engine",
        message: "CUDA needs @tensorflow/tfjs-node-gpu, which is not installed",
      });
      expect(existsSync(join(folder, "no"))).toBe(false);
    },
  );

  test("and has no adapter is exit 5", async () => {
    const none = { ...env, VK_ICD_FILENAMES: "/nowhere.json", VK_DRIVER_FILES: "/nowhere.json" };
    const { code, stderr } = await runCli(train("none", "--device", "webgpu"), { env: none });
    expect(code).toBe(5);
    expect(stderr).toMatch(/error: WebGPU (finds no graphics adapter here|is not installed)/);
  });
});

test("a driver that is too old is named with the one that is needed", () => {
  const told = (version: string): string =>
    `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Wed Oct 31 2018\nGCC version:  gcc 12.2.0`;
  expect(tooOld("cuda", told("410.79"))).toBe(
    "the NVIDIA driver 410.79 is too old: CUDA 11.2 needs 450.80 or later",
  );
  expect(tooOld("cuda", told("450.66"))).toContain("450.80");
  expect(tooOld("webgpu", told("384.130"))).toContain("Vulkan 1.1 needs 390.00");
  for (const version of ["450.80.02", "580.159.04"]) expect(tooOld("cuda", told(version))).toBeUndefined();
  expect(tooOld("webgpu", told("410.79"))).toBeUndefined();
  expect(tooOld("webgpu", undefined)).toBeUndefined();
});

test("auto says what it took, and why nothing better", async () => {
  const none = { ...env, VK_ICD_FILENAMES: "/nowhere.json", VK_DRIVER_FILES: "/nowhere.json" };
  const { code, stderr, json } = await runCli(train("auto", "--json"), { env: none });
  expect(code).toBe(0);
  expect(stderr).toMatch(/^device: cpu, .+ \(.+; .+\)/m);
  expect(json<{ about: object }>().about).toMatchObject({ device: "cpu" });
});

test("doctor examines a device and measures it", async () => {
  const { code, json } = await runCli(["doctor", "--device", "cpu", "--json"], { env });
  expect(code).toBe(0);
  const [cpu] = json<{ devices: Record<string, Record<string, unknown>>[] }>().devices;
  expect(cpu).toMatchObject({ device: "cpu", usable: true, self_test: { failed: [] } });
  expect(cpu.self_test.compared).toBeGreaterThan(200);
  for (const speed of ["matmul_gflops", "embedding_rows_per_s", "training_rows_per_s"])
    expect(cpu.speed[speed]).toBeGreaterThan(0);
});

describe.skipIf(!existsSync(software) || !vulkan)(
  "WebGPU on software Vulkan (needs chromium and libvulkan1)",
  () => {
    test("is refused unless it is asked for", async () => {
      const { code, stderr } = await runCli(train("refused", "--device", "webgpu"), { env });
      expect(code).toBe(5);
      expect(stderr).toContain("error: the only WebGPU adapter here is software");
      expect(stderr).toContain("--allow-software-gpu");
    });

    test("passes its self-test, trains as the CPU does, and its model answers there alike", async () => {
      const gpu = ["--device", "webgpu", "--allow-software-gpu"];
      const there = await runCli(train("there", "--json", ...gpu), { env });
      expect([there.code, there.stderr]).toEqual([0, expect.stringContaining("on webgpu")]);
      const here = await runCli(train("here", "--json", "--device", "cpu"), { env });
      type Told = { about: { device: string; curve: { loss: number }[] } };
      expect(there.json<Told>().about.device).toBe("webgpu");
      expect(there.json<Told>().about.curve[0].loss).toBeCloseTo(here.json<Told>().about.curve[0].loss, 5);
      const scores = async (...device: string[]): Promise<number[]> => {
        const out = join(folder, "scores.ndjson");
        expect(
          (await runCli(["predict", join(folder, "there"), table, "-o", out, ...device], { env })).code,
        ).toBe(0);
        const { readFileSync } = await import("node:fs");
        const lines = readFileSync(out, "utf8").trim().split("\n");
        return lines.map((line) => (JSON.parse(line) as { score: number }).score);
      };
      const own = await scores(...gpu);
      const other = await scores("--device", "cpu");
      own.forEach((score, i) => expect(score).toBeCloseTo(other[i], 5));
    }, 240_000);

    test("lost while training, it says so, and the training goes on elsewhere from its checkpoint", async () => {
      Object.assign(process.env, env);
      const device = await startWebGpu(true);
      const lose = (tf.backend() as unknown as { device: { destroy(): void } }).device;
      const mlp = await learnerNamed("mlp");
      const relation = await openTable(await run.engine(), [table]);
      const params = { epochs: 4, patience: 0, layers: 1, width: 4, factors: 2, batch: 60 };
      const ask = { roles: { target: "bought" }, params };
      const path = join(folder, "lost.checkpoint");
      const progress = {
        ...run.progress,
        update: (_: number, __?: number, unit?: string) => {
          if (unit?.includes("epoch 3")) lose.destroy();
        },
      };
      const there = {
        ...run,
        progress,
        device: () => Promise.resolve(device),
        checkpoint: { path, resume: false },
      };
      await expect(trainModel(mlp, relation, ask, there)).rejects.toMatchObject({
        kind: "engine",
        message: expect.stringMatching(/^mlp: the GPU was lost/),
        try: "the same call with --resume, or --device cpu",
      });
      const model = await trainModel(mlp, relation, ask, { ...run, checkpoint: { path, resume: true } });
      const epochs = (model.card.about.curve as { epoch: number }[]).map(({ epoch }) => epoch);
      expect(epochs).toEqual([1, 2, 3, 4]);
      expect(existsSync(path)).toBe(false);
    });
  },
);
