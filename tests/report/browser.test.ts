import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chartDrawer } from "../../src/report/charts/draw.js";
import { htmlOf } from "../../src/report/html.js";
import { catalogues } from "../../src/report/messages/messages.js";
import { reportOf } from "../../src/report/report.js";
import type { RunFacts } from "../../src/report/run-facts.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { example } from "./example.js";

/** Debian's package; without it these tests skip, and CI installs it. */
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

const facts: RunFacts = {
  pipeline: "nightly",
  last: { run: 7, began: "2024-03-11T02:00:00.000Z", seconds: 61, params: { horizon: 14 } },
  again: ["shopai run nightly.yaml --param horizon=14"],
  stages: [
    {
      name: "orders",
      command: "clean",
      reads: ["raw/orders.csv"],
      writes: ["orders.parquet"],
      status: "ran",
    },
    { name: "demand", command: "featurize", reads: ["orders.parquet"], writes: ["demand.parquet"] },
    { name: "forecast", command: "forecast", reads: ["demand.parquet"], writes: ["forecast.parquet"] },
  ],
};

describe.skipIf(executablePath === undefined)("a page in a browser", () => {
  const folder = temporaryFolder();
  const run = testRun();
  let browser: Browser;
  let url: string;
  let tipped: number;

  beforeAll(async () => {
    const page = await reportOf([...example, facts], {}, run);
    const html = htmlOf(page, chartDrawer(), "shopai test", catalogues.en);
    tipped = html.match(/data-tips=/g)!.length;
    const path = join(folder, "report.html");
    writeFileSync(path, html);
    url = pathToFileURL(path).href;
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  /** Opens the page; gives it with everything that it said and asked for. */
  async function opened(width: number): Promise<{ page: Page; said: string[]; asked: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    const [said, asked] = [[] as string[], [] as string[]];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(error.message));
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(url);
    return { page, said, asked };
  }

  test.each([1280, 390])(
    "%i pixels wide: nothing is said or asked for, every chart is drawn inside its box, and nothing is wider than the page",
    async (width) => {
      const { page, said, asked } = await opened(width);
      const boxes = await page.$$eval("[data-tips]", (charts) =>
        charts.map((chart) => {
          const home = chart.getBoundingClientRect();
          const shown = [...chart.querySelectorAll("svg")].filter(
            (svg) => svg.getBoundingClientRect().width > 0,
          );
          const marks = shown.flatMap((svg) => [
            ...svg.querySelectorAll(":is(path,rect,text,circle):not(defs *)"),
          ]);
          const outside = marks.filter((mark) => {
            const at = mark.getBoundingClientRect();
            const slack = 2;
            return (
              at.left < home.left - slack ||
              at.right > home.right + slack ||
              at.top < home.top - slack ||
              at.bottom > home.bottom + slack
            );
          });
          return {
            name: chart.getAttribute("aria-label"),
            drawings: shown.length,
            marks: marks.length > 3,
            wide:
              home.width > 250 &&
              home.left >= 0 &&
              home.right <= chart.ownerDocument.documentElement.clientWidth,
            outside: outside.map((mark) => mark.textContent || mark.outerHTML.slice(0, 80)),
          };
        }),
      );
      expect(boxes).toHaveLength(tipped);
      expect(
        boxes.filter(
          ({ drawings, marks, wide, outside }) => drawings !== 1 || !marks || !wide || outside.length > 0,
        ),
      ).toEqual([]);
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      expect(said).toEqual([]);
      expect(asked).toEqual([url]);
      await page.close();
    },
  );

  test("a mark says what it is when it is pointed at, and by the arrow keys", async () => {
    const { page, said } = await opened(1280);
    const tip = page.locator(".tip");
    const first = page.locator("[data-tips]").first();
    await first.hover();
    expect(await tip.isVisible()).toBe(true);
    expect(JSON.parse((await first.getAttribute("data-tips"))!)).toContain(await tip.textContent());
    // The same event in the middle of every other chart.
    const silent = await page.$$eval("[data-tips]", (charts) =>
      charts
        .filter((chart) => {
          const at = chart.getBoundingClientRect();
          const where = { clientX: at.left + at.width / 2, clientY: at.top + at.height / 2 };
          const { PointerEvent } = chart.ownerDocument.defaultView!;
          chart.dispatchEvent(new PointerEvent("pointermove", where));
          const shown = chart.ownerDocument.querySelector(".tip")!;
          return (
            shown.hasAttribute("hidden") ||
            !chart.getAttribute("data-tips")!.includes(JSON.stringify(shown.textContent))
          );
        })
        .map((chart) => chart.getAttribute("aria-label")),
    );
    expect(silent).toEqual([]);
    await page.mouse.move(2, 2);
    const fan = page.locator('[data-tips][aria-label^="shop north"]');
    await fan.focus();
    await page.keyboard.press("Home");
    expect(await tip.textContent()).toMatch(/^2024-01-\d\d\nwas \d+$/);
    await page.keyboard.press("End");
    expect(await tip.textContent()).toMatch(/^2024-03-\d\d\nmean \d+/);
    const last = await tip.textContent();
    await page.keyboard.press("ArrowLeft");
    expect(await tip.textContent()).not.toBe(last);
    await page.keyboard.press("Escape");
    expect(await tip.isVisible()).toBe(false);
    expect(said).toEqual([]);
    await page.close();
  });

  test("the keyboard comes to every chart and table in their order, and what has the focus shows it", async () => {
    const { page } = await opened(1280);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.className")).toBe("skip");
    const order = await page.evaluate(
      `[...document.querySelectorAll("a[href], [tabindex], summary")].every((one) => one.tabIndex === 0)`,
    );
    expect(order).toBe(true);
    const chart = page.locator("[data-tips]").first();
    await chart.focus();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    await page.close();
  });

  test("on paper charts are the wide ones, and nothing is left out but the contents and the folded numbers", async () => {
    const { page } = await opened(390);
    await page.emulateMedia({ media: "print" });
    expect(await page.locator("nav").isVisible()).toBe(false);
    expect(await page.locator(".narrow-only").first().isVisible()).toBe(false);
    expect(await page.locator(".wide-only").first().isVisible()).toBe(true);
    expect(await page.locator("section").count()).toBe(await page.locator("section:visible").count());
    await page.close();
  });
});
