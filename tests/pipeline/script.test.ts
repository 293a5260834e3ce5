import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { moduleFiles } from "../../src/pipeline/script.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

function folderWith(files: Record<string, string>): string {
  const folder = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
interface Ran {
  stages: { stage: string; status: string; why: string[] }[];
}
const orders = "order_id,units,note\n1,2,a\n2,3,\n9007199254740993,4,c\n";
const stage = (options: string): string => `  one: { run: script, with: { ${options} } }\n`;

describe("run: script", () => {
  test("a TypeScript module gets Arrow tables and params, imports a neighbour, and gives columns back", async () => {
    const cwd = folderWith({
      "orders.csv": orders,
      "scripts/rate.ts": "export const rate: number = 2;\n",
      "scripts/double.ts": `import { rate } from "./rate.js";
import type { Table } from "apache-arrow";
export default function ([table]: Table[], { params, seed }: { params: { add: number }; seed: number }) {
  console.log("rows", table.numRows, "seed", seed);
  return {
    order_id: [...table.getChild("order_id")!],
    units: Float64Array.from(table.getChild("units")!, (value) => Number(value) * rate + params.add),
    note: [...table.getChild("note")!],
  };
}
`,
      "p.yaml": `stages:\n${stage("module: scripts/double.ts, in: orders.csv, param: { add: 1 }, out: work/out.csv")}`,
    });
    const first = await runCli(["run", "p.yaml", "--seed", "7"], { cwd });
    expect([first.code, first.stderr]).toEqual([0, expect.stringMatching(/^one: script \(/)]);
    expect(readFileSync(join(cwd, "work/out.csv"), "utf8")).toBe(
      "order_id,units,note\n1,5.0,a\n2,7.0,\n9007199254740993,9.0,c\n",
    );
    expect(readFileSync(join(cwd, ".shopai/logs/p/one.log"), "utf8")).toBe("rows 3 seed 7\n");
    writeFileSync(join(cwd, "scripts/rate.ts"), "export const rate: number = 3;\n");
    const dry = await runCli(["run", "p.yaml", "--seed", "7", "--dry-run", "--json"], { cwd });
    expect(dry.json<Ran>().stages[0].why[0]).toMatch(/^input scripts\/rate\.ts changed/);
  });

  test("frames: true gives danfojs data frames and takes one back", async () => {
    const cwd = folderWith({
      "orders.csv": orders,
      "frame.mjs": `export default ([orders]) => orders.loc({ columns: ["units", "note"] }).sortValues("units", { ascending: false });\n`,
      "p.yaml": `stages:\n${stage("module: frame.mjs, in: orders.csv, frames: true, out: out.csv")}`,
    });
    const { code, stderr } = await runCli(["run", "p.yaml"], { cwd });
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(readFileSync(join(cwd, "out.csv"), "utf8")).toBe("units,note\n4.0,c\n3.0,\n2.0,a\n");
  });

  test("a text is written as it is; a module that throws, or gives nothing, fails its stage by name", async () => {
    const cwd = folderWith({
      "orders.csv": orders,
      "text.mjs": "export default ([t]) => `# ${t.numRows} orders\\n`;\n",
      "throws.mjs": 'export default () => { throw new Error("no margin in 2024"); };\n',
      "nothing.mjs": "export default () => undefined;\n",
      "uneven.mjs": "export default () => ({ a: [1, 2], b: [1] });\n",
      "p.yaml": `stages:
  text: { run: script, with: { module: text.mjs, in: orders.csv, out: out.md } }
  throws: { run: script, with: { module: throws.mjs, out: a.csv } }
  nothing: { run: script, with: { module: nothing.mjs, out: b.csv } }
  uneven: { run: script, with: { module: uneven.mjs, out: c.csv } }
`,
    });
    const { code, stderr } = await runCli(["run", "p.yaml", "--keep-going"], { cwd });
    expect(code).toBe(3);
    expect(readFileSync(join(cwd, "out.md"), "utf8")).toBe("# 3 orders\n");
    expect(stderr).toContain(
      "error: stage throws: no margin in 2024 (also failed: nothing, uneven)\n  in  throws.mjs\n",
    );
    expect(stderr).toContain("stage nothing failed: the module must give back an Arrow table");
    expect(stderr).toContain("stage uneven failed: the columns are not of one length: a 2, b 1");
    expect(readFileSync(join(cwd, ".shopai/logs/p/throws.log"), "utf8")).toContain("throws.mjs:1");
  });

  test("a module's code is itself and all that it imports from the project, once each", () => {
    const cwd = folderWith({
      "a.ts": 'import x from "./lib/b.js";\nexport * from "./c";\nimport fs from "node:fs";\nimport "zod";\n',
      "lib/b.ts": 'const late = await import("../a.js");\n',
      "c/index.js": 'require("./d.json");\n',
      "c/d.json": "{}",
    });
    expect(moduleFiles(join(cwd, "a.ts")).map((path) => path.slice(cwd.length + 1))).toEqual([
      "a.ts",
      "lib/b.ts",
      "c/index.js",
      "c/d.json",
    ]);
  });
});
