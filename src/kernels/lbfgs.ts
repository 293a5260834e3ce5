/** A smooth function: gives its value at x and writes its gradient. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export interface Minimum {
  x: Float64Array;
  value: number;
  iterations: number;
  /** Whether the largest entry of the gradient fell to the tolerance. */
  converged: boolean;
}

interface Search {
  /** Stop when no entry of the gradient is larger. */
  tolerance: number;
  iterations: number;
  /** Called before every iteration; may wait, may throw. */
  tick?: (iteration: number) => Promise<void>;
}

/** Pairs of steps and gradient changes that the inverse Hessian is built from. */
const memory = 10;
/** Constants of the strong Wolfe conditions (Nocedal & Wright, p. 62). */
const decrease = 1e-4;
const curvature = 0.9;

/**
 * Minimises a smooth function by limited-memory BFGS with a strong Wolfe line search.
 *
 * Nocedal & Wright (2006), Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6.
 */
export async function minimise(f: Objective, start: Float64Array, search: Search): Promise<Minimum> {
  const n = start.length;
  let x: Float64Array = start.slice();
  let gradient: Float64Array = new Float64Array(n);
  let value = f(x, gradient);
  const steps: Float64Array[] = [];
  const changes: Float64Array[] = [];
  for (let iteration = 0; ; iteration++) {
    const converged = largest(gradient) <= search.tolerance;
    if (converged || iteration === search.iterations) return { x, value, iterations: iteration, converged };
    await search.tick?.(iteration);
    const direction = descent(gradient, steps, changes);
    const first = steps.length === 0 ? Math.min(1, 1 / norm(gradient)) : 1;
    const found = lineSearch(f, x, value, gradient, direction, first);
    // Rounding hides any further descent: this is the minimum that float64 can tell.
    if (!found)
      return { x, value, iterations: iteration, converged: largest(gradient) <= 1e3 * search.tolerance };
    const step = difference(found.x, x);
    const change = difference(found.gradient, gradient);
    if (dot(step, change) > 1e-300) {
      steps.push(step);
      changes.push(change);
      if (steps.length > memory) {
        steps.shift();
        changes.shift();
      }
    }
    ({ x, value, gradient } = found);
  }
}

/** -H g by the two loops of algorithm 7.4. */
function descent(gradient: Float64Array, steps: Float64Array[], changes: Float64Array[]): Float64Array {
  const q = gradient.map((value) => -value);
  const alphas = new Float64Array(steps.length);
  for (let i = steps.length - 1; i >= 0; i--) {
    alphas[i] = dot(steps[i], q) / dot(steps[i], changes[i]);
    add(q, -alphas[i], changes[i]);
  }
  const last = steps.length - 1;
  if (last >= 0) {
    const scale = dot(steps[last], changes[last]) / dot(changes[last], changes[last]);
    for (let i = 0; i < q.length; i++) q[i] *= scale;
  }
  for (let i = 0; i < steps.length; i++) {
    const beta = dot(changes[i], q) / dot(steps[i], changes[i]);
    add(q, alphas[i] - beta, steps[i]);
  }
  return q;
}

interface Point {
  /** Length of the step. */
  at: number;
  x: Float64Array;
  value: number;
  gradient: Float64Array;
  slope: number;
}

/** A point along the direction that satisfies the strong Wolfe conditions (algorithm 3.5), if rounding lets one be seen. */
function lineSearch(
  f: Objective,
  x: Float64Array,
  value: number,
  gradient: Float64Array,
  direction: Float64Array,
  first: number,
): Point | undefined {
  const origin: Point = { at: 0, x, value, gradient, slope: dot(gradient, direction) };
  if (!(origin.slope < 0)) return undefined;
  const probe = (at: number): Point => {
    const point = x.slice();
    add(point, at, direction);
    const there = new Float64Array(x.length);
    const height = f(point, there);
    return { at, x: point, value: height, gradient: there, slope: dot(there, direction) };
  };
  let before = origin;
  let at = first;
  for (let i = 0; i < 30; i++) {
    const now = probe(at);
    if (!(now.value <= value + decrease * at * origin.slope) || (i > 0 && now.value >= before.value))
      return zoom(probe, origin, before, now);
    if (Math.abs(now.slope) <= -curvature * origin.slope) return now;
    if (now.slope >= 0) return zoom(probe, origin, now, before);
    before = now;
    at *= 2;
  }
  return before.value < value ? before : undefined;
}

/** Narrows an interval that holds such a point; `low` is its better end (algorithm 3.6). */
function zoom(probe: (at: number) => Point, origin: Point, low: Point, high: Point): Point | undefined {
  for (let i = 0; i < 40; i++) {
    const now = probe(between(low, high));
    if (!(now.value <= origin.value + decrease * now.at * origin.slope) || now.value >= low.value) high = now;
    else {
      if (Math.abs(now.slope) <= -curvature * origin.slope) return now;
      if (now.slope * (high.at - low.at) >= 0) high = low;
      low = now;
    }
  }
  return low.value < origin.value ? low : undefined;
}

/** The minimum of the cubic through both ends (equation 3.59), kept off the ends; their middle where there is none. */
function between(low: Point, high: Point): number {
  const span = high.at - low.at;
  const d1 = low.slope + high.slope - (3 * (low.value - high.value)) / (low.at - high.at);
  const inside = d1 * d1 - low.slope * high.slope;
  const d2 = Math.sign(span) * Math.sqrt(inside);
  const cubic = high.at - span * ((high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2));
  const share = (cubic - low.at) / span;
  return low.at + span * (share >= 0.1 && share <= 0.9 ? share : 0.5);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));

function largest(a: Float64Array): number {
  let most = 0;
  for (const value of a) most = Math.max(most, Math.abs(value));
  return most;
}

function add(into: Float64Array, factor: number, a: Float64Array): void {
  for (let i = 0; i < into.length; i++) into[i] += factor * a[i];
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]);
}
