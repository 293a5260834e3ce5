/**
 * Scores of rows by an ensemble of trees: the fast twin of `rawScore` in src/learners/gbdt/trees.ts, the same sums in
 * the same order. A node is eight bytes: its threshold, the place of its value in a row (16 bits), and how far on its
 * left child is (16 bits; the right one follows it). Leaves point at themselves and look at a value below everything.
 */

let columns: u32 = 0;
let rowBytes: u32 = 0;
let scratch: u32 = 0;

export function setup(thread: u32, threads: u32, columnCount: u32, scratchAt: u32, scratchBytes: u32): void {
  columns = columnCount;
  rowBytes = (2 * columnCount + 1) * 4;
  scratch = scratchAt + thread * scratchBytes;
}

/**
 * @param values   columns of float64, `room` each
 * @param trees    per tree 16 bytes: address of its root, depth, output, whether it has categorical splits
 * @param leafValues float64 per node, in the order of `nodes`
 */
export function score(
  thread: u32,
  threads: u32,
  values: u32,
  room: u32,
  rows: u32,
  nodes: u32,
  leafValues: u32,
  sets: u32,
  trees: u32,
  treeCount: u32,
  scores: u32,
  outputs: u32,
  counter: u32,
  block: u32,
): void {
  for (;;) {
    const from = atomic.add<u32>(counter, block);
    if (from >= rows) return;
    const count = min(block, rows - from);
    gather(values + from * 8, room, count);
    for (let t: u32 = 0; t < treeCount; t++) {
      const tree = trees + t * 16;
      const to = scores + (from * outputs + load<u32>(tree, 8)) * 8;
      if (load<u32>(tree, 12))
        walkMixed(load<u32>(tree), load<u32>(tree, 4), count, nodes, leafValues, sets, to, outputs * 8);
      else walk(load<u32>(tree), load<u32>(tree, 4), count, nodes, leafValues, to, outputs * 8);
    }
  }
}

/** Rows of float32, rounded down, so that comparisons with float32 thresholds stay; missing as lowest, then as highest. */
export function gather(values: u32, room: u32, count: u32): void {
  for (let f: u32 = 0; f < columns; f++) {
    const column = values + f * room * 8;
    let to = scratch + f * 4;
    for (let i: u32 = 0; i < count; i++) {
      const x = load<f64>(column + i * 8);
      if (x == x) {
        let y = <f32>x;
        if (<f64>y > x) y = below(y);
        store<f32>(to, y);
        store<f32>(to + columns * 4, y);
      } else {
        store<f32>(to, -Infinity);
        store<f32>(to + columns * 4, Infinity);
      }
      to += rowBytes;
    }
  }
  for (let i: u32 = 0; i < count; i++) store<f32>(scratch + i * rowBytes + columns * 8, -Infinity);
}

/** The next float32 down. */
function below(y: f32): f32 {
  const bits = reinterpret<i32>(y);
  if (y == 0) return reinterpret<f32>(0x80000001);
  return reinterpret<f32>(bits > 0 ? bits - 1 : bits + 1);
}

function step(node: u32, row: u32): u32 {
  const info = load<u32>(node, 4);
  const right = <u32>!(load<f32>(row + ((info & 0xffff) << 2)) < load<f32>(node));
  return node + (((info >>> 16) + right) << 3);
}

export function walk(
  root: u32,
  depth: u32,
  count: u32,
  nodes: u32,
  leafValues: u32,
  to: u32,
  stepBytes: u32,
): void {
  let row = scratch;
  let i: u32 = 0;
  const width = rowBytes;
  for (; i + 4 <= count; i += 4) {
    let a = root;
    let b = root;
    let c = root;
    let d = root;
    const row1 = row + width;
    const row2 = row1 + width;
    const row3 = row2 + width;
    for (let level: u32 = 0; level < depth; level++) {
      a = step(a, row);
      b = step(b, row1);
      c = step(c, row2);
      d = step(d, row3);
    }
    store<f64>(to, load<f64>(to) + load<f64>(leafValues + (a - nodes)));
    to += stepBytes;
    store<f64>(to, load<f64>(to) + load<f64>(leafValues + (b - nodes)));
    to += stepBytes;
    store<f64>(to, load<f64>(to) + load<f64>(leafValues + (c - nodes)));
    to += stepBytes;
    store<f64>(to, load<f64>(to) + load<f64>(leafValues + (d - nodes)));
    to += stepBytes;
    row = row3 + width;
  }
  for (; i < count; i++) {
    let a = root;
    for (let level: u32 = 0; level < depth; level++) a = step(a, row);
    store<f64>(to, load<f64>(to) + load<f64>(leafValues + (a - nodes)));
    to += stepBytes;
    row += width;
  }
}

/** As `walk`, for trees in which the threshold of some nodes is NaN: theirs is a set of levels, in 16 bytes of `sets`. */
export function walkMixed(
  root: u32,
  depth: u32,
  count: u32,
  nodes: u32,
  leafValues: u32,
  sets: u32,
  to: u32,
  stepBytes: u32,
): void {
  let row = scratch;
  for (let i: u32 = 0; i < count; i++) {
    let node = root;
    for (let level: u32 = 0; level < depth; level++) {
      const info = load<u32>(node, 4);
      const far = info >>> 16;
      if (far == 0) break;
      const x = load<f32>(row + ((info & 0xffff) << 2));
      const threshold = load<f32>(node);
      let right: u32;
      if (threshold == threshold) right = <u32>!(x < threshold);
      else {
        const set = sets + (node - nodes) * 2;
        const code = <u32>max<f32>(x, 0);
        const word = code >>> 5;
        if (x < 0) right = 0;
        else if (x == Infinity || word >= load<u32>(set, 4)) right = 1;
        else right = 1 - ((load<u32>(load<u32>(set) + word * 4) >>> (code & 31)) & 1);
      }
      node += (far + right) << 3;
    }
    store<f64>(to, load<f64>(to) + load<f64>(leafValues + (node - nodes)));
    to += stepBytes;
    row += rowBytes;
  }
}
