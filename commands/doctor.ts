import { execFile } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { version } from "../src/core/version.js";
import type { DeviceName } from "../src/engine/device.js";
import { defineCommand, type Block, type Cell } from "../src/pipeline/command.js";
import type { Probe } from "../src/tensor/probe.js";
import { summaries } from "./summaries.js";

/** In the order that `--device auto` tries them. */
const devices = ["cuda", "webgpu", "cpu"] as const;

export default defineCommand({
  name: "doctor",
  summary: summaries.doctor,
  inputs: { usage: "", min: 0, max: 0, help: "" },
  examples: ["shopai doctor", "shopai doctor --device webgpu --json"],
  options: {},
  reads: () => [],
  writes: () => [],
  async run(o, run) {
    const { examine, mustPass } = await import("../src/tensor/probe.js");
    const asked: readonly DeviceName[] = o.device === "auto" ? devices : [o.device];
    const found: Record<string, Probe> = {};
    for (const name of asked) {
      run.progress.stage(`examining ${name}`);
      found[name] = await examine(name, o.allowSoftwareGpu && name === "webgpu");
      run.progress.done();
    }
    if (o.device !== "auto") mustPass(o.device, found[o.device]);
    const graphics = await nvidia();
    const auto = devices.find((name) => found[name] && usable(found[name]) && !found[name].found!.software);
    return {
      json: {
        version,
        node: process.version,
        platform: `${process.platform}-${process.arch}`,
        processor: cpus()[0]?.model ?? "unknown",
        cores: cpus().length,
        memory: totalmem(),
        graphics,
        auto,
        devices: asked.map((name) => told(name, found[name])),
      },
      blocks: [
        {
          kind: "pairs",
          rows: [
            ["shopai", `${version}, Node ${process.version}, ${process.platform}-${process.arch}`],
            [
              "processor",
              `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, ${gigabytes(totalmem())}`,
            ],
            ...graphics.map(({ name, driver, memory }): [string, Cell] => [
              "graphics",
              `${name}, driver ${driver}, ${memory}`,
            ]),
            ["--device auto", auto],
          ],
        },
        {
          kind: "table",
          head: ["device", "adapter", "driver", "self-test", "matmul", "embedding", "training"],
          rows: asked.map((name) => row(name, found[name])),
        },
        ...asked.flatMap((name) => reasons(name, found[name])),
      ],
    };
  },
});

const usable = ({ refused, selfTest }: Probe): boolean => !refused && selfTest!.failed.length === 0;

function told(
  device: DeviceName,
  { found, selfTest, speed, refused, seconds }: Probe,
): Record<string, unknown> {
  return {
    device,
    usable: usable({ found, selfTest, refused, seconds }),
    adapter: found?.adapter,
    driver: found?.driver,
    backend: found?.backend,
    software: found?.software,
    largest_tensor: found?.largestTensor,
    self_test: selfTest,
    speed,
    refused,
    seconds,
  };
}

function row(device: DeviceName, { found, selfTest, speed, refused }: Probe): Cell[] {
  if (refused) return [device, "none", "", "", "", "", ""];
  const { compared, failed, worst } = selfTest!;
  return [
    device,
    `${found!.adapter}${found!.software ? " (software)" : ""}`,
    found!.driver ?? "",
    failed.length === 0
      ? `${compared} passed, worst ${worst.difference.toExponential(0)}`
      : `${failed.length} failed`,
    `${speed!.matmul_gflops} GFLOP/s`,
    `${thousands(speed!.embedding_rows_per_s)} rows/s`,
    `${thousands(speed!.training_rows_per_s)} rows/s`,
  ];
}

function reasons(device: DeviceName, { refused, selfTest }: Probe): Block[] {
  if (refused)
    return [
      { kind: "line", text: `${device}: ${refused.message}${refused.try ? `; try ${refused.try}` : ""}` },
    ];
  return selfTest!.failed.map(({ what, why }) => ({ kind: "line", text: `${device}: ${what}: ${why}` }));
}

const thousands = (value: number): string => `${Math.round(value / 1000).toLocaleString("en")} k`;
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** What NVIDIA's own tool says of the cards here; nothing where it is not installed or does not answer. */
function nvidia(): Promise<{ name: string; driver: string; memory: string }[]> {
  return new Promise((resolve) => {
    execFile(
      "nvidia-smi",
      ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
      { timeout: 10_000, killSignal: "SIGKILL" },
      (error, stdout) =>
        resolve(
          error
            ? []
            : stdout
                .trim()
                .split("\n")
                .map((line) => line.split(", "))
                .map(([name, driver, memory]) => ({ name, driver, memory })),
        ),
    );
  });
}
