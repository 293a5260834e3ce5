// The fast twin of src/kernels/tree-shap.ts: four rows at a time, the same operations on each.

/** Bytes of four float64, one per row. */
const LANES: usize = 32;
const LINK: usize = 32;

let starts: usize = 0;
let points: usize = 0;
let links: usize = 0;
let factors: usize = 0;
let at: usize = 0;
let words: usize = 0;
let products: usize = 0;
let sums: usize = 0;
let open: usize = 0;
let left: usize = 0;

/**
 * Shapley values of the chunks of this thread: every `threads`-th.
 *
 * @param rows    count x columns
 * @param out     count x outputs x columns
 * @param chunk   rows of a chunk, a multiple of four
 * @param scratch of this kernel, `scratchBytes` for every thread: rows and results of a chunk by lanes, then products,
 *                sums (`most` lanes each), and the masks of `nodes` nodes
 */
export function treeShap(
  thread: i32,
  threads: i32,
  rows: usize,
  out: usize,
  count: i32,
  columns: i32,
  outputs: i32,
  trees: i32,
  startsAt: usize,
  outputAt: usize,
  pointsAt: usize,
  linksAt: usize,
  factorsAt: usize,
  atAt: usize,
  wordsAt: usize,
  chunk: i32,
  nodes: usize,
  most: usize,
  scratch: usize,
  scratchBytes: usize,
): void {
  starts = startsAt;
  points = pointsAt;
  links = linksAt;
  factors = factorsAt;
  at = atAt;
  words = wordsAt;
  const lanesIn = scratch + <usize>thread * scratchBytes;
  const lanesOut = lanesIn + <usize>chunk * columns * 8;
  products = lanesOut + <usize>chunk * outputs * columns * 8;
  sums = products + most * LANES;
  open = sums + most * LANES;
  left = open + nodes * LANES;
  const width = outputs * columns;
  for (let first = thread * chunk; first < count; first += threads * chunk) {
    const blocks = (min(chunk, count - first) + 3) >> 2;
    toLanes(rows, first, count, columns, blocks, lanesIn);
    memory.fill(lanesOut, 0, <usize>blocks * width * LANES);
    for (let t = 0; t < trees; t++) {
      const output = load<i32>(outputAt + ((<usize>t) << 2));
      for (let b = 0; b < blocks; b++) {
        descend(t, lanesIn + <usize>b * columns * LANES);
        ascend(t, lanesOut + <usize>(b * width + output * columns) * LANES);
      }
    }
    fromLanes(lanesOut, first, count, width, blocks, out);
  }
}

/** Blocks of four rows, each columns x four; the last row stands in for rows that are not there. */
function toLanes(rows: usize, first: i32, count: i32, columns: i32, blocks: i32, to: usize): void {
  for (let row = 0; row < blocks * 4; row++) {
    const from = rows + <usize>min(first + row, count - 1) * columns * 8;
    const lane = to + <usize>(row >> 2) * columns * LANES + <usize>(row & 3) * 8;
    for (let c: usize = 0; c < <usize>columns; c++) store<f64>(lane + c * LANES, load<f64>(from + c * 8));
  }
}

function fromLanes(lanes: usize, first: i32, count: i32, width: i32, blocks: i32, out: usize): void {
  for (let row = 0; row < blocks * 4 && first + row < count; row++) {
    const lane = lanes + <usize>(row >> 2) * width * LANES + <usize>(row & 3) * 8;
    const to = out + <usize>(first + row) * width * 8;
    for (let c: usize = 0; c < <usize>width; c++) store<f64>(to + c * 8, load<f64>(lane + c * LANES));
  }
}

function descend(t: i32, x: usize): void {
  const first = load<i32>(starts + ((<usize>t) << 2));
  const nodes = <usize>(load<i32>(starts + ((<usize>t) << 2), 4) - first);
  const count = <usize>load<i32>(points + ((<usize>t) << 2));
  const stride: usize = 16 + <usize>24 * count;
  const width = count * LANES;
  let link = links + <usize>first * LINK;
  let node = factors + <usize>load<i32>(at + ((<usize>t) << 2)) * 8 + count * 8;
  for (let n: usize = 0; n < nodes; n++, link += LINK, node += stride) {
    const product = products + n * width;
    if (n === 0) {
      v128.store(open, i64x2.splat(-1));
      v128.store(open, i64x2.splat(-1), 16);
      for (let k: usize = 0; k < width; k += 16) v128.store(product + k, f64x2.splat(1));
    } else {
      const parent = <usize>load<i32>(link);
      const same = load<i32>(link, 8);
      const above = products + parent * width;
      let now0 = v128.load(left + parent * LANES);
      let now1 = v128.load(left + parent * LANES, 16);
      if (!load<i32>(link, 12)) {
        now0 = v128.not(now0);
        now1 = v128.not(now1);
      }
      if (same < 0) {
        for (let k: usize = 0; k < count; k++) {
          const hot = v128.load64_splat(node + k * 8, 16);
          const cold = v128.load64_splat(node + (count + k) * 8, 16);
          const to = k * LANES;
          v128.store(product + to, f64x2.mul(v128.load(above + to), v128.bitselect(hot, cold, now0)));
          v128.store(product + to, f64x2.mul(v128.load(above + to, 16), v128.bitselect(hot, cold, now1)), 16);
        }
      } else {
        const before0 = v128.load(open + <usize>same * LANES);
        const before1 = v128.load(open + <usize>same * LANES, 16);
        now0 = v128.and(now0, before0);
        now1 = v128.and(now1, before1);
        const stay = v128.load64_splat(node, 8);
        for (let k: usize = 0; k < count; k++) {
          const hot = v128.load64_splat(node + k * 8, 16);
          const cold = v128.load64_splat(node + (count + k) * 8, 16);
          const to = k * LANES;
          const factor0 = v128.bitselect(v128.bitselect(hot, cold, now0), stay, before0);
          const factor1 = v128.bitselect(v128.bitselect(hot, cold, now1), stay, before1);
          v128.store(product + to, f64x2.mul(v128.load(above + to), factor0));
          v128.store(product + to, f64x2.mul(v128.load(above + to, 16), factor1), 16);
        }
      }
      v128.store(open + n * LANES, now0);
      v128.store(open + n * LANES, now1, 16);
    }
    const sum = sums + n * width;
    const column = load<i32>(link, 16);
    if (column < 0) {
      const value = v128.load64_splat(node);
      for (let k: usize = 0; k < width; k += 16)
        v128.store(sum + k, f64x2.mul(v128.load(product + k), value));
    } else {
      for (let k: usize = 0; k < width; k += 16) v128.store(sum + k, i64x2.splat(0));
      branch(x + <usize>column * LANES, node, link, left + n * LANES);
    }
  }
}

/** Masks of the rows that go left. */
function branch(x: usize, node: usize, link: usize, to: usize): void {
  if (load<i32>(link, 24) >= 0) {
    for (let lane: usize = 0; lane < LANES; lane += 8)
      store<i64>(to + lane, member(load<f64>(x + lane), link));
    return;
  }
  const threshold = v128.load64_splat(node);
  if (load<i32>(link, 20)) {
    v128.store(to, v128.not(f64x2.ge(v128.load(x), threshold)));
    v128.store(to, v128.not(f64x2.ge(v128.load(x, 16), threshold)), 16);
  } else {
    v128.store(to, f64x2.lt(v128.load(x), threshold));
    v128.store(to, f64x2.lt(v128.load(x, 16), threshold), 16);
  }
}

function member(value: f64, link: usize): i64 {
  if (value !== value) return load<i32>(link, 20) ? -1 : 0;
  const level = <i32>value;
  if (level >> 5 >= load<i32>(link, 28)) return 0;
  const word = load<u32>(words + ((<usize>(load<i32>(link, 24) + (level >> 5))) << 2));
  return (word >>> (level & 31)) & 1 ? -1 : 0;
}

function ascend(t: i32, out: usize): void {
  const first = load<i32>(starts + ((<usize>t) << 2));
  const nodes = load<i32>(starts + ((<usize>t) << 2), 4) - first;
  const count = <usize>load<i32>(points + ((<usize>t) << 2));
  const stride: usize = 16 + <usize>24 * count;
  const width = count * LANES;
  const closed = factors + <usize>load<i32>(at + ((<usize>t) << 2)) * 8;
  const gains = closed + count * 8 + 16 + count * 16;
  for (let n = <usize>(nodes - 1); n > 0; n--) {
    const link = links + (<usize>first + n) * LINK;
    const same = load<i32>(link, 8);
    const sum = sums + n * width;
    const above = sums + <usize>load<i32>(link) * width;
    const open0 = v128.load(open + n * LANES);
    const open1 = v128.load(open + n * LANES, 16);
    const gain = gains + n * stride;
    let share0 = f64x2.splat(0);
    let share1 = f64x2.splat(0);
    if (same < 0) {
      for (let k: usize = 0; k < count; k++) {
        const hot = v128.load64_splat(gain + k * 8);
        const cold = v128.load64_splat(closed + k * 8);
        const to = k * LANES;
        const sum0 = v128.load(sum + to);
        const sum1 = v128.load(sum + to, 16);
        share0 = f64x2.add(share0, f64x2.mul(sum0, v128.bitselect(hot, cold, open0)));
        share1 = f64x2.add(share1, f64x2.mul(sum1, v128.bitselect(hot, cold, open1)));
        v128.store(above + to, f64x2.add(v128.load(above + to), sum0));
        v128.store(above + to, f64x2.add(v128.load(above + to, 16), sum1), 16);
      }
    } else {
      const before0 = v128.load(open + <usize>same * LANES);
      const before1 = v128.load(open + <usize>same * LANES, 16);
      const earlier = gains + <usize>same * stride;
      for (let k: usize = 0; k < count; k++) {
        const hot = v128.load64_splat(gain + k * 8);
        const hotter = v128.load64_splat(earlier + k * 8);
        const cold = v128.load64_splat(closed + k * 8);
        const to = k * LANES;
        const sum0 = v128.load(sum + to);
        const sum1 = v128.load(sum + to, 16);
        const own0 = f64x2.sub(v128.bitselect(hot, cold, open0), v128.bitselect(hotter, cold, before0));
        const own1 = f64x2.sub(v128.bitselect(hot, cold, open1), v128.bitselect(hotter, cold, before1));
        share0 = f64x2.add(share0, f64x2.mul(sum0, own0));
        share1 = f64x2.add(share1, f64x2.mul(sum1, own1));
        v128.store(above + to, f64x2.add(v128.load(above + to), sum0));
        v128.store(above + to, f64x2.add(v128.load(above + to, 16), sum1), 16);
      }
    }
    const to = out + <usize>load<i32>(link, 4) * LANES;
    v128.store(to, f64x2.add(v128.load(to), share0));
    v128.store(to, f64x2.add(v128.load(to, 16), share1), 16);
  }
}
