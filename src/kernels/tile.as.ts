// part of other kernels
/*
 * The innermost loop of products of packed rows, f32 and SIMD: every sum in the order of its terms.
 */

/**
 * c -= A Bᵀ for a tile of four rows by eight columns.
 *
 * @param c      four rows of eight floats, `stride` bytes apart
 * @param a      four rows side by side: four floats to a term
 * @param b      eight rows side by side
 * @param terms  of every sum
 */
export function tile(c: usize, stride: usize, a: usize, b: usize, terms: i32): void {
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  for (const end = a + ((<usize>terms) << 4); a < end; a += 16, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(a0, b0));
    s01 = f32x4.add(s01, f32x4.mul(a0, b1));
    const a1 = v128.load32_splat(a, 4);
    s10 = f32x4.add(s10, f32x4.mul(a1, b0));
    s11 = f32x4.add(s11, f32x4.mul(a1, b1));
    const a2 = v128.load32_splat(a, 8);
    s20 = f32x4.add(s20, f32x4.mul(a2, b0));
    s21 = f32x4.add(s21, f32x4.mul(a2, b1));
    const a3 = v128.load32_splat(a, 12);
    s30 = f32x4.add(s30, f32x4.mul(a3, b0));
    s31 = f32x4.add(s31, f32x4.mul(a3, b1));
  }
  v128.store(c, f32x4.sub(v128.load(c), s00));
  v128.store(c, f32x4.sub(v128.load(c, 16), s01), 16);
  c += stride;
  v128.store(c, f32x4.sub(v128.load(c), s10));
  v128.store(c, f32x4.sub(v128.load(c, 16), s11), 16);
  c += stride;
  v128.store(c, f32x4.sub(v128.load(c), s20));
  v128.store(c, f32x4.sub(v128.load(c, 16), s21), 16);
  c += stride;
  v128.store(c, f32x4.sub(v128.load(c), s30));
  v128.store(c, f32x4.sub(v128.load(c, 16), s31), 16);
}
