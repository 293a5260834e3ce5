import type { PlainMemory } from "./memory.js";

/** Adds the packed gradient of a row to a histogram: 64 bits a bin, the hessian first. */
export function addRow(m: PlainMemory, row: number, hist: number, packed: number): void {
  const { u8, i32, stride, meta } = m;
  for (let f = 0; f < stride; f++) {
    const bin = (hist + i32[meta / 4 + f * 4]) / 4 + 2 * u8[row + f];
    i32[bin] += packed & 0xffff;
    i32[bin + 1] += packed >> 16;
  }
}
