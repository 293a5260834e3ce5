import type { Engine } from "../engine/engine.js";
import type { Column } from "../engine/frame.js";
import type { Day } from "./calendar.js";
import type { ShopTables } from "./catalogue.js";
import { customerBlocks } from "./customers.js";
import { withDraws } from "./draws.js";
import { clockShares, visitorShares, type Lookups } from "./lookups.js";
import { buying, complementShare, looks, segments, styles, styleShare, type ShopSize } from "./model.js";

/**
 * SELECT of the visits numbered in a table: one row each.
 * Customers are picked by segment activity, then by a power law inside it; `intent` (latent) says
 * whether the visit came to buy.
 */
export function visitsSql(
  tables: ShopTables,
  lookups: Lookups,
  size: ShopSize,
  seed: number,
  numbered: string,
): string {
  const { old, arriving } = customerBlocks(size.customers);
  const chosen = withDraws(
    `SELECT day, visit FROM ${numbered}`,
    seed,
    "visit",
    keyed("visit", ["u_place", "u_new", "u_block", "u_again"]),
  );
  const blocks = `SELECT visit, day, u_new, u_block, x.place, least(${arriving}, floor(${arriving + 1}.0 * day / ${size.days}))::BIGINT AS arrived,
      floor(${old} * u_block * sqrt(u_block))::BIGINT AS first_block, floor(${old} * u_again * sqrt(u_again))::BIGINT AS second_block
    FROM (${chosen}) d JOIN ${lookups.visitor} x ON x.slot = floor(u_place * ${visitorShares})::INTEGER`;
  const candidates = `SELECT *, u_new < arrived / (arrived + ${old}.0) AS is_new,
      20 * first_block + place AS c1, 20 * second_block + place AS c2, 20 * (second_block - second_block % 2) + place AS c3
    FROM (${blocks})`;
  // A customer who stopped visiting is replaced by another draw, and that one by a customer who never stops.
  const visitors = `SELECT visit, day, CASE WHEN is_new THEN ${20 * old} + 20 * floor(u_block * arrived)::BIGINT + place
        WHEN coalesce(k1.churn_day > day, true) THEN c1 WHEN coalesce(k2.churn_day > day, true) THEN c2 ELSE c3 END AS c
    FROM (${candidates}) v JOIN ${tables.customer} k1 ON k1.c = v.c1 JOIN ${tables.customer} k2 ON k2.c = v.c2`;
  const known = `SELECT v.visit, v.day, v.c, k.segment, k.style, v.day - k.signup_day AS account_days, d.first_visit, d.visits, d.start_second
    FROM (${visitors}) v JOIN ${tables.customer} k USING (c) JOIN ${tables.day} d USING (day)`;
  const drawn = withDraws(
    known,
    seed,
    "visit",
    keyed("visit", [
      "u_time",
      "u_intent",
      "u_looks",
      "u_device",
      "u_channel",
      "u_search",
      "u_gap",
      "u_noise",
      "u_category",
      "u_rank",
      "u_style",
    ]),
  );
  // The n-th visit of a day happens at the n-th share of its traffic: numbers follow time without a sort.
  const timed = `SELECT *, ((visit - first_visit + u_time) / visits) * ${clockShares} AS share,
      u_intent < ([${segments.map(({ intent }) => intent).join(", ")}])[1 + segment] AS intent
    FROM (${drawn})`;
  const spread = ([fewest, most]: readonly number[]): string =>
    `${fewest} + floor(u_looks * ${most - fewest + 1})`;
  return `SELECT visit, day, c, segment, v.style, intent, device, channel, account_days,
      start_second + floor(opens + (share - floor(share)) * lasts)::BIGINT AS second,
      (CASE WHEN intent THEN ${spread(looks.intent)} ELSE ${spread(looks.idle)} END)::INTEGER AS looks,
      floor(u_search * CASE WHEN intent THEN 3.2 ELSE 2.1 END)::INTEGER AS searches,
      (12 + floor((CASE WHEN intent THEN 70 ELSE 45 END) * (u_gap + u_noise) * (u_gap + u_noise)))::INTEGER AS gap,
      ${productSql("v.style")} AS first_product
    FROM (${timed}) v
    JOIN ${lookups.clock} k ON k.slot = least(${clockShares - 1}, floor(share))::INTEGER
    JOIN ${lookups.device} d ON d.slot = 100 * intent::INTEGER + floor(u_device * 100)::INTEGER
    JOIN ${lookups.channel} h ON h.slot = 100 * intent::INTEGER + floor(u_channel * 100)::INTEGER
    JOIN ${lookups.taste} t ON t.slot = 100 * segment + floor(u_category * 100)::INTEGER`;
}

/** SELECT of the numbers of the visits [first, end), each with its day. */
export function visitNumbersSql(tables: ShopTables, first: number, end: number): string {
  return `SELECT day, unnest(range(greatest(first_visit, ${first}), least(first_visit + visits, ${end}))) AS visit
    FROM ${tables.day} WHERE first_visit < ${end} AND first_visit + visits > ${first}`;
}

function keyed(key: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, key]));
}

/** Product of a look in the category of taste `t`: rank by a power law (the cube of a uniform number), then the line of the customer's style. */
function productSql(style: string): string {
  const rank = "floor(t.n * u_rank * u_rank * u_rank)::BIGINT";
  const styled = `${rank} - ${rank} % ${styles} + ${style}`;
  return `t.first + CASE WHEN u_style < ${styleShare} AND ${styled} < t.n THEN ${styled} ELSE ${rank} END`;
}

/** SELECT of the looks at products of the visits in table `visits`, each with its price, and whether it was put in the cart and bought. */
export function looksSql(
  tables: ShopTables,
  lookups: Lookups,
  size: ShopSize,
  seed: number,
  visits: string,
): string {
  const numbered = `SELECT v.visit, v.day, v.c, v.segment, v.style, v.intent, v.second, v.gap, v.first_product, f.category AS first_category, f.complement, f.partner,
      unnest(range(1, v.looks + 1)) AS look FROM ${visits} v JOIN ${tables.product} f ON f.p = v.first_product`;
  const key = "visit * 64 + look";
  const chosen = withDraws(
    numbered,
    seed,
    "look",
    keyed(key, ["u_complement", "u_category", "u_rank", "u_style"]),
  );
  const placed = `SELECT visit, day, c, intent, look, second + (look - 1) * gap AS second,
      CASE WHEN look = 1 THEN first_product WHEN u_complement < ${complementShare} THEN complement ELSE ${productSql("l.style")} END AS p,
      CASE WHEN look = 1 THEN first_category WHEN u_complement < ${complementShare} THEN partner ELSE t.category END AS category
    FROM (${chosen}) l JOIN ${lookups.taste} t ON t.slot = 100 * segment + floor(u_category * 100)::INTEGER`;
  const priced = `SELECT visit, c, intent, look, second, l.p, l.category, w.price_cents, w.promoted,
      least(1, (CASE WHEN intent THEN ${buying.intent} ELSE ${buying.idle} END) * w.rel * s.factor) AS chance
    FROM (${placed}) l
    JOIN ${tables.week} w ON w.p_week = l.p * ${Math.ceil(size.days / 7)} + l.day // 7
    JOIN ${tables.season} s ON s.category_day = l.category * ${size.days} + l.day`;
  const drawn = withDraws(priced, seed, "look", keyed(key, ["u_buy", "u_cart", "u_units"]));
  return `SELECT visit, c, look, p, second, price_cents, promoted, chance,
      u_buy < chance AS bought, u_cart < CASE WHEN intent THEN 0.1 ELSE 0.04 END AS carted, n.units AS quantity
    FROM (${drawn}) JOIN ${lookups.units} n ON n.slot = 100 * category + floor(u_units * 100)::INTEGER`;
}

/** Loads the calendar into the engine. */
export async function createCalendar(
  engine: Engine,
  tables: ShopTables,
  days: readonly Day[],
): Promise<void> {
  for (const table of [tables.day, tables.season]) await engine.run(`DROP TABLE IF EXISTS ${table}`);
  const ints = (values: number[]) => ({ kind: "i32" as const, values: Int32Array.from(values) });
  await engine.load(tables.day, {
    rows: days.length,
    columns: new Map<string, Column>([
      ["day", ints(days.map(({ day }) => day))],
      ["date", { kind: "text", values: days.map(({ date }) => date) }],
      ["level", { kind: "f64", values: Float64Array.from(days, ({ level }) => level) }],
      ["first_visit", ints(days.map(({ firstVisit }) => firstVisit))],
      ["visits", ints(days.map(({ visits }) => visits))],
      [
        "start_second",
        {
          kind: "i64",
          values: BigInt64Array.from(days, ({ date }) => BigInt(Date.parse(`${date}T00:00:00Z`) / 1000)),
        },
      ],
    ]),
  });
  const pairs = days.flatMap((day) =>
    day.season.map((factor, category) => ({ category, day: day.day, factor })),
  );
  await engine.load(tables.season, {
    rows: pairs.length,
    columns: new Map<string, Column>([
      ["category", ints(pairs.map(({ category }) => category))],
      ["category_day", ints(pairs.map(({ category, day }) => category * days.length + day))],
      ["day", ints(pairs.map(({ day }) => day))],
      ["factor", { kind: "f64", values: Float64Array.from(pairs, ({ factor }) => factor) }],
    ]),
  });
}
