import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { version } from "../../src/core/version.js";
import { root } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const run = promisify(execFile);
const folder = temporaryFolder();

interface Packed {
  filename: string;
  files: { path: string }[];
}

/** Packs what is built; the script before packing would build under the feet of other tests. */
async function packed(): Promise<Packed> {
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const { stdout } = await run("npm", args, { cwd: root, maxBuffer: 1 << 26 });
  return (JSON.parse(stdout) as Packed[])[0];
}

/** Whether the registry answers: without it nothing can be installed, and the test says so by skipping. */
const isOnline = await run("npm", ["view", "commander@14.0.3", "version"], {
  cwd: root,
  timeout: 20_000,
}).then(
  ({ stdout }) => stdout.includes("14"),
  () => false,
);

test("the package holds what runs and nothing else", async () => {
  const { files } = await packed();
  const paths = files.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(["package.json", "dist/bin/shopai.js"]));
  const runs = /^(dist\/(bin|chunks|wasm)\/|pipelines\/|fixtures\/|scripts\/quickstart\.mjs$)/;
  const tells = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
  expect(paths.filter((path) => !runs.test(path) && !tells.test(path))).toEqual([]);
});

test.skipIf(!isOnline)(
  "installed from its tarball, shopai runs (skips where the registry does not answer)",
  async () => {
    const { filename } = await packed();
    const prefix = join(folder, "global");
    mkdirSync(prefix);
    const quick = ["--omit=optional", "--omit=peer", "--prefer-offline", "--no-audit", "--no-fund"];
    await run("npm", ["install", "--global", "--prefix", prefix, ...quick, join(folder, filename)], {
      cwd: root,
    });
    const shopai = join(prefix, "bin/shopai");
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "orders.csv"), "id,price\n1,2.5\n2,3.5\n");
    const call = (...args: string[]): Promise<{ stdout: string }> => run(shopai, args, { cwd: elsewhere });
    expect((await call("--version")).stdout).toBe(`${version}\n`);
    const inspected = JSON.parse((await call("inspect", "orders.csv", "--json")).stdout) as { rows: number };
    expect(inspected.rows).toBe(2);
    await call("clean", "orders.csv", "-o", "orders.parquet");
    expect(readdirSync(elsewhere).sort()).toEqual(["orders.csv", "orders.parquet"]);
  },
  170_000,
);
