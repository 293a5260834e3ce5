import { join } from "node:path";
import { expect, test } from "vitest";
import { openTable } from "../../src/table/open.js";
import { selectOrdered } from "../../src/table/relation.js";
import { root } from "../support/run-cli.js";
import { testRun } from "../support/test-run.js";

const run = testRun();

// Written by pyarrow 26.0.1 (tests/parity/scripts/arrow_pyarrow.py): two record batches, compressed buffers.
test.each(["lz4", "zstd"])("a Feather file of pyarrow with %s buffers", async (compression) => {
  const path = join(root, `tests/parity/fixtures/pyarrow-${compression}.feather`);
  const table = await openTable(await run.engine(), [path]);
  expect(Object.fromEntries(table.schema.map((field) => [field.name, field.type]))).toEqual({
    id: "BIGINT",
    level: "VARCHAR",
    price: "DECIMAL(20,2)",
    at: "TIMESTAMP WITH TIME ZONE",
    tags: "VARCHAR[]",
    half: "FLOAT",
    big: "VARCHAR",
    view: "VARCHAR",
    yes: "BOOLEAN",
    day: "DATE",
  });
  const rows = await table.engine.rows(selectOrdered(table));
  expect(rows).toHaveLength(1500);
  expect(rows[0]).toEqual({
    id: 0n,
    level: "low",
    price: null,
    at: "2024-01-01 00:00:00+00",
    tags: [],
    half: 0,
    big: "",
    view: "a text that is longer than twelve 0",
    yes: null,
    day: "2024-01-01",
  });
  expect(rows[1499]).toEqual({
    id: 1499n,
    level: "茶",
    price: "14.99",
    at: "2024-03-03 11:00:00+00",
    tags: ["t1", null],
    half: 0.75,
    big: "xxx",
    view: "a text that is longer than twelve 5",
    yes: false,
    day: "2024-02-29",
  });
  const [sums] = await table.engine.rows(
    `SELECT count(level) AS levels, sum(price) AS price, sum(half::DOUBLE) AS half, sum(length(big)) AS big, count(yes) AS yes FROM (${table.sql})`,
  );
  expect(sums).toEqual({ levels: 1125n, price: "9000.00", half: 1310.5, big: 7486n, yes: 1285n });
});
