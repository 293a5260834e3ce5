import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import monitor from "../../commands/monitor.js";
import train from "../../commands/train.js";
import type { ShopaiError } from "../../src/core/errors.js";
import type { Reference } from "../../src/learners/reference.js";
import { checkOptions, type Result } from "../../src/pipeline/command.js";
import type { Monitoring } from "../../src/pipeline/monitor.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const folder = temporaryFolder();
const run = testRun();
const at = (name: string): string => join(folder, name);

/** Visits with a mean of pages, a share of missing amounts, and devices to draw from. */
function visits(
  name: string,
  about: { pages: number; missing: number; devices: string[]; rows?: number },
): string {
  const random = run.rng(name);
  const lines = ["pages,amount,device,day,bought"];
  for (let i = 0; i < (about.rows ?? 600); i++) {
    const pages = Math.max(0, Math.round(about.pages + 3 * random.normal()));
    const amount = random.uniform() < about.missing ? "" : (100 * random.uniform()).toFixed(2);
    const device = about.devices[random.integer(about.devices.length)];
    lines.push(`${pages},${amount},${device},2026-01-${10 + (i % 5)},${random.uniform() < pages / 20}`);
  }
  writeFileSync(at(name), `${lines.join("\n")}\n`);
  return at(name);
}

const devices = ["mobile", "desktop", "tablet", ""];
const asked = (words: string[], options: Record<string, unknown> = {}): Promise<Result> =>
  monitor.run(checkOptions(monitor, options, words), run);
const refusal = async (work: Promise<unknown>): Promise<ShopaiError> =>
  (await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as ShopaiError;

beforeAll(async () => {
  const table = visits("train.csv", { pages: 8, missing: 0.1, devices });
  const options = { target: "bought", features: "pages,amount,device", out: at("model") };
  await train.run(checkOptions(train, options, ["logistic", table]), run);
});

describe("monitor", () => {
  test("a reference of every column stands in the model, equal for any number of threads", async () => {
    const text = readFileSync(at("model/reference.json"), "utf8");
    const { rows, columns, answers } = JSON.parse(text) as Reference;
    expect([rows, columns.map(({ name }) => name), answers?.name]).toEqual([
      600,
      ["pages", "amount", "device", "bought"],
      "score",
    ]);
    for (const column of [...columns, answers!])
      expect(column.counts.reduce((sum, count) => sum + count, column.missing)).toBe(600);
    const one = testRun({ threads: 1 });
    const options = { target: "bought", features: "pages,amount,device", out: at("other") };
    await train.run(checkOptions(train, options, ["logistic", at("train.csv")]), one);
    expect(readFileSync(at("other/reference.json"), "utf8")).toBe(text);
  });

  test("the training rows themselves do not drift at all", async () => {
    const { json } = await asked([at("model"), at("train.csv")]);
    const { columns, answers, metrics } = json as Monitoring;
    for (const { psi, ks, js, new_share, missing_before, missing_after } of [...columns, answers!]) {
      expect([psi, ks ?? 0, js, new_share ?? 0]).toEqual([0, 0, 0, 0]);
      expect(missing_after).toBe(missing_before);
    }
    expect(metrics).toMatchObject({ psi: 0, drifted: 0, answers_psi: 0, absent: 0 });
  });

  test("of a large table numbers are counted in a sample, values in all rows", async () => {
    const engine = await run.engine();
    await engine.run(
      `COPY (SELECT (i * 7919) % 1000 AS pages, CASE WHEN i = 5 THEN 'rare' WHEN i % 3 = 0 THEN 'a' ELSE 'b' END AS device, i % 1000 > 400 AS bought FROM range(80000) t(i)) TO '${at("large.parquet")}'`,
    );
    const options = { target: "bought", out: at("large") };
    await train.run(checkOptions(train, options, ["naive-bayes", at("large.parquet")]), run);
    const { rows, columns } = JSON.parse(readFileSync(at("large/reference.json"), "utf8")) as Reference;
    const [pages, device] = columns;
    const counted = pages.counts.reduce((sum, count) => sum + count, 0);
    expect(rows).toBe(80_000);
    expect(Math.abs(counted - 65_536)).toBeLessThan(800);
    for (const count of pages.counts) expect(Math.abs(count / counted - 0.01)).toBeLessThan(0.001);
    expect(device).toMatchObject({ values: ["a", "b", "rare"], counts: [26_667, 53_332, 1, 0] });
  });

  test("a shift, missing values and new categories show where they are; conditions name them", async () => {
    const table = visits("drifted.csv", { pages: 14, missing: 0.5, devices: ["mobile", "watch", "tv"] });
    const { json } = await asked([at("model"), table]);
    const { columns, metrics } = json as Monitoring;
    const by = Object.fromEntries(columns.map((column) => [column.name, column]));
    expect(by.pages.psi).toBeGreaterThan(0.5);
    expect(by.pages.ks).toBeGreaterThan(0.4);
    expect(by.pages.chi2!.p).toBeLessThan(1e-10);
    expect(by.amount.psi).toBeLessThan(0.1);
    expect(by.amount.missing_after! - by.amount.missing_before).toBeGreaterThan(0.3);
    expect(by.device.new_share).toBeGreaterThan(0.5);
    expect([...by.device.new_values].sort()).toEqual(["tv", "watch"]);
    expect(metrics.drifted).toBeGreaterThanOrEqual(2);
    const error = await refusal(asked([at("model"), table], { failIf: ["missing > 0.2", "psi > 99"] }));
    expect([error.exitCode, error.message]).toEqual([
      6,
      expect.stringMatching(/^missing is 0\.\d+ \(amount\), and the gate is missing > 0\.2$/),
    ]);
    expect((await refusal(asked([at("model"), table], { failIf: ["pis > 1"] }))).try).toBe("--fail-if psi");
  });

  test("an absent column is named, an absent target is not; another type is refused", async () => {
    writeFileSync(at("short.csv"), "pages,device\n1,mobile\n2,mobile\n");
    const { json } = await asked([at("model"), at("short.csv")]);
    const { columns, metrics, answers } = json as Monitoring;
    expect(columns.filter(({ absent }) => absent).map(({ name }) => name)).toEqual(["amount"]);
    expect([metrics.absent, answers]).toEqual([1, undefined]);
    writeFileSync(at("typed.csv"), "pages,device,amount\nmany,mobile,1\n");
    expect((await refusal(asked([at("model"), at("typed.csv")]))).message).toBe(
      'column "pages" is VARCHAR, in training it was BIGINT',
    );
  });

  test("freshness: old rows end with 6, by the column of the time", async () => {
    const fresh = { time: "day", maxAge: "26h", now: "2026-01-15T10:00:00Z" };
    expect((await asked([at("model"), at("train.csv")], fresh)).json).toMatchObject({
      metrics: { age_hours: 10 },
    });
    const error = await refusal(
      asked([at("model"), at("train.csv")], { ...fresh, now: "2026-01-17T00:00:00Z" }),
    );
    expect([error.exitCode, error.message]).toEqual([
      6,
      "the newest day is 2026-01-14, 48 h old, and --max-age is 26h",
    ]);
  });

  test("a trigger asks for training once, and again after its cool-down", async () => {
    const trigger = at("retrain.json");
    const asks = async (now: string): Promise<boolean> => {
      const options = { retrainIf: ["drifted > 0"], trigger, cooldown: "2d", now };
      const { json } = await asked([at("model"), at("drifted.csv")], options);
      return (json as { retrain: { due: boolean } }).retrain.due;
    };
    expect(existsSync(trigger)).toBe(false);
    expect(await asks("2026-01-01T00:00:00Z")).toBe(true);
    const first = readFileSync(trigger, "utf8");
    expect(await asks("2026-01-02T12:00:00Z")).toBe(false);
    expect(readFileSync(trigger, "utf8")).toBe(first);
    expect(await asks("2026-01-03T00:00:00Z")).toBe(true);
    // The clock was put back by years.
    expect(await asks("2020-01-01T00:00:00Z")).toBe(true);
  });
});
