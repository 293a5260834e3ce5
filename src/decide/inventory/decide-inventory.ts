import { ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import { normalQuantile } from "../../forecast/intervals.js";
import type { Relation } from "../../table/relation.js";
import { allocate, type Claim, type Limits } from "./allocate.js";
import { readDiscounts, type DiscountKind } from "./discounts.js";
import { readPaths } from "./future-paths.js";
import { orderCalendar, paid, plansOf, type Constraint, type Plan } from "./order-plans.js";
import { ordersTable, summary } from "./orders-table.js";
import type { PolicyName } from "./policy.js";
import { readProducts, type Products } from "./products.js";
import { simulate, type Outcome } from "./simulate.js";

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
  early: number;
  /** Products whose stock, with what is on order, is less than what will be asked for before an order of today arrives. */
  late: number;
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
  const table = await ordersTable(forecast, products, plans, outcomes, calendar);
  return { table, ...summary(products, plans, outcomes, idle, limited) };
}

const startOf = ({ values }: Products, i: number) => ({
  onHand: values.on_hand[i],
  onOrder: values.on_order[i],
  backorders: values.backorders[i],
  packSize: values.pack_size[i],
});

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
