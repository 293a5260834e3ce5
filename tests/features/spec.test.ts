import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { testRun } from "../support/test-run.js";
import { featuresOf, spec, tableOf } from "./tables.js";

const run = testRun();
const error = (yaml: string): unknown => {
  try {
    return spec(yaml);
  } catch (cause) {
    const { kind, message, where, try: advice } = cause as Record<string, string>;
    return { kind, message, where, try: advice };
  }
};

describe("a spec that is not right is shown with its place and the nearest word", () => {
  test.each([
    [
      "entity: u\ntime: t\nagregates: [count]",
      {
        message: 'unknown key "agregates"',
        where: "spec.yaml:3:1\n3 | agregates: [count]\n  | ^",
        try: "aggregates",
      },
    ],
    [
      "entity: u\ntime: t\naggregates:\n  - { summ: price }",
      {
        message: 'unknown key "summ" in aggregates[1]',
        where: "spec.yaml:4:7\n4 |   - { summ: price }\n  |       ^",
        try: "sum",
      },
    ],
    [
      "encode:\n  - { of: city, with: onehot }",
      {
        message: 'encode[1].with must be one-hot, ordinal, frequency, target, hash, got "onehot"',
        where: "spec.yaml:2:23\n2 |   - { of: city, with: onehot }\n  |                       ^",
        try: "one-hot",
      },
    ],
  ])("%s", (yaml, wanted) => {
    expect(error(yaml)).toEqual({ kind: "usage", ...wanted });
  });

  test.each([
    ["entity: u\ntime: t\naggregates: [{ sum: a, mean: b }]", "an aggregate names one of"],
    [
      "entity: u\ntime: t\naggregates: [{ count: '*', where: 'a > 1' }]",
      "count with a condition needs a name",
    ],
    ["entity: u\ntime: t\naggregates: [{ share: '*', as: s }]", "a share needs the condition of its part"],
    ["entity: u\ntime: t\naggregates: [{ sum: [a, b], as: s }]", "one name cannot serve several columns"],
    ["entity: u\naggregates: [count]", 'aggregates needs the key "time"'],
    ["encode: [{ of: a, with: target }]", 'target encoding needs the key "target"'],
    ["encode: [{ of: a, with: ordinal, buckets: 4 }]", "the encoder ordinal takes no buckets"],
    ["entity: u\ntime: t\nwindows: [30]\naggregates: [count]", "windows"],
    ["entity: u\ntime: t\nwindows: [1y]\naggregates: [count]", "a window is 7d, 12h, 4w or all"],
  ])("%s", (yaml, message) => {
    const found = error(yaml) as { kind: string; message: string; where: string };
    expect(found.kind).toBe("usage");
    expect(found.message).toContain(message);
    expect(found.where).toMatch(/^spec\.yaml:\d+:\d+\n/);
  });
});

test("columns and types that do not fit the data are named", async () => {
  const engine = await run.engine();
  const source = await tableOf(
    engine,
    { user_id: "VARCHAR", ts: "TIMESTAMP", price: "DOUBLE", city: "VARCHAR" },
    [],
  );
  const features = (yaml: string): Promise<unknown> => featuresOf(run, source, yaml);
  const windows = "entity: user_id\ntime: ts\nas_of: 2024-01-01\n";
  await expect(features(`${windows}aggregates: [{ sum: prise }]`)).rejects.toMatchObject({
    kind: "data",
    try: "price",
  });
  await expect(features(`${windows}aggregates: [{ sum: city }]`)).rejects.toMatchObject({
    kind: "data",
    message: "sum needs a number, and city is VARCHAR",
  });
  await expect(features(`${windows}aggregates: [{ trend: price, windows: [12h] }]`)).rejects.toMatchObject({
    message: "a trend needs a window of at least two whole days",
  });
  await expect(features(`${windows}aggregates: [count, count]`)).rejects.toMatchObject({
    message: "two aggregates make the feature n_events_7d",
  });
  await expect(
    features("entity: user_id\ntime: city\nas_of: 2024-01-01\naggregates: [count]"),
  ).rejects.toMatchObject({ kind: "data", message: "windows need a date or a time, and city is VARCHAR" });
  await expect(
    features(`${windows.replace("2024-01-01", "2024-02-30")}aggregates: [count]`),
  ).rejects.toMatchObject({
    kind: "usage",
    message: '"2024-02-30" is not a date or a time',
  });
  await expect(features("dates: [{ of: city }]")).rejects.toMatchObject({ kind: "data" });
  await expect(features("ratios: [{ of: price, per: price, as: city }]")).rejects.toMatchObject({
    kind: "usage",
  });
});

test("the spec in docs/features.md is one", () => {
  const page = readFileSync(new URL("../../docs/features.md", import.meta.url), "utf8");
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(page)!;
  expect(Object.keys(spec(yaml)).length).toBe(24);
});
