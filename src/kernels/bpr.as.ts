/*
 * Bayesian personalised ranking by stochastic gradient steps, f32 and SIMD; bpr.ts is the plain twin and explains
 * the cells. Cells of one phase share no user and no item, so that threads never write the same factors.
 */
import { below, exponential, has, increment, next } from "./sampled-steps.as";

/** Sorts the entries of every block of users by the block of their item: `grouped` holds places, `cells` offsets. */
export function groupEntries(
  thread: i32,
  threads: i32,
  columns: usize,
  edges: usize,
  blocks: i32,
  blockOf: usize,
  grouped: usize,
  cells: usize,
): void {
  for (let block = thread; block < blocks; block += threads) {
    const from = load<i32>(edges + ((<usize>block) << 2));
    const to = load<i32>(edges + ((<usize>(block + 1)) << 2));
    const offsets = cells + ((<usize>block * (blocks + 1)) << 2);
    memory.fill(offsets, 0, (<usize>(blocks + 1)) << 2);
    for (let p = from; p < to; p++) {
      const cell = <usize>load<u8>(blockOf + <usize>load<i32>(columns + ((<usize>p) << 2))) + 1;
      store<i32>(offsets + (cell << 2), load<i32>(offsets + (cell << 2)) + 1);
    }
    store<i32>(offsets, from);
    for (let cell = 1; cell <= blocks; cell++) {
      const at = offsets + ((<usize>cell) << 2);
      store<i32>(at, load<i32>(at) + load<i32>(at - 4));
    }
    // Places go behind each other; then offsets have moved by one cell and are put back.
    for (let p = from; p < to; p++) {
      const cell = <usize>load<u8>(blockOf + <usize>load<i32>(columns + ((<usize>p) << 2)));
      const at = offsets + (cell << 2);
      const place = load<i32>(at);
      store<i32>(grouped + ((<usize>place) << 2), p);
      store<i32>(at, place + 1);
    }
    for (let cell = blocks; cell > 0; cell--)
      store<i32>(offsets + ((<usize>cell) << 2), load<i32>(offsets + ((<usize>(cell - 1)) << 2)));
    store<i32>(offsets, from);
  }
}

/**
 * The steps of the cells (block, block + shift) of one phase.
 *
 * @param tallies two i32 a block of users: steps taken, and those whose pair was in the right order
 */
export function phase(
  thread: i32,
  threads: i32,
  starts: usize,
  columns: usize,
  userOf: usize,
  grouped: usize,
  cells: usize,
  blocks: i32,
  shift: i32,
  members: usize,
  memberStarts: usize,
  users: usize,
  items: usize,
  biases: usize,
  width: i32,
  rate: f32,
  penalty: f32,
  seed: i32,
  tallies: usize,
): void {
  for (let block = thread; block < blocks; block += threads) {
    const other = (block + shift) % blocks;
    const offsets = cells + ((<usize>block * (blocks + 1) + other) << 2);
    const from = load<i32>(offsets);
    const count = load<i32>(offsets, 4) - from;
    const first = load<i32>(memberStarts + ((<usize>other) << 2));
    const size = load<i32>(memberStarts + ((<usize>(other + 1)) << 2)) - first;
    const entries = grouped + ((<usize>from) << 2);
    const list = members + ((<usize>first) << 2);
    const tally = tallies + ((<usize>block) << 3);
    let state = <u32>seed + <u32>(block * blocks + other) * 0x9e3779b9;
    for (let done = 0; done < count; done += 256)
      state = draw(
        min(256, count - done),
        state,
        entries,
        count,
        list,
        size,
        starts,
        columns,
        userOf,
        users,
        items,
        biases,
        width,
        rate,
        penalty,
        tally,
      );
  }
}

export function draw(
  steps: i32,
  seed: u32,
  entries: usize,
  count: i32,
  list: usize,
  size: i32,
  starts: usize,
  columns: usize,
  userOf: usize,
  users: usize,
  items: usize,
  biases: usize,
  width: i32,
  rate: f32,
  penalty: f32,
  tally: usize,
): u32 {
  const bytes = (<usize>width) << 2;
  const keep = f32x4.splat(1 - rate * penalty);
  let state = seed;
  let taken = 0;
  let right = 0;
  for (let step = 0; step < steps; step++) {
    state += increment;
    const entry = load<i32>(entries + ((<usize>below(next(state), count)) << 2));
    state += increment;
    const j = load<i32>(list + ((<usize>below(next(state), size)) << 2));
    const u = load<i32>(userOf + ((<usize>entry) << 2));
    if (has(columns, load<i32>(starts + ((<usize>u) << 2)), load<i32>(starts + ((<usize>(u + 1)) << 2)), j))
      continue;
    const i = load<i32>(columns + ((<usize>entry) << 2));
    const xu = users + <usize>u * bytes;
    const yi = items + <usize>i * bytes;
    const yj = items + <usize>j * bytes;
    let sum = f32x4.splat(0);
    for (let b: usize = 0; b < bytes; b += 16)
      sum = f32x4.add(sum, f32x4.mul(v128.load(xu + b), f32x4.sub(v128.load(yi + b), v128.load(yj + b))));
    const bi = biases + ((<usize>i) << 2);
    const bj = biases + ((<usize>j) << 2);
    const difference =
      f32x4.extract_lane(sum, 0) +
      f32x4.extract_lane(sum, 1) +
      (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3)) +
      (load<f32>(bi) - load<f32>(bj));
    taken++;
    if (difference > 0) right++;
    const push = rate / (1 + exponential(difference));
    const z = f32x4.splat(push);
    for (let b: usize = 0; b < bytes; b += 16) {
      const x = v128.load(xu + b);
      const p = v128.load(yi + b);
      const n = v128.load(yj + b);
      const zx = f32x4.mul(z, x);
      v128.store(xu + b, f32x4.add(f32x4.mul(keep, x), f32x4.mul(z, f32x4.sub(p, n))));
      v128.store(yi + b, f32x4.add(f32x4.mul(keep, p), zx));
      v128.store(yj + b, f32x4.sub(f32x4.mul(keep, n), zx));
    }
    const decay = f32x4.extract_lane(keep, 0);
    store<f32>(bi, decay * load<f32>(bi) + push);
    store<f32>(bj, decay * load<f32>(bj) - push);
  }
  store<i32>(tally, load<i32>(tally) + taken);
  store<i32>(tally, load<i32>(tally, 4) + right, 4);
  return state;
}
