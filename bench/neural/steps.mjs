// One step of training on tfjs WASM as it comes ("stock"), with our kernels ("own") or on @tensorflow/tfjs-node
// ("native"); prints CPU milliseconds a step.
// The networks here are written in plain ops of TensorFlow.js, so that both run the same graph.
import { build } from "esbuild";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [what, kernels] = process.argv.slice(2);
const root = fileURLToPath(new URL("../../", import.meta.url));
const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
tf.enableProdMode();
createRequire(import.meta.url)(
  kernels === "native" ? "@tensorflow/tfjs-node" : "@tensorflow/tfjs-backend-wasm",
);
await tf.setBackend(kernels === "native" ? "tensorflow" : "wasm");

/** The room behind the devices, bundled for this call alone. */
async function tensorRoom() {
  const folder = mkdtempSync(join(root, "dist", "bench-"));
  const entry = join(folder, "entry.ts");
  writeFileSync(
    entry,
    ["ops", "adam", "weights", "wasm-kernels"]
      .map((name) => `export * from "${root}src/tensor/${name}.ts";`)
      .join("\n"),
  );
  const outfile = join(folder, "room.mjs");
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
  });
  const room = await import(pathToFileURL(outfile).href);
  rmSync(folder, { recursive: true });
  return room;
}

let state = 7;
const draw = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 4294967296;
const numbers = (length) => Float32Array.from({ length }, () => draw() - 0.5);
const codes = (length, levels) => Int32Array.from({ length }, () => Math.floor(draw() * levels));

if (kernels === "stock") {
  // Without the gradient of gather nothing here would train: the plainest one, as anybody would write it.
  tf.registerKernel({
    kernelName: "UnsortedSegmentSum",
    backendName: "wasm",
    kernelFunc({ inputs: { x, segmentIds }, attrs: { numSegments }, backend }) {
      const width = x.shape.slice(1).reduce((a, b) => a * b, 1);
      const out = backend.makeOutput([numSegments, ...x.shape.slice(1)], "float32");
      const [from, ids, to] = [x, segmentIds, out].map((info) => backend.typedArrayFromHeap(info));
      to.fill(0);
      for (let r = 0; r < ids.length; r++)
        for (let c = 0; c < width; c++) to[ids[r] * width + c] += from[r * width + c];
      return out;
    },
  });
}

const room = await tensorRoom();
if (kernels === "own") room.installWasmKernels();
const weights = new room.Weights(() => ({ uniform: draw, normal: () => 2 * (draw() + draw() - 1) }));

const losses = {
  mlp() {
    weights.add("table", [12_000, 64], { normal: 0.1 });
    for (const [name, shape] of [
      ["w0", [3 * 64 + 30, 128]],
      ["w1", [128, 64]],
      ["w2", [64, 1]],
    ]) {
      weights.add(name, shape, "he");
      weights.add(`${name}-bias`, [shape[1]], "zeros");
    }
    const x = numbers(1024 * 30);
    const ids = codes(1024 * 3, 12_000);
    const y = codes(1024, 2);
    return () => {
      const vectors = tf.gather(weights.get("table"), tf.tensor1d(ids, "int32")).reshape([1024, 3 * 64]);
      let h = tf.concat([tf.tensor2d(x, [1024, 30]), vectors], 1);
      for (const name of ["w0", "w1", "w2"]) {
        h = tf.matMul(h, weights.get(name)).add(weights.get(`${name}-bias`));
        if (name !== "w2") h = h.relu();
      }
      return tf.losses.sigmoidCrossEntropy(tf.tensor2d(Float32Array.from(y), [1024, 1]), h);
    };
  },
  /** As it comes: every sequence padded to 50; ours: what the learner does with the same 700 steps. */
  sasrec() {
    const [users, longest, factors, items] = [128, 50, 64, 12_000];
    const steps = 700;
    const [rows, length] = kernels === "own" ? [steps / 7, 7] : [users, longest];
    weights.add("table", [items, factors], { normal: 0.1 });
    for (let b = 0; b < 2; b++)
      for (const part of ["q", "k", "v", "inner", "outer"])
        weights.add(`${b}/${part}`, [factors, factors], "glorot");
    for (const name of ["0", "1"]) {
      weights.add(`${name}/gamma`, [factors], "ones");
      weights.add(`${name}/beta`, [factors], "zeros");
    }
    const ids = codes(rows * length, items);
    const right = codes(rows * length, items);
    const wrong = codes(rows * length, items);
    let seed = 0;
    return () => {
      let x = tf.gather(weights.get("table"), tf.tensor1d(ids, "int32")).reshape([rows, length, factors]);
      const dropped = (h) =>
        kernels === "own" ? room.dropout(h, 0.5, ++seed) : tf.dropout(h, 0.5, undefined, ++seed);
      const flat = (h, name) =>
        tf.matMul(h.reshape([rows * length, factors]), weights.get(name)).reshape([rows, length, factors]);
      const norm = (h, b) => {
        if (kernels === "own") return room.layerNorm(h, weights.get(`${b}/gamma`), weights.get(`${b}/beta`));
        const { mean, variance } = tf.moments(h, -1, true);
        return h
          .sub(mean)
          .mul(tf.rsqrt(variance.add(1e-5)))
          .mul(weights.get(`${b}/gamma`))
          .add(weights.get(`${b}/beta`));
      };
      const later = tf.linalg
        .bandPart(tf.ones([length, length]), -1, 0)
        .sub(1)
        .mul(1e9);
      x = dropped(x);
      for (let b = 0; b < 2; b++) {
        const q = norm(x, b);
        const scores = tf.matMul(flat(q, `${b}/q`), flat(x, `${b}/k`), false, true);
        const shares =
          kernels === "own" ? room.causalSoftmax(scores, 0.125) : tf.softmax(scores.mul(0.125).add(later));
        x = q.add(tf.matMul(dropped(shares), flat(x, `${b}/v`)));
        x = x.add(dropped(flat(dropped(flat(x, `${b}/inner`).relu()), `${b}/outer`)));
      }
      const hidden = x.reshape([rows * length, factors]);
      const score = (targets) =>
        hidden.mul(tf.gather(weights.get("table"), tf.tensor1d(targets, "int32"))).sum(1);
      return score(right).neg().softplus().mean().add(score(wrong).softplus().mean());
    };
  },
};

const loss = losses[what]();
const optimizer = kernels === "own" ? new room.Adam(weights, { clip: 0, decay: 0 }) : tf.train.adam(1e-3);
const step = () =>
  tf.tidy(() => {
    if (kernels === "own") {
      const { gradients } = weights.gradients(loss);
      optimizer.step(gradients, 1e-3);
    } else {
      const { grads } = tf.variableGrads(loss);
      optimizer.applyGradients(grads);
    }
  });
step();
step();
const began = process.cpuUsage();
let steps = 0;
do {
  step();
  steps++;
} while (process.cpuUsage(began).user < 1e6 && steps < 50);
const { user, system } = process.cpuUsage(began);
console.log((user + system) / 1000 / steps);
process.exit(0);
