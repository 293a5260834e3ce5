import { ShopaiError } from "../../core/errors.js";
import { newsvendorCost, type UnitCosts } from "./base-stock.js";
import type { Demand } from "./demand.js";

/** A product that wants a share of what is scarce. */
export interface Claim {
  window: Demand;
  costs: UnitCosts;
  position: number;
  /** Units that it would order were nothing scarce; whole packs. */
  order: number;
  minOrder: number;
  packSize: number;
  orderCost: number;
  unitCost: number;
  volume: number;
}

export interface Limits {
  /** Money for all orders together. */
  budget?: number;
  /** Room for all orders together. */
  capacity?: number;
}

/** Steps into which the order of a product is cut. */
const segments = 12;

/**
 * Shares budget and room out so that the expected cost of all products is least: a mixed-integer programme (HiGHS) over
 * the convex costs of the products, cut into steps; a product with a fewest order or a cost of ordering takes part whole
 * or not at all.
 *
 * @returns units per product, whole packs, within the limits; equal for equal claims
 */
export async function allocate(claims: readonly Claim[], limits: Limits): Promise<Float64Array> {
  const steps = claims.map(stepsOf);
  const { default: load } = (await import("highs")) as unknown as { default(): Promise<Solver> };
  const solver = await load();
  // A limit on time would make the answer depend on the machine.
  const solution = solver.solve(programme(claims, steps, limits), { mip_max_nodes: 2000, mip_rel_gap: 1e-4 });
  const columns = solution.Columns;
  if (!columns)
    throw new ShopaiError("data", `the orders cannot be shared out: ${solution.Status}`, {
      try: "a larger --budget or --capacity",
    });
  return Float64Array.from(claims, ({ packSize, minOrder }, i) => {
    const units = steps[i].reduce((sum, _, k) => sum + (columns[`x${i}_${k}`]?.Primal ?? 0), 0);
    const whole = packSize > 0 ? packSize * Math.floor(units / packSize + 1e-6) : units;
    return whole + 1e-9 < minOrder ? 0 : whole;
  });
}

/** The part of highs that is used here. */
interface Solver {
  solve(
    programme: string,
    options: Record<string, number>,
  ): { Status: string; Columns?: Record<string, { Primal?: number }> };
}

interface StepUp {
  units: number;
  /** Money that a unit of it saves. */
  saves: number;
}

function stepsOf({ window, costs, position, order, packSize }: Claim): StepUp[] {
  const pack = packSize > 0 ? packSize : order / segments;
  const packs = Math.round(order / pack);
  const count = Math.min(segments, packs);
  const ends = Array.from({ length: count }, (_, k) => pack * Math.round(((k + 1) * packs) / count));
  let from = 0;
  return ends.map((to) => {
    const saved =
      newsvendorCost(window, costs, position + from) - newsvendorCost(window, costs, position + to);
    const step = { units: to - from, saves: saved / (to - from) };
    from = to;
    return step;
  });
}

/** In CPLEX's LP format. */
function programme(claims: readonly Claim[], steps: readonly StepUp[][], limits: Limits): string {
  const number = (value: number): string => value.toPrecision(12);
  const sum = (terms: readonly string[]): string => (terms.length > 0 ? terms.join("\n + ") : "0 nothing");
  const each = (about: (claim: Claim, step: StepUp, name: string) => number): string =>
    sum(
      claims.flatMap((claim, i) =>
        steps[i].map((step, k) => `${number(about(claim, step, `x${i}_${k}`))} x${i}_${k}`),
      ),
    );
  const switched = claims.flatMap((claim, i) => (claim.minOrder > 0 || claim.orderCost > 0 ? [i] : []));
  const rows: string[] = [];
  if (limits.budget !== undefined)
    rows.push(`budget: ${each(({ unitCost }) => unitCost)} <= ${number(limits.budget)}`);
  if (limits.capacity !== undefined)
    rows.push(`capacity: ${each(({ volume }) => volume)} <= ${number(limits.capacity)}`);
  for (const i of switched) {
    if (steps[i].length === 0) continue;
    const all = steps[i].map((_, k) => `x${i}_${k}`).join(" + ");
    rows.push(`most${i}: ${all} - ${number(claims[i].order)} y${i} <= 0`);
    if (claims[i].minOrder > 0) rows.push(`least${i}: ${all} - ${number(claims[i].minOrder)} y${i} >= 0`);
  }
  return [
    "Maximize",
    ` saved: ${each((_, { saves }) => saves)}${switched.map((i) => `\n - ${number(claims[i].orderCost)} y${i}`).join("")}`,
    "Subject To",
    ...rows.map((row) => ` ${row}`),
    "Bounds",
    ...steps.flatMap((own, i) => own.map(({ units }, k) => ` 0 <= x${i}_${k} <= ${number(units)}`)),
    ...(switched.length > 0 ? ["Binary", ` ${switched.map((i) => `y${i}`).join("\n ")}`] : []),
    "End",
  ].join("\n");
}
