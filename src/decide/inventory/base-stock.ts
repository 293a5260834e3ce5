import type { Demand } from "./demand.js";

/** What a unit over and a unit short cost. */
export interface UnitCosts {
  /** Money per unit left over. */
  holding: number;
  /** Money per unit short. */
  penalty: number;
}

/** Expected cost of a period that begins with `level` units: h E[(y - D)+] + p E[(D - y)+]. */
export function newsvendorCost(demand: Demand, { holding, penalty }: UnitCosts, level: number): number {
  const short = demand.loss(level);
  return holding * (level - demand.mean + short) + penalty * short;
}

/**
 * The newsvendor's level: the smallest with P(D <= y) >= p / (p + h). Arrow, Harris & Marschak (1951), Econometrica
 * 19(3):250-272; FOSCT eq. 4.17 and 4.30.
 *
 * @example newsvendor(normalDemand(50, 8), { holding: 0.18, penalty: 0.7 }) // { level: 56.6040, cost: 1.9976 }
 */
export function newsvendor(demand: Demand, costs: UnitCosts): { level: number; cost: number } {
  const level = demand.quantile(costs.penalty / (costs.penalty + costs.holding));
  return { level, cost: newsvendorCost(demand, costs, level) };
}

/** The smallest level that meets all demand of a period with probability `target` (cycle service level, type 1). */
export function levelForCycleService(demand: Demand, target: number): number {
  return demand.quantile(target);
}

/**
 * The smallest level from which a share `target` of demand is met at once (fill rate, type 2): units short in a cycle
 * are (1 - target) of the `cycle` units that are sold in it.
 */
export function levelForFillRate(demand: Demand, target: number, cycle: number): number {
  const allowed = (1 - target) * cycle;
  let low = demand.mean - 10 * demand.deviation - cycle;
  let high = demand.mean + 10 * demand.deviation + 1;
  for (let i = 0; i < 200 && high - low > 1e-9 * (1 + Math.abs(high)); i++) {
    const middle = (low + high) / 2;
    if (demand.loss(middle) > allowed) low = middle;
    else high = middle;
  }
  return demand.whole ? Math.ceil(high - 1e-6) : high;
}
