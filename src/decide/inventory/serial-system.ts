import { normalCdf, normalDemand } from "./demand.js";

/** A chain of stocks, the one that customers buy from first. */
export interface SerialSystem {
  stages: readonly {
    /** Money per unit and time that the stage adds. */ holding: number;
    leadTime: number;
  }[];
  /** Money per unit and time that a customer waits. */
  penalty: number;
  /** Units per time at the first stage. */
  demand: { mean: number; deviation: number };
}

/** How much of the chain is seen: deviations of demand over all lead times. */
const reach = 6;
/** Steps that the range of positions is cut into. */
const steps = 6000;

/**
 * The best echelon base-stock levels of a chain, and what they cost per time.
 *
 * Clark & Scarf (1960), Management Science 6(4):475-490, in the form of Chen & Zheng (1994), 40(11):1426-1443; FOSCT
 * eq. 6.28 to 6.32. Normal demand on a grid of 6,000 steps: levels are good to a step, costs to its square.
 *
 * @returns `levels` in the order of the stages
 */
export function serialBaseStock({ stages, penalty, demand }: SerialSystem): {
  levels: number[];
  cost: number;
} {
  const total = stages.reduce((sum, { leadTime }) => sum + leadTime, 0);
  const span = demand.mean * total + reach * demand.deviation * Math.sqrt(total);
  const low = -span;
  const step = (2 * span) / steps;
  const added = stages.reduce((sum, { holding }) => sum + holding, 0);
  // What a position costs the stages below: nothing is owed at 0 and above.
  let induced = Float64Array.from(
    { length: steps + 1 },
    (_, i) => (penalty + added) * Math.max(0, -(low + i * step)),
  );
  const levels: number[] = [];
  let cost = 0;
  for (const { holding, leadTime } of stages) {
    const whole = induced.map((value, i) => value + holding * (low + i * step));
    const slope = whole[1] - whole[0];
    const mean = demand.mean * leadTime;
    const deviation = demand.deviation * Math.sqrt(leadTime);
    const first = Math.floor((mean - reach * deviation) / step);
    const last = Math.ceil((mean + reach * deviation) / step);
    const mass = Float64Array.from({ length: last - first + 1 }, (_, i) => {
      const middle = (first + i) * step - mean;
      return deviation === 0
        ? Number(Math.abs(middle) < step / 2)
        : normalCdf((middle + step / 2) / deviation) - normalCdf((middle - step / 2) / deviation);
    });
    const expected = new Float64Array(steps + 1);
    let best = 0;
    for (let y = 0; y <= steps; y++) {
      let sum = 0;
      for (let i = 0; i < mass.length; i++) {
        const x = y - first - i;
        // Far below, every further unit owed costs the same.
        sum += mass[i] * (x < 0 ? whole[0] + x * slope : whole[Math.min(steps, x)]);
      }
      expected[y] = sum;
      if (sum < expected[best]) best = y;
    }
    levels.push(low + best * step);
    cost = expected[best];
    induced = expected.map((value, i) => (i < best ? value : cost));
  }
  return { levels, cost };
}

/** Echelon levels in closed form, close to the best. Shang & Song (2003), Management Science 49(5):618-638, eq. 12. */
export function serialHeuristic({ stages, penalty, demand }: SerialSystem): number[] {
  const added = stages.map(({ holding }) => holding);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return stages.map((_, j) => {
    const leadTime = sum(stages.slice(0, j + 1).map((stage) => stage.leadTime));
    const over = normalDemand(demand.mean * leadTime, demand.deviation * Math.sqrt(leadTime));
    const above = penalty + sum(added.slice(j + 1));
    return (over.quantile(above / (penalty + sum(added))) + over.quantile(above / (above + added[j]))) / 2;
  });
}
