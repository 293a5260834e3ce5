// Kernels of our own against tfjs WASM as it comes, and what the networks reach on public data.
// Usage: node bench/neural.mjs [--data <folder>] [--only steps,beauty,lastfm,video,shoppers,adult,movielens,images] [--seeds 42,43,44] [--learners mlp,deepfm]
// Without --data only the steps are measured: the trainings take half an hour.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { trainings } from "./neural/trainings.mjs";

const place = (path) => fileURLToPath(new URL(path, import.meta.url));
const option = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const only = option("only")?.split(",");

/** Whether @tensorflow/tfjs-node itself is there: danfojs-node is given plain tfjs under its name. */
function native() {
  try {
    const { name } = createRequire(import.meta.url)("@tensorflow/tfjs-node/package.json");
    return name === "@tensorflow/tfjs-node";
  } catch {
    return false;
  }
}

/** The same step in a process of its own, CPU time each: the kernels in turn, three rounds. */
function ratio(name, what) {
  const times = { stock: [], own: [], ...(native() ? { native: [] } : {}) };
  for (let round = 0; round < 3; round++)
    for (const kernels of Object.keys(times)) {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [place("neural/steps.mjs"), what, kernels],
        {
          encoding: "utf8",
        },
      );
      if (status !== 0) throw new Error(stderr);
      times[kernels].push(Number(stdout));
    }
  const median = (values) => values.slice().sort((a, b) => a - b)[1];
  const own = median(times.own);
  console.log(`${name.padEnd(34)} own ${own.toFixed(1).padStart(6)} ms`);
  for (const [kernels, found] of Object.entries(times).filter(([kernels]) => kernels !== "own"))
    console.log(
      `  ${kernels.padEnd(32)} ${median(found).toFixed(1).padStart(10)} ms  ${(median(found) / own).toFixed(1)} x`,
    );
}

if (!only || only.includes("steps")) {
  console.log("CPU time of one step of training");
  ratio("embedding + MLP, 1024 rows", "mlp");
  ratio("SASRec, 128 users, 700 steps", "sasrec");
}
const data = option("data");
if (data !== undefined) {
  if (!existsSync(data)) throw new Error(`no folder ${data}`);
  const seeds = (option("seeds") ?? "42,43,44").split(",").map(Number);
  const chosen = only?.filter((name) => name !== "steps");
  trainings(data, chosen, seeds, option("learners")?.split(","));
}
