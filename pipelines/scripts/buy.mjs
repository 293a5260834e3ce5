// What to order of every product: up to the level that covers demand until the next delivery with the wanted
// chance, less what is there. Days are taken as independent: the spread of their sum is the root of the sum of
// their variances (Silver, Pyke & Thomas 2017, Inventory and Production Management in Supply Chains, 7.7).
import { existsSync, readFileSync } from "node:fs";

/** @param {object[]} tables the forecast: product_id, day, mean, lo_80, hi_80… */
export default function ([forecast], { params }) {
  const { lead, service, stock } = params;
  const column = (name) => [...forecast.getChild(name)];
  const [products, days, means, highs] = ["product_id", "day", "mean", "hi_80"].map(column);
  const byProduct = new Map();
  products.forEach((product, i) => {
    if (!byProduct.has(product)) byProduct.set(product, []);
    byProduct
      .get(product)
      .push({ day: Number(days[i]), mean: means[i], sd: (highs[i] - means[i]) / normalQuantile(0.9) });
  });
  const onHand = stockIn(stock);
  const rows = [...byProduct]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([product, ahead]) => {
      const until = ahead.sort((a, b) => a.day - b.day).slice(0, lead);
      const demand = until.reduce((sum, { mean }) => sum + Math.max(0, mean), 0);
      const spread = Math.sqrt(until.reduce((sum, { sd }) => sum + Math.max(0, sd) ** 2, 0));
      const level = Math.ceil(demand + normalQuantile(service) * spread);
      const held = onHand.get(product) ?? 0;
      return { product, demand, level, held, order: Math.max(0, level - held) };
    });
  return {
    product_id: rows.map(({ product }) => product),
    expected_units: Float64Array.from(rows, ({ demand }) => Math.round(demand * 1000) / 1000),
    order_up_to: Int32Array.from(rows, ({ level }) => level),
    on_hand: Int32Array.from(rows, ({ held }) => held),
    order_units: Int32Array.from(rows, ({ order }) => order),
  };
}

/** @param {string} path CSV with the columns product_id and on_hand; nothing without a path */
function stockIn(path) {
  if (!path) return new Map();
  if (!existsSync(path)) throw new Error(`there is no ${path} with the stock`);
  const [head, ...lines] = readFileSync(path, "utf8")
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(","));
  const [id, units] = ["product_id", "on_hand"].map((name) => head.indexOf(name));
  if (id < 0 || units < 0) throw new Error(`${path} needs the columns product_id and on_hand`);
  return new Map(lines.map((line) => [line[id], Math.trunc(Number(line[units]) || 0)]));
}

/** z with P(Z <= z) = p: bisection on Abramowitz & Stegun's 7.1.26 for erf, good to 1e-6. */
function normalQuantile(p) {
  let [low, high] = [-8, 8];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function normalShare(z) {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const erf =
    1 -
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) *
      t *
      Math.exp(-x * x);
  return z < 0 ? (1 - erf) / 2 : (1 + erf) / 2;
}
