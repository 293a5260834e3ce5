import type { Engine } from "../engine/engine.js";
import type { ShopTables } from "./catalogue.js";
import { categories, segments } from "./model.js";
import type { OrderCut } from "./orders.js";
import type { ShopFolder } from "./shop-folder.js";

/** Chances are summed as whole billionths, so that the sum does not depend on the order of rows. */
const grid = 1e9;

/** An empty table of how often each product was likely to be bought. */
export async function createLevels(engine: Engine, tables: ShopTables): Promise<void> {
  await engine.run(`CREATE OR REPLACE TABLE ${tables.level} (p BIGINT, chance BIGINT)`);
}

/** Adds the chances of the looks of one block. */
export async function addToLevels(engine: Engine, tables: ShopTables, looks: string): Promise<void> {
  await engine.run(
    `INSERT INTO ${tables.level} SELECT p, sum(round(chance * ${grid})::BIGINT)::BIGINT FROM (${looks}) GROUP BY p`,
  );
}

/** Writes what customers and products really are. */
export async function writeEntityTruth(folder: ShopFolder, tables: ShopTables): Promise<void> {
  const names = segments.map(({ name }) => `'${name}'`).join(", ");
  const uplifts = segments.map(({ uplift }) => uplift).join(", ");
  await folder.csv(
    "truth/customers.csv",
    `SELECT customer_id, ([${names}])[1 + segment] AS segment, style + 1 AS style, ([${uplifts}])[1 + segment] AS mailing_uplift, churn_day
     FROM ${tables.customer} ORDER BY customer_id`,
  );
  await folder.csv(
    "truth/products.csv",
    `SELECT g.product_id, g.category_name AS category, g.style + 1 AS style, g.elasticity, g.promo_uplift, g.quality, f.product_id AS complement
     FROM ${tables.product} g JOIN ${tables.product} f ON f.p = g.complement ORDER BY g.product_id`,
  );
}

/** Writes the clean order lines of a block, with the label of fraud. */
export async function writeOrderTruth(
  folder: ShopFolder,
  tables: ShopTables,
  lines: string,
  part: number,
): Promise<void> {
  await folder.parquet(
    "truth/orders",
    `SELECT order_id, line::INTEGER AS line, ordered_at, customer_id, product_id, quantity, (price_cents / 100.0)::DECIMAL(10, 2) AS unit_price,
       discount_percent::INTEGER AS discount_percent, status, fraud, round(return_probability, 4) AS return_probability
     FROM ${lines} JOIN ${tables.customer} USING (c) ORDER BY order_number, line`,
    part,
  );
}

/**
 * Writes the expected units of every product and day: its own level (the chances of all looks at it, so
 * the traffic that came is taken as given) spread by traffic, price, promotion and season.
 */
export async function writeDemandTruth(folder: ShopFolder, tables: ShopTables, cut: OrderCut): Promise<void> {
  const units = categories.map(({ units: shares }) =>
    shares.reduce((sum, share, i) => sum + share * (i + 1), 0),
  );
  const shape = `SELECT g.p, g.product_id, g.category, d.day, d.date, d.visits * w.rel * s.factor AS shape
    FROM ${tables.product} g JOIN ${tables.week} w USING (p) JOIN ${tables.day} d ON d.day // 7 = w.week JOIN ${tables.season} s ON s.category = g.category AND s.day = d.day`;
  await folder.parquet(
    "truth/demand.parquet",
    `SELECT product_id, date::DATE AS day,
       round(shape / whole * coalesce(chance, 0) / ${grid} * ${cut.wanted / cut.found} * ([${units.join(", ")}])[1 + category], 4)::DECIMAL(12, 4) AS expected_units
     FROM (${shape})
     JOIN (SELECT p, sum(round(shape * 1e6)::HUGEINT)::DOUBLE / 1e6 AS whole FROM (${shape}) GROUP BY p) USING (p)
     LEFT JOIN (SELECT p, sum(chance)::DOUBLE AS chance FROM ${tables.level} GROUP BY p) USING (p)
     ORDER BY product_id, day`,
  );
}
