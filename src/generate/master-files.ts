import type { ShopTables } from "./catalogue.js";
import { withDraws } from "./draws.js";
import { segments, type ShopSize } from "./model.js";
import type { ShopFolder } from "./shop-folder.js";

/** Writes `customers.csv`, and `mailing.csv`: a randomised mailing with what each customer did after it. */
export async function writeCustomers(
  folder: ShopFolder,
  tables: ShopTables,
  size: ShopSize,
  seed: number,
): Promise<void> {
  const start = `DATE '${size.start}'`;
  await folder.csv(
    "customers.csv",
    `SELECT customer_id, name, city, country_code AS country, language, birth_year, newsletter, (${start} + signup_day) AS registered_on
     FROM ${tables.customer} ORDER BY customer_id`,
  );
  const drawn = withDraws(`SELECT * FROM ${tables.customer}`, seed, "mailing", {
    u_mailed: "c",
    u_ordered: "c",
    u_visits: "c",
    u_spend: "c",
  });
  const uplift = `([${segments.map(({ uplift }) => uplift).join(", ")}])[1 + segment]`;
  await folder.parquet(
    "mailing.parquet",
    `SELECT customer_id, mailed, country_code AS country, age, days_since_signup, recent_visits, ordered,
       CASE WHEN ordered THEN round(8 + 90 * u_spend * u_spend, 2) ELSE 0 END::DECIMAL(10, 2) AS spend_eur
     FROM (SELECT *, u_mailed < 0.5 AS mailed, ${2023} - birth_year AS age, ${size.days} - signup_day AS days_since_signup,
             floor(u_visits * 8)::INTEGER AS recent_visits,
             u_ordered < 0.04 + 0.012 * floor(u_visits * 8) + CASE WHEN u_mailed < 0.5 THEN ${uplift} ELSE 0 END AS ordered
           FROM (${drawn})) ORDER BY customer_id`,
  );
}

/** Writes `products.ndjson` and the history of prices, `prices.tsv`. */
export async function writeProducts(folder: ShopFolder, tables: ShopTables, size: ShopSize): Promise<void> {
  await folder.lines(
    "products.ndjson",
    `SELECT to_json({'product_id': product_id, 'title': title, 'title_zh': title_zh, 'category': category_name, 'category_zh': category_zh,
       'price': ref_cents / 100.0, 'cost': cost_cents / 100.0, 'attributes': {'line': style + 1}})::VARCHAR AS record
     FROM ${tables.product} ORDER BY product_id`,
  );
  await folder.csv(
    "prices.tsv",
    `SELECT product_id, (DATE '${size.start}' + 7 * week) AS valid_from, (price_cents / 100.0)::DECIMAL(10, 2) AS price,
       CASE WHEN promoted THEN 'WEEK-' || lpad((week + 1)::VARCHAR, 2, '0') END AS promotion
     FROM ${tables.week} JOIN ${tables.product} USING (p) ORDER BY product_id, valid_from`,
    "\t",
  );
}
