// The fast twin of src/kernels/background-shap.ts: the same operations in the same order, rows shared out among the threads.

const NODE: usize = 32;

let nodes: usize = 0;
let thresholds: usize = 0;
let words: usize = 0;
let leafColumns: usize = 0;
let shares: usize = 0;
let patterns: usize = 0;
let weights: usize = 0;
let orders: usize = 0;

/**
 * Shapley values of every `threads`-th row.
 *
 * @param rows    count x columns
 * @param out     count x outputs x columns, cleared
 * @param scratch of this kernel, `scratchBytes` for every thread: four bytes per node of the largest tree
 */
export function backgroundShap(
  thread: i32,
  threads: i32,
  rows: usize,
  out: usize,
  count: i32,
  columns: i32,
  outputs: i32,
  trees: i32,
  starts: usize,
  outputAt: usize,
  nodesAt: usize,
  thresholdsAt: usize,
  wordsAt: usize,
  leafColumnsAt: usize,
  sharesAt: usize,
  patternsAt: usize,
  weightsAt: usize,
  ordersAt: usize,
  scratch: usize,
  scratchBytes: usize,
): void {
  nodes = nodesAt;
  thresholds = thresholdsAt;
  words = wordsAt;
  leafColumns = leafColumnsAt;
  shares = sharesAt;
  patterns = patternsAt;
  weights = weightsAt;
  orders = ordersAt;
  const failed = scratch + <usize>thread * scratchBytes;
  for (let row = thread; row < count; row += threads) {
    const x = rows + <usize>row * columns * 8;
    for (let t = 0; t < trees; t++) {
      const output = load<i32>(outputAt + ((<usize>t) << 2));
      const first = load<i32>(starts + ((<usize>t) << 2));
      const last = load<i32>(starts + ((<usize>t) << 2), 4);
      score(first, last, x, failed, out + <usize>((row * outputs + output) * columns) * 8);
    }
  }
}

export function score(first: i32, last: i32, x: usize, failed: usize, to: usize): void {
  store<i32>(failed, 0);
  for (let n = first; n < last; n++) {
    const node = nodes + <usize>n * NODE;
    const own = load<i32>(failed + ((<usize>(n - first)) << 2));
    const column = load<i32>(node);
    if (column < 0) {
      give(node, ~own, to);
      continue;
    }
    const bit = 1 << load<i32>(node, 24);
    const left = goesLeft(n, node, load<f64>(x + ((<usize>column) << 3)));
    store<i32>(failed + ((<usize>load<i32>(node, 4)) << 2), left ? own : own | bit);
    store<i32>(failed + ((<usize>load<i32>(node, 8)) << 2), left ? own | bit : own);
  }
}

function goesLeft(n: i32, node: usize, value: f64): bool {
  if (value !== value) return load<i32>(node, 12) === 1;
  const start = load<i32>(node, 16);
  if (start < 0) return value < load<f64>(thresholds + ((<usize>n) << 3));
  const level = <i32>value;
  if (level >> 5 >= load<i32>(node, 20)) return false;
  return ((load<u32>(words + ((<usize>(start + (level >> 5))) << 2)) >>> (level & 31)) & 1) === 1;
}

export function give(node: usize, passed: i32, to: usize): void {
  const columns = leafColumns + ((<usize>load<i32>(node, 4)) << 2);
  const count = load<i32>(node, 8);
  const full = <i32>(((<u32>1) << count) - 1);
  const pattern = passed & full;
  const table = load<i32>(node, 12);
  if (table >= 0) {
    const own = shares + ((<usize>(table + pattern * count)) << 3);
    for (let bit: usize = 0; bit < <usize>count; bit++) {
      const at = to + ((<usize>load<i32>(columns + (bit << 2))) << 3);
      store<f64>(at, load<f64>(at) + load<f64>(own + (bit << 3)));
    }
    return;
  }
  const begin = load<i32>(node, 16);
  const end = begin + load<i32>(node, 20);
  for (let i = begin; i < end; i++) {
    const other = load<i32>(patterns + ((<usize>i) << 2));
    if ((pattern | other) !== full) continue;
    const mine = pattern & ~other;
    const its = other & ~pattern;
    const a = popcnt<i32>(mine);
    const c = popcnt<i32>(its);
    const weight = load<f64>(weights + ((<usize>i) << 3));
    const up = a > 0 ? weight * load<f64>(orders + ((<usize>((a - 1) * 32 + c)) << 3)) : 0;
    const down = c > 0 ? weight * load<f64>(orders + ((<usize>(a * 32 + c - 1)) << 3)) : 0;
    for (let bit = 0; bit < count; bit++) {
      const at = to + ((<usize>load<i32>(columns + ((<usize>bit) << 2))) << 3);
      if ((mine >> bit) & 1) store<f64>(at, load<f64>(at) + up);
      else if ((its >> bit) & 1) store<f64>(at, load<f64>(at) - down);
    }
  }
}
