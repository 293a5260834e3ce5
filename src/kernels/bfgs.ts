/** A smooth function of a few variables; `gradient` is asked for only at the point of the last `value`. */
export interface SmoothFunction {
  /** The value at x; Infinity where the function is not defined. */
  value(x: Float64Array): number;
  /** Writes the gradient at the point that `value` was last asked for. */
  gradient(into: Float64Array): void;
}

/** Armijo's constant (Nocedal & Wright, p. 33). */
const decrease = 1e-4;

/**
 * Minimises a smooth function of up to about a hundred variables by BFGS with backtracking.
 *
 * Nocedal & Wright (2006), Numerical Optimization, algorithm 6.1. For small problems that are solved by
 * the thousand: gradients are worked out at accepted points only, and nothing is allocated inside.
 *
 * @param x         start; holds the minimum afterwards
 * @param search    `iterations` at most; stops when two iterations in a row gain less than `gain`
 * @returns the least value found; that of the start where nothing is better
 */
export function bfgs(
  f: SmoothFunction,
  x: Float64Array,
  search: { iterations: number; gain: number },
): number {
  const n = x.length;
  const inverse = new Float64Array(n * n);
  const gradient = new Float64Array(n);
  const before = new Float64Array(n);
  const direction = new Float64Array(n);
  const trial = new Float64Array(n);
  const change = new Float64Array(n);
  const image = new Float64Array(n);
  let value = f.value(x);
  if (!Number.isFinite(value)) return value;
  f.gradient(gradient);
  let fresh = true;
  let idle = 0;
  for (let iteration = 0; iteration < search.iterations && idle < 2; iteration++) {
    if (fresh) identity(inverse, n, 1 / Math.max(1, norm(gradient)));
    let slope = 0;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum -= inverse[i * n + j] * gradient[j];
      direction[i] = sum;
      slope += sum * gradient[i];
    }
    if (!(slope < 0)) {
      if (fresh) break;
      fresh = true;
      continue;
    }
    let step = 1;
    let reached = Infinity;
    for (let halvings = 0; halvings < 30; halvings++) {
      for (let i = 0; i < n; i++) trial[i] = x[i] + step * direction[i];
      reached = f.value(trial);
      if (reached <= value + decrease * step * slope) break;
      // The minimum of the parabola through both values and the slope, kept within a tenth and a half.
      const parabola = (-slope * step * step) / (2 * (reached - value - slope * step));
      step = Number.isFinite(parabola) ? Math.min(step / 2, Math.max(step / 10, parabola)) : step / 10;
      reached = Infinity;
    }
    if (reached === Infinity) {
      if (fresh) break;
      fresh = true;
      continue;
    }
    before.set(gradient);
    f.gradient(gradient);
    let sy = 0;
    let yy = 0;
    for (let i = 0; i < n; i++) {
      const y = gradient[i] - before[i];
      sy += step * direction[i] * y;
      yy += y * y;
      change[i] = y;
    }
    x.set(trial);
    if (sy > 1e-12 * Math.sqrt(yy)) {
      if (fresh) identity(inverse, n, sy / yy);
      update(inverse, direction, step, change, sy, image);
      fresh = false;
    }
    idle = value - reached < search.gain ? idle + 1 : 0;
    value = reached;
  }
  return value;
}

/** The BFGS update of the inverse Hessian (equation 6.17), with s = step * direction and y = change. */
function update(
  inverse: Float64Array,
  direction: Float64Array,
  step: number,
  change: Float64Array,
  sy: number,
  image: Float64Array,
): void {
  const n = change.length;
  let yhy = 0;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += inverse[i * n + j] * change[j];
    image[i] = sum;
    yhy += sum * change[i];
  }
  const both = (1 + yhy / sy) / sy;
  for (let i = 0; i < n; i++) {
    const si = step * direction[i];
    for (let j = 0; j < n; j++) {
      const sj = step * direction[j];
      inverse[i * n + j] += both * si * sj - (image[i] * sj + si * image[j]) / sy;
    }
  }
}

function identity(matrix: Float64Array, n: number, scale: number): void {
  matrix.fill(0);
  for (let i = 0; i < n; i++) matrix[i * n + i] = scale;
}

function norm(a: Float64Array): number {
  let sum = 0;
  for (const value of a) sum += value * value;
  return Math.sqrt(sum);
}
