import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sha256OfFile } from "../../src/core/hash.js";
import { chartDrawer } from "../../src/report/charts/draw.js";
import { documentOf } from "../../src/report/document.js";
import { htmlOf } from "../../src/report/html.js";
import { markdownOf } from "../../src/report/markdown.js";
import { catalogues, type Language } from "../../src/report/messages/messages.js";
import type { Figure, Page } from "../../src/report/page.js";
import { reportOf } from "../../src/report/report.js";
import type { RunFacts } from "../../src/report/run-facts.js";
import { root, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { example } from "./example.js";

const folder = temporaryFolder();
const run = testRun();

const htmlText = (page: Page, language: Language = "en"): string =>
  htmlOf(page, chartDrawer(), "shopai test", catalogues[language]);
const markdown = (page: Page): string => markdownOf(page, catalogues.en);
/** The example's page, made once. */
let cached: Promise<Page> | undefined;
const examplePage = (): Promise<Page> => (cached ??= made(example));
const made = (paths: readonly (string | RunFacts)[], title?: string, language: Language = "en") =>
  reportOf(paths, { title, language }, run);

function figures(page: Page): Figure[] {
  return page.sections.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.kind === "figures" ? part.figures : [])),
  );
}

function fan(page: Page, caption = "") {
  const found = figures(page).find(
    (one) => one.chart.kind === "fan" && one.caption.startsWith(caption),
  )?.chart;
  if (found?.kind !== "fan") throw new Error("no fan chart");
  return found;
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Tags and attributes of a page, as a browser would find them. */
function markup(page: string): { tags: Set<string>; attributes: Set<string> } {
  const body = page.replace(/<style>[\s\S]*?<\/style>|<script>[\s\S]*?<\/script>/g, "");
  const tags = new Set<string>();
  const attributes = new Set<string>();
  for (const [, tag, rest] of body.matchAll(/<([a-zA-Z!][\w-]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*\/?>/g)) {
    tags.add(tag.toLowerCase());
    for (const [, name] of rest.matchAll(/([\w:-]+)(?:="[^"]*")?/g)) attributes.add(name.toLowerCase());
  }
  return { tags, attributes };
}

describe("a report", () => {
  test("as Markdown is the golden one (fixtures/report/report.md; REFRESH=1 rewrites it)", async () => {
    const found = markdown({ ...(await examplePage()), title: "Golden" });
    const golden = join(root, "fixtures/report/report.md");
    if (process.env.REFRESH) writeFileSync(golden, found);
    expect(found).toBe(readFileSync(golden, "utf8"));
  });

  test("as HTML is one file that needs no other, with a chart of every kind, and the same twice", async () => {
    const page = await examplePage();
    const html = htmlText(page);
    const body = html.replace(/<script>[\s\S]*?<\/script>/, "");
    expect(html).not.toMatch(/https?:\/\//);
    expect(html).not.toMatch(/@import|url\(\s*['"]?(?!#)/);
    expect(markup(body).tags).not.toContain("script");
    expect(markup(body).attributes).not.toContain("src");
    expect(markup(body).attributes).not.toContain("style");
    for (const [, target] of html.matchAll(/href="([^"]*)"/g))
      expect(html).toContain(`id="${target.slice(1)}"`);
    expect(new Set(figures(page).map(({ chart }) => chart.kind))).toEqual(
      new Set(["bars", "intervals", "fan", "lines", "columns", "matrix"]),
    );
    expect(body).not.toMatch(/zr\d|#a0a0|[>"]undefined|\[object|[^,]NaN[^,]/);
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(Buffer.byteLength(html)).toBeLessThan(2e6);
    expect(htmlText(await made(example))).toBe(html);
  });

  test("has every chart described and told mark by mark, every table captioned, and a place in the contents for every section", async () => {
    const page = await examplePage();
    const html = htmlText(page);
    const charts = [...html.matchAll(/<div class="chart[^>]*data-tips="([^"]*)">(.*?)<\/div>/g)];
    expect(charts.length).toBeGreaterThanOrEqual(figures(page).length);
    for (const [, tips, inside] of charts) {
      const texts = JSON.parse(
        tips.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&"),
      );
      expect(inside).toMatch(/<title id="c\d+t">[^<]+<\/title><desc id="c\d+d">[^<]{8,}<\/desc>/);
      for (const [, at] of inside.matchAll(/data-at="([^"]*)"/g))
        expect(at.split(" ")).toHaveLength(texts.length);
    }
    expect(html.match(/<caption>[^<]+/g)!.length).toBe(html.match(/<table/g)!.length);
    expect(html.match(/<a href="#s\d+">/g)!.length).toBe(html.match(/<section id="s\d+">/g)!.length);
    expect(html).toMatch(/<html lang="en">/);
  });

  test("says in the summary only what files say, the money first", async () => {
    const [{ title, parts }] = (await examplePage()).sections;
    const facts = parts[0].kind === "facts" ? parts[0].rows : [];
    expect(title).toBe("In short");
    expect(facts.map(({ label, figure }) => [label, figure])).toEqual([
      ["Money to order", "3,988"],
      ["Saved by ordering", "574"],
      ["Cost of a decision", "0.41"],
      ["Not promoted: conversion", "Version 2"],
      ["Pairs ranked rightly", "89.5 %"],
      ["Positives in the best tenth", "40.0 %"],
      ["Change of auc", "−0.0012"],
      ["Forecast", "784"],
      ["Less error than the seasonal naive", "7.6 %"],
    ]);
    expect(facts[2].text).toBe(
      "Mean cost of a decision on these rows (95 %: 0.3192 to 0.5051). Taking none for positive would cost 1.61, taking all for positive 0.80.",
    );
  });

  test("as JSON holds the same sections and numbers", async () => {
    const page = { ...(await examplePage()), title: "<b>" };
    const text = documentOf(page, "shopai test");
    expect(text).not.toMatch(/[<>&]/);
    const document = JSON.parse(text) as {
      title: string;
      sections: { title: string; parts: { kind: string }[] }[];
    };
    expect(document.title).toBe("<b>");
    expect(document.sections.map(({ title }) => title)).toEqual(page.sections.map(({ title }) => title));
    expect(
      document.sections.flatMap(({ parts }) => parts).filter(({ kind }) => kind === "figure").length,
    ).toBe(figures(page).length);
  });

  test("draws the history before the forecast when the table that was forecast is there too", async () => {
    expect(fan(await made(["fixtures/report/forecast.csv"])).times).toHaveLength(14);
    const both = await made(["fixtures/report/forecast.csv", "fixtures/report/demand.csv"]);
    expect(fan(both, "All series together").history.slice(54, 57)).toEqual([37, 45, null]);
    const { times, history, mean, axis } = fan(both, "shop north");
    expect(times.slice(55, 57)).toEqual(["2024-03-10", "2024-03-11"]);
    expect(history.slice(54, 57)).toEqual([28, 33, null]);
    expect(mean.slice(55, 57)).toEqual([null, 42]);
    expect(axis).toBe("units");
  });
});

test("the history of a forecast is the file that its provenance names, before another that would do", async () => {
  const engine = await run.engine();
  const [other, own, forecast] = ["other.csv", "own.csv", "own-forecast.parquet"].map((name) =>
    join(folder, name),
  );
  writeFileSync(other, "t,v,w\n2024-01-01,7,0\n");
  writeFileSync(own, "t,v,w\n2024-01-01,1,0\n2024-01-01,2,0\n2024-01-02,4,0\n");
  const provenance = {
    command: "forecast",
    options: { value: "v", time: "t", freq: "D" },
    inputs: [{ path: own, sha256: await sha256OfFile(own) }],
  };
  await engine.run(
    `COPY (SELECT DATE '2024-01-03' AS t, 'naive' AS model, 4.0::DOUBLE AS mean) TO '${forecast}' (KV_METADATA {shopai: '${JSON.stringify(provenance)}'})`,
  );
  const page = await made([other, own, forecast]);
  expect(fan(page)).toMatchObject({
    times: ["2024-01-01", "2024-01-02", "2024-01-03"],
    history: [3, 4, null],
    mean: [null, null, 4],
    bands: [],
  });
  const graph = page.sections.at(-1)!.parts[0];
  expect(graph.kind === "lineage" && graph.graph.nodes.map(({ label, detail }) => [label, detail])).toEqual([
    [own, "input"],
    ["own-forecast.parquet", "forecast"],
  ]);
});

describe("what users put into a report stays text", () => {
  const evil = '<script>alert(1)</script><img src=x onerror="alert(2)">';
  const inCsv = evil.replaceAll('"', '""');
  /** What harmless pages are made of. */
  const known = { tags: new Set<string>(), attributes: new Set<string>() };
  beforeAll(async () => {
    const harmless: RunFacts = {
      pipeline: "p",
      again: ["shopai run p.yaml"],
      stages: [{ name: "a", command: "clean", reads: ["a.csv"], writes: ["b.csv"], typed: "shopai clean" }],
    };
    const found = markup(htmlText(await made([...example, "fixtures/shop/customers.csv", harmless])));
    Object.assign(known, found);
  });

  test.each([
    ["a column and its values", () => [file("evil.csv", `"${inCsv}",n\n"${inCsv}",1\n"b",2\n`)]],
    [
      "metrics, slices and their values",
      () => [
        file(
          "evil.json",
          JSON.stringify({
            task: evil,
            rows: 1,
            metrics: { [evil]: 0.5, accuracy: 0.4 },
            intervals: { accuracy: [0.3, 0.5] },
            slices: { [evil]: { [evil]: { rows: 1, metrics: { [evil]: 0.1 }, intervals: {} } } },
            confusion_matrix: {
              classes: [evil, "b"],
              counts: [
                [1, 2],
                [3, 4],
              ],
            },
            importance: { metric: evil, features: [{ feature: evil, drop: 1, interval: [0, 2] }] },
          }),
        ),
      ],
    ],
    [
      "rules and stages",
      () => [
        file(
          "stage.json",
          JSON.stringify({
            command: evil,
            stage: evil,
            result: {
              rows_in: 3,
              rows_out: 2,
              rejected: 1,
              duplicates: 0,
              repaired: 0,
              by_rule: { [evil]: 1 },
            },
          }),
        ),
        {
          pipeline: evil,
          last: { run: 1, began: evil, seconds: 1, error: evil, params: { [evil]: evil } },
          again: [evil],
          stages: [
            { name: evil, command: evil, reads: [`${evil}.csv`], writes: [evil], typed: evil, why: [evil] },
          ],
        },
      ],
    ],
    [
      "series of forecasts, items recommended, refused rows",
      () => [
        file("f.csv", `s,t,model,mean,lo_80,hi_80\n"${inCsv}",2024-01-01,m,1,0,2\n"b",2024-01-01,m,1,0,2\n`),
        file("r.csv", `user,item,score,rank,reason\nu,"${inCsv}",1,1,"${inCsv}"\nv,b,1,1,x\n`),
        file("j.csv", `_reason,_source,_line,a\n"${inCsv}",f.csv,2,"${inCsv}"\n`),
      ],
    ],
  ] as [string, () => (string | RunFacts)[]][])("%s", async (_, write) => {
    const page = await made(write(), evil);
    const html = htmlText(page);
    const { tags, attributes } = markup(html);
    expect([...tags].filter((tag) => !known.tags.has(tag))).toEqual([]);
    expect([...attributes].filter((name) => !known.attributes.has(name))).toEqual([]);
    expect(html).toContain("&lt;script&gt;");
    expect(html.replace(/<script>\(\(\)[\s\S]*?<\/script>/, "")).not.toMatch(/<script|<img/);
    // A shell line stands between fences, where Markdown shows text as it is.
    expect(markdown(page).replace(/^```sh\n[\s\S]*?^```$/gm, "")).not.toMatch(/<script|<img/);
    expect(documentOf(page, "x")).not.toMatch(/<script|<img/);
  });
});

describe("inputs", () => {
  test("of odd sizes: an empty table, one without gaps, 104 columns, 3,000 series", async () => {
    const empty = await made([file("empty.csv", "a,b\n")]);
    expect(markdown(empty)).toContain("The table holds no rows.");
    const wide = file(
      "wide.csv",
      `${Array.from({ length: 104 }, (_, i) => `c${i}`).join(",")}\n${Array.from({ length: 104 }, (_, i) => i).join(",")}\n`,
    );
    expect(markdown(await made([wide]))).toContain("4 more columns are not shown.");
    const many = join(folder, "many.parquet");
    const engine = await run.engine();
    await engine.run(
      `COPY (SELECT 's' || (i // 14) AS s, DATE '2024-01-01' + (i % 14)::INTEGER AS t, 'ses' AS model, i::DOUBLE AS mean, i - 1.0 AS lo_80, i + 1.0 AS hi_80 FROM range(42000) r(i)) TO '${many}'`,
    );
    const page = htmlText(await made([many]));
    expect(page).toContain("s s2999");
    expect(page.length).toBeLessThan(300_000);
  });

  test.each([
    ["a JSON of another kind", () => file("other.json", '{"name":"x"}'), /cannot show this file: its keys/],
    ["half a JSON", () => file("broken.json", '{"task":"regr'), /this is no JSON/],
    ["an unknown ending", () => file("notes.docx", "x"), /cannot show this file: the ending/],
    ["a missing file", () => join(folder, "nowhere.csv"), /no such file/],
    [
      "an empty folder",
      () => {
        mkdirSync(join(folder, "nothing"));
        return join(folder, "nothing");
      },
      /the folder is empty/,
    ],
  ])("%s is refused by name, with what a report understands", async (_, path, message) => {
    const error = await made([path()]).then(
      () => undefined,
      (cause: { kind: string; message: string; where: string; try: string }) => cause,
    );
    expect(error).toMatchObject({
      kind: "data",
      where: expect.stringContaining(folder),
      message: expect.stringMatching(message),
    });
    expect(error!.try).toBeTruthy();
  });

  test("an output of another form is a usage error, and nothing is written", async () => {
    const outcome = await runCli(["report", "fixtures/report/metrics.json", "-o", join(folder, "r.pdf")]);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toMatch(/try a name ending in \.html, \.md or \.json/);
  });
});
