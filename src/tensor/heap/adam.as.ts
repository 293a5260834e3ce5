// part of other kernels: The step of the optimiser.

/** Sum of squares, in double precision between blocks of 256. */
export function squares(n: i32, x: usize): f64 {
  let total: f64 = 0;
  for (let from = 0; from < n; from += 256) {
    const to = min(n, from + 256);
    let part = f32x4.splat(0);
    let i = from;
    for (; i + 4 <= to; i += 4) {
      const v = v128.load(x + ((<usize>i) << 2));
      part = f32x4.add(part, f32x4.mul(v, v));
    }
    let sum: f64 =
      <f64>f32x4.extract_lane(part, 0) +
      <f64>f32x4.extract_lane(part, 1) +
      <f64>f32x4.extract_lane(part, 2) +
      <f64>f32x4.extract_lane(part, 3);
    for (; i < to; i++) {
      const v = <f64>load<f32>(x + ((<usize>i) << 2));
      sum += v * v;
    }
    total += sum;
  }
  return total;
}

/**
 * One step of Adam with decoupled decay (Loshchilov & Hutter 2019) over w, in one pass.
 * c1, c2: 1 / (1 - beta^t); factor multiplies the gradient (clipping); decay: rate x weight decay.
 */
export function adam(
  n: i32,
  w: usize,
  g: usize,
  m: usize,
  v: usize,
  rate: f32,
  beta1: f32,
  beta2: f32,
  eps: f32,
  c1: f32,
  c2: f32,
  factor: f32,
  decay: f32,
): void {
  const vb1 = f32x4.splat(beta1),
    vb2 = f32x4.splat(beta2);
  const vo1 = f32x4.splat(1 - beta1),
    vo2 = f32x4.splat(1 - beta2);
  const vc1 = f32x4.splat(c1 * rate),
    vc2 = f32x4.splat(c2);
  const veps = f32x4.splat(eps),
    vf = f32x4.splat(factor),
    keep = f32x4.splat(1 - decay);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const at = (<usize>i) << 2;
    const grad = f32x4.mul(v128.load(g + at), vf);
    const first = f32x4.add(f32x4.mul(vb1, v128.load(m + at)), f32x4.mul(vo1, grad));
    const second = f32x4.add(f32x4.mul(vb2, v128.load(v + at)), f32x4.mul(vo2, f32x4.mul(grad, grad)));
    v128.store(m + at, first);
    v128.store(v + at, second);
    const step = f32x4.div(f32x4.mul(first, vc1), f32x4.add(f32x4.sqrt(f32x4.mul(second, vc2)), veps));
    v128.store(w + at, f32x4.sub(f32x4.mul(v128.load(w + at), keep), step));
  }
  for (; i < n; i++) {
    const at = (<usize>i) << 2;
    const grad = load<f32>(g + at) * factor;
    const first = beta1 * load<f32>(m + at) + (1 - beta1) * grad;
    const second = beta2 * load<f32>(v + at) + (1 - beta2) * (grad * grad);
    store<f32>(m + at, first);
    store<f32>(v + at, second);
    const step = (first * (c1 * rate)) / (sqrt<f32>(second * c2) + eps);
    store<f32>(w + at, load<f32>(w + at) * (1 - decay) - step);
  }
}
