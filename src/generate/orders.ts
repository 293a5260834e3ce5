import type { ShopTables } from "./catalogue.js";
import { pick, slotted, withDraws } from "./draws.js";
import { segments, type ShopSize } from "./model.js";

/** Orders that the visits of the whole shop would give, and those wanted: the surplus is spread evenly over time and lost at payment. */
export interface OrderCut {
  found: number;
  wanted: number;
}

/** SQL: surplus orders among the first `rank` ones. */
function lost(rank: string, cut: OrderCut): string {
  return `((${rank})::BIGINT * ${cut.found - cut.wanted} // ${cut.found})`;
}

/**
 * SELECT of the orders of a block: visit and order number, for visits that bought something.
 * @param looks  table of the looks of the block
 * @param before orders found in earlier blocks
 */
export function ordersSql(looks: string, before: number, cut: OrderCut): string {
  const ranked = `SELECT visit, ${before} + row_number() OVER (ORDER BY visit) - 1 AS rank
    FROM (SELECT DISTINCT visit FROM ${looks} WHERE bought)`;
  return `SELECT visit, rank - ${lost("rank", cut)} AS order_number FROM (${ranked})
    WHERE ${lost("rank + 1", cut)} = ${lost("rank", cut)}`;
}

const payments = ["card", "paypal", "invoice", "prepaid"];
const paymentShares = { honest: [45, 30, 20, 5], fraud: [40, 10, 5, 45] };

/**
 * SELECT of the clean order lines of a block, one row per order and product.
 *
 * Fraud is drawn first, likelier for young accounts and at night; means of payment, address of the
 * network and way of shipping follow from it. Returns depend on category, segment and quality.
 */
export function linesSql(
  tables: ShopTables,
  size: ShopSize,
  seed: number,
  block: { visits: string; looks: string; orders: string },
): string {
  const bought = `SELECT o.order_number, l.visit, l.p, min(l.look) AS look, sum(l.quantity)::INTEGER AS quantity,
      max(l.price_cents) AS price_cents, bool_or(l.promoted) AS promoted
    FROM ${block.looks} l JOIN ${block.orders} o USING (visit) WHERE l.bought GROUP BY ALL`;
  const numbered = `SELECT *, row_number() OVER (PARTITION BY visit ORDER BY look) AS line, min(look) OVER (PARTITION BY visit) AS first_look FROM (${bought})`;
  const known = `SELECT b.*, v.c, v.day, k.country_code, v.segment, v.channel, v.account_days,
      v.second + v.gap * v.looks AS second, (v.second // 3600) % 24 AS hour, g.product_id, g.title, g.return_share, g.quality
    FROM (${numbered}) b JOIN ${block.visits} v USING (visit) JOIN ${tables.product} g USING (p) JOIN ${tables.customer} k ON k.c = v.c`;
  const drawn = withDraws(known, seed, "order", {
    u_fraud: "visit",
    u_payment: "visit",
    u_ip: "visit",
    u_country: "visit",
    u_shipping: "visit",
    u_status: "visit",
    u_coupon: "visit",
    u_return: "visit * 64 + look",
  });
  const fraud = `u_fraud < 0.03 * (CASE WHEN account_days < 21 THEN 4 ELSE 1 END) * (CASE WHEN hour < 6 THEN 3 ELSE 1 END)`;
  const slots = (weights: number[]): string =>
    `([${slotted(weights, 100).join(", ")}])[1 + floor(u_payment * 100)::INTEGER]`;
  return `SELECT *, ${publicOrder("order_number", size)} AS order_id, to_timestamp(second)::TIMESTAMP AS ordered_at,
      ([${payments.map((name) => `'${name}'`).join(", ")}])[1 + CASE WHEN fraud THEN ${slots(paymentShares.fraud)} ELSE ${slots(paymentShares.honest)} END] AS payment,
      CASE WHEN u_shipping < CASE WHEN fraud THEN 0.65 ELSE 0.18 END THEN 'express' ELSE 'standard' END AS shipping,
      CASE WHEN u_ip < CASE WHEN fraud THEN 0.6 ELSE 0.04 END THEN ${pick(["US", "RU", "BR", "IN", "NG"], "u_country")} ELSE country_code END AS ip_country,
      CASE WHEN channel = 'email' AND u_coupon < 0.6 THEN 10 WHEN u_coupon < 0.05 THEN 5 ELSE 0 END AS discount_percent,
      CASE WHEN u_status < 0.03 THEN 'cancelled' WHEN u_return < return_probability THEN 'returned' ELSE 'completed' END AS status,
      CASE WHEN promoted THEN 'WEEK-' || lpad((day // 7 + 1)::VARCHAR, 2, '0') END AS promotion
    FROM (SELECT *, ${fraud} AS fraud,
            least(0.9, return_share * ([${segments.map(({ returns }) => returns).join(", ")}])[1 + segment] * (5.4 - quality) / 1.8) AS return_probability
          FROM (${drawn}))`;
}

/** `O0000123`, in the order of time. */
function publicOrder(number: string, size: ShopSize): string {
  return `'O' || lpad((${number} + 1)::VARCHAR, ${Math.max(6, String(size.orders).length)}, '0')`;
}
