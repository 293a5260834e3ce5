// Best of 60 evaluations on Branin and Hartmann-6, median of 20 seeds: TPE against random search, and Optuna's TPE where
// PYTHON names a Python that has it. Goal: TPE's median better than random search's.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const bundle = new URL("../dist/bench-tune.mjs", import.meta.url);
await build({
  stdin: {
    contents: `export { searched, bestTrial } from "./src/learners/tune/study.js";
export { seededRng } from "./src/core/rng.js";
export { branin, hartmann6 } from "./tests/learners/test-functions.js";`,
    resolveDir: fileURLToPath(new URL("..", import.meta.url)),
    loader: "ts",
  },
  outfile: fileURLToPath(bundle),
  bundle: true,
  format: "esm",
  platform: "node",
  logLevel: "warning",
});
const { searched, bestTrial, seededRng, branin, hartmann6 } = await import(bundle.href);

async function median(f, by) {
  const bests = [];
  for (let seed = 0; seed < 20; seed++) {
    const study = {
      axes: f.axes,
      trials: 60,
      by,
      better: "lower",
      steps: 1,
      combine: "mean",
      objective: async (params) => f.at(params),
      rng: (name) => seededRng(seed, name),
    };
    bests.push(bestTrial(await searched(study), study).score);
  }
  bests.sort((a, b) => a - b);
  return (bests[9] + bests[10]) / 2;
}

const optuna = `
import math, sys
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
def branin(t):
    x, y = t.suggest_float("x1", -5, 10), t.suggest_float("x2", 0, 15)
    return (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P = [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991], [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]
def hartmann(t):
    x = [t.suggest_float(f"x{i}", 0, 1) for i in range(6)]
    return -sum(c * math.exp(-sum(A[i][j] * (x[j] - P[i][j] / 1e4) ** 2 for j in range(6))) for i, c in enumerate([1, 1.2, 3, 3.2]))
for f in (branin, hartmann):
    bests = []
    for seed in range(20):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(f, n_trials=60)
        bests.append(study.best_value)
    bests.sort()
    print((bests[9] + bests[10]) / 2)
`;
const peer = spawnSync(process.env.PYTHON ?? "python3", ["-c", optuna], { encoding: "utf8" });
const peers = peer.status === 0 ? peer.stdout.trim().split("\n").map(Number) : [];
let missed = false;
for (const [i, [name, f]] of [
  ["branin", branin],
  ["hartmann-6", hartmann6],
].entries()) {
  const [random, tpe] = [await median(f, "random"), await median(f, "tpe")];
  const shown = peers[i] === undefined ? "not installed" : peers[i].toFixed(4);
  console.log(
    `${name}: minimum ${f.minimum}, random ${random.toFixed(4)}, tpe ${tpe.toFixed(4)}, optuna's tpe ${shown}`,
  );
  missed ||= tpe >= random;
}
if (missed) {
  console.error("error: tpe is no better than random search");
  process.exit(1);
}
