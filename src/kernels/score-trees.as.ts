/**
 * Scores of rows by an ensemble of trees: the fast twin of `rawScore` in src/learners/gbdt/trees.ts, the same sums in
 * the same order. A node is sixteen bytes: its threshold; where the values of its column lie among those of a block of
 * rows; the address of its left child, which the right one follows; the address of its set of levels: how many words it
 * has, the words, and one without levels. Leaves are their own left child and look at a value below everything.
 */

/** Rows of a block: their values of one column lie side by side. */
const BLOCK: u32 = 128;
/** Bytes of a block's values of one column. */
const SLOT: u32 = BLOCK * 4;

/**
 * Kinds of trees: some splits are by sets of levels; few levels, laid out as if they were complete, without and with sets of up to 62
 * levels; such sets, but more levels; others.
 */
const MIXED: u32 = 1;
const COMPLETE: u32 = 2;
const COMPLETE_SETS: u32 = 3;
const MIXED_WORDS: u32 = 4;

/** What is added to a level: its number stands in the lowest bits of the sum. */
const LEVELS: f32 = 8388608;
/** A missing level, below and above all others; 62 and 63 stand in its lowest bits. */
const MISSING_LOW: f32 = -8388670;
const MISSING_HIGH: f32 = 12582975;

let columns: u32 = 0;
let scratch: u32 = 0;

export function setup(thread: u32, threads: u32, columnCount: u32, scratchAt: u32, scratchBytes: u32): void {
  columns = columnCount;
  scratch = scratchAt + thread * scratchBytes;
}

/**
 * @param values   columns of float64, `room` each
 * @param levels   per column 1 where its values are numbers of levels
 * @param trees    per tree 16 bytes: address of its root, depth, output, kind
 * @param tops     per tree 88 bytes: the nodes of its first three levels, the addresses of those of the fourth; of a complete tree
 *                 those of its nodes from the fourth level on and of its leaves
 * @param words    per node 64 bits, in the order of `nodes`, of trees of kind MIXED_WORDS
 * @param leafValues float64 per node, in the order of `nodes`
 */
export function score(
  thread: u32,
  threads: u32,
  values: u32,
  levels: u32,
  room: u32,
  rows: u32,
  nodes: u32,
  words: u32,
  leafValues: u32,
  tops: u32,
  trees: u32,
  treeCount: u32,
  scores: u32,
  outputs: u32,
  counter: u32,
): void {
  for (;;) {
    const from = atomic.add<u32>(counter, BLOCK);
    if (from >= rows) return;
    const count = min(BLOCK, rows - from);
    gather(values + from * 8, levels, room, count);
    for (let t: u32 = 0; t < treeCount; t++) {
      const tree = trees + t * 16;
      const to = scores + (from * outputs + load<u32>(tree, 8)) * 8;
      const depth = load<u32>(tree, 4);
      const kind = load<u32>(tree, 12);
      if (kind == MIXED || kind == MIXED_WORDS)
        walkMixed(
          load<u32>(tree),
          depth,
          count,
          nodes,
          kind == MIXED ? 0 : words,
          leafValues,
          to,
          outputs * 8,
        );
      else if (kind == COMPLETE_SETS) walkSets(tops + t * 88, depth, count, to, outputs * 8);
      else if (kind == COMPLETE) walkComplete(tops + t * 88, depth, count, to, outputs * 8);
      else walk(tops + t * 88, depth, count, nodes, leafValues, to, outputs * 8);
    }
  }
}

/** Values as float32, rounded down, so that comparisons with float32 thresholds stay; missing as lowest, then as highest. */
export function gather(values: u32, levels: u32, room: u32, count: u32): void {
  const high = columns * SLOT;
  for (let f: u32 = 0; f < columns; f++) {
    const column = values + f * room * 8;
    const to = scratch + f * SLOT;
    if (load<u8>(levels + f)) {
      gatherLevels(column, to, high, count);
      continue;
    }
    for (let i: u32 = 0; i < count; i++) {
      const x = load<f64>(column + i * 8);
      if (x == x) {
        let y = <f32>x;
        if (<f64>y > x) y = below(y);
        store<f32>(to + i * 4, y);
        store<f32>(to + i * 4 + high, y);
      } else {
        store<f32>(to + i * 4, -Infinity);
        store<f32>(to + i * 4 + high, Infinity);
      }
    }
  }
  for (let i: u32 = 0; i < SLOT; i += 4) store<f32>(scratch + 2 * high + i, -Infinity);
}

/** The same of levels, each with what is added to it; those beyond all sets as the highest. */
function gatherLevels(column: u32, to: u32, high: u32, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const x = load<f64>(column + i * 8);
    const level = x < 4194304 ? <f32>trunc(x) + LEVELS : MISSING_HIGH;
    store<f32>(to + i * 4, x >= 0 ? level : MISSING_LOW);
    store<f32>(to + i * 4 + high, x == x ? level : MISSING_HIGH);
  }
}

/** The next float32 down. */
function below(y: f32): f32 {
  const bits = reinterpret<i32>(y);
  if (y == 0) return reinterpret<f32>(0x80000001);
  return reinterpret<f32>(bits > 0 ? bits - 1 : bits + 1);
}

/**
 * Eight rows at a time, so that one waits for memory while the others go on. The first three levels are seven
 * comparisons of four rows each; `top` holds where their values lie, their thresholds, and the eight nodes that follow.
 */
export function walk(
  top: u32,
  depth: u32,
  count: u32,
  nodes: u32,
  leafValues: u32,
  to: u32,
  stepBytes: u32,
): void {
  let row = scratch;
  const under = top + 56;
  const below = depth > 3 ? depth - 3 : 0;
  // Rows beyond the last have old values: they are walked with and left out.
  for (let i: u32 = 0; i < count; i += 8) {
    const first = topOf(top, row);
    const second = topOf(top, row + 16);
    let a = load<u32>(under + i32x4.extract_lane(first, 0));
    let b = load<u32>(under + i32x4.extract_lane(first, 1));
    let c = load<u32>(under + i32x4.extract_lane(first, 2));
    let d = load<u32>(under + i32x4.extract_lane(first, 3));
    let e = load<u32>(under + i32x4.extract_lane(second, 0));
    let f = load<u32>(under + i32x4.extract_lane(second, 1));
    let g = load<u32>(under + i32x4.extract_lane(second, 2));
    let h = load<u32>(under + i32x4.extract_lane(second, 3));
    for (let level: u32 = 0; level < below; level++) {
      const before = a + b + c + d + e + f + g + h;
      a = load<u32>(a, 8) + ((<u32>(load<f32>(row + load<u32>(a, 4)) >= load<f32>(a))) << 4);
      b = load<u32>(b, 8) + ((<u32>(load<f32>(row + load<u32>(b, 4), 4) >= load<f32>(b))) << 4);
      c = load<u32>(c, 8) + ((<u32>(load<f32>(row + load<u32>(c, 4), 8) >= load<f32>(c))) << 4);
      d = load<u32>(d, 8) + ((<u32>(load<f32>(row + load<u32>(d, 4), 12) >= load<f32>(d))) << 4);
      e = load<u32>(e, 8) + ((<u32>(load<f32>(row + load<u32>(e, 4), 16) >= load<f32>(e))) << 4);
      f = load<u32>(f, 8) + ((<u32>(load<f32>(row + load<u32>(f, 4), 20) >= load<f32>(f))) << 4);
      g = load<u32>(g, 8) + ((<u32>(load<f32>(row + load<u32>(g, 4), 24) >= load<f32>(g))) << 4);
      h = load<u32>(h, 8) + ((<u32>(load<f32>(row + load<u32>(h, 4), 28) >= load<f32>(h))) << 4);
      if (a + b + c + d + e + f + g + h == before) break;
    }
    to = add(to, stepBytes, leafValues + ((a - nodes) >> 1));
    if (i + 1 == count) return;
    to = add(to, stepBytes, leafValues + ((b - nodes) >> 1));
    if (i + 2 == count) return;
    to = add(to, stepBytes, leafValues + ((c - nodes) >> 1));
    if (i + 3 == count) return;
    to = add(to, stepBytes, leafValues + ((d - nodes) >> 1));
    if (i + 4 == count) return;
    to = add(to, stepBytes, leafValues + ((e - nodes) >> 1));
    if (i + 5 == count) return;
    to = add(to, stepBytes, leafValues + ((f - nodes) >> 1));
    if (i + 6 == count) return;
    to = add(to, stepBytes, leafValues + ((g - nodes) >> 1));
    if (i + 7 == count) return;
    to = add(to, stepBytes, leafValues + ((h - nodes) >> 1));
    row += 32;
  }
}

/**
 * As `walk`, for trees of few levels that are laid out as if they were complete, level by level from the fourth on: where a child lies
 * follows from where its parent does. A node is eight bytes, its threshold and where the values of its column lie.
 */
export function walkComplete(top: u32, depth: u32, count: u32, to: u32, stepBytes: u32): void {
  let row = scratch;
  const fourth = load<u32>(top, 56);
  const leaves = load<u32>(top, 60);
  for (let i: u32 = 0; i < count; i += 8) {
    // The first three levels as in `topOf`, of all eight rows for every node, whose threshold and place are then loaded but once.
    let node = row + load<u32>(top);
    let threshold = v128.load32_splat(top, 4);
    const first = f32x4.ge(v128.load(node), threshold);
    const first2 = f32x4.ge(v128.load(node, 16), threshold);
    node = row + load<u32>(top, 8);
    threshold = v128.load32_splat(top, 12);
    let second = f32x4.ge(v128.load(node), threshold);
    let second2 = f32x4.ge(v128.load(node, 16), threshold);
    node = row + load<u32>(top, 16);
    threshold = v128.load32_splat(top, 20);
    second = v128.bitselect(f32x4.ge(v128.load(node), threshold), second, first);
    second2 = v128.bitselect(f32x4.ge(v128.load(node, 16), threshold), second2, first2);
    node = row + load<u32>(top, 24);
    threshold = v128.load32_splat(top, 28);
    let left = f32x4.ge(v128.load(node), threshold);
    let left2 = f32x4.ge(v128.load(node, 16), threshold);
    node = row + load<u32>(top, 32);
    threshold = v128.load32_splat(top, 36);
    left = v128.bitselect(f32x4.ge(v128.load(node), threshold), left, second);
    left2 = v128.bitselect(f32x4.ge(v128.load(node, 16), threshold), left2, second2);
    node = row + load<u32>(top, 40);
    threshold = v128.load32_splat(top, 44);
    let right = f32x4.ge(v128.load(node), threshold);
    let right2 = f32x4.ge(v128.load(node, 16), threshold);
    node = row + load<u32>(top, 48);
    threshold = v128.load32_splat(top, 52);
    right = v128.bitselect(f32x4.ge(v128.load(node), threshold), right, second);
    right2 = v128.bitselect(f32x4.ge(v128.load(node, 16), threshold), right2, second2);
    const places = placesOf(first, second, v128.bitselect(right, left, first));
    const places2 = placesOf(first2, second2, v128.bitselect(right2, left2, first2));
    let a = <u32>i32x4.extract_lane(places, 0);
    let b = <u32>i32x4.extract_lane(places, 1);
    let c = <u32>i32x4.extract_lane(places, 2);
    let d = <u32>i32x4.extract_lane(places, 3);
    let e = <u32>i32x4.extract_lane(places2, 0);
    let f = <u32>i32x4.extract_lane(places2, 1);
    let g = <u32>i32x4.extract_lane(places2, 2);
    let h = <u32>i32x4.extract_lane(places2, 3);
    let nodes = fourth;
    for (let bytes: u32 = 64; bytes < (<u32>8) << depth; bytes <<= 1) {
      a = childAt(nodes, a, row + 0);
      b = childAt(nodes, b, row + 4);
      c = childAt(nodes, c, row + 8);
      d = childAt(nodes, d, row + 12);
      e = childAt(nodes, e, row + 16);
      f = childAt(nodes, f, row + 20);
      g = childAt(nodes, g, row + 24);
      h = childAt(nodes, h, row + 28);
      nodes += bytes;
    }
    to = add(to, stepBytes, leaves + a);
    if (i + 1 == count) return;
    to = add(to, stepBytes, leaves + b);
    if (i + 2 == count) return;
    to = add(to, stepBytes, leaves + c);
    if (i + 3 == count) return;
    to = add(to, stepBytes, leaves + d);
    if (i + 4 == count) return;
    to = add(to, stepBytes, leaves + e);
    if (i + 5 == count) return;
    to = add(to, stepBytes, leaves + f);
    if (i + 6 == count) return;
    to = add(to, stepBytes, leaves + g);
    if (i + 7 == count) return;
    to = add(to, stepBytes, leaves + h);
    row += 32;
  }
}

/** Where nodes of the fourth level lie in it, in bytes, of which three bits, given as masks, are the numbers. */
function placesOf(first: v128, second: v128, third: v128): v128 {
  const number = i32x4.neg(i32x4.add(i32x4.add(i32x4.shl(first, 2), i32x4.shl(second, 1)), third));
  return i32x4.shl(number, 3);
}

/** Where the child lies in its level, in bytes, of a node that does in its own. */
function childAt(nodes: u32, at: u32, row: u32): u32 {
  const node = nodes + at;
  return (at << 1) + ((<u32>(load<f32>(row + load<u32>(node, 4)) >= load<f32>(node))) << 3);
}

/** Of four rows, four times the number of the node of the fourth level that they come to. */
function topOf(top: u32, row: u32): v128 {
  const right = f32x4.ge(v128.load(row + load<u32>(top)), v128.load32_splat(top, 4));
  const second = v128.bitselect(compared(top + 16, row), compared(top + 8, row), right);
  const third = v128.bitselect(
    v128.bitselect(compared(top + 48, row), compared(top + 40, row), second),
    v128.bitselect(compared(top + 32, row), compared(top + 24, row), second),
    right,
  );
  const sum = i32x4.add(i32x4.add(i32x4.shl(right, 2), i32x4.shl(second, 1)), third);
  return i32x4.shl(i32x4.neg(sum), 2);
}

function compared(node: u32, row: u32): v128 {
  return f32x4.ge(v128.load(row + load<u32>(node)), v128.load32_splat(node, 4));
}

/**
 * As `walkComplete` from the root on, for trees some of whose nodes send rows by their level: those to the right whose bit is set in
 * the 64 after the threshold, which is NaN. Bits of other nodes are zero, so that there is nothing to be told apart.
 */
export function walkSets(top: u32, depth: u32, count: u32, to: u32, stepBytes: u32): void {
  let row = scratch;
  const root = load<u32>(top, 56);
  const leaves = load<u32>(top, 60);
  for (let i: u32 = 0; i < count; i += 4) {
    let a: u32 = 0;
    let b: u32 = 0;
    let c: u32 = 0;
    let d: u32 = 0;
    let nodes = root;
    for (let bytes: u32 = 16; bytes < (<u32>16) << depth; bytes <<= 1) {
      a = childBySet(nodes, a, row);
      b = childBySet(nodes, b, row + 4);
      c = childBySet(nodes, c, row + 8);
      d = childBySet(nodes, d, row + 12);
      nodes += bytes;
    }
    to = add(to, stepBytes, leaves + (a >> 1));
    if (i + 1 == count) return;
    to = add(to, stepBytes, leaves + (b >> 1));
    if (i + 2 == count) return;
    to = add(to, stepBytes, leaves + (c >> 1));
    if (i + 3 == count) return;
    to = add(to, stepBytes, leaves + (d >> 1));
    row += 16;
  }
}

/** Where the child lies in its level, in bytes, of a node that does in its own. */
function childBySet(nodes: u32, at: u32, row: u32): u32 {
  const node = nodes + at;
  const bits = load<u32>(row + load<u32>(node, 4));
  const over = <u32>(reinterpret<f32>(bits) >= load<f32>(node));
  return (at << 1) + ((over | ((<u32>(load<u64>(node, 8) >> bits)) & 1)) << 4);
}

function add(to: u32, stepBytes: u32, value: u32): u32 {
  store<f64>(to, load<f64>(to) + load<f64>(value));
  return to + stepBytes;
}

/**
 * As `walk`, four rows at a time, for trees with nodes whose threshold is NaN: theirs is a set of levels. They can be deep for a few rows'
 * sake: when all four are at leaves, which are their own children, the others need not be walked down to.
 *
 * @param words per node 64 bits as in `walkSets`, eight bytes each; 0: its set may have more levels
 */
export function walkMixed(
  root: u32,
  depth: u32,
  count: u32,
  nodes: u32,
  words: u32,
  leafValues: u32,
  to: u32,
  stepBytes: u32,
): void {
  let row = scratch;
  const wordOf = words - (nodes >> 1);
  for (let i: u32 = 0; i < count; i += 4) {
    let a = root;
    let b = root;
    let c = root;
    let d = root;
    for (let level: u32 = 0; level < depth; level++) {
      const before = a + b + c + d;
      if (words) {
        a = childByWord(a, wordOf, row);
        b = childByWord(b, wordOf, row + 4);
        c = childByWord(c, wordOf, row + 8);
        d = childByWord(d, wordOf, row + 12);
      } else {
        a = childOf(a, load<f32>(row + load<u32>(a, 4)));
        b = childOf(b, load<f32>(row + load<u32>(b, 4), 4));
        c = childOf(c, load<f32>(row + load<u32>(c, 4), 8));
        d = childOf(d, load<f32>(row + load<u32>(d, 4), 12));
      }
      // Children lie after their parents.
      if (a + b + c + d == before) break;
    }
    to = add(to, stepBytes, leafValues + ((a - nodes) >> 1));
    if (i + 1 == count) return;
    to = add(to, stepBytes, leafValues + ((b - nodes) >> 1));
    if (i + 2 == count) return;
    to = add(to, stepBytes, leafValues + ((c - nodes) >> 1));
    if (i + 3 == count) return;
    to = add(to, stepBytes, leafValues + ((d - nodes) >> 1));
    row += 16;
  }
}

function childByWord(node: u32, wordOf: u32, row: u32): u32 {
  const bits = load<u32>(row + load<u32>(node, 4));
  const over = <u32>(reinterpret<f32>(bits) >= load<f32>(node));
  return load<u32>(node, 8) + ((over | ((<u32>(load<u64>(wordOf + (node >> 1)) >> bits)) & 1)) << 4);
}

/**
 * Without a branch, for which of the two kinds a node is cannot be foreseen: nothing is at or above NaN, and only where
 * the threshold is NaN the set counts. Levels beyond its words are in none; a missing value is below or above all.
 */
function childOf(node: u32, x: f32): u32 {
  const threshold = load<f32>(node);
  const set = load<u32>(node, 12);
  const level = <u32>(x - LEVELS);
  const word = load<u32>(set + (min<u32>(level >>> 5, load<u32>(set)) << 2), 4);
  const outside = (<u32>(threshold != threshold)) & (<u32>(x >= 0)) & ~(word >>> (level & 31));
  return load<u32>(node, 8) + (((<u32>(x >= threshold)) | outside) << 4);
}
