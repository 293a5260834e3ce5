import fc from "fast-check";
import { expect, test } from "vitest";
import type { Column, Frame } from "../../src/engine/frame.js";
import { testRun } from "../support/test-run.js";

const run = testRun();

test("columns come as asked, with what is absent marked", async () => {
  const engine = await run.engine();
  const sql = `SELECT range AS n, CASE WHEN range % 3 > 0 THEN range END AS sparse, 'k' || (range % 3) AS t FROM range(5000) ORDER BY range`;
  const frame = await engine.frame(sql, [
    { name: "sparse", as: "f64" },
    { name: "sparse", as: "f64" },
    { name: "n", as: "i64" },
    { name: "t", as: "code" },
  ]);
  expect(frame.rows).toBe(5000);
  const [sparse, n, t] = ["sparse", "n", "t"].map((name) => frame.columns.get(name)!);
  expect([...sparse.values.slice(0, 5)]).toEqual([NaN, 1, 2, NaN, 4]);
  expect(sparse.values[4999]).toBe(4999);
  expect(n).toMatchObject({ kind: "i64", valid: undefined });
  expect(n.values[4999]).toBe(4999n);
  expect(t).toMatchObject({ kind: "code", levels: ["k0", "k1", "k2"] });
  expect([...t.values.slice(0, 4)]).toEqual([0, 1, 2, 0]);
  const integers = await engine.frame(sql, [{ name: "sparse", as: "i32" }]);
  const column = integers.columns.get("sparse")! as Extract<Column, { kind: "i32" }>;
  expect([...column.valid!.slice(0, 4)]).toEqual([0, 1, 1, 0]);
  expect([...column.values.slice(0, 4)]).toEqual([0, 1, 2, 0]);
});

test("any frame that is loaded reads back as it was", async () => {
  const engine = await run.engine();
  const rows = fc.integer({ min: 0, max: 5000 });
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 1, max: 9 }), async (count, gap) => {
      const holes = Uint8Array.from({ length: count }, (_, i) => (i % gap === 0 ? 0 : 1));
      const f64 = Float64Array.from({ length: count }, (_, i) => (holes[i] ? i / 7 : NaN));
      const i32 = Int32Array.from({ length: count }, (_, i) => (holes[i] ? i - 50 : 0));
      const i64 = BigInt64Array.from({ length: count }, (_, i) => BigInt(i) * 2n ** 50n);
      const text = Array.from({ length: count }, (_, i) => (holes[i] ? `茶 ${i}` : null));
      const frame: Frame = {
        rows: count,
        columns: new Map<string, Column>([
          ["row", { kind: "i32", values: Int32Array.from({ length: count }, (_, i) => i) }],
          ["f64", { kind: "f64", values: f64 }],
          ["i32", { kind: "i32", values: i32, valid: holes }],
          ["i64", { kind: "i64", values: i64 }],
          ["text", { kind: "text", values: text }],
        ]),
      };
      const table = engine.fresh("frame");
      await engine.load(table, frame);
      const back = await engine.frame(
        `SELECT * FROM ${table} ORDER BY row`,
        [...frame.columns].map(([name, column]) => ({ name, as: column.kind })),
      );
      expect(back.rows).toBe(count);
      for (const name of ["f64", "i64", "text", "i32"])
        expect(back.columns.get(name)!.values).toEqual(frame.columns.get(name)!.values);
      const { valid } = back.columns.get("i32") as Extract<Column, { kind: "i32" }>;
      expect(valid ?? new Uint8Array(count).fill(1)).toEqual(holes);
    }),
    { numRuns: 12 },
  );
});
