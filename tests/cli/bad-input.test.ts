import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli, type Outcome } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

const files: Record<string, string | Uint8Array> = {
  "orders.csv": `id,price,name\n${Array.from({ length: 40 }, (_, i) => `${i % 8},${i}.5,n${i % 5}`).join("\n")}\n`,
  "ragged.csv": "id,price,name\n1,2.5,a\n2,3.5\n3,1,b,c,d\n",
  "nul.csv": "id,price\n1,2\u0000\n2,3\n",
  "empty.csv": "",
  "header.csv": "id,price\n",
  "twice.csv": "id,price,id\n1,2,3\n",
  "case.csv": "id,price,ID\n1,2,3\n",
  "text.csv": "id,price\n1,2\n2,cheap\n3,4\n",
  "binary.csv": Uint8Array.from({ length: 2560 }, (_, i) => i % 256),
  "promise.yaml": "columns:\n  id: { type: integer }\n  price: { type: number, on: fail }\n",
  "unknown.yaml": "columns:\n  id: { type: integer }\n  price: { typ: number }\n",
  "readme/notes.md": "no table here",
};

/** What the folder holds: nothing may be added to it by a call that fails. */
const listing = (): string[] => readdirSync(folder, { recursive: true }).map(String).sort();

beforeAll(async () => {
  mkdirSync(at("readme"));
  for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content);
  await runCli(["clean", at("orders.csv"), "-o", at("orders.parquet"), "--quiet"]);
  await runCli([
    "train",
    "popularity",
    at("orders.parquet"),
    "--user",
    "id",
    "--item",
    "name",
    "-o",
    at("model"),
    "--quiet",
  ]);
  const whole = readFileSync(at("orders.parquet"));
  writeFileSync(at("cut.parquet"), whole.subarray(0, whole.length / 2));
});

interface Expected {
  code: number;
  error: string | RegExp;
  in: string | RegExp;
  try: string | RegExp;
}

/** One clear error, its exit code, no stack, nothing on stdout and nothing left in the folder. */
async function refused(
  args: readonly string[],
  expected: Expected,
  options: Parameters<typeof runCli>[1] = {},
): Promise<Outcome> {
  const before = listing();
  const outcome = await runCli([...args, "--quiet"], options);
  expect(listing()).toEqual(before);
  const { code, stdout, stderr } = outcome;
  expect(stdout).toBe("");
  expect(stderr).not.toMatch(/\n\s+at |a bug in shopai/);
  const parts = /^error: ([^\n]*)\n {2}in {2}([^]*?)\n {2}try ([^]*?)\n$/.exec(stderr);
  expect(parts, stderr).not.toBeNull();
  const [, message, where, advice] = parts!;
  const fits = (text: string, wanted: string | RegExp): void =>
    typeof wanted === "string" ? expect(text).toBe(wanted) : expect(text).toMatch(wanted);
  fits(message, expected.error);
  fits(where, expected.in);
  fits(advice, expected.try);
  expect(code).toBe(expected.code);
  return outcome;
}

describe("files", () => {
  test.each<[string, string[], Expected]>([
    [
      "a missing file",
      ["inspect", at("order.csv")],
      { code: 3, error: "no such file", in: at("order.csv"), try: at("orders.csv") },
    ],
    [
      "a folder without a table",
      ["inspect", at("readme")],
      { code: 3, error: "the folder holds no table", in: at("readme"), try: /parquet.*csv/ },
    ],
    [
      "Parquet cut in half",
      ["inspect", at("cut.parquet")],
      {
        code: 3,
        error: "the Parquet file is cut short: its end is missing",
        in: at("cut.parquet"),
        try: /copy/,
      },
    ],
    [
      "Parquet cut in half, cleaned",
      ["clean", at("cut.parquet"), "-o", at("out.parquet")],
      { code: 3, error: /cut short/, in: at("cut.parquet"), try: /copy/ },
    ],
    [
      "ragged rows",
      ["inspect", at("ragged.csv")],
      {
        code: 3,
        error: "2 of 3 records cannot be read; the first: 2 fields where the header has 3",
        in: `${at("ragged.csv")}, line 3`,
        try: /shopai clean .*ragged\.csv.* --rejects/,
      },
    ],
    [
      "a NUL byte",
      ["inspect", at("nul.csv")],
      { code: 3, error: /NUL byte/, in: `${at("nul.csv")}, line 2`, try: /--rejects/ },
    ],
    [
      "0 bytes",
      ["inspect", at("empty.csv")],
      { code: 3, error: "the file is empty (0 bytes)", in: at("empty.csv"), try: /copy/ },
    ],
    [
      "binary bytes",
      ["inspect", at("binary.csv")],
      { code: 3, error: /binary/, in: at("binary.csv"), try: /--format|--encoding/ },
    ],
    [
      "a wrong separator",
      ["inspect", at("orders.csv"), "--delimiter", ";"],
      {
        code: 3,
        error: 'with the separator ";" the file has one column, with "," it has 3',
        in: at("orders.csv"),
        try: '--delimiter ","',
      },
    ],
    [
      "two columns of one name",
      ["inspect", at("twice.csv")],
      { code: 3, error: 'two columns are called "id"', in: at("twice.csv"), try: /renaming/ },
    ],
    [
      "two columns that differ in case",
      ["clean", at("case.csv"), "-o", at("out.parquet")],
      { code: 3, error: /"id" and "ID" differ only/, in: at("case.csv"), try: /renaming/ },
    ],
    [
      "CSV called Parquet",
      ["inspect", at("orders.csv"), "--format", "parquet"],
      { code: 3, error: /no Parquet file/, in: at("orders.csv"), try: /--format/ },
    ],
  ])("%s", async (_, args, expected) => {
    await refused(args, expected);
  });

  test("a header alone is a table of no rows, not an error", async () => {
    const { code, json } = await runCli(["inspect", at("header.csv"), "--json"]);
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      rows: 0,
      columns: [{ name: "id", nulls: 0, distinct: 0 }, { name: "price" }],
    });
  });

  test("but nothing can be learned from it", async () => {
    await refused(
      ["train", "popularity", at("header.csv"), "--user", "id", "--item", "price", "-o", at("empty-model")],
      {
        code: 3,
        error: /no rows|empty/,
        in: /header\.csv/,
        try: /./,
      },
    );
  });
});

describe("columns and values", () => {
  const has = "(it has id, price, name)";
  test.each<[string, string[], Expected]>([
    [
      "a column that is not there",
      ["train", "popularity", at("orders.csv"), "--user", "id", "--item", "nmae", "-o", at("m")],
      { code: 3, error: `column "nmae" is not in the table ${has}`, in: /orders\.csv/, try: "--item name" },
    ],
    [
      "a column in --where that is not there",
      ["inspect", at("orders.csv"), "--where", "prise > 2"],
      { code: 3, error: `column "prise" is not in the table ${has}`, in: /orders\.csv/, try: /price/ },
    ],
    [
      "text where numbers are promised",
      ["clean", at("text.csv"), "--contract", at("promise.yaml"), "-o", at("out.parquet")],
      {
        code: 3,
        error: '1 row breaks the rule "price.type", which says fail',
        in: `${at("text.csv")}:3`,
        try: /reject, null or flag/,
      },
    ],
    [
      "an unknown key in a contract",
      ["clean", at("orders.csv"), "--contract", at("unknown.yaml"), "-o", at("out.parquet")],
      {
        code: 2,
        error: 'unknown key "typ" in columns.price',
        in: /unknown\.yaml:3:12\n\s+3 \| {3}price: \{ typ: number \}\n\s+\|\s+\^$/,
        try: "type",
      },
    ],
    [
      "a second statement in --where",
      ["inspect", at("orders.csv"), "--where", "1=1; drop table x"],
      {
        code: 2,
        error: /--where is not one SQL expression/,
        in: "1=1; drop table x",
        try: /plain expression/,
      },
    ],
    [
      "a file read in --where",
      ["inspect", at("orders.csv"), "--where", "exists (select * from read_text('/etc/passwd'))"],
      { code: 2, error: /--where is not one SQL expression/, in: /read_text/, try: /plain expression/ },
    ],
    [
      "--threads 0",
      ["inspect", at("orders.csv"), "--threads", "0"],
      {
        code: 2,
        error: "--threads must be an integer from 1 to 1024, got 0",
        in: /^shopai inspect .*--threads 0/,
        try: "shopai inspect --help",
      },
    ],
    [
      "--memory of no size",
      ["inspect", at("orders.csv"), "--memory", "lots"],
      { code: 2, error: '"lots" is not a size', in: /--memory lots/, try: /GB/ },
    ],
    [
      "an engine that is not there",
      ["inspect", at("orders.csv"), "--engine", "sc://nowhere:1"],
      { code: 5, error: /cannot be reached/, in: /sc:/, try: "--engine duckdb" },
    ],
    [
      "a command that is none",
      ["clen", at("orders.csv")],
      { code: 2, error: '"clen" is not a command', in: /^shopai clen/, try: "shopai clean" },
    ],
    [
      "an option that is none",
      ["clean", at("orders.csv"), "--contrat", "x", "-o", at("out.parquet")],
      { code: 2, error: "clean has no option --contrat", in: /--contrat x/, try: "--contract" },
    ],
  ])("%s", async (_, args, expected) => {
    await refused(args, expected);
  });

  test("SQL in a column's name is a name, through to the output", async () => {
    const path = at("names.csv");
    writeFileSync(path, '"id","""; drop table x; --","it\'s ""one"""\n1,2,3\n');
    const out = at("names.parquet");
    expect((await runCli(["clean", path, "-o", out, "--quiet"])).code).toBe(0);
    const { json } = await runCli(["inspect", out, "--json", "--where", '"""; drop table x; --" = 2']);
    expect(json<{ rows: number; columns: { name: string }[] }>()).toMatchObject({
      rows: 1,
      columns: [{ name: "id" }, { name: '"; drop table x; --' }, { name: 'it\'s "one"' }],
    });
  });

  test("paths with spaces and quotes, in and out", async () => {
    const odd = at('it\'s a "folder" $HOME [1]');
    mkdirSync(odd);
    writeFileSync(join(odd, "a b;c.csv"), "id\n1\n");
    const out = join(odd, "out 'x' [2].parquet");
    expect((await runCli(["clean", join(odd, "a b;c.csv"), "-o", out, "--quiet"])).stderr).toBe("");
    expect((await runCli(["inspect", out, "--json"])).json()).toMatchObject({ rows: 1 });
    expect(readdirSync(odd).sort()).toEqual(["a b;c.csv", "out 'x' [2].parquet"]);
  });

  test("NaN and infinities are numbers that are counted, and no promise of a number", async () => {
    const path = at("nan.csv");
    writeFileSync(path, "id,price\n1,nan\n2,inf\n3,-inf\n4,1.5\n");
    const { json, stdout } = await runCli(["inspect", path, "--json"]);
    expect(stdout).not.toMatch(/NaN|Infinity/);
    expect(json<{ columns: object[] }>().columns[1]).toMatchObject({
      nan: 1,
      infinite: 2,
      min: 1.5,
      max: 1.5,
      mean: 1.5,
    });
    const cleaned = await runCli([
      "clean",
      path,
      "--contract",
      at("reject.yaml"),
      "-o",
      at("nan.parquet"),
      "--json",
      "--quiet",
    ]);
    expect(cleaned.json()).toMatchObject({
      rows_in: 4,
      rows_out: 1,
      rejected: 3,
      by_rule: { "price.type": 3 },
    });
  });
  beforeAll(() =>
    writeFileSync(at("reject.yaml"), "columns:\n  id: { type: integer }\n  price: { type: number }\n"),
  );
});

describe("models", () => {
  const copied = (name: string, change: (folder: string) => void): string => {
    execFileSync("cp", ["-r", at("model"), at(name)]);
    change(at(name));
    return at(name);
  };

  test("a folder that is no model", async () => {
    await refused(["predict", at("readme"), at("orders.csv"), "-o", at("out.csv")], {
      code: 4,
      error: /no model/,
      in: at("readme"),
      try: /train/,
    });
  });

  test("another version", async () => {
    const model = copied("newer", (path) => {
      const card = readFileSync(join(path, "model.json"), "utf8");
      writeFileSync(join(path, "model.json"), card.replace(/"format_version": \d+/, '"format_version": 99'));
    });
    await refused(["predict", model, "-o", at("out.csv")], {
      code: 4,
      error: /version 99/,
      in: model,
      try: /train/,
    });
    await refused(["inspect", model], { code: 4, error: /version 99/, in: model, try: /train/ });
  });

  test("a flipped byte in any file", async () => {
    const names = readdirSync(at("model")).filter((name) => name !== "model.json");
    expect(names.length).toBeGreaterThan(0);
    const model = copied("flipped", (path) => {
      const bytes = readFileSync(join(path, names[0]));
      bytes[bytes.length - 1] ^= 1;
      writeFileSync(join(path, names[0]), bytes);
    });
    const expected = { code: 4, error: /damaged/, in: join(model, names[0]), try: /again|copy/ };
    await refused(["inspect", model], expected);
    await refused(["predict", model, "-o", at("out.csv")], expected);
  });
});

describe("outputs", () => {
  const clean = (out: string): string[] => ["clean", at("orders.csv"), "-o", out];
  test.each<[string, string[], Expected]>([
    [
      "a file where a folder should be",
      clean(join(at("orders.csv"), "out.parquet")),
      { code: 3, error: /has a file where its folder should be/, in: /out\.parquet/, try: /path/ },
    ],
    [
      "a folder that cannot be made",
      clean("/proc/none/out.parquet"),
      { code: 3, error: /in a folder that cannot be made/, in: "/proc/none/out.parquet", try: /folder/ },
    ],
    [
      "a folder in the place of the file",
      clean(at("folder.parquet")),
      { code: 3, error: /is a folder/, in: /folder\.parquet/, try: /file/ },
    ],
    [
      "an ending that names no format",
      clean(at("out.xyz")),
      { code: 2, error: /does not name a format/, in: /out\.xyz/, try: /\.parquet/ },
    ],
  ])("%s", async (_, args, expected) => {
    await refused(args, expected);
  });
  beforeAll(() => mkdirSync(at("folder.parquet")));

  const small = at("small-disk");
  const isMounted = mounted(small);
  afterAll(() => {
    if (isMounted) execFileSync("umount", [small]);
  });
  test.skipIf(!isMounted)("a full disk (skips where no small file system can be mounted)", async () => {
    const rows = Array.from(
      { length: 60_000 },
      (_, i) => `${i},${(i * 7919) % 1_000_003},x${(i * 104_729) % 999_983}`,
    );
    writeFileSync(at("large.csv"), `id,a,b\n${rows.join("\n")}\n`);
    writeFileSync(join(small, "old.parquet"), "old");
    await refused(["clean", at("large.csv"), "-o", join(small, "old.parquet")], {
      code: 3,
      error: /does not fit: the disk is full/,
      in: join(small, "old.parquet"),
      try: /room|disk/,
    });
    expect(readdirSync(small)).toEqual(["old.parquet"]);
    expect(readFileSync(join(small, "old.parquet"), "utf8")).toBe("old");
  });
});

/** A file system of 64 kB, where the user may mount one. */
function mounted(path: string): boolean {
  try {
    mkdirSync(path);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path], { stdio: "ignore" });
    return true;
  } catch {
    rmSync(path, { recursive: true, force: true });
    return false;
  }
}
