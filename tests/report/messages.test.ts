import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { metricFamilies } from "../../src/metrics/listing.js";
import type { Draw } from "../../src/report/charts/draw.js";
import { htmlOf } from "../../src/report/html.js";
import { catalogues } from "../../src/report/messages/messages.js";
import { reportOf } from "../../src/report/report.js";
import { testRun } from "../support/test-run.js";
import { example } from "./example.js";

const run = testRun();
/** Charts have no headings: here they need not be drawn. */
const blank: Draw = (_, width) => ({ svg: "", width, height: 1, at: [], along: "x" });

/** `page.title`, `run.status.ran`…, functions and lists as what they are. */
function keysOf(value: unknown, at = ""): string[] {
  if (Array.isArray(value)) return [`${at}[${value.length}]`];
  if (typeof value === "function") return [`${at}(${value.length})`];
  if (typeof value !== "object" || value === null) return [at];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, at === "" ? key : `${at}.${key}`));
}

const isSummary = (key: string): boolean => key.startsWith("metrics.summaries");

describe("the catalogues of texts", () => {
  test("have the same keys, lists of one length and functions of the same arguments", () => {
    const wanted = keysOf(catalogues.en).filter((key) => !isSummary(key));
    expect(keysOf(catalogues.zh).filter((key) => !isSummary(key))).toEqual(wanted);
  });

  test("say something for every metric there is", () => {
    const names = Object.values(metricFamilies).flatMap((family) => family.map(({ name }) => name));
    expect(names.filter((name) => !(name in catalogues.zh.metrics.summaries))).toEqual([]);
  });

  test("have titles in Chinese alone", () => {
    for (const key of Object.keys(catalogues.zh.titles) as (keyof typeof catalogues.zh.titles)[])
      expect(catalogues.zh.titles[key]).toMatch(/^\p{Script=Han}+$/u);
  });
});

test("why a stage ran is told in Chinese, with what it quotes", () => {
  expect(catalogues.zh.run.why("never ran")).toBe("从未运行");
  expect(catalogues.zh.run.why("option `outliers.iqr` 1.5 → 3.0")).toBe("选项 `outliers.iqr` 1.5 → 3.0");
  expect(catalogues.zh.run.why("input raw/a b.csv changed (1a2b → 3c4d)")).toBe(
    "输入 raw/a b.csv 有变化（1a2b → 3c4d）",
  );
  expect(catalogues.en.run.why("never ran")).toBe("never ran");
});

test("a Chinese page has no English in its headings, captions, contents and heads of tables", async () => {
  const page = await reportOf(example, { language: "zh" }, run);
  const html = htmlOf(page, blank, "shopai", catalogues.zh);
  expect(html).toContain('<html lang="zh-Hans">');
  const texts = [
    ...html.matchAll(/<(h[123]|figcaption|caption|th|dt|summary|nav|strong|desc)\b[^>]*>(.*?)<\/\1>/gs),
  ].map(([, , inside]) => inside.replace(/<small>.*?<\/small>/g, " ").replace(/<[^>]+>/g, " "));
  expect(texts.length).toBeGreaterThan(100);
  // What the files themselves call things stays as it is: columns, metrics, parameters, classes, models.
  const own = new Set(
    wordsOf(example).concat(["sha256", "ROC", "PSI", "KS", "JS", "evaluate", "importance"]),
  );
  const english = texts.flatMap((text) => text.match(/[A-Za-z][A-Za-z_@\d-]{2,}/g) ?? []);
  expect([...new Set(english)].filter((word) => !own.has(word))).toEqual([]);
});

function wordsOf(paths: readonly string[]): string[] {
  return paths.flatMap((path) => readFileSync(path, "utf8").match(/[A-Za-z][A-Za-z_@\d-]{2,}/g) ?? []);
}
