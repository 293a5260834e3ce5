import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  kindNumber,
  PlainCopier,
  WasmCopier,
  type FieldKind,
  type RecordCopier,
} from "../../src/table/copy-records.js";
import { CsvScanner, shown } from "../../src/table/scan-csv.js";
import { openText } from "../../src/table/open-text.js";
import { selectOrdered } from "../../src/table/relation.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const folder = temporaryFolder();

/** Bytes that are likely to meet: grammar, text, torn characters. */
const soup = fc
  .array(
    fc.constantFrom(
      ...[
        "a",
        "bc",
        '"',
        '""',
        ",",
        ",",
        "\n",
        "\n",
        "\r",
        "\r\n",
        ";",
        "é",
        "茶",
        "🛒",
        "\ufffd",
        "\0",
        " ",
      ].map((text) => Buffer.from(text)),
      Buffer.from([0xff]),
      Buffer.from([0xe8, 0x8c]),
      Buffer.from([0xc0, 0xaf]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from("x".repeat(70)),
    ),
    { maxLength: 120 },
  )
  .map((parts) => Buffer.concat(parts));

/** Lines of two columns, of values as they are commonly written, nearly so, and not at all. */
const values = fc
  .array(
    fc.constantFrom(
      ...[
        "0",
        "-7",
        "007",
        "-",
        "",
        "12.5",
        "12.",
        ".5",
        "1.234",
        "--1",
        "1e3",
        "+4",
        "1.2.3",
        "1".repeat(16),
      ],
      ...[
        "1".repeat(17),
        `-${"9".repeat(16)}`,
        "2024-02-30",
        "2024-2-3",
        "2024-02-03 04:05:06",
        "2024/02/03",
      ],
      ...[
        "2024-02-03T04:05:06",
        "2024-02-03 04:05",
        "2024-02-03 04:05:06Z",
        "20240-1-030",
        "nan",
        " 1",
        "1\t",
      ],
    ),
    { maxLength: 40 },
  )
  .map((parts) => Buffer.from(parts.map((part, i) => part + (i % 2 ? "\n" : ",")).join("")));

/** CSV lines of two columns, most of them good. */
const lines = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom("a,b", '"a","b ""c"""', '"x\ny",1', ",", '"",', "茶,é", "1,2\r"),
      },
      { weight: 1, arbitrary: fc.constantFrom("a", "a,b,c", '"a"b,c', 'a,"b', "", 'a"b,c', "\0,1") },
    ),
    { maxLength: 40 },
  )
  .map((parts) => Buffer.from(parts.join("\n")));

const kind = fc
  .constantFrom<(FieldKind | undefined)[]>(
    undefined,
    "number",
    "date",
    "timestamp",
    { decimal: 0 },
    { decimal: 2 },
  )
  .map(kindNumber);

test("the fast copier does what the plain one does", () => {
  const fast = WasmCopier.create()!;
  expect(fast, "npm run build makes the kernel").toBeDefined();
  const plain = new PlainCopier();
  fc.assert(
    fc.property(
      fc.oneof(soup, lines, values),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(",", ";"),
      fc.constantFrom("", "12,"),
      fc.boolean(),
      fc.integer({ min: 1, max: 100_000 }),
      fc.nat(10),
      fc.array(kind, { minLength: 3, maxLength: 3 }),
      (bytes, columns, delimiter, prefix, strict, line, skip, kinds) => {
        const shape = {
          delimiter: delimiter.charCodeAt(0),
          columns,
          kinds: Uint8Array.from(kinds.slice(0, columns)),
          prefix: Buffer.from(prefix),
          strict,
        };
        const start = Math.min(skip, bytes.length);
        const runs = [plain, fast].map((copier: RecordCopier) => {
          copier.reserve(bytes.length);
          copier.input.set(bytes);
          const done = copier.copy(start, bytes.length, shape, line);
          return { ...done, text: copier.output.toString("latin1", 0, done.written) };
        });
        expect(runs[1]).toEqual(runs[0]);
      },
    ),
    { numRuns: 3000 },
  );
});

test("a line stands negative where trimming or normalising could change a field", () => {
  const records = ["a,b c", "a,", "a, b", "a\t,b", '"a",b', "caf\u00e9,b", "a,b\r", "a ,b", "~,!", 'a "x,b'];
  for (const copier of [new PlainCopier(), WasmCopier.create()!]) {
    const { good } = scan(copier, Buffer.from(`${records.join("\n")}\n`), 2, []);
    const odd = good.split("\n").filter((line) => line.startsWith("-"));
    expect(odd.map((line) => records[Number(line.slice(1, line.indexOf(","))) - 1])).toEqual(
      records.filter((record) => /[ \t],|,[ \t]|"|\u00e9/.test(record)),
    );
  }
});

function scan(copier: RecordCopier, bytes: Buffer, columns: number, cuts: readonly number[]) {
  const good: string[] = [];
  const refused: [number, string, string][] = [];
  const scanner = new CsvScanner(copier, 0x2c, columns, 1, {
    good: (text) => void good.push(text.toString()),
    refuse: (line, reason, raw) => void refused.push([line, reason, raw]),
  });
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const to = Math.min(cut, bytes.length);
    if (to > at) scanner.push(bytes.subarray(at, to));
    at = Math.max(at, to);
  }
  if (at < bytes.length) scanner.push(bytes.subarray(at));
  scanner.end();
  return { good: good.join(""), refused, records: scanner.records };
}

test("what a scan finds depends neither on how the bytes come in pieces nor on the copier", () => {
  const copiers = [new PlainCopier(), WasmCopier.create()!];
  fc.assert(
    fc.property(
      fc.oneof(soup, lines),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.nat(400), { maxLength: 8 }),
      (bytes, columns, cuts) => {
        const whole = scan(copiers[0], bytes, columns, []);
        for (const copier of copiers) expect(scan(copier, bytes, columns, cuts)).toEqual(whole);
      },
    ),
    { numRuns: 1000 },
  );
});

test("bytes that are no text can be had back from what is shown", () => {
  fc.assert(
    fc.property(soup, (bytes) => {
      const text = shown(bytes, true);
      const parts = text.split(/(\\\\|\\x[0-9A-F]{2})/).map((part) => {
        if (part === "\\\\") return Buffer.from("\\");
        return part.startsWith("\\x") ? Buffer.from(part.slice(2), "hex") : Buffer.from(part);
      });
      expect(Buffer.concat(parts)).toEqual(bytes);
    }),
  );
});

describe("against DuckDB's own reader", () => {
  const good = fc.constantFrom(
    "1,2,3",
    '"a,b","c ""d""",e',
    '"two\nlines",x,',
    ",,",
    '"","",""',
    "茶,🛒,é",
    "12,a b,-1.5",
    '5" pipe,x,y',
  );
  const bad = fc.constantFrom(
    "1,2",
    "1,2,3,4",
    '"x" y,2,3',
    "a",
    Buffer.from([0x61, 0xff, 0x2c, 0x62, 0x2c, 0x63]),
    '1,"x"",y",2"z',
  );

  test("the same rows are good, as many are refused, and good + refused = records", async () => {
    const engine = await run.engine();
    let number = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 5, arbitrary: good }, { weight: 1, arbitrary: bad }), {
          minLength: 1,
          maxLength: 60,
        }),
        async (records) => {
          const path = join(folder, `dirty${++number}.csv`);
          writeFileSync(
            path,
            Buffer.concat([
              Buffer.from("a,b,c\n"),
              ...records.flatMap((record) => [Buffer.from(record), Buffer.from("\n")]),
            ]),
          );
          const raw = await openText(engine, [path], { delimiter: "," });
          const ours = await engine.rows(selectOrdered(raw.relation));
          const [{ n }] = await engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${raw.refused.sql})`);
          const theirs = await engine.rows(
            `SELECT * FROM read_csv('${path}', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, strict_mode = true, store_rejects = true, rejects_scan = 'scan_${number}', rejects_table = 'refused_${number}', columns = {a: 'VARCHAR', b: 'VARCHAR', c: 'VARCHAR'})`,
          );
          const [{ refused }] = await engine.rows<{ refused: bigint }>(
            `SELECT count(DISTINCT line) AS refused FROM refused_${number}`,
          );
          expect(ours).toEqual(theirs);
          expect(n).toBe(refused);
          expect(raw.records).toBe(ours.length + Number(n));
          expect(raw.records).toBe(records.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});
