import type { ShopTables } from "./catalogue.js";

/** Tables of one block of visits. */
export interface BlockTables {
  visits: string;
  looks: string;
  orders: string;
  lines: string;
}

/** SELECT of the clicks of a block: a view for every look, a cart for some, a purchase for every line of an order. */
export function eventsSql(tables: ShopTables, block: BlockTables): string {
  const looked = `SELECT l.*, o.order_number IS NOT NULL AS paid, v.second + v.gap * v.looks AS end_second
    FROM ${block.looks} l JOIN ${block.visits} v USING (visit) LEFT JOIN ${block.orders} o USING (visit)`;
  const steps = `SELECT *, unnest(CASE WHEN bought AND paid THEN [0, 1, 2] WHEN bought OR carted THEN [0, 1] ELSE [0] END) AS step FROM (${looked})`;
  return `SELECT to_timestamp(CASE step WHEN 0 THEN e.second WHEN 1 THEN e.second + 6 ELSE end_second END)::TIMESTAMP AS event_time,
      visit::BIGINT + 1 AS session_id, k.customer_id, ['view', 'cart', 'purchase'][1 + step] AS event, g.product_id, g.category_name AS category,
      CASE WHEN step = 0 THEN 1 ELSE quantity END::INTEGER AS quantity, (e.price_cents / 100.0)::DECIMAL(10, 2) AS price
    FROM (${steps}) e JOIN ${tables.customer} k USING (c) JOIN ${tables.product} g USING (p)
    ORDER BY session_id, event_time, step, look`;
}

/** SELECT of the sessions of a block, with what is known of each and whether it ended in an order. */
export function sessionsSql(tables: ShopTables, block: BlockTables): string {
  return `SELECT v.visit::BIGINT + 1 AS session_id, k.customer_id, to_timestamp(v.second)::TIMESTAMP AS started_at, v.device, v.channel,
      k.country_code AS country, v.account_days::INTEGER AS account_days, v.looks AS product_views, 1 + v.looks + v.searches AS pages, v.searches,
      v.looks * v.gap AS seconds, o.order_number IS NOT NULL AS converted
    FROM ${block.visits} v JOIN ${tables.customer} k USING (c) LEFT JOIN ${block.orders} o USING (visit) ORDER BY session_id`;
}
