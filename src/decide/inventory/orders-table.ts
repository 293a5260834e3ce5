import type { Column } from "../../engine/frame.js";
import { ident } from "../../engine/sql.js";
import { relationOf, type Relation } from "../../table/relation.js";
import { newsvendorCost } from "./base-stock.js";
import type { InventoryResult } from "./decide-inventory.js";
import { constraints, paid, type Calendar, type Constraint, type Plan } from "./order-plans.js";
import { chronological, type Products } from "./products.js";
import type { Outcome } from "./simulate.js";

/** The orders with what the simulation says of them, a row per product. */
export async function ordersTable(
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
  // Today is before the first period of the series that go on to the end.
  const time = await chronological(forecast, ident(columns.time), columns.time);
  const by = columns.series.length > 0 ? ` GROUP BY ${columns.series.map(ident).join(", ")}` : "";
  const orderOn = `(SELECT arg_max(own, first) FROM (SELECT arg_min(${ident(columns.time)}, ${time}) AS own, min(${time}) AS first FROM (${forecast.sql})${by}))`;
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

/** The same for all products together. */
export function summary(
  { count, values, unmatched, early }: Products,
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
    late: plans.filter(({ position, product: { demand } }, i) => {
      const until = demand.means
        .slice(0, Math.ceil(values.lead_time[i]))
        .reduce((sum, units) => sum + units, 0);
      return position < until;
    }).length,
    stock_outs: total((i) => outcomes[i].stockOut),
    bound,
    unmatched,
    early,
  };
}
