import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { weekProfile } from "../../src/generate/calendar.js";
import { categories, segments, shopSize } from "../../src/generate/model.js";
import { generateShop } from "../../src/generate/shop.js";
import { provenanceOf } from "../../src/table/provenance.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

/** What was planted can be found again in what was written: each test estimates from the raw side and compares with truth/. */
const shop = join(temporaryFolder(), "shop");
const run = testRun({ seed: 7 });
const size = shopSize({ orders: 30_000, days: 728, customers: 6000, products: 16 });

beforeAll(async () => {
  await generateShop(shop, size, run, provenanceOf("generate", { ...size }, 7, []), false);
});

async function rows<T>(sql: string): Promise<T[]> {
  return (await run.engine()).rows<T>(sql.replaceAll("@", `${shop}/`));
}

/** Weighted least squares of y on the columns of x and a constant, the last coefficient. */
function leastSquares(x: number[][], y: number[], weights = y.map(() => 1)): number[] {
  const design = x.map((row) => [...row, 1]);
  const n = design[0].length;
  const a = Array.from({ length: n }, (_, i) => [
    ...Array.from({ length: n }, (_, j) =>
      design.reduce((sum, row, k) => sum + weights[k] * row[i] * row[j], 0),
    ),
    design.reduce((sum, row, k) => sum + weights[k] * row[i] * y[k], 0),
  ]);
  for (let pivot = 0; pivot < n; pivot++) {
    for (let i = 0; i < n; i++) {
      if (i === pivot) continue;
      const factor = a[i][pivot] / a[pivot][pivot];
      for (let j = pivot; j <= n; j++) a[i][j] -= factor * a[pivot][j];
    }
  }
  return a.map((row, i) => row[n] / row[i]);
}

/** Poisson regression with a log link, by reweighted least squares: unlike the logarithm of counts, it is not biased by small ones. */
function poissonRegression(x: number[][], counts: number[]): number[] {
  let mean = counts.map((count) => count + 0.5);
  for (let round = 0; ; round++) {
    const fitted = leastSquares(
      x,
      counts.map((count, k) => Math.log(mean[k]) + (count - mean[k]) / mean[k]),
      mean,
    );
    if (round === 8) return fitted;
    mean = x.map((row) => Math.exp([...row, 1].reduce((sum, value, i) => sum + value * fitted[i], 0)));
  }
}

describe("a generated shop of 30,000 orders", () => {
  test("has exactly the orders, days, customers and products asked for", async () => {
    const [found] = await rows(
      `SELECT count(DISTINCT order_id)::INT AS orders, min(ordered_at)::DATE::VARCHAR AS first, (SELECT count(*)::INT FROM '@customers.csv') AS customers,
         (SELECT count(*)::INT FROM '@products.ndjson') AS products, (SELECT count(*)::INT FROM '@sessions/*.parquet' WHERE converted) AS converted
       FROM '@truth/orders/*.parquet'`,
    );
    expect(found).toEqual({
      orders: 30_000,
      first: "2023-01-02",
      customers: 6000,
      products: 16,
      converted: 30_000,
    });
  });

  test("agrees with itself: events, sessions, orders and returns tell the same story", async () => {
    const [found] = await rows(
      `SELECT
         (SELECT count(*)::INT FROM '@events/*.parquet' WHERE event = 'view') - (SELECT sum(product_views)::INT FROM '@sessions/*.parquet') AS views,
         (SELECT sum(quantity)::INT FROM '@events/*.parquet' WHERE event = 'purchase') - (SELECT sum(quantity)::INT FROM '@truth/orders/*.parquet') AS units,
         (SELECT count(*)::INT FROM '@events/*.parquet' ANTI JOIN '@customers.csv' USING (customer_id)) AS strangers,
         (SELECT count(*)::INT FROM '@truth/orders/*.parquet' WHERE status = 'returned') - (SELECT count(*)::INT FROM '@returns.csv') AS returned,
         (SELECT count(*)::INT FROM '@reviews.ndjson' ANTI JOIN '@truth/orders/*.parquet' USING (order_id)) AS reviews,
         (SELECT count(*)::INT FROM '@sessions/*.parquet' s JOIN '@customers.csv' c USING (customer_id) WHERE started_at < registered_on) AS early`,
    );
    expect(found).toEqual({ views: 0, units: 0, strangers: 0, returned: 0, reviews: 0, early: 0 });
  });

  test("price elasticities come out of a log-linear regression of weekly demand", async () => {
    const weekly = await rows<{
      product_id: string;
      elasticity: number;
      units: number;
      price: number;
      promoted: number;
      sessions: number;
      angle: number;
    }>(
      `SELECT product_id, elasticity, coalesce(units, 0)::INT AS units, price::DOUBLE AS price, (promotion IS NOT NULL)::INT AS promoted, sessions::INT AS sessions, 2 * pi() * dayofyear(valid_from + 3) / 365 AS angle
       FROM read_csv('@prices.tsv') JOIN '@truth/products.csv' USING (product_id)
       LEFT JOIN (SELECT product_id, date_trunc('week', ordered_at)::DATE AS valid_from, sum(quantity) AS units FROM '@truth/orders/*.parquet' GROUP BY ALL) USING (product_id, valid_from)
       JOIN (SELECT date_trunc('week', started_at)::DATE AS valid_from, count(*) AS sessions FROM '@sessions/*.parquet' GROUP BY ALL) USING (valid_from)
       ORDER BY ALL`,
    );
    const products = [...new Set(weekly.map(({ product_id }) => product_id))];
    expect(products).toHaveLength(16);
    const errors = products.map((product) => {
      const own = weekly.filter(({ product_id }) => product_id === product);
      const [slope] = poissonRegression(
        own.map(({ price, promoted, sessions, angle }) => [
          Math.log(price),
          promoted,
          Math.log(sessions),
          Math.cos(angle),
          Math.sin(angle),
        ]),
        own.map(({ units }) => units),
      );
      return -slope - own[0].elasticity;
    });
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const spread = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
    expect(Math.abs(mean)).toBeLessThan(0.15);
    expect(spread).toBeLessThan(0.45);
  });

  test("demand scatters about truth/demand.parquet as counts do", async () => {
    const [found] = await rows<{ expected: number; units: number; dispersion: number; correlation: number }>(
      `SELECT sum(expected) AS expected, sum(units)::DOUBLE AS units, avg((units - expected) ^ 2 / expected) AS dispersion, corr(units, expected) AS correlation
       FROM (SELECT product_id, date_trunc('week', day) AS week, sum(expected_units)::DOUBLE AS expected FROM '@truth/demand.parquet' GROUP BY ALL)
       LEFT JOIN (SELECT product_id, date_trunc('week', ordered_at) AS week, sum(quantity)::DOUBLE AS units FROM '@truth/orders/*.parquet' GROUP BY ALL) USING (product_id, week)`,
    );
    expect(found.units / found.expected).toBeCloseTo(1, 1);
    // A Poisson number of lines of one to four units: the variance of the units of a week is up to twice their mean.
    expect(found.dispersion).toBeGreaterThan(0.9);
    expect(found.dispersion).toBeLessThan(2.2);
    expect(found.correlation).toBeGreaterThan(0.9);
  });

  test("weekdays, growth and sale days show in the traffic", async () => {
    const days = await rows<{ day: string; weekday: number; n: number }>(
      `SELECT started_at::DATE::VARCHAR AS day, isodow(started_at)::INT - 1 AS weekday, count(*)::INT AS n FROM '@sessions/*.parquet' GROUP BY ALL ORDER BY day`,
    );
    const mean = (of: typeof days): number => of.reduce((sum, { n }) => sum + n, 0) / of.length;
    const all = mean(days);
    weekProfile.forEach((factor, weekday) => {
      expect(mean(days.filter((day) => day.weekday === weekday)) / all).toBeCloseTo(factor, 1);
    });
    expect(mean(days.slice(364)) / mean(days.slice(0, 364))).toBeGreaterThan(1.15);
    const sale = days.find(({ day }) => day === "2023-11-11")!;
    const near = days.filter(({ day }) => day > "2023-11-01" && day < "2023-11-20" && day !== sale.day);
    expect(sale.n / mean(near)).toBeGreaterThan(1.5);
  });

  test("segments can be told from what customers look at", async () => {
    const [{ right }] = await rows<{ right: number }>(
      `WITH shares AS (SELECT customer_id, category, count(*) / sum(count(*)) OVER (PARTITION BY customer_id) AS share, sum(count(*)) OVER (PARTITION BY customer_id) AS views
                       FROM '@events/*.parquet' WHERE event = 'view' GROUP BY customer_id, category),
         cells AS (SELECT c.customer_id, segment, g.category, coalesce(share, 0) AS share FROM (SELECT DISTINCT customer_id FROM shares WHERE views >= 20) c
                   CROSS JOIN (SELECT DISTINCT category FROM shares) g LEFT JOIN shares USING (customer_id, category) JOIN '@truth/customers.csv' USING (customer_id)),
         centres AS (SELECT segment AS centre, category, avg(share) AS centre_share FROM cells GROUP BY ALL),
         distances AS (SELECT customer_id, segment, centre, sum((share - centre_share) ^ 2) AS distance FROM cells JOIN centres USING (category) GROUP BY ALL)
       SELECT avg((segment = nearest)::INT) AS right FROM (SELECT customer_id, segment, arg_min(centre, distance) AS nearest FROM distances GROUP BY ALL)`,
    );
    expect(right).toBeGreaterThan(0.85);
  });

  test("a plain classifier of sessions tells who buys, and not all of them: AUC from 0.75 to 0.93", async () => {
    const [{ auc }] = await rows<{ auc: number }>(
      `WITH s AS (SELECT *, session_id % 2 AS half, least(pages, 12) AS p, least(seconds // 60, 15) AS m FROM '@sessions/*.parquet'),
         odds AS (SELECT feature, value, ln((sum(converted::INT) + 1) / (sum((NOT converted)::INT) + 1)) AS score
                  FROM (UNPIVOT (SELECT converted, device, channel, p::VARCHAR AS p, m::VARCHAR AS m FROM s WHERE half = 0) ON device, channel, p, m INTO NAME feature VALUE value) GROUP BY ALL),
         scored AS (SELECT session_id, converted, sum(score) AS score FROM (UNPIVOT (SELECT session_id, converted, device, channel, p::VARCHAR AS p, m::VARCHAR AS m FROM s WHERE half = 1) ON device, channel, p, m INTO NAME feature VALUE value)
                    JOIN odds USING (feature, value) GROUP BY ALL),
         ranked AS (SELECT converted, rank() OVER (ORDER BY score) + (count(*) OVER (PARTITION BY score) - 1) / 2 AS r FROM scored)
       SELECT (sum(r) FILTER (converted) - count(*) FILTER (converted) * (count(*) FILTER (converted) + 1) / 2) / (count(*) FILTER (converted) * count(*) FILTER (NOT converted)) AS auc FROM ranked`,
    );
    expect(auc).toBeGreaterThan(0.75);
    expect(auc).toBeLessThan(0.93);
  });

  test("fraud, complements, quality and the mailing leave their traces", async () => {
    const [fraud] = await rows<{ share: number; abroad: number; home: number; young: number; old: number }>(
      `SELECT avg(fraud::INT) AS share, avg(fraud::INT) FILTER (ip_country <> country) AS abroad, avg(fraud::INT) FILTER (ip_country = country) AS home
       FROM (SELECT DISTINCT order_id, fraud FROM '@truth/orders/*.parquet') JOIN (SELECT DISTINCT order_id, ip_country, country FROM read_csv('@orders.csv', all_varchar = true, store_rejects = true)) USING (order_id)`,
    );
    expect(fraud.share).toBeGreaterThan(0.02);
    expect(fraud.share).toBeLessThan(0.09);
    expect(fraud.abroad / fraud.home).toBeGreaterThan(8);

    const [{ lift }] = await rows<{ lift: number }>(
      `WITH seen AS (SELECT DISTINCT session_id, product_id FROM '@events/*.parquet' WHERE event = 'view'),
         n AS (SELECT count(DISTINCT session_id) AS n FROM seen), single AS (SELECT product_id, count(*) AS k FROM seen GROUP BY ALL),
         pairs AS (SELECT p.product_id, p.complement, count(*) AS together FROM '@truth/products.csv' p JOIN seen a USING (product_id) JOIN seen b ON b.session_id = a.session_id AND b.product_id = p.complement GROUP BY ALL)
       SELECT median(together * n / (a.k * b.k)) AS lift FROM pairs, n, single a, single b WHERE a.product_id = pairs.product_id AND b.product_id = complement`,
    );
    expect(lift).toBeGreaterThan(1.2);

    const [{ agreement }] = await rows<{ agreement: number }>(
      `SELECT corr(rating, quality) AS agreement FROM (SELECT product_id, avg(rating) AS rating FROM '@reviews.ndjson' GROUP BY ALL) JOIN '@truth/products.csv' USING (product_id)`,
    );
    expect(agreement).toBeGreaterThan(0.9);

    const uplifts = await rows<{ segment: string; truth: number; found: number; error: number }>(
      `SELECT segment, any_value(mailing_uplift) AS truth, avg(ordered::INT) FILTER (mailed) - avg(ordered::INT) FILTER (NOT mailed) AS found,
         sqrt(var_samp(ordered::INT) FILTER (mailed) / count(*) FILTER (mailed) + var_samp(ordered::INT) FILTER (NOT mailed) / count(*) FILTER (NOT mailed)) AS error
       FROM '@mailing.parquet' JOIN '@truth/customers.csv' USING (customer_id) GROUP BY ALL`,
    );
    expect(uplifts).toHaveLength(segments.length);
    for (const { segment, truth, found, error } of uplifts)
      expect(Math.abs(found - truth), segment).toBeLessThan(4 * error);
  });

  test("clicks of campaigns answer to spend with the planted elasticity", async () => {
    const days = await rows<{
      campaign: string;
      spend: number;
      clicks: number;
      sessions: number;
      power: number;
    }>(
      `SELECT a.campaign, spend_eur AS spend, clicks::INT AS clicks, sessions::INT AS sessions, spend_elasticity AS power FROM '@ads.csv' a JOIN '@truth/ads.csv' USING (campaign)
       JOIN (SELECT started_at::DATE AS day, count(*) AS sessions FROM '@sessions/*.parquet' GROUP BY ALL) USING (day) ORDER BY ALL`,
    );
    for (const campaign of new Set(days.map((day) => day.campaign))) {
      const own = days.filter((day) => day.campaign === campaign);
      const [power] = leastSquares(
        own.map(({ spend, sessions }) => [Math.log(spend), Math.log(sessions)]),
        own.map(({ clicks }) => Math.log(clicks)),
      );
      expect(power, campaign).toBeCloseTo(own[0].power, 1);
    }
  });

  test("reviews and tickets are in English and Chinese, and ratings agree with what is written", async () => {
    const found = await rows<{ language: string; good: string; bad: string; chinese: number }>(
      `SELECT language, mode(sentiment) FILTER (rating >= 4) AS good, mode(sentiment) FILTER (rating <= 2) AS bad, avg(regexp_matches(text, '\\p{Han}')::INT) AS chinese
       FROM '@reviews.ndjson' JOIN '@truth/reviews.csv' USING (review_id) GROUP BY ALL ORDER BY language`,
    );
    expect(found).toEqual([
      { language: "en", good: "positive", bad: "negative", chinese: 0 },
      { language: "zh", good: "positive", bad: "negative", chinese: 1 },
    ]);
    const [{ intents }] = await rows<{ intents: number }>(
      `SELECT count(DISTINCT intent)::INT AS intents FROM '@tickets.csv'`,
    );
    expect(intents).toBe(8);
  });

  test("assortment covers every category", () => {
    const products = readFileSync(join(shop, "products.ndjson"), "utf8");
    for (const { name, nameZh } of categories) {
      expect(products).toContain(`"category":"${name}"`);
      expect(products).toContain(nameZh);
    }
  });
});
