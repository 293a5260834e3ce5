import { ShopaiError } from "../../core/errors.js";
import { ident } from "../../engine/sql.js";
import type { Relation } from "../../table/relation.js";
import type { InventoryAsk } from "./decide-inventory.js";
import { economicQuantity, paidFor, raisedToBreak, type PriceList } from "./discounts.js";
import { stockPolicy, type Goal, type Product, type StockPolicy } from "./policy.js";
import type { Products } from "./products.js";
import { due, packed } from "./simulate.js";

/** What held an order where it is. */
export const constraints = [
  "none",
  "min_order",
  "max_order",
  "pack_size",
  "shelf_life",
  "discount",
  "budget",
  "capacity",
] as const;
export type Constraint = (typeof constraints)[number];

/** When orders can be placed, in periods from the first forecast. */
export interface Calendar {
  wait: number;
  /** Periods from that chance to the next one; undefined: each product's own. */
  gap?: number;
  periodsPerYear: number;
}

/** Reads from the dates of a forecast when orders can be placed. */
export async function orderCalendar(
  forecast: Relation,
  products: Products,
  ask: InventoryAsk,
): Promise<Calendar> {
  const { time } = products.columns;
  const column = `epoch(${ident(time)}::TIMESTAMP) / 86400`;
  const [dates] = await forecast.engine
    .rows<{ first: number; second: number | null; weekday: number }>(
      `SELECT min(day) AS first, (list_sort(list(DISTINCT day)))[2] AS second, isodow(to_timestamp(min(day) * 86400))::INTEGER AS weekday FROM (SELECT (${column})::DOUBLE AS day FROM (${forecast.sql}))`,
    )
    .catch(() => [undefined]);
  const period = dates ? (dates.second ?? dates.first + 1) - dates.first : 1;
  const periodsPerYear = 365.25 / period;
  if (!ask.orderDays) return { wait: 0, periodsPerYear };
  if (!dates || period !== 1)
    throw new ShopaiError("data", "order days need a forecast per day", {
      where: forecast.name,
      try: "shopai forecast --freq D, or leaving --order-days out",
    });
  const away = [
    ...new Set(
      ask.orderDays.flatMap((day) => {
        const days = (day - dates.weekday + 7) % 7;
        return [days, days + 7];
      }),
    ),
  ].sort((a, b) => a - b);
  return { wait: away[0], gap: away[1] - away[0], periodsPerYear };
}

/** What is to be ordered of one product, and why. */
export interface Plan {
  product: Product;
  policy: StockPolicy;
  position: number;
  order: number;
  constraint: Constraint;
  /** Whether its money is known. */
  priced: boolean;
  /** Prices that fall with the quantity. */
  prices?: PriceList;
}

/** Money that an order costs; NaN where unit costs are not known. */
export const paid = ({ order, prices }: Plan, unitCost: number): number =>
  prices ? paidFor(order, prices) : order * unitCost;

/**
 * An order of every product by its own policy, before what all products share is scarce.
 *
 * @throws ShopaiError "data" for lead times that are missing or longer than the forecast
 */
export async function plansOf(
  forecast: Relation,
  products: Products,
  calendar: Calendar,
  prices: readonly (PriceList | undefined)[] | undefined,
  ask: InventoryAsk,
): Promise<Plan[]> {
  const { values, horizon, count } = products;
  const late: number[] = [];
  const missing: number[] = [];
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(values.lead_time[i])) missing.push(i);
    else if (calendar.wait + values.lead_time[i] + (calendar.gap ?? values.review[i]) > horizon) late.push(i);
  }
  if (missing.length > 0)
    throw new ShopaiError(
      "data",
      `${missing.length} of ${count} products have no lead time: ${await names(forecast, products, missing)}`,
      {
        try: "a column lead_time in the stock table, or --param lead_time=7",
      },
    );
  if (late.length > 0 && ask.policy !== "newsvendor")
    throw new ShopaiError(
      "data",
      `the forecast ends after ${horizon} periods, before the next order of ${late.length} products would arrive: ${await names(forecast, products, late)}`,
      {
        where: forecast.name,
        try: `shopai forecast --horizon ${Math.ceil(Math.max(...late.map((i) => calendar.wait + values.lead_time[i] + (calendar.gap ?? values.review[i]))))}`,
      },
    );
  return Array.from({ length: count }, (_, i) => planOf(products, i, calendar, prices?.[i], ask));
}

async function names(
  forecast: Relation,
  { table, columns }: Products,
  of: readonly number[],
): Promise<string> {
  if (columns.series.length === 0) return "the only one";
  const rows = await forecast.engine.rows<{ name: string }>(
    `SELECT concat_ws(' ', ${columns.series.map((name) => `${ident(name)}::VARCHAR`).join(", ")}) AS name FROM ${ident(table)} WHERE _product IN (${of.slice(0, 5).join(", ")}) ORDER BY _product`,
  );
  return rows.map(({ name }) => name).join(", ") + (of.length > 5 ? ", …" : "");
}

function planOf(
  { values, means, deviations, horizon }: Products,
  i: number,
  calendar: Calendar,
  prices: PriceList | undefined,
  ask: InventoryAsk,
): Plan {
  const [unitCost, price] = [values.unit_cost[i], values.price[i]];
  const goal = goalOf(values.service[i], ask);
  const review = calendar.gap ?? values.review[i];
  const known = Number.isNaN(values.holding_cost[i])
    ? (unitCost * ask.holdingRate) / calendar.periodsPerYear
    : values.holding_cost[i];
  const lost = Number.isNaN(values.stockout_cost[i])
    ? Math.max(0, price - unitCost)
    : values.stockout_cost[i];
  const priced = !Number.isNaN(known) && (!Number.isNaN(lost) || goal.kind !== "cost");
  const holding = priced ? known : 1;
  // A target says what a shortage must cost for the target to be worth its stock.
  const target = goal.kind === "cost" ? 0.95 : goal.target;
  const implied = (holding * review * target) / Math.max(1e-6, 1 - target);
  const product: Product = {
    demand: {
      means: means.subarray(i * horizon, (i + 1) * horizon),
      deviations: deviations.subarray(i * horizon, (i + 1) * horizon),
    },
    leadTime: values.lead_time[i],
    leadTimeDeviation: values.lead_time_sd[i],
    wait: calendar.wait,
    review,
    holding,
    penalty: priced && !Number.isNaN(lost) ? lost : implied,
    orderCost: values.order_cost[i],
    unitCost: Number.isNaN(unitCost) ? 0 : unitCost,
    shelfLife: values.shelf_life[i],
  };
  const rate = product.demand.means.reduce((sum, mean) => sum + mean, 0) / horizon;
  const holdingRate = ask.holdingRate / calendar.periodsPerYear;
  if (prices && product.orderCost > 0 && rate > 0 && holdingRate > 0)
    product.lot = economicQuantity(prices, product.orderCost, rate, holdingRate);
  const policy = stockPolicy(
    ask.policy,
    product,
    priced || goal.kind !== "cost" ? goal : { kind: "service", target },
  );
  const position = values.on_hand[i] + values.on_order[i] - values.backorders[i];
  const wanted = due(policy, position, 0, ask.policy);
  const plan: Plan = { product, policy, position, priced, prices, ...held(wanted, policy, values, i) };
  if (!prices || policy.perishable) return plan;
  const raised = held(raisedToBreak(plan.order, prices, rate, holdingRate), policy, values, i);
  return raised.order > plan.order ? { ...plan, order: raised.order, constraint: "discount" } : plan;
}

function goalOf(own: number, { service, fillRate }: InventoryAsk): Goal {
  if (!Number.isNaN(own)) return { kind: "service", target: own };
  if (service !== undefined) return { kind: "service", target: service };
  return fillRate === undefined ? { kind: "cost" } : { kind: "fill-rate", target: fillRate };
}

/** An order as the supplier takes it, and what changed it last. */
function held(
  wanted: number,
  policy: StockPolicy,
  values: Products["values"],
  i: number,
): { order: number; constraint: Constraint } {
  let order = wanted;
  let constraint: Constraint = policy.perishable ? "shelf_life" : "none";
  const pack = values.pack_size[i];
  if (order > 0 && order < values.min_order[i]) [order, constraint] = [values.min_order[i], "min_order"];
  const packs = packed(order, pack);
  // A unit is a pack of one: rounding up to it binds nobody.
  if (packs !== order && pack > 1) constraint = "pack_size";
  order = packs;
  const most = pack > 0 ? pack * Math.floor(values.max_order[i] / pack) : values.max_order[i];
  if (order > most) [order, constraint] = [most, "max_order"];
  return { order, constraint };
}
