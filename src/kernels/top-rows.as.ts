/*
 * The best items of many users, f32 and SIMD; top-rows.ts explains what is done with them. Every user is worked out
 * alone, so that it does not matter which thread takes it.
 */
import { offer } from "./heap.as";

/** Users that a thread takes at a time: their factors stay in the first-level cache. */
const chunk: i32 = 32;
/** Items of a panel: two vectors. */
const panel: i32 = 8;
/** Panels of a block: their factors stay in the second-level cache. */
const blockPanels: i32 = 64;

/** Items between two bounds in the list of norms. */
export function blockItems(): i32 {
  return panel * blockPanels;
}

export function factorScratchBytes(width: i32): i32 {
  return 4 * chunk * (width + 1) + 64;
}

/** Where the scores of a panel are laid down; every thread has its own. */
let scores: usize = 0;

/**
 * The k largest products of factors.
 *
 * @param users    width floats to a user
 * @param lengths  of every user's factors
 * @param panels   factors of the items by descending length, eight items side by side
 * @param longest  length of the first item of every block
 * @param order    item code by place in `panels`; places from `items` on are padding
 * @param members  code of every user: the row of `starts`
 * @param starts   items that a user is not to get, by row; 0 for none
 * @param ids      k places to a user: code of an item; `best` its score, `counts` how many
 */
export function factorTop(
  thread: i32,
  _threads: i32,
  users: usize,
  lengths: usize,
  count: i32,
  panels: usize,
  longest: usize,
  order: usize,
  items: i32,
  width: i32,
  members: usize,
  starts: usize,
  columns: usize,
  k: i32,
  ids: usize,
  best: usize,
  counts: usize,
  counter: usize,
  scratches: usize,
): void {
  const packed = scratches + <usize>thread * <usize>factorScratchBytes(width);
  const least = packed + ((<usize>(chunk * width)) << 2);
  scores = least + 4 * chunk;
  const blocks = (items + panel * blockPanels - 1) / (panel * blockPanels);
  const groupBytes = (<usize>width) << 4;
  const panelBytes = (<usize>width) << 5;
  for (;;) {
    const from = atomic.add<i32>(counter, chunk);
    if (from >= count) return;
    const size = min(chunk, count - from);
    packUsers(users + ((<usize>from * <usize>width) << 2), size, width, packed);
    for (let u = 0; u < chunk; u++) store<f32>(least + ((<usize>u) << 2), u < size ? -Infinity : Infinity);
    memory.fill(counts + ((<usize>from) << 2), 0, (<usize>size) << 2);
    for (let block = 0; block < blocks; block++) {
      const bound = load<f32>(longest + ((<usize>block) << 2));
      let alive = false;
      for (let group = 0; group < size; group += 4) {
        if (!reaches(lengths, from, group, size, bound, least)) continue;
        alive = true;
        const last = min(items, (block + 1) * panel * blockPanels);
        for (let place = block * panel * blockPanels; place < last; place += panel)
          scorePanel(
            packed + <usize>(group >> 2) * groupBytes,
            panels + <usize>(place >> 3) * panelBytes,
            width,
            least + ((<usize>group) << 2),
            from + group,
            place,
            items,
            order,
            members,
            starts,
            columns,
            k,
            ids,
            best,
            counts,
          );
      }
      if (!alive) break;
    }
  }
}

/** Four users side by side; users that are not there have zeros. */
function packUsers(users: usize, size: i32, width: i32, into: usize): void {
  for (let u = 0; u < chunk; u++) {
    const from = users + ((<usize>u * <usize>width) << 2);
    const to = into + ((<usize>(u >> 2) * <usize>width) << 4) + ((<usize>(u & 3)) << 2);
    for (let f = 0; f < width; f++)
      store<f32>(to + ((<usize>f) << 4), u < size ? load<f32>(from + ((<usize>f) << 2)) : 0);
  }
}

/** Whether any of four users can still get an item whose factors are at most `bound` long. */
function reaches(lengths: usize, from: i32, group: i32, size: i32, bound: f32, least: usize): bool {
  for (let u = group, to = min(size, group + 4); u < to; u++)
    if (load<f32>(lengths + ((<usize>(from + u)) << 2)) * bound >= load<f32>(least + ((<usize>u) << 2)))
      return true;
  return false;
}

export function scorePanel(
  users: usize,
  factors: usize,
  width: i32,
  least: usize,
  first: i32,
  place: i32,
  items: i32,
  order: usize,
  members: usize,
  starts: usize,
  columns: usize,
  k: i32,
  ids: usize,
  best: usize,
  counts: usize,
): void {
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  for (const end = users + ((<usize>width) << 4); users < end; users += 16, factors += 32) {
    const b0 = v128.load(factors);
    const b1 = v128.load(factors, 16);
    const a0 = v128.load32_splat(users);
    s00 = f32x4.add(s00, f32x4.mul(a0, b0));
    s01 = f32x4.add(s01, f32x4.mul(a0, b1));
    const a1 = v128.load32_splat(users, 4);
    s10 = f32x4.add(s10, f32x4.mul(a1, b0));
    s11 = f32x4.add(s11, f32x4.mul(a1, b1));
    const a2 = v128.load32_splat(users, 8);
    s20 = f32x4.add(s20, f32x4.mul(a2, b0));
    s21 = f32x4.add(s21, f32x4.mul(a2, b1));
    const a3 = v128.load32_splat(users, 12);
    s30 = f32x4.add(s30, f32x4.mul(a3, b0));
    s31 = f32x4.add(s31, f32x4.mul(a3, b1));
  }
  const l = v128.load(least);
  const m0 = v128.shuffle<f32>(l, l, 0, 0, 0, 0);
  const m1 = v128.shuffle<f32>(l, l, 1, 1, 1, 1);
  const m2 = v128.shuffle<f32>(l, l, 2, 2, 2, 2);
  const m3 = v128.shuffle<f32>(l, l, 3, 3, 3, 3);
  if (v128.any_true(v128.or(f32x4.gt(s00, m0), f32x4.gt(s01, m0))))
    keep(s00, s01, least, first, place, items, order, members, starts, columns, k, ids, best, counts);
  if (v128.any_true(v128.or(f32x4.gt(s10, m1), f32x4.gt(s11, m1))))
    keep(s10, s11, least + 4, first + 1, place, items, order, members, starts, columns, k, ids, best, counts);
  if (v128.any_true(v128.or(f32x4.gt(s20, m2), f32x4.gt(s21, m2))))
    keep(s20, s21, least + 8, first + 2, place, items, order, members, starts, columns, k, ids, best, counts);
  if (v128.any_true(v128.or(f32x4.gt(s30, m3), f32x4.gt(s31, m3))))
    keep(
      s30,
      s31,
      least + 12,
      first + 3,
      place,
      items,
      order,
      members,
      starts,
      columns,
      k,
      ids,
      best,
      counts,
    );
}

/** Offers the scores of a panel that are above the least kept of a user. */
function keep(
  low: v128,
  high: v128,
  least: usize,
  user: i32,
  place: i32,
  items: i32,
  order: usize,
  members: usize,
  starts: usize,
  columns: usize,
  k: i32,
  ids: usize,
  best: usize,
  counts: usize,
): void {
  const own = (<usize>user * <usize>k) << 2;
  const at = counts + ((<usize>user) << 2);
  v128.store(scores, low);
  v128.store(scores, high, 16);
  for (let i = 0; i < panel; i++) {
    const score = load<f32>(scores + ((<usize>i) << 2));
    if (!(score > load<f32>(least)) || place + i >= items) continue;
    const item = load<i32>(order + ((<usize>(place + i)) << 2));
    if (starts && isSeen(members, starts, columns, user, item)) continue;
    const size = offer(ids + own, best + own, load<i32>(at), k, item, score);
    store<i32>(at, size);
    if (size == k) store<f32>(least, load<f32>(best + own));
  }
}

function isSeen(members: usize, starts: usize, columns: usize, user: i32, item: i32): bool {
  const row = starts + ((<usize>load<i32>(members + ((<usize>user) << 2))) << 2);
  let low = load<i32>(row);
  const end = load<i32>(row, 4);
  let high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<i32>(columns + ((<usize>middle) << 2)) < item) low = middle + 1;
    else high = middle;
  }
  return low < end && load<i32>(columns + ((<usize>low) << 2)) == item;
}

/** Bytes of scratch that a thread needs for `weightTop`: a 64-bit score per item. */
export function weightScratchBytes(items: i32): i32 {
  return 8 * (items + 8);
}

/**
 * The k best by sums of rows of weights, items x items: those of the user's items, each times its strength.
 *
 * @param starts   items of the users, by row, ascending; `values` their strengths, 0 where all are 1
 * @param rows     offsets of the rows of sparse weights with their columns at `others`; 0 where weights are dense
 * @param unseen   whether a user's own items are left out
 * @param exact    the 64-bit sum of every item at `ids`
 */
export function weightTop(
  thread: i32,
  _threads: i32,
  count: i32,
  items: i32,
  members: usize,
  starts: usize,
  columns: usize,
  values: usize,
  rows: usize,
  others: usize,
  weights: usize,
  unseen: i32,
  k: i32,
  ids: usize,
  best: usize,
  exact: usize,
  counts: usize,
  counter: usize,
  scratches: usize,
): void {
  const sums = scratches + <usize>thread * <usize>weightScratchBytes(items);
  for (;;) {
    const from = atomic.add<i32>(counter, chunk);
    if (from >= count) return;
    for (let user = from, last = min(count, from + chunk); user < last; user++) {
      const row = starts + ((<usize>load<i32>(members + ((<usize>user) << 2))) << 2);
      const begin = load<i32>(row);
      const end = load<i32>(row, 4);
      memory.fill(sums, 0, (<usize>items) << 3);
      for (let p = begin; p < end; p++) {
        const item = load<i32>(columns + ((<usize>p) << 2));
        const strength = values ? <f64>load<f32>(values + ((<usize>p) << 2)) : 1;
        if (rows) addSparse(rows, others, weights, item, strength, sums);
        else addDense(weights + ((<usize>item * <usize>items) << 2), items, strength, sums);
      }
      if (unseen)
        for (let p = begin; p < end; p++)
          store<f64>(sums + ((<usize>load<i32>(columns + ((<usize>p) << 2))) << 3), -Infinity);
      const own = <usize>user * <usize>k;
      const size = bestSums(sums, items, k, ids + (own << 2), best + (own << 2));
      for (let i = 0; i < size; i++) {
        const item = load<i32>(ids + ((own + <usize>i) << 2));
        store<f64>(exact + ((own + <usize>i) << 3), load<f64>(sums + ((<usize>item) << 3)));
      }
      store<i32>(counts + ((<usize>user) << 2), size);
    }
  }
}

export function addDense(row: usize, items: i32, strength: f64, sums: usize): void {
  const s = f64x2.splat(strength);
  const whole = items & ~1;
  for (let i = 0; i < whole; i += 2, row += 8, sums += 16) {
    const w = f64x2.promote_low_f32x4(v128.load64_zero(row));
    v128.store(sums, f64x2.add(v128.load(sums), f64x2.mul(s, w)));
  }
  if (items & 1) store<f64>(sums, load<f64>(sums) + strength * <f64>load<f32>(row));
}

export function addSparse(
  rows: usize,
  others: usize,
  weights: usize,
  item: i32,
  strength: f64,
  sums: usize,
): void {
  const at = rows + ((<usize>item) << 2);
  for (let q = load<i32>(at), end = load<i32>(at, 4); q < end; q++) {
    const to = sums + ((<usize>load<i32>(others + ((<usize>q) << 2))) << 3);
    store<f64>(to, load<f64>(to) + strength * <f64>load<f32>(weights + ((<usize>q) << 2)));
  }
}

export function bestSums(sums: usize, items: i32, k: i32, ids: usize, best: usize): i32 {
  let size = 0;
  let least: f64 = -Infinity;
  for (let item = 0; item < items; item++) {
    const score = load<f64>(sums + ((<usize>item) << 3));
    // Of what rounds to one score the first stay: whether others belong there too, the bound tells.
    if (!(score > least)) continue;
    size = offer(ids, best, size, k, item, <f32>score);
    if (size == k) least = <f64>load<f32>(best);
  }
  return size;
}
