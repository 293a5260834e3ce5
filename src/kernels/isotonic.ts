/**
 * The non-falling step function nearest to the points in squared error, by pool adjacent violators
 * (Ayer et al. 1955), as points to draw lines between: one per value of x where y changes on either side.
 * Points of equal x are averaged first, as in scikit-learn.
 *
 * @returns x ascending, y not falling, of equal length
 */
export function isotonic(
  x: Float64Array,
  y: Float64Array,
  weights?: Float64Array,
): { x: Float64Array; y: Float64Array } {
  const order = Uint32Array.from(x, (_, i) => i).sort((a, b) => x[a] - x[b] || a - b);
  const at: number[] = [];
  const sums: number[] = [];
  const masses: number[] = [];
  for (const r of order) {
    const weight = weights ? weights[r] : 1;
    if (weight === 0) continue;
    const last = at.length - 1;
    if (last >= 0 && at[last] === x[r]) {
      sums[last] += weight * y[r];
      masses[last] += weight;
    } else {
      at.push(x[r]);
      sums.push(weight * y[r]);
      masses.push(weight);
    }
  }
  /** Pools: sums and masses of neighbours, and where each begins. */
  const poolSum: number[] = [];
  const poolMass: number[] = [];
  const begins: number[] = [];
  for (let i = 0; i < at.length; i++) {
    let sum = sums[i];
    let mass = masses[i];
    let begin = i;
    while (poolSum.length > 0 && poolSum[poolSum.length - 1] * mass >= sum * poolMass[poolMass.length - 1]) {
      sum += poolSum.pop()!;
      mass += poolMass.pop()!;
      begin = begins.pop()!;
    }
    poolSum.push(sum);
    poolMass.push(mass);
    begins.push(begin);
  }
  const outX: number[] = [];
  const outY: number[] = [];
  begins.forEach((begin, pool) => {
    const end = (pool + 1 < begins.length ? begins[pool + 1] : at.length) - 1;
    const value = poolSum[pool] / poolMass[pool];
    outX.push(at[begin]);
    outY.push(value);
    if (end > begin) {
      outX.push(at[end]);
      outY.push(value);
    }
  });
  return { x: Float64Array.from(outX), y: Float64Array.from(outY) };
}
