import { expect, test } from "vitest";
import { parseContract } from "../../src/clean/contract.js";

test.each([
  ["columns: { a: { requird: true } }", 'unknown key "requird" in columns.a', "1:17", "required"],
  ["columns: { a: {} }\nduplicate: {}", 'unknown key "duplicate"', "2:1", "duplicates"],
  ["columns: { a: { on: { typ: reject } } }", 'unknown key "typ" in columns.a.on', "1:23", "type"],
  [
    "columns: { a: { on: rejct } }",
    /^columns\.a\.on must be reject, fix, null, flag, fail or a mapping/,
    "1:21",
    "reject",
  ],
  [
    "columns: { a: { on: { required: fix } } }",
    '"required" of a cannot be mended by fix',
    "1:33",
    "default or impute, which fill it",
  ],
  ["columns: { a: { min: 3, max: 1 } }", "max is below min", "1:25", "max: 3"],
  [
    "columns: { a: {}, A: {} }",
    'the columns "a" and "A" differ only in case',
    "1:19",
    "another name for one of them",
  ],
  ["columns: { _flags: {} }", 'the column name "_flags" is kept for shopai itself', "1:12", "another name"],
  ["columns: { a: {} }\nkeys: [b]", '"b" is not a column of the contract', "2:8", "a"],
  ["columns: { qty: {} }\nduplicates: { by: [qyt] }", '"qyt" is not a column of the contract', "2:20", "qty"],
  ["columns: { a: {}, b: { derive: a } }\nduplicates: { by: [b] }", /^b is derived/, "2:20", /keys/],
  [
    "columns: { a: { derive: b, from: c } }",
    "a cannot be both derived and read",
    "1:17",
    "one of derive and from",
  ],
  [
    "columns: { a: { impute: { method: constant } } }",
    "imputing a constant needs its value",
    "1:17",
    /value: 0/,
  ],
  [
    "columns: { a: { outliers: { method: iqr } } }",
    'columns.a.outliers needs the key "action"',
    "1:17",
    "action: …",
  ],
  [
    "columns: { a: {} }\nrules: [{ name: r, sql: a, on: fix }]",
    'the rule "r" says fix and not how',
    "2:9",
    /set:/,
  ],
  [
    "columns: { a: {} }\nrules: [{ name: r, sql: a }, { name: r, sql: a }]",
    'two rules are called "r"',
    "2:38",
    "another name",
  ],
  ["columns: { a: { type: text\n", /cannot be read/, "", undefined],
  ["columns: [a]", "columns must be a mapping (key: value), got a list", "1:10", undefined],
])("%j is refused with its place", (text, message, place, advice) => {
  let error: { kind?: string; message?: string; where?: string; try?: string } = {};
  try {
    parseContract(text, "c.yaml");
  } catch (caught) {
    error = caught as typeof error;
  }
  expect(error.kind).toBe("usage");
  expect(error.message).toMatch(message);
  expect(error.where).toMatch(new RegExp(`^c\\.yaml:${place}`));
  expect(error.where).toContain("^");
  if (advice !== undefined) expect(error.try).toMatch(advice);
});

test("scalars are taken as they were written", () => {
  const [column] = parseContract('columns: { a: { values: [007, 1.50, yes, "x"] } }', "c.yaml").columns;
  expect(column.values).toEqual(["007", "1.50", "yes", "x"]);
});
