import type { Engine } from "../engine/engine.js";
import { pick, withDraws } from "./draws.js";
import { categories, categorySizes, priceLevels, promotionLevels, styles, type ShopSize } from "./model.js";

/** Names of the tables of one generated shop in the engine. */
export interface ShopTables {
  category: string;
  product: string;
  week: string;
  day: string;
  season: string;
  customer: string;
  level: string;
}

const adjectives = [
  "Classic",
  "Nordic",
  "Compact",
  "Premium",
  "Everyday",
  "Vintage",
  "Urban",
  "Bright",
  "Soft",
  "Pro",
  "Mini",
  "Giant",
];
const colours = ["white", "black", "red", "blue", "green", "grey", "sand", "rose"];
const nouns: Record<string, readonly string[]> = {
  electronics: ["Headphones", "Tablet", "Camera", "Speaker", "Monitor", "Keyboard"],
  accessories: ["Cable", "Phone Case", "Charger", "Backpack", "Stand", "Adapter"],
  fashion: ["Jacket", "Sneakers", "Dress", "Shirt", "Scarf", "Jeans"],
  sports: ["Tent", "Yoga Mat", "Running Vest", "Racket", "Bottle", "Helmet"],
  home: ["Lamp", "Teapot", "Cushion", "Vase", "Pan", "Blanket"],
  grocery: ["Coffee", "Green Tea", "Olive Oil", "Honey", "Muesli", "Chocolate"],
  toys: ["Puzzle", "Robot", "Doll House", "Train Set", "Blocks", "Kite"],
  books: ["Cookbook", "Atlas", "Novel", "Diary", "Guide", "Dictionary"],
};
const nounsZh: Record<string, readonly string[]> = {
  electronics: ["耳机", "平板电脑", "相机", "音箱", "显示器", "键盘"],
  accessories: ["数据线", "手机壳", "充电器", "背包", "支架", "转接头"],
  fashion: ["夹克", "运动鞋", "连衣裙", "衬衫", "围巾", "牛仔裤"],
  sports: ["帐篷", "瑜伽垫", "跑步背心", "球拍", "水壶", "头盔"],
  home: ["台灯", "茶壶", "靠垫", "花瓶", "平底锅", "毯子"],
  grocery: ["咖啡", "绿茶", "橄榄油", "蜂蜜", "麦片", "巧克力"],
  toys: ["拼图", "机器人", "娃娃屋", "火车套装", "积木", "风筝"],
  books: ["食谱", "地图集", "小说", "日记本", "指南", "词典"],
};

/** Public numbers hide the inner ones, which tell segment, category and rank: an affine permutation of 0 … n−1. */
export function shuffledNumber(index: string, n: number): string {
  const near = Math.max(1, Math.round(n * 0.6180339887));
  let factor = near;
  while (greatestCommonDivisor(factor, n) !== 1) factor++;
  return `((${index})::BIGINT * ${factor} + ${Math.floor(n / 3)}) % ${n}`;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** `P00042`: a letter and a number as wide as the largest. */
export function publicId(letter: string, index: string, n: number): string {
  return `'${letter}' || lpad(((${shuffledNumber(index, n)}) + 1)::VARCHAR, ${Math.max(5, String(n).length)}, '0')`;
}

/**
 * Products and their weekly prices. Products are numbered by category, then by popularity in it.
 * `week` holds each price with the factor `rel` that it puts on demand: (price / reference)^−e, times
 * the uplift of being promoted.
 */
export async function createCatalogue(
  engine: Engine,
  tables: ShopTables,
  size: ShopSize,
  seed: number,
): Promise<void> {
  const sizes = categorySizes(size.products);
  let offset = 0;
  const rows = categories.map((category, c) => {
    const partner = c ^ 1;
    const row = [
      c,
      `'${category.name}'`,
      `'${category.nameZh}'`,
      offset,
      sizes[c],
      ...category.price,
      ...category.elasticity,
      ...category.margin,
      category.returns,
      partner,
    ];
    offset += sizes[c];
    return `(${row.join(", ")})`;
  });
  await engine.run(
    `CREATE TABLE ${tables.category} AS SELECT * FROM (VALUES ${rows.join(", ")}) AS t(category, name, name_zh, first, n, price_low, price_high, elasticity_low, elasticity_high, margin_low, margin_high, returns, partner)`,
  );
  const ranked = `SELECT c.*, unnest(range(c.n)) AS rank FROM ${tables.category} c`;
  const drawn = withDraws(`SELECT *, first + rank AS p FROM (${ranked})`, seed, "product", {
    u_price: "p",
    u_elasticity: "p",
    u_margin: "p",
    u_uplift: "p",
    u_quality: "p",
    u_adjective: "p",
    u_colour: "p",
    u_noun: "p",
  });
  // The cube of a uniform number spreads prices evenly over their orders of magnitude, without a logarithm.
  const named = `SELECT *,
      5 * round((100 * price_low + 100 * (price_high - price_low) * u_price * u_price * u_price) / 5)::BIGINT - 1 AS ref_cents,
      round(elasticity_low + (elasticity_high - elasticity_low) * u_elasticity, 3) AS elasticity,
      round(1.1 + 0.35 * u_uplift, 3) AS promo_uplift,
      round(2.4 + 2.4 * u_quality, 2) AS quality,
      (rank % ${styles})::INTEGER AS style,
      floor(u_noun * 6)::INTEGER AS noun
    FROM (${drawn})`;
  const noun = (lists: Record<string, readonly string[]>): string =>
    `CASE category ${categories.map((category, c) => `WHEN ${c} THEN ([${lists[category.name].map((word) => `'${word}'`).join(", ")}])[1 + noun]`).join(" ")} END`;
  await engine.run(
    `CREATE TABLE ${tables.product} AS
     SELECT p, category, rank, style, name AS category_name, name_zh AS category_zh,
       ${publicId("P", "p", size.products)} AS product_id,
       ${pick(adjectives, "u_adjective")} || ' ' || ${noun(nouns)} || CASE WHEN u_colour < 0.7 THEN ', ' || ${pick(colours, "u_colour / 0.7")} WHEN u_colour < 0.8 THEN ' "Limited"' ELSE '' END AS title,
       ${noun(nounsZh)} AS title_zh,
       ref_cents, round(ref_cents * (1 - (margin_low + (margin_high - margin_low) * u_margin)))::BIGINT AS cost_cents,
       elasticity, promo_uplift, quality, returns AS return_share,
       (SELECT o.first + least(d.rank, o.n - 1) FROM ${tables.category} o WHERE o.category = d.partner) AS complement, partner
     FROM (${named}) d ORDER BY p`,
  );
  const weeks = Math.ceil(size.days / 7);
  const priced = withDraws(`SELECT *, unnest(range(${weeks})) AS week FROM ${tables.product}`, seed, "week", {
    u_level: `p * ${weeks} + week`,
  });
  await engine.run(
    `CREATE TABLE ${tables.week} AS
     SELECT p, week::INTEGER AS week, p * ${weeks} + week AS p_week, price_cents, promoted,
       pow(price_cents / ref_cents, -elasticity) * CASE WHEN promoted THEN promo_uplift ELSE 1 END AS rel
     FROM (SELECT *, floor(u_level * ${priceLevels.length}) < ${promotionLevels} AS promoted,
             round(ref_cents * ${pick(priceLevels, "u_level")})::BIGINT AS price_cents FROM (${priced}))
     ORDER BY p, week`,
  );
}
