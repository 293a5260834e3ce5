import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bar, sparkline, unicodeTerminal, whisker } from "../../src/cli/sparkline.js";
import { tableText } from "../../src/cli/table.js";
import { blockText, cellText, jsonText } from "../../src/cli/terminal.js";
import { displayWidth, fitted } from "../../src/cli/width.js";
import { rateText } from "../../src/cli/progress.js";
import { binary, root, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const orders = join(folder, "orders.csv");
writeFileSync(
  orders,
  `id,price,name\n${Array.from({ length: 50 }, (_, i) => `${i},${i / 4},n${i % 3}`).join("\n")}\n`,
);

test("JSON holds what JSON can hold", () => {
  expect(
    JSON.parse(jsonText({ a: NaN, b: [Infinity, -Infinity], c: 2n ** 53n, d: 12n, e: undefined })),
  ).toEqual({
    a: null,
    b: [null, null],
    c: "9007199254740992",
    d: 12,
  });
});

test.each([
  [null, "–"],
  [0, "0"],
  [1234567, "1,234,567"],
  [12345678901234567890n, "12,345,678,901,234,567,890"],
  [0.123456, "0.1235"],
  [1234.56, "1234.6"],
  [1e-7, "1.000e-7"],
  [NaN, "NaN"],
  ["a\nb\u001b[31mred", "a\\nb\\x1b[31mred"],
])("the cell %s is shown as %s", (cell, text) => {
  expect(cellText(cell)).toBe(text);
});

test("lines are broken between words, under the second column where there is one, and lose no letter", () => {
  expect(fitted("  auc    area under the ROC curve, 0..1", 24)).toBe(
    "  auc    area under the\n         ROC curve, 0..1",
  );
  expect(fitted("warning: three words more", 15)).toBe("warning: three\n  words more");
  expect(fitted("每个学习器的参数说明见下", 10)).toBe("每个学习器\n  的参数说\n  明见下");
  expect(fitted("  $ shopai clean orders.csv -o t.parquet", 10)).toBe(
    "  $ shopai clean orders.csv -o t.parquet",
  );
  const word = fc
    .string({ minLength: 1, maxLength: 12, unit: "grapheme" })
    .map((text) => text.replace(/[\s$]|\p{C}/gu, "x"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), fc.integer({ min: 30, max: 80 }), (words, width) => {
      const text = fitted(words.join(" "), width);
      for (const line of text.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      expect(text.replace(/\s/g, "")).toBe(words.join(""));
    }),
  );
  expect(fitted("a b", Infinity)).toBe("a b");
});

test("names of pairs are padded by their width, Chinese ones too, and long values go on under the first", () => {
  const rows: [string, string][] = [
    ["订单", "x"],
    ["rows", "one two three four"],
  ];
  expect(blockText({ kind: "pairs", rows }, { colour: false, width: 18 })).toBe(
    "  订单  x\n  rows  one two\n        three four\n",
  );
});

test("bars and whiskers show shares, also without Unicode", () => {
  expect(bar(0.5, 8, undefined, true)).toBe("████");
  expect(bar(0.3125, 8, 0.75, true)).toBe("██▌   │");
  expect(bar(1.5, 4, undefined, false)).toBe("####");
  expect(whisker(0.5, [0.25, 0.76], 8, true)).toBe("  ├─●─┤");
  expect(whisker(0, [0, 1], 4, false)).toBe("o--]");
});

describe("tables", () => {
  const lines = (text: string): string[] => text.split("\n");

  test("fit any width: texts are cut, numbers never, what is left goes below", () => {
    const cell = fc
      .string({ maxLength: 60, unit: "grapheme" })
      .map((text) => text.replace(/\s|\p{C}/gu, "x"));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, fc.integer(), cell), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 40, max: 160 }),
        (rows, width) => {
          const shown = rows.map((row) => row.map(String));
          const text = tableText(["one", "two", "number", "four"], shown, [false, false, true, false], width);
          for (const line of lines(text)) expect(displayWidth(line)).toBeLessThanOrEqual(width);
          for (const [, , number] of rows) expect(text).toContain(String(number));
        },
      ),
    );
  });

  test("a pipe gets whole values", () => {
    const long = "x".repeat(500);
    expect(tableText(["a"], [[long]], [false], Infinity)).toContain(long);
  });

  test("wide characters take two cells", () => {
    expect(displayWidth("订单")).toBe(4);
    expect(displayWidth("é")).toBe(1);
    expect(displayWidth("🙂!")).toBe(3);
  });

  test("numbers stand at the right", () => {
    const block = {
      kind: "table" as const,
      head: ["name", "n"],
      rows: [
        ["a", 5],
        ["b", 1000],
      ],
    };
    expect(blockText(block, { colour: false, width: 80 })).toBe(
      "  name       n\n  a          5\n  b      1,000\n",
    );
  });
});

test("sparklines fall back to ASCII where UTF-8 is not spoken", () => {
  expect(sparkline([0, 1, 4, 8], true)).toBe(" ▁▄█");
  expect(sparkline([0, 1, 4, 8], false)).toBe(" _-#");
  expect(sparkline([])).toBe("");
  expect(unicodeTerminal({ LANG: "en_US.UTF-8" })).toBe(true);
  expect(unicodeTerminal({ LANG: "en_US.UTF-8", LC_ALL: "C" })).toBe(false);
  expect(unicodeTerminal({ TERM: "linux", LANG: "en_US.UTF-8" })).toBe(false);
});

test("a rate and what is left are said", () => {
  expect(rateText(1_200_000, 10_000_000, "rows", 2)).toBe(
    "1,200,000 of 10,000,000 rows, 600,000/s, 15 s left",
  );
  expect(rateText(5, undefined, "files", 0)).toBe("5 files");
});

describe("stdout and stderr", () => {
  test("--json puts one document on stdout and nothing else, --quiet nothing on stderr", async () => {
    const loud = await runCli(["inspect", orders, "--json"]);
    expect(loud.code).toBe(0);
    expect(loud.json()).toMatchObject({
      rows: 50,
      columns: [{ name: "id" }, { name: "price" }, { name: "name" }],
    });
    expect(loud.stderr).toMatch(/^profiling .*orders\.csv: 50 rows, 3 columns \(\d+\.\d s\)\n$/);
    const quiet = await runCli(["--quiet", "inspect", orders, "--json"]);
    expect([quiet.code, quiet.stderr, quiet.stdout]).toEqual([0, "", loud.stdout]);
  });

  test("an error is a document with --json, and words on stderr always", async () => {
    const { code, stdout, stderr } = await runCli(["inspect", "--json", join(folder, "order.csv")]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toEqual({
      error: { kind: "data", message: "no such file", where: join(folder, "order.csv"), try: orders },
    });
    expect(stderr).toBe(`error: no such file\n  in  ${join(folder, "order.csv")}\n  try ${orders}\n`);
  });

  test("colours come on a terminal alone, and NO_COLOR, CI and --no-color turn them off", () => {
    const onTerminal = (env: Record<string, string>, ...args: string[]): string => {
      const { NO_COLOR: _, CI: __, ...rest } = process.env;
      const command = [process.execPath, binary, "inspect", orders, "--quiet", ...args]
        .map((word) => `'${word}'`)
        .join(" ");
      return spawnSync("script", ["-qec", command, "/dev/null"], {
        encoding: "utf8",
        env: { ...rest, TERM: "xterm", COLUMNS: "80", ...env },
      }).stdout;
    };
    if (spawnSync("script", ["--version"]).status !== 0) return;
    expect(onTerminal({})).toContain("\u001b[1m");
    for (const plain of [
      onTerminal({ NO_COLOR: "1" }),
      onTerminal({ CI: "true" }),
      onTerminal({}, "--no-color"),
    ])
      expect(plain).not.toContain("\u001b");
  });

  test("--log takes a line for the start, every stage and the end", async () => {
    const log = join(folder, "cron.log");
    await runCli(["inspect", orders, "--quiet", "--log", log]);
    await runCli(["inspect", join(folder, "none.csv"), "--log", log]);
    const entries = readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries.map(({ event, exit }) => [event, exit])).toEqual([
      ["start", undefined],
      ["stage", undefined],
      ["end", 0],
      ["start", undefined],
      ["end", 3],
    ]);
    const nowhere = await runCli(["inspect", orders, "--log", join(folder, "no/such/folder.log")]);
    expect(nowhere.code).toBe(3);
    expect(nowhere.stderr).toMatch(/^error: the log cannot be written.*\n {2}in .*\n {2}try /);
  });

  test("a closed pipe is no error", () => {
    const big = join(folder, "big.csv");
    writeFileSync(
      big,
      `${Array.from({ length: 60 }, (_, i) => `column_${i}`).join(",")}\n${`${"x".repeat(500)},`.repeat(60).slice(0, -1)}\n`.repeat(
        1,
      ),
    );
    const shell = (words: string): { status: number | null; stderr: string } =>
      spawnSync("bash", ["-o", "pipefail", "-c", words], {
        encoding: "utf8",
        env: { ...process.env, NODE: process.execPath, SHOPAI: binary, BIG: big },
      });
    expect(shell('"$NODE" "$SHOPAI" inspect "$BIG" --head 1000 --json --quiet | head -n 1')).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(shell('"$NODE" "$SHOPAI" schema commands | head -n 2')).toMatchObject({ status: 0, stderr: "" });
    expect(shell('"$NODE" "$SHOPAI" --help | true')).toMatchObject({ status: 0, stderr: "" });
  });
});

test("docs/commands.md is what the commands say (npm run docs)", () => {
  const made = execFileSync(process.execPath, [binary, "schema", "commands"], { encoding: "utf8" });
  expect(readFileSync(join(root, "docs/commands.md"), "utf8")).toBe(made);
});

test("nothing heavy is loaded to parse a call: the native engine, Arrow and charts come later", () => {
  const dist = join(root, "dist");
  const heavy = /^(@duckdb|apache-arrow|echarts|@tensorflow|danfojs|iconv-lite)/;
  const seen = new Set<string>();
  const offenders: string[] = [];
  const visit = (file: string, from: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, path] of readFileSync(file, "utf8").matchAll(
      /(?:^|[;\n}])import(?:[^"'();]*?from)?\s*"([^"]+)"/g,
    )) {
      if (path.startsWith(".")) visit(join(file, "..", path), from);
      else if (heavy.test(path)) offenders.push(`${from} loads ${path}`);
    }
  };
  const chunks = readdirSync(join(dist, "chunks")).filter((name) => name.endsWith(".js"));
  const commands = readdirSync(join(root, "commands")).map((name) => name.replace(/\.ts$/, ""));
  visit(join(dist, "bin/shopai.js"), "shopai");
  for (const name of chunks)
    if (
      commands.some((command) => new RegExp(`^${command}-[A-Z0-9]{8}\\.js$`).test(name)) ||
      /^run-command-/.test(name)
    )
      visit(join(dist, "chunks", name), name);
  expect(offenders).toEqual([]);
  expect(seen.size).toBeGreaterThan(10);
});

test("the folder of a temporary output stays clean", async () => {
  const place = join(folder, "place");
  mkdirSync(place);
  await runCli(["schema", "inspect", "-o", join(place, "inspect.json")]);
  expect(readdirSync(place)).toEqual(["inspect.json"]);
});
