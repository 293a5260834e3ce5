// part of other kernels
/*
 * What stochastic steps over drawn pairs are made of.
 */

/** mulberry32: the state moves by this, and `next` makes a number of it. */
export const increment: u32 = 0x6d2b79f5;

export function next(state: u32): u32 {
  let t = state;
  t = (t ^ (t >>> 15)) * (t | 1);
  t ^= t + (t ^ (t >>> 7)) * (t | 61);
  return t ^ (t >>> 14);
}

export function below(drawn: u32, n: i32): i32 {
  return <i32>((<f64>drawn / 4294967296) * <f64>n);
}

/** Whether a column stands among those from `from` to `to`, ascending. */
export function has(columns: usize, from: i32, to: i32, column: i32): bool {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<i32>(columns + ((<usize>middle) << 2)) < column) low = middle + 1;
    else high = middle;
  }
  return low < to && load<i32>(columns + ((<usize>low) << 2)) == column;
}

/** e^x to some 1e-7, by 2^n and a polynomial of the rest (Cephes expf); ends at e^±80. */
export function exponential(x: f32): f32 {
  const kept = max<f32>(-80, min<f32>(80, x));
  const n = nearest<f32>(kept * 1.44269504088896341);
  const r = kept - n * 0.693359375 + n * 2.1219444e-4;
  let y: f32 = 1.98756915e-4;
  y = y * r + 1.3981999507e-3;
  y = y * r + 8.3334519073e-3;
  y = y * r + 4.1665795894e-2;
  y = y * r + 1.6666665459e-1;
  y = y * r + 5.0000001201e-1;
  y = y * r * r + r + 1;
  return y * reinterpret<f32>((<i32>n + 127) << 23);
}
