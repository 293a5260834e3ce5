// Builds dist/: one bundle per command, shared code in chunks, kernels as WebAssembly beside them.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

/** Small pure packages are bundled, because loading their many files one by one costs 100 ms at start. */
const bundled = new Set([
  "@duckdb/node-api",
  "commander",
  "zod",
  "yaml",
  "string-width",
  "ora",
  "fzstd",
  "echarts",
  "zrender",
  "tslib",
]);

function filesBelow(folder, ending) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith(ending))
    .sort();
}

function buildKernels() {
  mkdirSync("dist/wasm", { recursive: true });
  const sources = filesBelow("src", ".as.ts");
  const isPart = (source) => readFileSync(source, "utf8").startsWith("// part of other kernels");
  const parts = sources.filter(isPart);
  for (const source of sources) {
    if (parts.includes(source)) continue;
    const out = `dist/wasm/${basename(source, ".as.ts")}.wasm`;
    if (existsSync(out) && [source, ...parts].every((file) => statSync(out).mtimeMs > statSync(file).mtimeMs))
      continue;
    const flags = ["-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--enable", "simd"];
    // Kernels of the worker pool share their memory; one that says so has its own.
    if (!readFileSync(source, "utf8").startsWith("// memory: own"))
      flags.push("--enable", "threads", "--sharedMemory", "--maximumMemory", "65536");
    execFileSync(process.execPath, ["node_modules/assemblyscript/bin/asc.js", source, "-o", out, ...flags], {
      stdio: "inherit",
    });
  }
}

function dropStaleBundles() {
  for (const name of ["dist/bin", "dist/chunks"]) rmSync(name, { recursive: true, force: true });
}

async function buildBundles() {
  const packages = {
    name: "packages",
    setup(b) {
      b.onResolve({ filter: /^[a-z@]/ }, ({ path, kind }) => {
        if (kind === "entry-point" || path.startsWith("node:")) return undefined;
        const name = path.startsWith("@") ? path.split("/").slice(0, 2).join("/") : path.split("/")[0];
        return bundled.has(name) ? undefined : { path, external: true };
      });
      // Error texts in sixty languages that nobody reads: a third of zod's time to load.
      b.onResolve({ filter: /locales\/index\.js$/ }, ({ importer }) =>
        /[\\/]zod[\\/]/.test(importer) ? { path: "locales", namespace: "nothing" } : undefined,
      );
      b.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "export {};" }));
    },
  };
  dropStaleBundles();
  await build({
    entryPoints: { "bin/shopai": "bin/shopai.ts", ...workers() },
    outdir: "dist",
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: "linked",
    sourcesContent: false,
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [packages],
    // Bundled CommonJS packages ask for node's own modules by require().
    banner: { js: 'import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url);' },
    logLevel: "warning",
  });
  chmodSync("dist/bin/shopai.js", 0o755);
}

/** Every `*.worker.ts` and `*.tasks.ts` becomes an entry of its own, loaded by worker_threads. */
function workers() {
  return Object.fromEntries(
    [...filesBelow("src", ".worker.ts"), ...filesBelow("src", ".tasks.ts")].map((path) => [
      `bin/${basename(path, ".ts")}`,
      path,
    ]),
  );
}

buildKernels();
await buildBundles();
