/** log2(1.5) in two parts, the first exact to 21 bits. */
const log2OfHalfMoreHigh = 5.84962487220764160156e-1;
const log2OfHalfMoreLow = 1.35003920212974897128e-8;
/** 2 / (3 ln 2), and the same in two parts. */
const scale = 9.61796693925975554329e-1;
const scaleHigh = 9.61796700954437255859e-1;
const scaleLow = -7.02846165095275826516e-9;
/** ln 2, and the same in two parts. */
const ln2 = 6.93147180559945286227e-1;
const ln2High = 6.93147182464599609375e-1;
const ln2Low = -1.90465429995776804525e-9;
/** 1 / ln 2 in two parts. */
const perLn2 = 1.4426950408889634;
const perLn2High = 1.44269502162933349609;
const perLn2Low = 1.92596299112661746887e-8;
/** -(1024 - log2 of the first number that overflows). */
const overflowRest = 8.008566259537294e-17;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const [low, high] = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? [0, 1] : [1, 0];

function highWord(x: number): number {
  double[0] = x;
  return words[high] | 0;
}

function withHighWord(x: number, word: number): number {
  double[0] = x;
  words[high] = word;
  return double[0];
}

function withoutLowWord(x: number): number {
  double[0] = x;
  words[low] = 0;
  return double[0];
}

/**
 * `x ** y`, with the same bits in every version of Node: V8's own power changed with version 13 (Node 24).
 * Within 0.7 units in the last place. Method and constants of fdlibm 5.3, e_pow.c (Sun Microsystems 1993):
 * log2 x as a sum of two doubles, times y, and 2 to that power.
 *
 * Special values are those of ECMAScript: `power(x, 0)` is 1, a negative x with a broken y gives NaN.
 */
export function power(x: number, y: number): number {
  if (y === 2) return x * x;
  if (y === 1) return x;
  if (y === -1) return 1 / x;
  // What is not worked out is laid down by the standard, so that all engines agree.
  if (y === 0 || x === 0 || Math.abs(x) === 1 || !Number.isFinite(x) || !Number.isFinite(y)) return x ** y;
  if (x < 0) {
    if (!Number.isInteger(y)) return NaN;
    return y % 2 === 0 ? power(-x, y) : -power(-x, y);
  }
  if (y === 0.5) return Math.sqrt(x);
  const bits = highWord(x);
  if (Math.abs(y) > 2 ** 31) {
    if (bits < 0x3fefffff) return y < 0 ? Infinity : 0;
    if (bits > 0x3ff00000) return y > 0 ? Infinity : 0;
  }
  const [t1, t2] = Math.abs(y) > 2 ** 31 ? logNearOne(x) : log2Of(x);
  const y1 = withoutLowWord(y);
  return exp2Of(y1 * t1, (y - y1) * t1 + y * t2);
}

/** log2 x for |1 - x| <= 2^-20, where the series is short. */
function logNearOne(x: number): [number, number] {
  const t = x - 1;
  const w = t * t * (0.5 - t * (1 / 3 - t * 0.25));
  const u = perLn2High * t;
  const v = t * perLn2Low - w * perLn2;
  const t1 = withoutLowWord(u + v);
  return [t1, v - (t1 - u)];
}

/** log2 x of a positive number, as a sum of two. */
function log2Of(x: number): [number, number] {
  let n = 0;
  let ax = x;
  if (highWord(ax) < 0x00100000) {
    ax *= 2 ** 53;
    n -= 53;
  }
  let ix = highWord(ax);
  n += (ix >> 20) - 0x3ff;
  const j = ix & 0x000fffff;
  ix = j | 0x3ff00000;
  let k = 0;
  if (j > 0x3988e) {
    if (j < 0xbb67a) k = 1;
    else {
      n += 1;
      ix -= 0x00100000;
    }
  }
  ax = withHighWord(ax, ix);
  const bp = k === 0 ? 1 : 1.5;
  const u = ax - bp;
  const v = 1 / (ax + bp);
  const ss = u * v;
  const sh = withoutLowWord(ss);
  const th = withHighWord(0, ((ix >> 1) | 0x20000000) + 0x00080000 + (k << 18));
  const sl = v * (u - sh * th - sh * (ax - (th - bp)));
  const s2 = ss * ss;
  let r =
    s2 *
    s2 *
    (5.99999999999994648725e-1 +
      s2 *
        (4.28571428578550184252e-1 +
          s2 *
            (3.33333329818377432918e-1 +
              s2 *
                (2.72728123808534006489e-1 +
                  s2 * (2.30660745775561754067e-1 + s2 * 2.06975017800338417784e-1)))));
  r += sl * (sh + ss);
  const s2h = sh * sh;
  const t = withoutLowWord(3 + s2h + r);
  const p = sh * t;
  const q = sl * t + (r - (t - 3 - s2h)) * ss;
  const ph = withoutLowWord(p + q);
  const pl = q - (ph - p);
  const zh = scaleHigh * ph;
  const zl = scaleLow * ph + pl * scale + (k === 0 ? 0 : log2OfHalfMoreLow);
  const dh = k === 0 ? 0 : log2OfHalfMoreHigh;
  const t1 = withoutLowWord(zh + zl + dh + n);
  return [t1, zl - (t1 - n - dh - zh)];
}

/** 2 to the power of a sum of two. */
function exp2Of(larger: number, rest: number): number {
  let ph = larger;
  const pl = rest;
  const z = ph + pl;
  if (z >= 1024 && (z > 1024 || pl + overflowRest > z - ph)) return Infinity;
  if (z <= -1075 && (z < -1075 || pl <= z - ph)) return 0;
  const n = Math.abs(z) > 0.5 ? Math.sign(z) * Math.floor(Math.abs(z) + 0.5) : 0;
  ph -= n;
  const t = withoutLowWord(pl + ph);
  const u = t * ln2High;
  const v = (pl - (t - ph)) * ln2 + t * ln2Low;
  const y = u + v;
  const w = v - (y - u);
  const s = y * y;
  const t1 =
    y -
    s *
      (1.66666666666666019037e-1 +
        s *
          (-2.77777777770155933842e-3 +
            s *
              (6.6137563214379343612e-5 + s * (-1.6533902205465251539e-6 + s * 4.13813679705723846039e-8))));
  const r = (y * t1) / (t1 - 2) - (w + y * w);
  const one = 1 - (r - y);
  // Two steps, because 2^n alone may not be a double.
  return n < -1021 ? one * 2 ** (n + 54) * 2 ** -54 : n > 1023 ? one * 2 * 2 ** (n - 1) : one * 2 ** n;
}
