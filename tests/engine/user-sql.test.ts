import { describe, expect, test } from "vitest";
import { checkPredicate, checkScalar } from "../../src/engine/duckdb.js";
import { testRun } from "../support/test-run.js";

const run = testRun();

describe("what a user's expression may hold", () => {
  test.each([
    "price > 0 and country = 'NO'",
    '"odd ""name" in (1, 2, 3) or x is not null -- why',
    "name like '%;%' and note = 'select (1); drop table t'",
    "list_transform(l, lambda z: z + 1)[1] between 1 and 2",
    "case when a then b else c end = cast(d as integer) /* fine */",
    "day >= date '2024-01-01' + interval 3 day",
    "regexp_matches(sku, '^[A-Z]+$') and record.field.inner = 1",
  ])("%s", async (text) => {
    await expect(checkPredicate(await run.engine(), text)).resolves.toBeUndefined();
    await expect(checkScalar(await run.engine(), text, "rule")).resolves.toBeUndefined();
  });
});

describe("what it may not", () => {
  test.each([
    ["", "it is empty"],
    ["  ", "it is empty"],
    ["a >", "syntax error"],
    ["1 = 1); drop table t; select (1", "more than one statement|more than an expression|parse|SELECT"],
    ["1 = 1; select 2", "syntax error|more than one statement"],
    ["x in (select 1)", "a subquery may not stand here"],
    ["exists (select * from read_text('/etc/passwd'))", "a subquery may not stand here"],
    ["(select content from read_text('/etc/passwd')) = 'x'", "a subquery may not stand here"],
    ["x = (from 'secret.csv')", "a subquery may not stand here"],
    ["1 = 1) union select 1 where (1 = 1", "more than an expression"],
    ["1 = 1) union all select content from read_text('x') where (true", "more than an expression"],
    ["1 = 1) order by (1", "more than an expression"],
    ["1 = 1) group by (1", "more than an expression"],
    ["1 = 1) limit (1", "more than an expression"],
    ["1 = 1) qualify (true", "more than an expression"],
    ["row_number() over () = 1", "a window over other rows may not stand here"],
    ["getenv('HOME') = 'x'", "getenv\\(\\) may not stand here"],
    ["main.random() < 0.5", "random\\(\\) may not stand here"],
    ["RANDOM() < 0.5", "may not stand here"],
    ["day < now()", "now\\(\\) may not stand here"],
    ["day < current_date", "current_date may not stand here"],
    ["current_setting('temp_directory') = 'x'", "current_setting\\(\\) may not stand here"],
    ["x = $1", "a parameter may not stand here"],
    ["x = ?", "a parameter may not stand here"],
    ["columns(*) > 1", "\\* may not stand here"],
    ["attach database 'x.db'", "syntax error"],
    ["pragma database_list", "syntax error"],
    ["x = 1 /* never closed", "syntax error|unterminated"],
    ["x = 'never closed", "syntax error|unterminated"],
  ])("%s", async (text, why) => {
    const message = expect.stringMatching(new RegExp(why, "i"));
    await expect(checkPredicate(await run.engine(), text)).rejects.toMatchObject({ kind: "usage", message });
    await expect(checkScalar(await run.engine(), text, "rule")).rejects.toMatchObject({ kind: "usage" });
  });

  test("user is a column where there is one, and else the session's", async () => {
    const engine = await run.engine();
    await expect(
      checkPredicate(engine, 'user > 5 and "user" < 9', "--where", ["User"]),
    ).resolves.toBeUndefined();
    for (const text of ["user > 5", '"user" > 5', "user() = 'x'", "t.user() > 5"])
      await expect(checkPredicate(engine, text, "--where", ["users"])).rejects.toThrow("may not stand here");
    await expect(checkPredicate(engine, "user() = 'x'", "--where", ["user"])).rejects.toThrow("user()");
    const [{ n }] = await engine.rows<{ n: bigint }>(
      'SELECT count(*) AS n FROM (SELECT unnest([3, 7, 8]) AS "user") WHERE (user > 5 and "user" < 8)',
    );
    expect(n).toBe(1n);
  });

  test("a scalar is one column", async () => {
    await expect(checkScalar(await run.engine(), "1) AS value, (2", "rule")).rejects.toMatchObject({
      message: "rule is not one SQL expression: it holds more than an expression",
    });
    await expect(
      checkScalar(await run.engine(), "1) from read_text('x'), (select 2", "rule"),
    ).rejects.toMatchObject({
      kind: "usage",
    });
  });
});

describe("the engine is locked", () => {
  test.each([
    "SET autoinstall_known_extensions = true",
    "SET temp_directory = '/'",
    "SET lock_configuration = false",
  ])("%s is refused", async (sql) => {
    await expect((await run.engine()).run(sql)).rejects.toThrow(/locked/);
  });

  test("an extension that is not built in is neither loaded nor fetched", async () => {
    const engine = await run.engine();
    await expect(engine.run("SELECT * FROM read_xlsx('x.xlsx')")).rejects.toThrow(/read_xlsx/);
    await expect(engine.run("SELECT * FROM 'http://127.0.0.1:9/x.parquet'")).rejects.toThrow(
      /httpfs|extension/i,
    );
  });
});
