import fc from "fast-check";
import { stringify } from "yaml";
import { z } from "zod";
import { describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { checkYaml, keysAt, parseYaml, yamlError } from "../../src/core/yaml-source.js";

const text = `table: orders
columns:
  order_id: { type: text, required: true }
  price:
    type: decimal(12,2)
    min: 0
    codes: [007, "a", 1e3]
`;

const schema = z.strictObject({
  table: z.string().optional(),
  columns: z.record(
    z.string(),
    z.strictObject({
      type: z.string(),
      required: z.boolean().optional(),
      min: z.number().optional(),
      on: z.enum(["reject", "fix", "null"]).optional(),
      codes: z.array(z.union([z.string(), z.number()])).optional(),
      keep: z.union([z.boolean(), z.strictObject({ by: z.array(z.string()) })]).optional(),
    }),
  ),
});

function thrown(work: () => unknown): ShopaiError {
  try {
    work();
  } catch (error) {
    return error as ShopaiError;
  }
  throw new Error("nothing was thrown");
}

describe("places", () => {
  const source = parseYaml(text, "orders.yaml");

  test("of keys and values, in flow and block style", () => {
    expect(source.locate(["columns", "order_id", "required"], "key")).toMatchObject({ line: 3, col: 27 });
    expect(source.locate(["columns", "order_id", "required"])).toMatchObject({ line: 3, col: 37 });
    expect(source.locate(["columns", "price", "codes", 1])).toMatchObject({ line: 7, col: 18 });
    expect(source.locate(["columns", "price", "min"]).caret).toBe("6 |     min: 0\n  |          ^");
  });

  test("of a path that is not there are its nearest parent's", () => {
    expect(source.locate(["columns", "price", "max"]).line).toBe(5);
  });

  test("of a scalar keep its spelling", () => {
    expect(source.textAt(["columns", "price", "codes", 0])).toBe("007");
    expect(source.textAt(["columns", "price", "codes", 2])).toBe("1e3");
    expect(source.textAt(["columns"])).toBeUndefined();
  });
});

test("an error shows file, line, column, the line and a caret", () => {
  const error = yamlError(parseYaml(text, "orders.yaml"), ["columns", "price", "min"], "min is above max");
  expect(error.kind).toBe("usage");
  expect(error.where).toBe("orders.yaml:6:10\n6 |     min: 0\n  |          ^");
});

test.each([
  ["a: 1\n  b: 2", /cannot be read/, /^f\.yaml:\d+:\d+\n/],
  ["a: 1\na: 2", /unique/, /^f\.yaml:2:1\n2 \| a: 2\n {2}\| \^$/],
  ["a: [1, 2", /cannot be read/, /^f\.yaml:1:/],
  ["a: *nobody", /alias/i, /f\.yaml/],
])("text that is not YAML is refused with its place: %j", (bad, message, where) => {
  const error = thrown(() => parseYaml(bad, "f.yaml"));
  expect(error).toBeInstanceOf(ShopaiError);
  expect(error.message).toMatch(message);
  expect(error.where).toMatch(where);
});

describe("checking by a schema", () => {
  const failing = (yaml: string): ShopaiError => thrown(() => checkYaml(parseYaml(yaml, "f.yaml"), schema));

  test("an unknown key is named with the nearest one", () => {
    const error = failing("columns:\n  price: { type: text, requird: true }\n");
    expect(error.message).toBe('unknown key "requird" in columns.price');
    expect(error.where).toBe(
      "f.yaml:2:24\n2 |   price: { type: text, requird: true }\n  |                        ^",
    );
    expect(error.try).toBe("required");
  });

  test("an unknown key far from any lists them", () => {
    expect(failing("columns: {}\nzzzzzz: 1").try).toBe("one of table, columns");
  });

  test("a wrong choice, a wrong type, a missing key, an empty file", () => {
    expect(failing("columns: { a: { type: text, on: rejct } }")).toMatchObject({
      message: 'columns.a.on must be reject, fix, null, got "rejct"',
      try: "reject",
    });
    expect(failing("columns: { a: { type: 3 } }").message).toBe("columns.a.type must be a text, got 3");
    expect(failing("columns: { a: { min: 3 } }").message).toBe('columns.a needs the key "type"');
    expect(failing("# nothing").message).toBe("the YAML file holds nothing");
    expect(failing("columns: { a: { type: text, codes: 3 } }").message).toBe(
      "columns.a.codes must be a list, got 3",
    );
  });

  test("inside a union the branch that fits best is blamed", () => {
    expect(failing("columns: { a: { type: text, keep: { bz: [x] } } }").where).toContain("f.yaml:1:37");
    expect(failing("columns: { a: { type: text, keep: 3 } }").message).toBe(
      "columns.a.keep must be true or false or a mapping (key: value), got 3",
    );
  });

  test("keys of a place are found through records and unions", () => {
    expect(keysAt(schema, ["columns", "anything", "keep"])).toEqual(["by"]);
  });
});

test("any mapping that was written can be located, key by key", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.integer(), { minKeys: 1 }),
      (map) => {
        const written = stringify(map);
        const source = parseYaml(written, "f.yaml");
        for (const key of Object.keys(map)) {
          const place = source.locate([key], "value");
          const line = written.split("\n")[place.line - 1];
          expect(line.slice(place.col - 1)).toBe(String(map[key]));
        }
      },
    ),
  );
});
