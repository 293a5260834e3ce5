import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cleanRows } from "../../src/clean/clean.js";
import { fieldKinds } from "../../src/clean/column-plan.js";
import { parseContract } from "../../src/clean/contract.js";
import { openText } from "../../src/table/open-text.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { rowsOf } from "./cleaning.js";

const run = testRun();
const folder = temporaryFolder();

const contract = parseContract(
  `columns:
  i: { type: integer }
  x: { type: number }
  d: { type: "decimal(9,2)" }
  day: { type: date }
  at: { type: timestamp }
  t: { type: text }`,
  "values.yaml",
);

const text = fc.oneof(
  fc.constantFrom(
    ...["0", "-7", "007", "-0", "-", "", "12.5", "12.", ".5", "1.234", "12.70", "1e3", "+4", "1_000", "0x1f"],
    ...[
      "9007199254740993",
      "12345678901234567",
      "12345678.00",
      "nan",
      "inf",
      "infinity",
      "epoch",
      " 1",
      "1 ",
    ],
    ...["2024-02-29", "2023-02-29", "2024-2-3", "2024-02-03 04:05:06", "2024-02-03T04:05:06", "2024/02/03"],
    ...[
      "2024-02-03 04:05",
      "2024-02-03 04:05:06.5",
      "2024-02-03 04:05:06Z",
      "2024-02-03 04:05-02",
      "0000-01-01",
    ],
    ...["2024-02-03 24:00:00", "2024-02-03 25:00:00", "9999-12-31", "caf\u00e9", "\u00a0x"],
  ),
  fc.double({ noNaN: true }).map(String),
  fc.integer().map(String),
);

test("what the scan says of the form of values spares work and changes nothing", async () => {
  const engine = await run.engine();
  const cleaned = async (path: string, kinds?: ReturnType<typeof fieldKinds>): Promise<unknown> => {
    const { relation, refused, records } = await openText(engine, [path], { kinds });
    const done = await cleanRows(engine, { rows: relation, refused, records }, contract);
    return [await rowsOf(done.table), await rowsOf(done.rejects), done.counts];
  };
  let files = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(text, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 30 }),
      async (rows) => {
        const path = join(folder, `${files++}.csv`);
        writeFileSync(path, `i,x,d,day,at,t\n${rows.map((row) => row.join(",")).join("\n")}\n`);
        expect(await cleaned(path, fieldKinds(contract))).toEqual(await cleaned(path));
      },
    ),
    { numRuns: 8 },
  );
});

test("a value in plain form that the type cannot hold is refused as any other", async () => {
  const engine = await run.engine();
  const path = join(folder, "bounds.csv");
  writeFileSync(
    path,
    "i,x,d,day,at,t\n1,1,12345678.00,2024-01-01,2024-01-01,a\n1,1,1,2024-02-30,2024-01-01,a\n",
  );
  const { relation, refused, records } = await openText(engine, [path], { kinds: fieldKinds(contract) });
  const { counts } = await cleanRows(engine, { rows: relation, refused, records }, contract);
  expect(counts.by_rule).toEqual({ "d.type": 1, "day.type": 1 });
});
