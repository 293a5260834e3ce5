import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const committed = join(root, "fixtures/shop");
const folder = temporaryFolder();

function filesBelow(path: string): string[] {
  return (readdirSync(path, { recursive: true }) as string[])
    .filter((name) => statSync(join(path, name)).isFile())
    .sort();
}

describe("fixtures/shop", () => {
  test("is what `shopai generate shop -o fixtures/shop` writes, byte for byte, on any number of threads", async () => {
    for (const threads of ["1", "3"]) {
      const out = join(folder, `shop-${threads}`);
      const outcome = await runCli(["generate", "shop", "-o", out, "--threads", threads, "--json"]);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(filesBelow(out)).toEqual(filesBelow(committed));
      for (const name of filesBelow(out))
        expect(readFileSync(join(out, name)).equals(readFileSync(join(committed, name))), name).toBe(true);
    }
  });

  test("is small enough to live in the repository", () => {
    const bytes = filesBelow(committed).reduce((sum, name) => sum + statSync(join(committed, name)).size, 0);
    expect(bytes).toBeLessThan(600 * 1024);
  });
});

describe("generate refuses", () => {
  test("a folder that holds something else, and leaves it alone", async () => {
    const mine = join(folder, "mine");
    mkdirSync(mine);
    writeFileSync(join(mine, "thesis.txt"), "years of work");
    const refused = await runCli(["generate", "shop", "-o", mine, "--orders", "10"]);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/holds something else/);
    expect(refused.stderr).toMatch(/try .*--force/);
    expect(readdirSync(mine)).toEqual(["thesis.txt"]);
  });

  test.each([
    [["generate", "house", "-o", "x"], /"house" cannot be generated/],
    [["generate", "shop", "-o", "x", "--orders", "3"], /--orders must be an integer from 10/],
    [["generate", "shop", "-o", "x", "--start", "2023-02-31"], /--start must be a date, got 2023-02-31/],
  ])("%j", async (words, message) => {
    const refused = await runCli(words, { cwd: folder });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(message);
    expect(refused.stderr).not.toMatch(/at .*\.js:/);
  });
});
