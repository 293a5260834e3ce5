import { power } from "../../core/power.js";
import { newsvendor, newsvendorCost, type UnitCosts } from "./base-stock.js";
import type { Demand } from "./demand.js";

/** Order up to `level` whenever the position is at or below `point` at a review. */
export interface OrderUpToPolicy {
  point: number;
  level: number;
}

/**
 * The best (s, S) of periodic review with whole units, and its cost per period.
 *
 * Zheng & Federgruen (1991), Finding optimal (s, S) policies is about as simple as evaluating a single policy, Operations
 * Research 39(4):654-665; FOSCT algorithm 4.2. Demand is that of a period (lead time 0).
 *
 * @param mass  probabilities of 0, 1, 2, … units a period
 * @param order money per order, > 0
 */
export function bestOrderUpTo(
  demand: Demand,
  mass: (units: number) => number,
  costs: UnitCosts,
  order: number,
): OrderUpToPolicy & { cost: number } {
  const g = (y: number): number => newsvendorCost(demand, costs, y);
  const renewal = renewalMass(mass);
  const costOf = (point: number, level: number): number => {
    let paid = order;
    let periods = 0;
    for (let gap = 0; gap < level - point; gap++) {
      paid += renewal(gap) * g(level - gap);
      periods += renewal(gap);
    }
    return paid / periods;
  };
  const start = newsvendor(demand, costs).level;
  let level = start;
  let point = start - 1;
  while (costOf(point, level) > g(point)) point--;
  let cost = costOf(point, level);
  for (let next = level + 1; g(next) <= cost; next++) {
    if (costOf(point, next) >= cost) continue;
    level = next;
    while (costOf(point, level) <= g(point + 1)) point++;
    cost = costOf(point, level);
  }
  return { point, level, cost };
}

/** m(j): expected periods that the position spends j units below the order-up-to level. */
function renewalMass(mass: (units: number) => number): (gap: number) => number {
  const known: number[] = [1 / (1 - mass(0))];
  return (gap) => {
    for (let j = known.length; j <= gap; j++) {
      let sum = 0;
      for (let units = 1; units <= j; units++) sum += mass(units) * known[j - units];
      known.push(sum / (1 - mass(0)));
    }
    return known[gap];
  };
}

/**
 * (s, S) by the power approximation. Ehrhardt & Mosier (1984), Management Science 30(5):618-622; FOSCT eq. 4.77-4.80.
 *
 * @param demand of the lead time and a review period, deviation > 0
 */
export function orderUpToByPower(
  demand: Demand,
  { holding, penalty }: UnitCosts,
  order: number,
): OrderUpToPolicy {
  const { mean, deviation } = demand;
  const quantity =
    1.3 * power(mean, 0.494) * power(order / holding, 0.506) * power(1 + (deviation / mean) ** 2, 0.116);
  const z = Math.sqrt((quantity / deviation) * (holding / penalty));
  const point = 0.973 * mean + deviation * (0.183 / z + 1.063 - 2.192 * z);
  return { point, level: point + quantity };
}
