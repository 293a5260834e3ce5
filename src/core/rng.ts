import { createHash } from "node:crypto";

/** A seeded stream of random numbers; equal seed and name give equal numbers on every machine. */
export interface Rng {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform integer in [0, n), without modulo bias. */
  integer(n: number): number;
  /** Standard normal (Marsaglia polar method). */
  normal(): number;
  /** Shuffles in place (Fisher-Yates) and returns the array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T;
}

/**
 * xoshiro128** (Blackman & Vigna 2018), seeded from sha256 of `seed` and `name`, so that
 * streams of different names are independent and a new stream never shifts an old one.
 */
export function seededRng(seed: number | string, name = ""): Rng {
  const digest = createHash("sha256").update(`${seed}\u0000${name}`).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let d = digest.readInt32LE(12) | 1;
  let spare: number | undefined;

  const next32 = (): number => {
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };

  const rng: Rng = {
    uniform: () => ((next32() >>> 5) * 67108864 + (next32() >>> 6)) / 9007199254740992,
    integer(n) {
      if (n > 4294967296) return Math.floor(rng.uniform() * n);
      const limit = 4294967296 - (4294967296 % n);
      let drawn = next32();
      while (drawn >= limit) drawn = next32();
      return drawn % n;
    },
    normal() {
      if (spare !== undefined) {
        const kept = spare;
        spare = undefined;
        return kept;
      }
      for (;;) {
        const u = 2 * rng.uniform() - 1;
        const v = 2 * rng.uniform() - 1;
        const s = u * u + v * v;
        if (s >= 1 || s === 0) continue;
        const scale = Math.sqrt((-2 * Math.log(s)) / s);
        spare = v * scale;
        return u * scale;
      }
    },
    shuffle(items) {
      const array = items as unknown as unknown[];
      for (let i = array.length - 1; i > 0; i--) {
        const j = rng.integer(i + 1);
        const kept = array[i];
        array[i] = array[j];
        array[j] = kept;
      }
      return items;
    },
  };
  return rng;
}

/** A hash of 32 bits (Wellons, "triple32" family, two rounds). */
export function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0x735a2d97);
  return x ^ (x >>> 15);
}
