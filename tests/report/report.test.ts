import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sha256OfFile } from "../../src/core/hash.js";
import { chartDrawer } from "../../src/report/charts.js";
import { htmlOf } from "../../src/report/html.js";
import { markdownOf } from "../../src/report/markdown.js";
import { reportOf } from "../../src/report/report.js";
import { root, runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const folder = temporaryFolder();
const run = testRun();
const example = [
  "metrics.json",
  "clean.json",
  "backtest.json",
  "forecast.csv",
  "demand.csv",
  "rejects.csv",
  "recommendations.csv",
].map((name) => join("fixtures/report", name));

const fixtureTable = "fixtures/shop/customers.csv";

async function html(paths: string[], title = "Report"): Promise<string> {
  return htmlOf(await reportOf(paths, title, run), chartDrawer(), "shopai test");
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Tags and attributes of a page, as a browser would find them. */
function markup(page: string): { tags: Set<string>; attributes: Set<string> } {
  const body = page.replace(/<style>[\s\S]*?<\/style>/, "");
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
    const found = markdownOf(await reportOf(example, "Golden", run));
    const golden = join(root, "fixtures/report/report.md");
    if (process.env.REFRESH) writeFileSync(golden, found);
    expect(found).toBe(readFileSync(golden, "utf8"));
  });

  test("as HTML is one file that needs no other, with a chart of every kind, and the same twice", async () => {
    const page = await html(example);
    expect(page).not.toMatch(/https?:\/\//);
    expect(page).not.toMatch(/@import|url\(\s*['"]?(?!#)/);
    expect(markup(page).tags).not.toContain("script");
    expect(markup(page).attributes).not.toContain("src");
    for (const [, target] of page.matchAll(/href="([^"]*)"/g))
      expect(page).toContain(`id="${target.slice(1)}"`);
    expect(page.match(/<figure>/g)!.length).toBe(page.match(/<svg aria-hidden/g)!.length);
    expect(page.match(/<figure>/g)!.length).toBeGreaterThanOrEqual(8);
    expect(page).not.toMatch(/zr\d|NaN|[>"]undefined|\[object/);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await html(example)).toBe(page);
  });

  test("has every figure described, every table captioned, and a place in the contents for every section", async () => {
    const page = await html(example);
    expect(page.match(/<div role="img" aria-label="[^"]{10,}/g)!.length).toBe(
      page.match(/<figure>/g)!.length,
    );
    expect(page.match(/<caption>[^<]+/g)!.length).toBe(page.match(/<table/g)!.length);
    expect(page.match(/<li><a href="#s\d+">/g)!.length).toBe(page.match(/<section id="s\d+">/g)!.length);
    expect(page).toMatch(/<html lang="en">/);
  });

  test("draws the history before the forecast when the table that was forecast is there too", async () => {
    const without = await reportOf(["fixtures/report/forecast.csv"], "", run);
    const both = await reportOf(["fixtures/report/forecast.csv", "fixtures/report/demand.csv"], "", run);
    const fan = (
      page: typeof both,
    ): { times: string[]; history: (number | null)[]; mean: (number | null)[] } => {
      const part = page.sections.flatMap(({ parts }) => parts).find((one) => one.kind === "figure");
      if (part?.kind !== "figure" || part.chart.kind !== "fan") throw new Error("no fan chart");
      return part.chart;
    };
    expect(fan(without).times).toHaveLength(14);
    const { times, history, mean } = fan(both);
    expect(times.slice(55, 57)).toEqual(["2024-03-10", "2024-03-11"]);
    expect(history.slice(54, 57)).toEqual([28, 33, null]);
    expect(mean.slice(55, 57)).toEqual([null, 42]);
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
    options: { value: "v", time: "t", freq: "D" },
    inputs: [{ path: own, sha256: await sha256OfFile(own) }],
  };
  await engine.run(
    `COPY (SELECT DATE '2024-01-03' AS t, 'naive' AS model, 4.0::DOUBLE AS mean) TO '${forecast}' (KV_METADATA {shopai: '${JSON.stringify(provenance)}'})`,
  );
  const page = await reportOf([other, own, forecast], "", run);
  const chart = page.sections.flatMap(({ parts }) => parts).find((part) => part.kind === "figure")!;
  expect(chart.kind === "figure" && chart.chart).toMatchObject({
    times: ["2024-01-01", "2024-01-02", "2024-01-03"],
    history: [3, 4, null],
    mean: [null, null, 4],
    bands: [],
  });
});

describe("what users put into a report stays text", () => {
  const evil = '<script>alert(1)</script><img src=x onerror="alert(2)">';

  test.each([
    [
      "a column and its values",
      () => [
        file("evil.csv", `"${evil.replaceAll('"', '""')}",n\n"${evil.replaceAll('"', '""')}",1\n"b",2\n`),
      ],
    ],
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
      ],
    ],
    [
      "series of forecasts and items recommended",
      () => [
        file(
          "f.csv",
          `s,t,model,mean,lo_80,hi_80\n"${evil.replaceAll('"', '""')}",2024-01-01,m,1,0,2\n"b",2024-01-01,m,1,0,2\n`,
        ),
        file("r.csv", `user,item,score,rank\nu,"${evil.replaceAll('"', '""')}",1,1\nv,b,1,1\n`),
      ],
    ],
  ])("%s", async (_, write) => {
    const whitelist = markup(await html([...example, fixtureTable]));
    const page = await html(write(), evil);
    const { tags, attributes } = markup(page);
    expect([...tags].filter((tag) => !whitelist.tags.has(tag))).toEqual([]);
    expect([...attributes].filter((name) => !whitelist.attributes.has(name))).toEqual([]);
    expect(page).toContain("&lt;script&gt;");
    const text = markdownOf(await reportOf(write(), evil, run));
    expect(text).not.toMatch(/<script|<img/);
  });
});

describe("inputs", () => {
  test("of odd sizes: an empty table, one without gaps, 104 columns, 30,000 series", async () => {
    const empty = await reportOf([file("empty.csv", "a,b\n")], "", run);
    expect(markdownOf(empty)).toContain("The table holds no rows.");
    const wide = file(
      "wide.csv",
      `${Array.from({ length: 104 }, (_, i) => `c${i}`).join(",")}\n${Array.from({ length: 104 }, (_, i) => i).join(",")}\n`,
    );
    expect(markdownOf(await reportOf([wide], "", run))).toContain("4 more columns are not shown.");
    const many = join(folder, "many.parquet");
    const engine = await run.engine();
    await engine.run(
      `COPY (SELECT 's' || (i // 14) AS s, DATE '2024-01-01' + (i % 14)::INTEGER AS t, 'ses' AS model, i::DOUBLE AS mean, i - 1.0 AS lo_80, i + 1.0 AS hi_80 FROM range(420000) r(i)) TO '${many}'`,
    );
    const page = await html([many]);
    expect(page).toContain("s s29999");
    expect(page.length).toBeLessThan(200_000);
  });

  test("a folder of stage results and a pipeline by name become sections in the order of the work", async () => {
    const project = join(folder, "project");
    const results = join(project, ".shopai/results/nightly");
    mkdirSync(results, { recursive: true });
    const put = (stage: string, command: string, result: object): void =>
      writeFileSync(join(results, `${stage}.json`), JSON.stringify({ command, stage, result }));
    put("a-gate", "evaluate", { task: "regression", rows: 2, metrics: { rmse: 1 } });
    put("b-orders", "clean", {
      rows_in: 3,
      rows_out: 3,
      rejected: 0,
      duplicates: 0,
      repaired: 0,
      by_rule: {},
    });
    put("c-rfm", "featurize", { rows: 3, out: "work/rfm.parquet" });
    const outcome = await runCli(["report", "nightly", "-o", "r.md", "--title", "Night", "--json"], {
      cwd: project,
    });
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.json<{ sections: unknown }>().sections).toEqual([
      { title: "Cleaning", about: "stage b-orders (clean)" },
      { title: "Evaluation", about: "stage a-gate (evaluate)" },
      { title: "Results", about: "stage c-rfm (featurize)" },
    ]);
    expect(readFileSync(join(project, "r.md"), "utf8")).toMatch(/^# Night\n/);
  });

  test.each([
    ["a JSON of another kind", () => file("other.json", '{"name":"x"}'), /cannot show this file: its keys/],
    ["a broken JSON", () => file("broken.json", "{"), /this is no JSON/],
    ["an unknown ending", () => file("notes.docx", "x"), /cannot show this file: the ending/],
    ["a missing file", () => join(folder, "nowhere.csv"), /no such file/],
  ])("%s is refused by name, with what a report understands", async (_, path, message) => {
    const error = await reportOf([path()], "", run).then(
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
    expect(outcome.stderr).toMatch(/try a name ending in \.html or \.md/);
  });
});
