/*
 * The best items of many users, f32 and SIMD; top-rows.ts explains what is done with them. Every user is worked out
 * alone, so that it does not matter which thread takes it.
 */
import { offer } from "./heap.as";
import { tile } from "./tile.as";

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
  return 4 * chunk * width + 192;
}

/** Where the scores of four users and a panel are laid down; every thread has its own. */
let scores: usize = 0;
/** The scores of a user and a panel, bytes. */
const panelRow: usize = 32;

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
 * @param rows     0, 1, 2…: the users of a group of four are named by their rows
 * @param leasts   room for the least that is kept of every row
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
  rows: usize,
  leasts: usize,
  k: i32,
  ids: usize,
  best: usize,
  counts: usize,
  counter: usize,
  scratches: usize,
): void {
  const packed = scratches + <usize>thread * <usize>factorScratchBytes(width);
  scores = packed + ((<usize>(chunk * width)) << 2);
  const blocks = (items + panel * blockPanels - 1) / (panel * blockPanels);
  const groupBytes = (<usize>width) << 4;
  const panelBytes = (<usize>width) << 5;
  for (;;) {
    const from = atomic.add<i32>(counter, chunk);
    if (from >= count) return;
    const size = min(chunk, count - from);
    packUsers(users + ((<usize>from * <usize>width) << 2), size, width, packed);
    for (let u = 0; u < chunk; u++)
      store<f32>(leasts + ((<usize>(from + u)) << 2), u < size ? -Infinity : Infinity);
    memory.fill(counts + ((<usize>from) << 2), 0, (<usize>size) << 2);
    for (let block = 0; block < blocks; block++) {
      const bound = load<f32>(longest + ((<usize>block) << 2));
      let alive = false;
      for (let group = 0; group < size; group += 4) {
        if (!reaches(lengths, from + group, min(from + size, from + group + 4), bound, leasts)) continue;
        alive = true;
        const last = min(items, (block + 1) * panel * blockPanels);
        for (let place = block * panel * blockPanels; place < last; place += panel)
          scorePanel(
            packed + <usize>(group >> 2) * groupBytes,
            panels + <usize>(place >> 3) * panelBytes,
            width,
            leasts,
            rows + ((<usize>(from + group)) << 2),
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

/** Four users side by side, negated, because `tile` subtracts; users that are not there have zeros. */
function packUsers(users: usize, size: i32, width: i32, into: usize): void {
  for (let u = 0; u < chunk; u++) {
    const from = users + ((<usize>u * <usize>width) << 2);
    const to = into + ((<usize>(u >> 2) * <usize>width) << 4) + ((<usize>(u & 3)) << 2);
    for (let f = 0; f < width; f++)
      store<f32>(to + ((<usize>f) << 4), u < size ? -load<f32>(from + ((<usize>f) << 2)) : 0);
  }
}

/** Whether any of four users can still get an item whose factors are at most `bound` long. */
function reaches(lengths: usize, from: i32, to: i32, bound: f32, leasts: usize): bool {
  for (let u = from; u < to; u++)
    if (load<f32>(lengths + ((<usize>u) << 2)) * bound >= load<f32>(leasts + ((<usize>u) << 2))) return true;
  return false;
}

/**
 * Products of four users with the eight items of a panel; those above the least kept of a user are offered to it.
 *
 * @param users packed by fours, negated
 * @param rows  of the four users
 * @param items places from here on are padding
 */
export function scorePanel(
  users: usize,
  factors: usize,
  width: i32,
  leasts: usize,
  rows: usize,
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
  const zero = f32x4.splat(0);
  for (let at = scores, end = scores + 4 * panelRow; at < end; at += 16) v128.store(at, zero);
  tile(scores, panelRow, users, factors, width);
  for (let u: usize = 0, own = scores; u < 4; u++, own += panelRow) {
    const row = load<i32>(rows + (u << 2));
    const least = v128.load32_splat(leasts + ((<usize>row) << 2));
    if (v128.any_true(v128.or(f32x4.gt(v128.load(own), least), f32x4.gt(v128.load(own, 16), least))))
      keep(own, leasts, row, place, items, order, members, starts, columns, k, ids, best, counts);
  }
}

/** Offers the scores of a panel that are above the least kept of a user. */
function keep(
  panelScores: usize,
  leasts: usize,
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
  const least = leasts + ((<usize>user) << 2);
  for (let i = 0; i < panel; i++) {
    const score = load<f32>(panelScores + ((<usize>i) << 2));
    if (!(score > load<f32>(least)) || place + i >= items) continue;
    const item = load<i32>(order + ((<usize>(place + i)) << 2));
    if (starts && isSeen(members, starts, columns, user, item)) continue;
    const size = offer(ids + own, best + own, load<i32>(at), k, item, score);
    store<i32>(at, size);
    if (size == k) store<f32>(least, load<f32>(best + own));
  }
}

/** Users that a thread takes at a time where every user has lists of its own: some of them share a list. */
const listedChunk: i32 = 256;

export function listedChunkRows(): i32 {
  return listedChunk;
}

export function listedScratchBytes(width: i32): i32 {
  return 16 * width + 192;
}

/**
 * The k largest products of factors with the items of the lists that every user looks into.
 *
 * @param panels factors of the items list by list, eight items side by side, the last panel of a list padded
 * @param order  item code by place in `panels`
 * @param lists  first place of every list, a multiple of eight, and the end; `sizes` how many items it has
 * @param asked  by chunk of users, then by list: offsets into `askers`, the rows of the users that look into it
 * @param none   a row whose least is Infinity: for the users that a group lacks
 */
export function listedTop(
  thread: i32,
  _threads: i32,
  users: usize,
  count: i32,
  panels: usize,
  order: usize,
  lists: usize,
  sizes: usize,
  listCount: i32,
  asked: usize,
  askers: usize,
  none: i32,
  width: i32,
  members: usize,
  starts: usize,
  columns: usize,
  leasts: usize,
  k: i32,
  ids: usize,
  best: usize,
  counts: usize,
  counter: usize,
  scratches: usize,
): void {
  const packed = scratches + <usize>thread * <usize>listedScratchBytes(width);
  const rows = packed + ((<usize>width) << 4);
  scores = rows + 16;
  const panelBytes = (<usize>width) << 5;
  for (;;) {
    const from = atomic.add<i32>(counter, listedChunk);
    if (from >= count) return;
    const size = min(listedChunk, count - from);
    for (let u = from; u < from + size; u++) store<f32>(leasts + ((<usize>u) << 2), -Infinity);
    memory.fill(counts + ((<usize>from) << 2), 0, (<usize>size) << 2);
    let offset = asked + ((<usize>(from / listedChunk) * <usize>listCount) << 2);
    for (let list = 0; list < listCount; list++, offset += 4) {
      const first = load<i32>(lists + ((<usize>list) << 2));
      const last = first + load<i32>(sizes + ((<usize>list) << 2));
      const end = load<i32>(offset, 4);
      for (let asker = load<i32>(offset); asker < end; asker += 4) {
        for (let u = 0; u < 4; u++) {
          const row = asker + u < end ? load<i32>(askers + ((<usize>(asker + u)) << 2)) : none;
          store<i32>(rows + ((<usize>u) << 2), row);
          const own = users + ((<usize>row * <usize>width) << 2);
          for (let f = 0; f < width; f++)
            store<f32>(packed + ((<usize>(4 * f + u)) << 2), -load<f32>(own + ((<usize>f) << 2)));
        }
        for (let place = first; place < last; place += panel)
          scorePanel(
            packed,
            panels + <usize>(place >> 3) * panelBytes,
            width,
            leasts,
            rows,
            place,
            last,
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
    }
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
