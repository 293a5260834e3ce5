import { listed, nearest, ShopaiError } from "../../core/errors.js";
import { floats } from "../../engine/frame.js";
import { ident, literal } from "../../engine/sql.js";
import { forecastColumns, type ForecastColumns } from "../../forecast/forecast-table.js";
import { spellingOf } from "../../forecast/spelled-times.js";
import { columnNamed, findColumn, isNumeric, kindOf, type Relation } from "../../table/relation.js";

/** What is known of a product beside its demand: a column of the stock table, or one value for all by `--param`. */
export const attributes = {
  on_hand: { help: "units in stock", min: 0, fallback: 0 },
  on_order: { help: "units ordered and not here yet", min: 0, fallback: 0 },
  backorders: { help: "units owed to customers", min: 0, fallback: 0 },
  lead_time: { help: "periods from order to arrival", min: 0, fallback: NaN },
  lead_time_sd: { help: "standard deviation of the lead time, periods", min: 0, fallback: 0 },
  review: { help: "periods between two chances to order", min: 1, fallback: 1 },
  unit_cost: { help: "money paid per unit", min: 0, fallback: NaN },
  price: { help: "money taken per unit", min: 0, fallback: NaN },
  holding_cost: { help: "money per unit and period in stock", min: 0, fallback: NaN },
  stockout_cost: { help: "money lost per unit short", min: 0, fallback: NaN },
  order_cost: { help: "money per order", min: 0, fallback: 0 },
  service: { help: "share of order cycles without a stock-out", min: 0, fallback: NaN },
  min_order: { help: "fewest units that can be ordered", min: 0, fallback: 0 },
  max_order: { help: "most units that can be ordered", min: 0, fallback: Infinity },
  pack_size: { help: "units come in multiples of it; 0: any amount", min: 0, fallback: 1 },
  volume: { help: "room that a unit takes", min: 0, fallback: 0 },
  shelf_life: { help: "periods that a unit can be sold after it came", min: 0, fallback: Infinity },
} as const;
export type Attribute = keyof typeof attributes;
export const attributeNames = Object.keys(attributes) as Attribute[];

/** Products in the order of the forecast's series, as columns. */
export interface Products {
  count: number;
  /** Table of the engine: `_product` (from 0) and the series columns. */
  table: string;
  columns: ForecastColumns;
  /** Periods of the forecast. */
  horizon: number;
  /** Mean and deviation of demand by product and period, row-major, products x horizon. */
  means: Float64Array;
  deviations: Float64Array;
  values: Record<Attribute, Float64Array>;
  /** Series of the forecast without a row in the stock table, and rows without a forecast. */
  unmatched: { noStock: number; noForecast: number };
  /** Series whose forecast begins before those of others: they ended early, and go on from there. */
  early: number;
}

/** Standard normal quantile of 0.975 and so on: what an interval's half width is divided by. */
export type Quantile = (p: number) => number;

/**
 * Reads demand and products.
 *
 * @param given values for products whose stock row has none, by `--param`
 * @throws ShopaiError "data" for a table that is no forecast, duplicate products, values out of range; "usage" for unknown attributes
 */
export async function readProducts(
  forecast: Relation,
  stock: Relation | undefined,
  given: Readonly<Record<string, unknown>>,
  model: string | undefined,
  quantile: Quantile,
): Promise<Products> {
  checkGiven(given);
  const columns = forecastColumns(forecast);
  if (!columns)
    throw new ShopaiError(
      "data",
      "this is no table of forecasts (series…, time, model, mean, lo_80, hi_80, …)",
      {
        where: forecast.name,
        try: "shopai forecast demand.parquet --horizon 28 -o forecast.parquet",
      },
    );
  if (columns.levels.length === 0)
    throw new ShopaiError("data", "the forecast has no intervals, and stock is set by what may happen", {
      where: forecast.name,
      try: "shopai forecast --level 80,95",
    });
  const { engine } = forecast;
  const rows = await chosenRows(forecast, columns, model);
  const series = columns.series.map(ident);
  const table = engine.fresh("products");
  const by = series.length > 0 ? series.join(", ") : "1";
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT (row_number() OVER (ORDER BY ${by}) - 1)::INTEGER AS _product${series.map((name) => `, ${name}`).join("")} FROM (SELECT DISTINCT ${series.length > 0 ? by : "1 AS one"} FROM ${rows})`,
  );
  const level = columns.levels[0];
  const width = 2 * quantile((1 + Number(level) / 100) / 2);
  const joined = `${rows} f JOIN ${ident(table)} p ON ${series.map((name) => `f.${name} IS NOT DISTINCT FROM p.${name}`).join(" AND ") || "true"}`;
  const time = await chronological(forecast, `f.${ident(columns.time)}`, columns.time);
  const demand = await engine.frame(
    `SELECT p._product::DOUBLE AS _product, greatest(f.mean, 0)::DOUBLE AS mean, greatest(${ident(`hi_${level}`)} - ${ident(`lo_${level}`)}, 0)::DOUBLE / ${width} AS deviation FROM ${joined} ORDER BY p._product, ${time}`,
    ["_product", "mean", "deviation"].map((name) => ({ name, as: "f64" as const })),
  );
  const count = demand.rows === 0 ? 0 : floats(demand, "_product")[demand.rows - 1] + 1;
  if (count === 0)
    throw new ShopaiError("data", "there are no forecasts to decide on", { where: forecast.name });
  const horizon = demand.rows / count;
  if (!Number.isInteger(horizon))
    throw new ShopaiError(
      "data",
      `the ${count} series have ${demand.rows} forecasts, which is not the same number each`,
      {
        where: forecast.name,
        try: "one run of shopai forecast, or --where",
      },
    );
  const [{ early }] = await engine.rows<{ early: bigint }>(
    `SELECT count(*) FILTER (first < last) AS early FROM (SELECT first, max(first) OVER () AS last FROM (SELECT min(${time}) AS first FROM ${joined} GROUP BY p._product))`,
  );
  const about = { count, table, columns, horizon };
  const { values, unmatched } = await readAttributes(forecast, stock, about, given);
  return {
    ...about,
    means: floats(demand, "mean"),
    deviations: floats(demand, "deviation"),
    values,
    unmatched,
    early: Number(early),
  };
}

/** An expression of a forecast's time in the order of time, also where it is spelled as text ("Jan 1990"). */
export async function chronological(
  { engine, sql, schema }: Relation,
  expression: string,
  name: string,
): Promise<string> {
  const field = findColumn(schema, name);
  const text = field !== undefined && kindOf(field.type) === "text";
  const spelling = text ? await spellingOf(engine, sql, field.name, "text") : undefined;
  return spelling ? `(${spelling.toDate(expression)})` : expression;
}

function checkGiven(given: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(attributes, name)) {
      const near = nearest(name, attributeNames);
      throw new ShopaiError("usage", `a product has no "${name}" (it has ${listed(attributeNames, 30)})`, {
        try: near ? `--param ${near}=${String(value)}` : "shopai decide inventory --help",
      });
    }
    const { min } = attributes[name as Attribute];
    if (typeof value !== "number" || !(value >= min))
      throw new ShopaiError("usage", `${name} must be a number >= ${min}, got ${String(value)}`, {
        where: `--param ${name}`,
        try: `--param ${name}=${min}`,
      });
  }
}

/** The rows of one model, or of each series' own where the table holds one forecast of each (as `--model auto` writes). */
async function chosenRows(
  forecast: Relation,
  { series, time }: ForecastColumns,
  model: string | undefined,
): Promise<string> {
  const { engine } = forecast;
  const names = (
    await engine.rows<{ model: string }>(`SELECT DISTINCT model FROM (${forecast.sql}) ORDER BY model`)
  ).map((row) => row.model);
  if (model !== undefined && !names.includes(model))
    throw new ShopaiError("data", `the table holds no forecasts of ${model} (it has ${listed(names)})`, {
      where: forecast.name,
      try: `--model ${nearest(model, names) ?? names[0]}`,
    });
  if (model !== undefined) return `(SELECT * FROM (${forecast.sql}) WHERE model = ${literal(model)})`;
  const [{ twice }] = await engine.rows<{ twice: bigint }>(
    `SELECT count(*) - count(DISTINCT (${[...series, time].map(ident).join(", ")})) AS twice FROM (${forecast.sql})`,
  );
  if (twice > 0n)
    throw new ShopaiError("usage", `the table holds forecasts of ${listed(names)} for the same series`, {
      where: forecast.name,
      try: `--model ${names[0]}`,
    });
  return `(${forecast.sql})`;
}

async function readAttributes(
  forecast: Relation,
  stock: Relation | undefined,
  { count, table, columns }: Pick<Products, "count" | "table" | "columns">,
  given: Readonly<Record<string, unknown>>,
): Promise<Pick<Products, "values" | "unmatched">> {
  const fallback = (name: Attribute): number =>
    (given[name] as number | undefined) ?? attributes[name].fallback;
  const filled = (name: Attribute): Float64Array => new Float64Array(count).fill(fallback(name));
  if (!stock)
    return {
      values: Object.fromEntries(attributeNames.map((name) => [name, filled(name)])) as Products["values"],
      unmatched: { noStock: 0, noForecast: 0 },
    };
  const keys = columns.series.map((name) => ident(columnNamed(stock, name).name));
  const there = await filledColumns(stock);
  if (there.length === 0)
    throw new ShopaiError("data", `the table says nothing of products (${listed(attributeNames, 20)})`, {
      where: stock.name,
      try: "columns of these names, or --param lead_time=7",
    });
  await checkStock(stock, keys, there);
  const on =
    keys.map((name, i) => `p.${ident(columns.series[i])} IS NOT DISTINCT FROM s.${name}`).join(" AND ") ||
    "true";
  const frame = await forecast.engine.frame(
    `SELECT ${["(s._here IS NULL)::DOUBLE AS _missing", ...there.map((name) => `s.${ident(findColumn(stock.schema, name)!.name)}::DOUBLE AS ${ident(name)}`)].join(", ")} FROM ${ident(table)} p LEFT JOIN (SELECT *, true AS _here FROM (${stock.sql})) s ON ${on} ORDER BY p._product`,
    ["_missing", ...there].map((name) => ({ name, as: "f64" as const })),
  );
  const noStock = floats(frame, "_missing").reduce((sum, missing) => sum + missing, 0);
  const [{ n }] = await forecast.engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${stock.sql})`);
  const values = Object.fromEntries(
    attributeNames.map((name) => [
      name,
      there.includes(name)
        ? floats(frame, name).map((value) => (Number.isNaN(value) ? fallback(name) : value))
        : filled(name),
    ]),
  ) as Products["values"];
  return { values, unmatched: { noStock, noForecast: Number(n) - (count - noStock) } };
}

/** Attributes that the table has a value of; a column of nothing has no type worth speaking of. */
async function filledColumns(stock: Relation): Promise<Attribute[]> {
  const there = attributeNames.filter((name) => findColumn(stock.schema, name));
  if (there.length === 0) return there;
  const [counts] = await stock.engine.rows<Record<string, bigint>>(
    `SELECT ${there.map((name) => `count(${ident(findColumn(stock.schema, name)!.name)}) AS ${ident(name)}`).join(", ")} FROM (${stock.sql})`,
  );
  return there.filter((name) => counts[name] > 0n);
}

/** One row a product, numbers where numbers belong, none of them below its range. */
async function checkStock(
  stock: Relation,
  keys: readonly string[],
  there: readonly Attribute[],
): Promise<void> {
  const { engine } = stock;
  const wrong = there
    .map((name) => findColumn(stock.schema, name)!)
    .filter((field) => !isNumeric(field.type));
  if (wrong.length > 0)
    throw new ShopaiError(
      "data",
      `${listed(wrong.map(({ name, type }) => `${name} (${type})`))} must be numbers`,
      { where: stock.name, try: "shopai clean with a contract" },
    );
  if (keys.length > 0) {
    const by = keys.join(", ");
    const twice = await engine.rows<Record<string, unknown>>(
      `SELECT ${by}, count(*)::INTEGER AS rows FROM (${stock.sql}) GROUP BY ${by} HAVING count(*) > 1 ORDER BY ${by} LIMIT 5`,
    );
    if (twice.length > 0)
      throw new ShopaiError(
        "data",
        `${listed(twice.map(({ rows, ...key }) => `${Object.values(key).join(", ")} (${String(rows)} rows)`))} must stand once`,
        { where: stock.name, try: `one row per ${by}` },
      );
  }
  for (const name of there) {
    const column = ident(findColumn(stock.schema, name)!.name);
    const { min } = attributes[name];
    const [{ bad, least }] = await engine.rows<{ bad: bigint; least: number }>(
      `SELECT count(*) FILTER (${column}::DOUBLE < ${min} OR isnan(${column}::DOUBLE)) AS bad, min(${column}::DOUBLE) AS least FROM (${stock.sql})`,
    );
    if (bad > 0n)
      throw new ShopaiError(
        "data",
        `${bad} values of ${name} are below ${min} or no number (the least is ${least})`,
        {
          where: stock.name,
          try:
            name === "on_hand"
              ? "units owed to customers in a column backorders"
              : `--where '${column} >= ${min}'`,
        },
      );
  }
}
