/*
 * Inverse of a symmetric positive definite matrix by Cholesky, f32 and SIMD, in place; cholesky.ts is the plain twin
 * and explains the steps. The matrix is a square of whole blocks. A block is worked out by one thread, its sums in one
 * order, so that threads change no bit.
 */
import { tile } from "./tile.as";

export { gramRows } from "./gram.as";

/** Rows and columns of a block, and terms of a sum taken at once: a few blocks stay in the second-level cache. */
const block: i32 = 128;
/** A row of a block, bytes. */
const blockRow: usize = 512;
const blockBytes: usize = 65536;

export function blockSize(): i32 {
  return block;
}

/** Bytes of scratch that a thread needs: a block of results and a packed one of terms. */
export function scratchBytes(): i32 {
  return 2 * <i32>blockBytes;
}

/**
 * Packs the rows of block row `row`, columns `from` to `to`, for products with others: eight rows side by side.
 */
export function packRows(
  thread: i32,
  threads: i32,
  a: usize,
  stride: i32,
  row: i32,
  from: i32,
  to: i32,
  packed: usize,
): void {
  const bytes = (<usize>stride) << 2;
  const top = a + <usize>(row * block) * bytes;
  for (let k = from + thread * block; k < to; k += threads * block)
    packEight(top + ((<usize>k) << 2), bytes, packed + <usize>(k - from) * blockRow);
}

function packEight(a: usize, bytes: usize, into: usize): void {
  for (let row = 0; row < block; row += 8) {
    const first = a + <usize>row * bytes;
    for (let k = 0; k < block; k++, into += 32) {
      const at = first + ((<usize>k) << 2);
      for (let i: usize = 0; i < 8; i++) store<f32>(into + (i << 2), load<f32>(at + i * bytes));
    }
  }
}

/** Four rows side by side. */
function packFour(a: usize, bytes: usize, into: usize): void {
  for (let row = 0; row < block; row += 4) {
    const a0 = a + <usize>row * bytes;
    const a1 = a0 + bytes;
    const a2 = a1 + bytes;
    const a3 = a2 + bytes;
    for (let k: usize = 0; k < blockRow; k += 16, into += 64) {
      const v0 = v128.load(a0 + k);
      const v1 = v128.load(a1 + k);
      const v2 = v128.load(a2 + k);
      const v3 = v128.load(a3 + k);
      const x0 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5);
      const x1 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5);
      const y0 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
      const y1 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
      v128.store(into, v128.shuffle<f32>(x0, x1, 0, 1, 4, 5));
      v128.store(into, v128.shuffle<f32>(x0, x1, 2, 3, 6, 7), 16);
      v128.store(into, v128.shuffle<f32>(y0, y1, 0, 1, 4, 5), 32);
      v128.store(into, v128.shuffle<f32>(y0, y1, 2, 3, 6, 7), 48);
    }
  }
}

/** c -= A Bᵀ of packed blocks; c is a block by rows. */
export function subtractPacked(c: usize, a: usize, b: usize): void {
  for (let column: usize = 0; column < blockRow; column += 32, b += 8 * blockRow)
    for (
      let row = 0, at = c + column, left = a;
      row < block;
      row += 4, at += 4 * blockRow, left += 4 * blockRow
    )
      tile(at, blockRow, left, b, block);
}

function copyBlock(from: usize, fromBytes: usize, to: usize, toBytes: usize): void {
  for (let row = 0; row < block; row++, from += fromBytes, to += toBytes) memory.copy(to, from, blockRow);
}

/** The block at c less the product of its block row of `a`, columns `from` to `to`, with the packed rows. */
function subtractRow(
  a: usize,
  bytes: usize,
  row: i32,
  from: i32,
  to: i32,
  packed: usize,
  c: usize,
  terms: usize,
): void {
  const top = a + <usize>(row * block) * bytes;
  for (let k = from; k < to; k += block) {
    packFour(top + ((<usize>k) << 2), bytes, terms);
    subtractPacked(c, terms, packed + <usize>(k - from) * blockRow);
  }
}

/** C times the packed inverse of a factor, transposed; see `factorBlock`. */
function timesInverse(c: usize, inverse: usize, terms: usize): void {
  packFour(c, blockRow, terms);
  memory.fill(c, 0, blockBytes);
  subtractPacked(c, terms, inverse);
}

/** Blocks of block column `s` from the diagonal down, less what earlier columns of the factor make of them. */
export function updateColumn(
  thread: i32,
  _threads: i32,
  a: usize,
  stride: i32,
  s: i32,
  packed: usize,
  counter: usize,
  scratches: usize,
): void {
  const bytes = (<usize>stride) << 2;
  const c = scratches + <usize>thread * <usize>scratchBytes();
  for (;;) {
    const row = s + atomic.add<i32>(counter, 1);
    if (row >= stride / block) return;
    const at = a + <usize>(row * block) * bytes + <usize>s * blockRow;
    copyBlock(at, bytes, c, blockRow);
    subtractRow(a, bytes, row, 0, s * block, packed, c, c + blockBytes);
    copyBlock(c, blockRow, at, bytes);
  }
}

/** The blocks below the diagonal of block column `s`, divided by its factor. */
export function solveColumn(
  thread: i32,
  _threads: i32,
  a: usize,
  stride: i32,
  s: i32,
  inverse: usize,
  counter: usize,
  scratches: usize,
): void {
  const bytes = (<usize>stride) << 2;
  const c = scratches + <usize>thread * <usize>scratchBytes();
  for (;;) {
    const row = s + 1 + atomic.add<i32>(counter, 1);
    if (row >= stride / block) return;
    const at = a + <usize>(row * block) * bytes + <usize>s * blockRow;
    copyBlock(at, bytes, c, blockRow);
    timesInverse(c, inverse, c + blockBytes);
    copyBlock(c, blockRow, at, bytes);
  }
}

/**
 * Factors the diagonal block `s` and puts the transposed inverse of the factor in its place (upper triangular); the
 * same, packed and negated, goes to `inverse`.
 *
 * @returns the first row where the matrix is not positive definite, or -1
 */
export function factorBlock(a: usize, stride: i32, s: i32, inverse: usize, scratch: usize): i32 {
  const bytes = (<usize>stride) << 2;
  const at = a + <usize>(s * block) * bytes + <usize>s * blockRow;
  const l = scratch;
  copyBlock(at, bytes, l, blockRow);
  for (let j = 0; j < block; j++) {
    const rj = l + <usize>j * blockRow;
    const pivot = load<f32>(rj + ((<usize>j) << 2)) - dot(rj, rj, j);
    if (!(pivot > 0)) return s * block + j;
    const root = sqrt<f32>(pivot);
    store<f32>(rj + ((<usize>j) << 2), root);
    for (let i = j + 1; i < block; i++) {
      const ri = l + <usize>i * blockRow;
      const place = ri + ((<usize>j) << 2);
      store<f32>(place, (load<f32>(place) - dot(ri, rj, j)) / root);
    }
  }
  // Row j of U = L⁻ᵀ from U Lᵀ = I: u_ji = -(Σ over k from j to i - 1 of u_jk l_ik) / l_ii.
  for (let j = 0; j < block; j++) {
    const u = at + <usize>j * bytes;
    memory.fill(u, 0, blockRow);
    for (let i = j; i < block; i++) {
      const ri = l + <usize>i * blockRow;
      const from = (<usize>j) << 2;
      const sum = dot(u + from, ri + from, i - j);
      store<f32>(
        u + ((<usize>i) << 2),
        ((i == j ? <f32>1 : <f32>0) - sum) / load<f32>(ri + ((<usize>i) << 2)),
      );
    }
  }
  // Rows of the inverse of L are columns of U.
  for (let i = 0; i < block; i++)
    for (let j = 0; j < block; j++)
      store<f32>(
        l + <usize>i * blockRow + ((<usize>j) << 2),
        -load<f32>(at + <usize>j * bytes + ((<usize>i) << 2)),
      );
  packEight(l, blockRow, inverse);
  return -1;
}

function dot(a: usize, b: usize, count: i32): f32 {
  let sum = f32x4.splat(0);
  let i: usize = 0;
  const bytes = (<usize>count) << 2;
  for (; i + 16 <= bytes; i += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a + i), v128.load(b + i)));
  let rest =
    f32x4.extract_lane(sum, 0) +
    f32x4.extract_lane(sum, 1) +
    (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3));
  for (; i < bytes; i += 4) rest += load<f32>(a + i) * load<f32>(b + i);
  return rest;
}

/** Block column `s` of U = L⁻ᵀ above the diagonal, where zeros stand. */
export function invertColumn(
  thread: i32,
  _threads: i32,
  a: usize,
  stride: i32,
  s: i32,
  packed: usize,
  inverse: usize,
  counter: usize,
  scratches: usize,
): void {
  const bytes = (<usize>stride) << 2;
  const c = scratches + <usize>thread * <usize>scratchBytes();
  for (;;) {
    const row = atomic.add<i32>(counter, 1);
    if (row >= s) return;
    memory.fill(c, 0, blockBytes);
    const first = row * block;
    subtractRow(a, bytes, row, first, s * block, packed + <usize>first * blockRow, c, c + blockBytes);
    timesInverse(c, inverse, c + blockBytes);
    copyBlock(c, blockRow, a + <usize>first * bytes + <usize>s * blockRow, bytes);
  }
}

/** Block column `s` of -U Uᵀ, from the top to the diagonal, in the place of U; `packed` holds block row `s` of U. */
export function multiplyColumn(
  thread: i32,
  _threads: i32,
  a: usize,
  stride: i32,
  s: i32,
  packed: usize,
  counter: usize,
  scratches: usize,
): void {
  const bytes = (<usize>stride) << 2;
  const c = scratches + <usize>thread * <usize>scratchBytes();
  for (;;) {
    const row = atomic.add<i32>(counter, 1);
    if (row > s) return;
    memory.fill(c, 0, blockBytes);
    subtractRow(a, bytes, row, s * block, stride, packed, c, c + blockBytes);
    copyBlock(c, blockRow, a + <usize>(row * block) * bytes + <usize>s * blockRow, bytes);
  }
}
