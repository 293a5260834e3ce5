const double = new Float64Array(1);
const doubleBits = new BigInt64Array(double.buffer);
const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);

/** The next float64 above a number; infinities stay. */
export function doubleAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  if (!Number.isFinite(value)) return value;
  double[0] = value;
  doubleBits[0] += value > 0 ? 1n : -1n;
  return double[0];
}

/** The next float64 below a number; infinities stay. */
export function doubleBelow(value: number): number {
  return -doubleAbove(-value);
}

/** The next float32 above a float32; infinities stay. */
export function floatAbove(value: number): number {
  if (!Number.isFinite(value)) return value;
  float[0] = value;
  if (value === 0) floatBits[0] = 1;
  else floatBits[0] += value > 0 ? 1 : -1;
  return float[0];
}

/** The next float32 below a float32; infinities stay. */
export function floatBelow(value: number): number {
  return -floatAbove(-value);
}
