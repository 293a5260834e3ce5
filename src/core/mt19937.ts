/**
 * NumPy's legacy generator (`numpy.random.RandomState`), so that splits which were published with it come out again.
 *
 * Matsumoto & Nishimura (1998), MT19937, seeded by init_genrand; doubles of 53 bits; intervals by masked rejection.
 */
export interface LegacyRng {
  /** Uniform in [0, 1), as `random_sample`. */
  uniform(): number;
  /** The numbers 0..n-1 as `shuffle` leaves them. */
  permutation(n: number): Int32Array;
}

/** @param seed an integer from 0 to 2^32 - 1 */
export function legacyRng(seed: number): LegacyRng {
  const length = 624;
  const state = new Uint32Array(length);
  state[0] = seed;
  for (let i = 1; i < length; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let place = length;

  function twist(): void {
    for (let i = 0; i < length; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % length] & 0x7fffffff);
      state[i] = state[(i + 397) % length] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    place = 0;
  }
  function next(): number {
    if (place === length) twist();
    let y = state[place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
  /** Uniform integer from 0 to `most`. */
  function interval(most: number): number {
    let mask = most;
    for (const shift of [1, 2, 4, 8, 16]) mask |= mask >>> shift;
    for (;;) {
      const value = (next() & mask) >>> 0;
      if (value <= most) return value;
    }
  }
  return {
    uniform: () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992,
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = interval(i);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
  };
}
