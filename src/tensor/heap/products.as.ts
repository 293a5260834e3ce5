// part of other kernels: Matrix products, packed: any strides, so any transposition.

/** Columns of a panel of B, and rows of a strip of A: 4 x 8 accumulators fit the registers. */
const NR: i32 = 8;
const MR: i32 = 4;

/** Depth and width of the packed block of B: 512 KiB, in the second cache. */
const KB: i32 = 256;
const NB: i32 = 512;

/** Bytes of scratch space that `gemm` needs. */
export function gemmScratch(): i32 {
  return (KB * NB + KB * MR + MR * NR) * 4;
}

function packB(k: i32, n: i32, b: usize, bRow: i32, bCol: i32, to: usize): void {
  for (let j = 0; j < n; j += NR) {
    const wide = min(NR, n - j);
    if (wide == NR && bCol == 1) {
      for (let p = 0; p < k; p++) {
        const from = b + ((<usize>p * bRow + j) << 2);
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
        to += NR * 4;
      }
      continue;
    }
    for (let p = 0; p < k; p++) {
      for (let c = 0; c < NR; c++) {
        const value = c < wide ? load<f32>(b + ((<usize>p * bRow + <usize>(j + c) * bCol) << 2)) : 0;
        store<f32>(to + (c << 2), value);
      }
      to += NR * 4;
    }
  }
}

function packA(m: i32, k: i32, a: usize, aRow: i32, aCol: i32, to: usize): void {
  if (m == MR && aRow == 1) {
    for (let p = 0; p < k; p++) v128.store(to + (p << 4), v128.load(a + ((<usize>p * aCol) << 2)));
    return;
  }
  for (let r = 0; r < MR; r++) {
    if (r >= m) {
      for (let p = 0; p < k; p++) store<f32>(to + (p << 4) + (r << 2), 0);
      continue;
    }
    const row = a + ((<usize>r * aRow) << 2);
    for (let p = 0; p < k; p++)
      store<f32>(to + (p << 4) + (r << 2), load<f32>(row + ((<usize>p * aCol) << 2)));
  }
}

/** c[4, 8] (+)= strip of A times panel of B; `cRow` in bytes. */
function tile(k: i32, pa: usize, pb: usize, c: usize, cRow: usize, add: bool): void {
  let a0 = f32x4.splat(0),
    a1 = f32x4.splat(0),
    b0 = f32x4.splat(0),
    b1 = f32x4.splat(0);
  let c0 = f32x4.splat(0),
    c1 = f32x4.splat(0),
    d0 = f32x4.splat(0),
    d1 = f32x4.splat(0);
  if (add) {
    a0 = v128.load(c);
    a1 = v128.load(c, 16);
    b0 = v128.load(c + cRow);
    b1 = v128.load(c + cRow, 16);
    c0 = v128.load(c + 2 * cRow);
    c1 = v128.load(c + 2 * cRow, 16);
    d0 = v128.load(c + 3 * cRow);
    d1 = v128.load(c + 3 * cRow, 16);
  }
  for (let p = 0; p < k; p++) {
    const left = v128.load(pb);
    const right = v128.load(pb, 16);
    let s = v128.load32_splat(pa);
    a0 = f32x4.add(a0, f32x4.mul(s, left));
    a1 = f32x4.add(a1, f32x4.mul(s, right));
    s = v128.load32_splat(pa, 4);
    b0 = f32x4.add(b0, f32x4.mul(s, left));
    b1 = f32x4.add(b1, f32x4.mul(s, right));
    s = v128.load32_splat(pa, 8);
    c0 = f32x4.add(c0, f32x4.mul(s, left));
    c1 = f32x4.add(c1, f32x4.mul(s, right));
    s = v128.load32_splat(pa, 12);
    d0 = f32x4.add(d0, f32x4.mul(s, left));
    d1 = f32x4.add(d1, f32x4.mul(s, right));
    pa += 16;
    pb += 32;
  }
  v128.store(c, a0);
  v128.store(c, a1, 16);
  v128.store(c + cRow, b0);
  v128.store(c + cRow, b1, 16);
  v128.store(c + 2 * cRow, c0);
  v128.store(c + 2 * cRow, c1, 16);
  v128.store(c + 3 * cRow, d0);
  v128.store(c + 3 * cRow, d1, 16);
}

/**
 * C[m, n] = A[m, k] B[k, n], or C += A B. Strides in elements: a transposed matrix is one with its
 * strides exchanged; C is row-major with stride n.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aCol: i32,
  b: usize,
  bRow: i32,
  bCol: i32,
  c: usize,
  add: bool,
  scratch: usize,
): void {
  const packedB = scratch;
  const packedA = packedB + KB * NB * 4;
  const edge = packedA + KB * MR * 4;
  if (k == 0 && !add) memory.fill(c, 0, (<usize>m * n) << 2);
  for (let j0 = 0; j0 < n; j0 += NB) {
    const nb = min(NB, n - j0);
    for (let p0 = 0; p0 < k; p0 += KB) {
      const kb = min(KB, k - p0);
      packB(kb, nb, b + ((<usize>p0 * bRow + <usize>j0 * bCol) << 2), bRow, bCol, packedB);
      const adding = add || p0 > 0;
      for (let i = 0; i < m; i += MR) {
        const high = min(MR, m - i);
        packA(high, kb, a + ((<usize>i * aRow + <usize>p0 * aCol) << 2), aRow, aCol, packedA);
        for (let j = 0; j < nb; j += NR) {
          const wide = min(NR, nb - j);
          const panel = packedB + ((<usize>j * kb) << 2);
          const to = c + ((<usize>i * n + j0 + j) << 2);
          if (high == MR && wide == NR) {
            tile(kb, packedA, panel, to, (<usize>n) << 2, adding);
            continue;
          }
          tile(kb, packedA, panel, edge, NR * 4, false);
          for (let r = 0; r < high; r++)
            for (let q = 0; q < wide; q++) {
              const at = to + ((<usize>r * n + q) << 2);
              const value = load<f32>(edge + ((r * NR + q) << 2));
              store<f32>(at, adding ? load<f32>(at) + value : value);
            }
        }
      }
    }
  }
}

/** Many products of one shape, `aBatch`, `bBatch` elements apart; 0 repeats the same matrix. */
export function gemmBatch(
  batches: i32,
  aBatch: i32,
  bBatch: i32,
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aCol: i32,
  b: usize,
  bRow: i32,
  bCol: i32,
  c: usize,
  scratch: usize,
): void {
  for (let i = 0; i < batches; i++)
    gemm(
      m,
      n,
      k,
      a + ((<usize>i * aBatch) << 2),
      aRow,
      aCol,
      b + ((<usize>i * bBatch) << 2),
      bRow,
      bCol,
      c + ((<usize>i * m * n) << 2),
      false,
      scratch,
    );
}
