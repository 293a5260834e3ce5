import { ShopaiError } from "../../core/errors.js";
import type { Column } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { normalQuantile } from "../../forecast/intervals.js";
import { relationOf, type Relation } from "../../table/relation.js";
import { allocate, type Claim, type Limits } from "./allocate.js";
import { newsvendorCost } from "./base-stock.js";
import { stockPolicy, type Goal, type PolicyName, type Product, type StockPolicy } from "./policy.js";
import { readProducts, type Products } from "./products.js";
import {
  economicQuantity,
  paidFor,
  raisedToBreak,
  readDiscounts,
  type DiscountKind,
  type PriceList,
} from "./discounts.js";
import { readPaths } from "./future-paths.js";
import { due, packed, simulate, type Outcome } from "./simulate.js";

export interface InventoryAsk extends Limits {
  policy: PolicyName;
  /** Share of cycles without a stock-out, or of demand met at once; neither: what costs least. */
  service?: number;
  fillRate?: number;
  /** Money per year for money in stock. */
  holdingRate: number;
  /** Days of the week on which orders can be placed, 1 (Monday) to 7; every period by default. */
  orderDays?: readonly number[];
  /** Whose forecasts, where the table holds several models'. */
  model?: string;
  /** Values of products whose stock row has none. */
  params: Readonly<Record<string, unknown>>;
  /** Sample paths of the simulation. */
  paths: number;
  /** Possible futures of the forecast's run, which the simulation then plays on (future-paths.ts). */
  futures?: Relation;
  /** Prices that fall with the quantity (discounts.ts). */
  discounts?: { breaks: Relation; kind: DiscountKind };
}

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
type Constraint = (typeof constraints)[number];

export interface InventoryResult {
  table: Relation;
  products: number;
  /** Products with an order of more than nothing. */
  orders: number;
  units: number;
  /** Money of all orders; null where unit costs are not known. */
  spend: number | null;
  /** Over the horizon: holding, shortages and orders, with the middle 95 % of the paths; null without costs. */
  expected_cost: number | null;
  cost_interval: [number, number] | null;
  /** The same when nothing is ordered. */
  cost_without_orders: number | null;
  fill_rate: number;
  stock_outs: number;
  bound: Partial<Record<Constraint, number>>;
  unmatched: Products["unmatched"];
}

/**
 * Orders for every product of a forecast.
 *
 * @param forecast table of forecasts with intervals
 * @param stock    one row a product: what is in stock, lead times, costs (products.ts)
 * @throws ShopaiError "data" for tables that do not fit, lead times that are missing or longer than the forecast
 */
export async function decideInventory(
  forecast: Relation,
  stock: Relation | undefined,
  ask: InventoryAsk,
  run: Run,
): Promise<InventoryResult> {
  run.progress.stage("reading forecast and stock");
  const products = await readProducts(forecast, stock, ask.params, ask.model, normalQuantile);
  run.progress.done(`${products.count} products`);
  const calendar = await orderCalendar(forecast, products, ask);
  const prices = ask.discounts
    ? await readDiscounts(ask.discounts.breaks, products, ask.discounts.kind)
    : undefined;
  // The dearest price is what a unit costs where nothing else is said.
  prices?.forEach((list, i) => {
    if (list && Number.isNaN(products.values.unit_cost[i])) products.values.unit_cost[i] = list.costs[0];
  });
  const futures = ask.futures && (await readPaths(ask.futures, products, ask.model));
  const plans = await plansOf(forecast, products, calendar, prices, ask);
  const limited = await withinLimits(plans, products, ask);
  run.progress.stage("simulating");
  const outcomes: Outcome[] = [];
  const idle: Outcome[] = [];
  for (const [i, plan] of plans.entries()) {
    if (i % 50 === 0) {
      run.progress.update(i, plans.length, "products");
      await new Promise<void>((resolve) => setImmediate(resolve));
      run.signal.throwIfAborted();
    }
    const start = { ...startOf(products, i), order: plan.order };
    const never = { ...plan.policy, point: -Infinity, level: -Infinity };
    const paths = futures?.count ?? ask.paths;
    const own = futures?.demand.subarray(i * paths * products.horizon, (i + 1) * paths * products.horizon);
    outcomes.push(
      simulate(ask.policy, plan.product, plan.policy, start, paths, run.rng(`inventory ${i}`), own),
    );
    idle.push(
      simulate(
        "newsvendor",
        plan.product,
        never,
        { ...start, order: 0 },
        Math.min(50, paths),
        run.rng(`inventory ${i}`),
        own,
      ),
    );
  }
  run.progress.done();
  const table = await outputTable(forecast, products, plans, outcomes, calendar);
  return { table, ...summary(products, plans, outcomes, idle, limited) };
}

/** When orders can be placed, in periods from the first forecast. */
interface Calendar {
  wait: number;
  /** Periods from that chance to the next one; undefined: each product's own. */
  gap?: number;
  periodsPerYear: number;
}

async function orderCalendar(forecast: Relation, products: Products, ask: InventoryAsk): Promise<Calendar> {
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

interface Plan {
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

async function plansOf(
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

const startOf = ({ values }: Products, i: number) => ({
  onHand: values.on_hand[i],
  onOrder: values.on_order[i],
  backorders: values.backorders[i],
  packSize: values.pack_size[i],
});

/** Money that an order costs; NaN where unit costs are not known. */
const paid = ({ order, prices }: Plan, unitCost: number): number =>
  prices ? paidFor(order, prices) : order * unitCost;

/** Shares out what is scarce; says which limits bind. */
async function withinLimits(
  plans: Plan[],
  { values }: Products,
  { budget, capacity }: InventoryAsk,
): Promise<Constraint[]> {
  const total = (of: (i: number) => number): number =>
    plans.reduce((sum, { order }, i) => sum + order * of(i), 0);
  const spend = plans.reduce((sum, plan, i) => sum + paid(plan, values.unit_cost[i]), 0);
  const tight: Constraint[] = [];
  if (budget !== undefined && values.unit_cost.some(Number.isNaN))
    throw new ShopaiError("data", "a budget needs the unit_cost of every product", {
      try: "a column unit_cost in the stock table, or --param unit_cost=1",
    });
  if (budget !== undefined && spend > budget) tight.push("budget");
  if (capacity !== undefined && total((i) => values.volume[i]) > capacity) tight.push("capacity");
  if (tight.length === 0) return tight;
  const asking = plans.flatMap((plan, i) => (plan.order > 0 ? [i] : []));
  const claims = asking.map((i): Claim => {
    const { product, policy, position, order } = plans[i];
    return {
      window: policy.window,
      costs: { holding: product.holding * product.review, penalty: product.penalty },
      position,
      order,
      minOrder: values.min_order[i],
      packSize: values.pack_size[i],
      orderCost: product.orderCost,
      // A smaller order may lose its discount.
      unitCost: plans[i].prices?.costs[0] ?? product.unitCost,
      volume: values.volume[i],
    };
  });
  const units = await allocate(claims, { budget, capacity });
  for (const [at, i] of asking.entries()) {
    if (units[at] >= plans[i].order) continue;
    plans[i].order = units[at];
    plans[i].constraint = tight[tight.length - 1];
  }
  return tight;
}

async function outputTable(
  forecast: Relation,
  products: Products,
  plans: readonly Plan[],
  outcomes: readonly Outcome[],
  { wait }: Calendar,
): Promise<Relation> {
  const { engine } = forecast;
  const { values, columns, table, count } = products;
  const money = (i: number, value: number): number => (plans[i].priced ? value : NaN);
  const f64 = (of: (plan: Plan, i: number) => number): Column => ({
    kind: "f64",
    values: Float64Array.from(plans, of),
  });
  const decided = engine.fresh("decided");
  const spread = ({ costs }: Outcome, share: number): number =>
    costs[Math.min(costs.length - 1, Math.floor(share * costs.length))];
  await engine.load(decided, {
    rows: count,
    columns: new Map<string, Column>([
      ["_product", { kind: "i32", values: Int32Array.from(plans, (_, i) => i) }],
      ["demand", f64(({ policy }) => policy.window.mean)],
      ["demand_sd", f64(({ policy }) => policy.window.deviation)],
      ["safety_stock", f64(({ policy }) => policy.safetyStock)],
      ["reorder_point", f64(({ policy }) => policy.point)],
      ["order_up_to", f64(({ policy }) => policy.level)],
      ["position", f64(({ position }) => position)],
      ["order_units", f64(({ order }) => order)],
      ["order_value", f64((plan, i) => paid(plan, values.unit_cost[i]))],
      [
        "constraint",
        {
          kind: "code",
          values: Int32Array.from(plans, ({ constraint }) => [...constraints].sort().indexOf(constraint)),
          levels: [...constraints].sort(),
        },
      ],
      [
        "expected_cost",
        f64((_, i) =>
          money(i, outcomes[i].costs.reduce((sum, cost) => sum + cost, 0) / outcomes[i].costs.length),
        ),
      ],
      ["cost_lo_95", f64((_, i) => money(i, spread(outcomes[i], 0.025)))],
      ["cost_hi_95", f64((_, i) => money(i, spread(outcomes[i], 0.975)))],
      // What a unit more would save, less what it costs to hold.
      [
        "unit_gain",
        f64(({ policy, position, order, product }, i) => {
          const costs = { holding: product.holding * product.review, penalty: product.penalty };
          const at = (units: number): number => newsvendorCost(policy.window, costs, position + units);
          return money(i, at(order) - at(order + 1));
        }),
      ],
      ["service", f64((_, i) => 1 - outcomes[i].stockOut)],
      ["fill_rate", f64((_, i) => outcomes[i].fillRate)],
      ["turnover", f64((_, i) => outcomes[i].turnover)],
      [
        "_value",
        f64(
          ({ product }, i) =>
            product.demand.means.reduce((sum, mean) => sum + mean, 0) *
            (values.price[i] || values.unit_cost[i] || 1),
        ),
      ],
      [
        "_variation",
        f64(({ product: { demand } }) => {
          const mean = demand.means.reduce((sum, value) => sum + value, 0) / demand.means.length;
          return demand.deviations[0] / Math.max(mean, 1e-9);
        }),
      ],
    ]),
  });
  const series = columns.series.map((name) => `p.${ident(name)}`);
  const orderOn = `(SELECT min(${ident(columns.time)}) FROM (${forecast.sql}))`;
  const sql = `SELECT ${[
    ...series,
    `${wait === 0 ? orderOn : `${orderOn} + ${wait}`} AS order_on`,
    "d.order_units, d.order_value, d.constraint, d.position, d.demand, d.demand_sd, d.safety_stock, d.reorder_point, d.order_up_to",
    "d.expected_cost, d.cost_lo_95, d.cost_hi_95, d.unit_gain, d.service, d.fill_rate, d.turnover",
    // ABC: the first four fifths of the money, the next 15 %, the rest (cut before the product that crosses).
    "CASE WHEN before < 0.8 THEN 'A' WHEN before < 0.95 THEN 'B' ELSE 'C' END || CASE WHEN _variation < 0.5 THEN 'X' WHEN _variation < 1 THEN 'Y' ELSE 'Z' END AS abc_xyz",
    "d._product AS _shopai_row",
  ].join(
    ", ",
  )} FROM (SELECT *, (sum((_value * 1000)::HUGEINT) OVER (ORDER BY _value DESC, _product) - (_value * 1000)::HUGEINT) / greatest(sum((_value * 1000)::HUGEINT) OVER (), 1) AS before FROM ${ident(decided)}) d JOIN ${ident(table)} p USING (_product)`;
  return relationOf(engine, sql, { key: ["_shopai_row"], inputs: forecast.inputs, name: "orders" });
}

function summary(
  { count, values, unmatched }: Products,
  plans: readonly Plan[],
  outcomes: readonly Outcome[],
  idle: readonly Outcome[],
  tight: readonly Constraint[],
): Omit<InventoryResult, "table"> {
  const priced = plans.every((plan) => plan.priced);
  const mean = ({ costs }: Outcome): number => costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
  const total = (of: (i: number) => number): number => plans.reduce((sum, _, i) => sum + of(i), 0);
  // Products are taken for independent: their variances add up.
  const variance = total(
    (i) =>
      outcomes[i].costs.reduce((sum, cost) => sum + (cost - mean(outcomes[i])) ** 2, 0) /
      outcomes[i].costs.length,
  );
  const expected = total((i) => mean(outcomes[i]));
  const bound: Partial<Record<Constraint, number>> = {};
  for (const { constraint } of plans)
    if (constraint !== "none") bound[constraint] = (bound[constraint] ?? 0) + 1;
  for (const constraint of tight) bound[constraint] ??= 0;
  const demanded = total((i) => plans[i].product.demand.means.reduce((sum, units) => sum + units, 0));
  return {
    products: count,
    orders: plans.filter(({ order }) => order > 0).length,
    units: total((i) => plans[i].order),
    spend: values.unit_cost.some(Number.isNaN) ? null : total((i) => paid(plans[i], values.unit_cost[i])),
    expected_cost: priced ? expected : null,
    cost_interval: priced
      ? [expected - 1.96 * Math.sqrt(variance), expected + 1.96 * Math.sqrt(variance)]
      : null,
    cost_without_orders: priced ? total((i) => mean(idle[i])) : null,
    fill_rate:
      demanded > 0
        ? total(
            (i) =>
              outcomes[i].fillRate * plans[i].product.demand.means.reduce((sum, units) => sum + units, 0),
          ) / demanded
        : 1,
    stock_outs: total((i) => outcomes[i].stockOut),
    bound,
    unmatched,
  };
}
