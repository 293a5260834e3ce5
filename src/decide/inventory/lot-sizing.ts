import { newsvendorCost, type UnitCosts } from "./base-stock.js";
import type { Demand } from "./demand.js";

/** What to order in each period, and what it costs in all. */
export interface LotPlan {
  orders: number[];
  cost: number;
}

/**
 * The cheapest plan for known demand. Wagner & Whitin (1958), Dynamic version of the economic lot size model, Management
 * Science 5(1):89-96; FOSCT eq. 3.39.
 *
 * @param demand  units of each period
 * @param order   money per order
 * @param holding money per unit kept to the next period
 */
export function wagnerWhitin(demand: readonly number[], order: number, holding: number): LotPlan {
  const periods = demand.length;
  const best = new Float64Array(periods + 1);
  const until = new Int32Array(periods);
  for (let from = periods - 1; from >= 0; from--) {
    best[from] = Infinity;
    let kept = 0;
    for (let to = from; to < periods; to++) {
      kept += holding * (to - from) * demand[to];
      const cost = order + kept + best[to + 1];
      if (cost < best[from]) [best[from], until[from]] = [cost, to + 1];
    }
  }
  const orders = new Array<number>(periods).fill(0);
  for (let from = 0; from < periods; from = until[from])
    orders[from] = demand.slice(from, until[from]).reduce((sum, units) => sum + units, 0);
  return { orders, cost: best[0] };
}

/** When and how far to order in a period. */
export interface PeriodPolicy {
  point: number;
  level: number;
}

export interface HorizonCosts extends UnitCosts {
  /** Money per order and per unit ordered. */
  order: number;
  unit: number;
  /** Money per unit left over, and per unit owed, after the last period. */
  lastHolding: number;
  lastPenalty: number;
}

/**
 * The cheapest (s, S) of every period of a horizon, by dynamic programming over whole units. Scarf (1960); FOSCT eq. 4.60.
 *
 * @param demand of a period; rounded to whole units, within `reach` deviations of its mean and never below 0
 * @returns one policy a period, and the expected cost from a stock of nothing
 */
export function finiteHorizon(
  demand: Demand,
  costs: HorizonCosts,
  periods: number,
  reach = 8,
): { policies: PeriodPolicy[]; cost: number } {
  const least = Math.max(0, Math.round(demand.mean - reach * demand.deviation));
  const most = Math.round(demand.mean + reach * demand.deviation);
  const mass = Float64Array.from({ length: most + 1 }, (_, d) =>
    d < least ? 0 : demand.cdf(d + 0.5) - demand.cdf(d - 0.5),
  );
  const low = -most * periods;
  const high = most * (periods + 1);
  const states = high - low + 1;
  let ahead = Float64Array.from({ length: states }, (_, i) => {
    const x = low + i;
    return x >= 0 ? costs.lastHolding * x : -costs.lastPenalty * x;
  });
  const policies: PeriodPolicy[] = [];
  for (let t = periods; t >= 1; t--) {
    const after = new Float64Array(states);
    for (let i = 0; i < states; i++) {
      let expected = 0;
      for (let d = least; d <= most; d++) expected += mass[d] * ahead[Math.max(0, i - d)];
      after[i] = costs.unit * (low + i) + newsvendorCost(demand, costs, low + i) + expected;
    }
    const first = -most * (t - 1) - low;
    let level = first;
    for (let i = first; i < states; i++) if (after[i] < after[level]) level = i;
    let point = level;
    while (point > first && after[point] <= after[level] + costs.order) point--;
    policies.unshift({ point: low + point, level: low + level });
    ahead = after.map((stay, i) => (i <= point ? costs.order + after[level] : stay) - costs.unit * (low + i));
  }
  return { policies, cost: ahead[-low] };
}
