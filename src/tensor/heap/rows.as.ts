// part of other kernels: What kernels do to rows of floats.

export function addRow(d: i32, to: usize, from: usize): void {
  let i = 0;
  for (; i + 4 <= d; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
  }
  for (; i < d; i++) {
    const at = (<usize>i) << 2;
    store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
  }
}

export function scaleRow(n: i32, x: usize, by: f32): void {
  const vby = f32x4.splat(by);
  let i = 0;
  for (; i + 4 <= n; i += 4)
    v128.store(x + ((<usize>i) << 2), f32x4.mul(v128.load(x + ((<usize>i) << 2)), vby));
  for (; i < n; i++) store<f32>(x + ((<usize>i) << 2), load<f32>(x + ((<usize>i) << 2)) * by);
}

function lanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** Sum of x[i] * y[i]. */
export function dot(d: i32, x: usize, y: usize): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= d; i += 4) {
    const at = (<usize>i) << 2;
    sum = f32x4.add(sum, f32x4.mul(v128.load(x + at), v128.load(y + at)));
  }
  let total = lanes(sum);
  for (; i < d; i++) total += load<f32>(x + ((<usize>i) << 2)) * load<f32>(y + ((<usize>i) << 2));
  return total;
}

/** e^x to 2 units in the last place, 0 below -87 (Cephes expf: Moshier 1992). */
function exp4(x: v128): v128 {
  const low = f32x4.lt(x, f32x4.splat(-87));
  x = f32x4.max(f32x4.splat(-87), f32x4.min(f32x4.splat(88), x));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504)));
  x = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  x = f32x4.add(x, f32x4.mul(n, f32x4.splat(2.1219444e-4)));
  let p = f32x4.splat(1.98756915e-4);
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(x, x), p), x), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, power), low);
}

function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** Replaces x[0, n) by e^(x - max); returns their sum, and leaves the maximum at `top`. */
export function exponentials(n: i32, x: usize, top: usize): f32 {
  let most: f32 = -f32.MAX_VALUE;
  for (let i = 0; i < n; i++) most = max(most, load<f32>(x + ((<usize>i) << 2)));
  store<f32>(top, most);
  const vmost = f32x4.splat(most);
  let sums = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const e = exp4(f32x4.sub(v128.load(x + ((<usize>i) << 2)), vmost));
    v128.store(x + ((<usize>i) << 2), e);
    sums = f32x4.add(sums, e);
  }
  let sum = lanes(sums);
  for (; i < n; i++) {
    const e = exp1(load<f32>(x + ((<usize>i) << 2)) - most);
    store<f32>(x + ((<usize>i) << 2), e);
    sum += e;
  }
  return sum;
}
