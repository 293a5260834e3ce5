// Writes the models of tests/explain/exported.ts in the formats of other tools, with rows: node tree_exports.mjs <folder>
import { build } from "esbuild";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
const bundle = join(folder, "exported.mjs");
await build({
  entryPoints: [join(import.meta.dirname, "../../explain/exported.ts")],
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
});
const { exports, files } = await import(pathToFileURL(bundle).href);
const endings = { xgboost: "json", lightgbm: "txt", onnx: "onnx" };
for (const [name, sample] of Object.entries(exports)) {
  const written = files(sample);
  for (const [tool, content] of Object.entries(written))
    writeFileSync(join(folder, `${name}.${endings[tool]}`), content);
  writeFileSync(
    join(folder, `${name}.rows`),
    JSON.stringify({
      width: sample.model.columns.length,
      kinds: sample.model.columns.map(({ kind }) => kind),
      values: [...sample.rows].map((value) => (Number.isNaN(value) ? null : value)),
    }),
  );
}
