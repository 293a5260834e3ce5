import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { provenanceOf } from "../../src/table/provenance.js";
import { relationOf } from "../../src/table/relation.js";
import { writeTable } from "../../src/table/write.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const folder = temporaryFolder();
const run = testRun();

/** pyarrow is an independent reader, used where somebody installed it; nothing of shopai needs Python. */
const installed = spawnSync("python3", ["-c", "import pyarrow"]).status === 0;

const reader = `
import json, sys, pyarrow.parquet, pyarrow.ipc
path = sys.argv[1]
if path.endswith(".parquet"):
    table = pyarrow.parquet.read_table(path)
elif path.endswith(".arrows"):
    table = pyarrow.ipc.open_stream(path).read_all()
else:
    table = pyarrow.ipc.open_file(path).read_all()
table.validate(full=True)
print(json.dumps({
    "types": {field.name: str(field.type) for field in table.schema},
    "rows": [{name: None if value is None else str(value) for name, value in row.items()} for row in table.to_pylist()],
    "provenance": json.loads(table.schema.metadata[b"shopai"]),
}))`;

test.skipIf(!installed).each(["parquet", "arrow", "arrows"])(
  "pyarrow reads and validates our .%s (skips without pyarrow)",
  async (ending) => {
    const relation = await relationOf(
      await run.engine(),
      `SELECT * FROM (VALUES
       (1, 9007199254740993::BIGINT, 12.50::DECIMAL(10,2), '2024-02-29'::DATE, '2024-02-29 23:59:59.123456'::TIMESTAMP, '茶 🍵', [1, NULL, 3], true),
       (2, -9223372036854775808, NULL, NULL, NULL, '', [], NULL)
     ) t(id, big, money, day, happened, name, list, yes)`,
      { key: ["id"] },
    );
    const path = join(folder, `t.${ending}`);
    await writeTable(relation, path, provenanceOf("test", { a: 1 }, 42, []));
    const read = JSON.parse(execFileSync("python3", ["-c", reader, path], { encoding: "utf8" }));
    expect(read.types).toMatchObject({
      id: "int32",
      big: "int64",
      money: "decimal128(10, 2)",
      day: expect.stringMatching(/^date32/),
      happened: "timestamp[us]",
      name: "string",
      list: "list<" + (ending === "parquet" ? "element" : "item") + ": int32>",
      yes: "bool",
    });
    expect(read.rows).toEqual([
      {
        id: "1",
        big: "9007199254740993",
        money: "12.50",
        day: "2024-02-29",
        happened: "2024-02-29 23:59:59.123456",
        name: "茶 🍵",
        list: "[1, None, 3]",
        yes: "True",
      },
      {
        id: "2",
        big: "-9223372036854775808",
        money: null,
        day: null,
        happened: null,
        name: "",
        list: "[]",
        yes: null,
      },
    ]);
    expect(read.provenance).toMatchObject({ command: "test", options: { a: 1 }, seed: 42 });
  },
);
