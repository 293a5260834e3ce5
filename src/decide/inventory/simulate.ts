import type { Rng } from "../../core/rng.js";
import { normalCdf } from "./demand.js";
import type { PolicyName, Product, StockPolicy } from "./policy.js";
import { carryOver, demandOf } from "./window.js";

export interface Start {
  onHand: number;
  onOrder: number;
  backorders: number;
  /** The first order, as it was decided; later ones follow the policy. */
  order: number;
  packSize: number;
}

/** What happens over the horizon, by path. */
export interface Outcome {
  /** Money: holding, shortages, orders. */
  costs: Float64Array;
  /** Share of the paths in which somebody had to wait. */
  stockOut: number;
  /** Share of demand that was met at once. */
  fillRate: number;
  /** Units sold over units in stock, per period; NaN when nothing was ever in stock. */
  turnover: number;
}

/**
 * Plays a policy on sample paths of demand: correlated as the forecast's errors are (see `carryOver`), each period with
 * the forecast's mean and deviation; demand that is not met waits; lead times vary.
 *
 * @param futures demand of whole paths to play on instead, paths x horizon
 */
export function simulate(
  name: PolicyName,
  product: Product,
  policy: StockPolicy,
  start: Start,
  paths: number,
  rng: Rng,
  futures?: Float64Array,
): Outcome {
  const { demand, leadTime, leadTimeDeviation, wait, review, holding, penalty, orderCost } = product;
  const horizon = demand.means.length;
  const alpha = carryOver(demand);
  const periods = Array.from({ length: horizon }, (_, h) => demandOf(demand.means[h], demand.deviations[h]));
  const costs = new Float64Array(paths);
  const arrivals = new Float64Array(horizon + 1);
  let [wanted, met, held, stockOuts] = [0, 0, 0, 0];
  for (let path = 0; path < paths; path++) {
    arrivals.fill(0);
    // When earlier orders arrive is not known: half way through the lead time.
    arrivals[Math.min(horizon, Math.floor(leadTime / 2))] += start.onOrder;
    let stock = start.onHand - start.backorders;
    let position = stock + start.onOrder;
    let walk = 0;
    let next = wait;
    let short = false;
    let cost = 0;
    for (let h = 0; h < horizon; h++) {
      if (h >= next) {
        const units =
          h === wait ? start.order : name === "newsvendor" ? 0 : due(policy, position, start.packSize, name);
        next += review;
        if (units > 0) {
          cost += orderCost;
          position += units;
          const days = Math.max(0, Math.round(leadTime + leadTimeDeviation * rng.normal()));
          if (h + days <= horizon) arrivals[h + days] += units;
        }
      }
      stock += arrivals[h];
      const shock = rng.normal();
      const z = (shock + walk) / Math.sqrt(1 + h * alpha ** 2);
      walk += alpha * shock;
      const units = futures
        ? futures[path * horizon + h]
        : Math.max(0, periods[h].quantile(Math.min(1 - 1e-12, Math.max(1e-12, normalCdf(z)))));
      const now = Math.min(units, Math.max(0, stock));
      wanted += units;
      met += now;
      short ||= now < units;
      stock -= units;
      position -= units;
      held += Math.max(0, stock);
      cost += holding * Math.max(0, stock) + penalty * (units - now);
    }
    if (short) stockOuts++;
    costs[path] = cost;
  }
  return {
    costs: costs.sort(),
    stockOut: stockOuts / paths,
    fillRate: wanted > 0 ? met / wanted : 1,
    turnover: held > 0 ? met / held : NaN,
  };
}

/** Units that the policy orders at a position, in whole packs. */
export function due(
  { point, level }: StockPolicy,
  position: number,
  packSize: number,
  name: PolicyName,
): number {
  if (name === "base-stock" || name === "newsvendor" ? position >= level : position > point) return 0;
  const batch = level - point;
  const wanted =
    name === "reorder" && batch > 0 ? batch * Math.ceil((point - position + 1e-9) / batch) : level - position;
  return packed(wanted, packSize);
}

/** The fewest whole packs that hold so many units; a pack of 0 is no pack. */
export function packed(units: number, packSize: number): number {
  return packSize > 0 ? packSize * Math.max(0, Math.ceil(units / packSize - 1e-9)) : units;
}
