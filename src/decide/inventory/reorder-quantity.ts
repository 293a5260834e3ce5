import { newsvendorCost, type UnitCosts } from "./base-stock.js";
import type { Demand } from "./demand.js";
import { backorderedOrder, economicOrder } from "./economic-order.js";

/** Order `quantity` whenever what is in stock and on its way falls to `point`. */
export interface ReorderPolicy {
  point: number;
  quantity: number;
}

/** Costs per unit of time, and demand per unit of time. */
export interface ReorderCosts extends UnitCosts {
  /** Money per order. */
  order: number;
  /** Units per time. */
  rate: number;
}

/**
 * Expected cost per time of an (r, Q) policy, demand that waits. Exact for continuous review: FOSCT eq. 5.7 (5.49 for
 * whole units), with demand over the lead time.
 */
export function reorderCost(demand: Demand, costs: ReorderCosts, { point, quantity }: ReorderPolicy): number {
  const { order, rate, holding, penalty } = costs;
  if (demand.whole) {
    let sum = order * rate;
    for (let y = point + 1; y <= point + quantity; y++) sum += newsvendorCost(demand, costs, y);
    return sum / quantity;
  }
  // The integral of the newsvendor's cost over the inventory position, which is uniform on (r, r + Q].
  const middle = point + quantity / 2 - demand.mean;
  const short = (demand.secondLoss(point) - demand.secondLoss(point + quantity)) / quantity;
  return (order * rate) / quantity + holding * middle + (holding + penalty) * short;
}

/** The best reorder point for an order quantity: the r with g(r) = g(r + Q). FOSCT eq. 5.9. */
export function bestPoint(demand: Demand, costs: UnitCosts, quantity: number): number {
  const rise = (r: number): number =>
    newsvendorCost(demand, costs, r + quantity) - newsvendorCost(demand, costs, r);
  let high = demand.quantile(costs.penalty / (costs.penalty + costs.holding));
  let low = high - quantity;
  for (let i = 0; i < 200 && high - low > 1e-11 * (1 + Math.abs(high)); i++) {
    const middle = (low + high) / 2;
    if (rise(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The order quantity of demand that waits, with its best point. Zheng (1992), Management Science 38(1):87-103. */
export function reorderByBackorders(demand: Demand, costs: ReorderCosts): ReorderPolicy {
  const { quantity } = backorderedOrder(costs, costs.penalty);
  return { quantity, point: bestPoint(demand, costs, quantity) };
}

/** Expected-inventory-level approximation. Whitin (1953); Hadley & Whitin (1963); FOSCT eq. 5.17 and 5.18. */
export function reorderByInventoryLevel(demand: Demand, costs: ReorderCosts): ReorderPolicy {
  const { order, holding, penalty, rate } = costs;
  return settled(economicOrder(costs).quantity, (quantity) => {
    const point = demand.quantile(1 - (quantity * holding) / (penalty * rate));
    return { point, quantity: Math.sqrt((2 * rate * (order + penalty * demand.loss(point))) / holding) };
  });
}

/** Loss-function approximation. Hadley & Whitin (1963); FOSCT eq. 5.28 and 5.29. */
export function reorderByLoss(demand: Demand, costs: ReorderCosts): ReorderPolicy {
  const { order, holding, penalty, rate } = costs;
  return settled(economicOrder(costs).quantity, (quantity) => {
    const point = whereLoss(demand, (holding * quantity) / (holding + penalty));
    const paid = order * rate + (holding + penalty) * demand.secondLoss(point);
    return { point, quantity: Math.sqrt((2 * paid) / holding) };
  });
}

/** The best (r, Q): for whole units by Federgruen & Zheng (1992), Operations Research 40(4):808-813, else by Newton-free descent on Q with the best point for each. */
export function bestReorder(demand: Demand, costs: ReorderCosts): ReorderPolicy {
  if (demand.whole) return bestWholeReorder(demand, costs);
  // C(Q) = g at the best point is where C equals the average cost (FOSCT 5.3.2): the cost is quasi-convex in Q.
  const costOf = (quantity: number): number =>
    reorderCost(demand, costs, { quantity, point: bestPoint(demand, costs, quantity) });
  let low = reorderByBackorders(demand, costs).quantity;
  let high = 2 * low + 8 * demand.deviation;
  for (let i = 0; i < 120 && high - low > 1e-9 * high; i++) {
    const [left, right] = [low + (high - low) / 3, high - (high - low) / 3];
    if (costOf(left) < costOf(right)) high = right;
    else low = left;
  }
  const quantity = (low + high) / 2;
  return { quantity, point: bestPoint(demand, costs, quantity) };
}

function bestWholeReorder(demand: Demand, costs: ReorderCosts): ReorderPolicy {
  const g = (y: number): number => newsvendorCost(demand, costs, y);
  let point = demand.quantile(costs.penalty / (costs.penalty + costs.holding)) - 1;
  let quantity = 1;
  let total = costs.order * costs.rate + g(point + 1);
  for (;;) {
    // The next cheapest position joins the range, on its left or its right.
    const [left, right] = [g(point), g(point + quantity + 1)];
    const next = Math.min(left, right);
    if (next >= total / quantity) return { point, quantity };
    total += next;
    quantity++;
    if (left < right) point--;
  }
}

function settled(quantity: number, step: (quantity: number) => ReorderPolicy): ReorderPolicy {
  let policy = step(quantity);
  for (let i = 0; i < 1000; i++) {
    const next = step(policy.quantity);
    const moved = Math.abs(next.quantity - policy.quantity) + Math.abs(next.point - policy.point);
    policy = next;
    if (moved < 1e-10 * (1 + Math.abs(policy.quantity))) break;
  }
  return policy;
}

/** The y at which the expected shortage is `units`. */
function whereLoss(demand: Demand, units: number): number {
  let low = demand.mean - units - 10 * demand.deviation;
  let high = demand.mean + 40 * demand.deviation;
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (demand.loss(middle) > units) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
