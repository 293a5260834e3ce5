import { levelForCycleService, levelForFillRate, newsvendor, type UnitCosts } from "./base-stock.js";
import type { Demand } from "./demand.js";
import { economicOrder } from "./economic-order.js";
import { reorderByInventoryLevel } from "./reorder-quantity.js";
import { demandOf, windowDemand, type PeriodDemand } from "./window.js";

export const policyNames = ["base-stock", "reorder", "order-up-to", "newsvendor"] as const;
export type PolicyName = (typeof policyNames)[number];

/** What stock is to achieve. */
export type Goal =
  { kind: "service"; target: number } | { kind: "fill-rate"; target: number } | { kind: "cost" };

/** A product, its times in periods and its money per unit and period. */
export interface Product {
  demand: PeriodDemand;
  leadTime: number;
  leadTimeDeviation: number;
  /** Periods until the next chance to order, and from it to the one after. */
  wait: number;
  review: number;
  holding: number;
  /** Money per unit short. */
  penalty: number;
  orderCost: number;
  unitCost: number;
  shelfLife: number;
  /** The quantity that discounts make cheapest, where there are any. */
  lot?: number;
}

/** How far to order, and when. */
export interface StockPolicy {
  /** Order when the position (in stock, on its way, less what is owed) is at or below it… */
  point: number;
  /** …up to this. */
  level: number;
  safetyStock: number;
  /** Demand until an order of the chance after the next would arrive. */
  window: Demand;
  /** Whether the shelf life holds the level down. */
  perishable: boolean;
}

/**
 * The levels of a policy.
 *
 * - `base-stock`: order up to the level at every chance (FOSCT 4.3)
 * - `order-up-to`: (s, S), order up to the level only from the point down (FOSCT 4.4)
 * - `reorder`: (r, Q), order Q units from the point down; here level = point + Q (FOSCT 5)
 * - `newsvendor`: one order for the whole horizon, what is left over is worth nothing (FOSCT 4.3)
 */
export function stockPolicy(name: PolicyName, product: Product, goal: Goal): StockPolicy {
  const { demand, leadTime, leadTimeDeviation, wait, review } = product;
  const horizon = demand.means.length;
  const span = name === "newsvendor" ? horizon : wait + leadTime + (name === "base-stock" ? review : 0);
  const over = windowDemand(demand, 0, span, leadTimeDeviation);
  const window = demandOf(over.mean, over.deviation);
  const cycle = windowDemand(demand, 0, Math.min(horizon, Math.max(1, review))).mean;
  const costs: UnitCosts =
    name === "newsvendor"
      ? { holding: product.unitCost, penalty: product.penalty }
      : { holding: product.holding * review, penalty: product.penalty };
  const batch =
    name === "reorder" || name === "order-up-to" ? batchOf(product, window, cycle, goal) : undefined;
  const wanted = batch?.point ?? levelFor(goal, window, costs, cycle);
  const level = wanted + (batch?.quantity ?? 0);
  const most = sellableLevel(product, costs);
  const capped = Math.min(level, most);
  return {
    point: batch ? Math.min(wanted, capped) : capped,
    level: capped,
    safetyStock: Math.max(0, Math.min(wanted, capped) - over.mean),
    window,
    perishable: most < level,
  };
}

function levelFor(goal: Goal, window: Demand, costs: UnitCosts, cycle: number): number {
  switch (goal.kind) {
    case "service":
      return Math.max(0, levelForCycleService(window, goal.target));
    case "fill-rate":
      return Math.max(0, levelForFillRate(window, goal.target, cycle));
    case "cost":
      return Math.max(0, newsvendor(window, costs).level);
  }
}

function batchOf(
  { demand, holding, penalty, orderCost, review, lot = 0 }: Product,
  window: Demand,
  cycle: number,
  goal: Goal,
): { point: number; quantity: number } {
  const rate = demand.means.reduce((sum, mean) => sum + mean, 0) / demand.means.length;
  const costs = { order: orderCost, holding, penalty, rate };
  const economic = orderCost > 0 && holding > 0 && rate > 0 ? economicOrder(costs).quantity : 0;
  const quantity = Math.max(1, cycle, economic, lot);
  // A penalty below what the quantity costs to hold would set the point at nothing.
  if (goal.kind === "cost" && lot === 0 && economic > cycle && economic * holding < penalty * rate) {
    const found = reorderByInventoryLevel(window, costs);
    return { point: Math.max(0, found.point), quantity: Math.max(1, cycle, found.quantity) };
  }
  return { quantity, point: levelFor(goal, window, { holding: holding * review, penalty }, quantity) };
}

/** Above it a unit is more likely to spoil than to pay: a newsvendor over the shelf life. */
function sellableLevel(
  { demand, leadTime, wait, shelfLife, unitCost, penalty }: Product,
  costs: UnitCosts,
): number {
  if (shelfLife === Infinity) return Infinity;
  const until = windowDemand(demand, 0, wait + leadTime + shelfLife);
  const spoiled = { holding: (unitCost || costs.holding) + costs.holding, penalty: penalty || costs.penalty };
  return newsvendor(demandOf(until.mean, until.deviation), spoiled).level;
}
