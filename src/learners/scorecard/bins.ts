/** Rows of one bin by class. */
export interface Counts {
  /** Of the positive class. */
  hits: number;
  misses: number;
}

/** A bin of neighbouring values, or of levels. */
export interface Bin extends Counts {
  /** Numbers: the values of the bin are below this and not below that of the bin before; the last is open. */
  below?: number;
  /** Texts: the levels of the bin. */
  levels?: string[];
}

export interface BinningAsk {
  /** Most bins of a feature, the one of missing values not counted. */
  bins: number;
  /** Least share of the rows of a bin. */
  share: number;
}

/** Bins that a number is cut to before they are joined. */
const fine = 100;
/** Levels of less weight say nothing alone: they are one level together. */
const rare = 20;

/**
 * Weight of evidence of a bin: how much likelier than elsewhere the positive class is in it, as a log-odds.
 * Half a row is added to both classes, so that a bin of one class has a value (Good 1950; Siddiqi 2006).
 */
export function evidence({ hits, misses }: Counts, total: Counts): number {
  return Math.log((hits + 0.5) / (total.hits + 0.5)) - Math.log((misses + 0.5) / (total.misses + 0.5));
}

/** Information value of bins: 0.02 is weak, 0.1 medium, 0.3 strong, 0.5 suspicious (Siddiqi 2006, ch. 6). */
export function informationValue(bins: readonly Counts[], total: Counts): number {
  return bins.reduce(
    (sum, bin) => sum + (bin.hits / total.hits - bin.misses / total.misses) * evidence(bin, total),
    0,
  );
}

/**
 * Cuts a number into bins whose shares of positives only rise or only fall: of all ways to join fine quantile bins to
 * few enough that are large enough, the one with the most information.
 *
 * @param values NaN for missing ones, which are in no bin
 * @param hits   1 for the positive class
 */
export function numberBins(
  values: Float64Array,
  hits: Uint8Array,
  weights: Float64Array | undefined,
  ask: BinningAsk,
): Bin[] {
  const order = Uint32Array.from(values, (_, r) => r)
    .filter((r) => !Number.isNaN(values[r]))
    .sort((a, b) => values[a] - values[b] || a - b);
  if (order.length === 0) return [];
  const weightOf = (r: number): number => (weights ? weights[r] : 1);
  const mass = order.reduce((sum, r) => sum + weightOf(r), 0);
  const cut: Bin[] = [];
  let bin: Bin = { hits: 0, misses: 0 };
  let seen = 0;
  order.forEach((r, place) => {
    if (hits[r]) bin.hits += weightOf(r);
    else bin.misses += weightOf(r);
    seen += weightOf(r);
    const next = order[place + 1];
    if (next === undefined || values[next] === values[r]) return;
    if (seen < ((cut.length + 1) * mass) / fine) return;
    cut.push({ ...bin, below: (values[r] + values[next]) / 2 });
    bin = { hits: 0, misses: 0 };
  });
  cut.push(bin);
  const total = totalOf(cut);
  const ways = ([1, -1] as const).map((sign) => parted(cut, total, ask, mass, sign));
  return informationValue(ways[0], total) >= informationValue(ways[1], total) ? ways[0] : ways[1];
}

/** Bins of levels with like shares of positives: levels in the order of their shares, joined as numbers are. */
export function levelBins(counts: ReadonlyMap<string, Counts>, ask: BinningAsk): Bin[] {
  const total = totalOf([...counts.values()]);
  const mass = total.hits + total.misses;
  const rate = (bin: Counts): number => (bin.hits + 0.5) / (bin.hits + bin.misses + 1);
  const levels = [...counts].map(([level, own]): Bin => ({ ...own, levels: [level] }));
  const known = levels.filter(({ hits, misses }) => hits + misses >= rare);
  const others = levels.filter(({ hits, misses }) => hits + misses < rare);
  const bins = [...known, ...(others.length > 0 ? [together(others)] : [])].sort(
    (a, b) => rate(a) - rate(b) || (a.levels![0] < b.levels![0] ? -1 : 1),
  );
  return parted(pooled(bins, mass), total, ask, mass);
}

function together(bins: readonly Bin[]): Bin {
  return { ...totalOf(bins), levels: bins.flatMap(({ levels }) => levels!).sort() };
}

/** Neighbours pooled into fine bins, where there are more. */
function pooled(bins: readonly Bin[], mass: number): Bin[] {
  if (bins.length <= 2 * fine) return [...bins];
  const pools: Bin[][] = [];
  let seen = 0;
  for (const bin of bins) {
    const at = Math.min(fine - 1, Math.floor((seen / mass) * fine));
    (pools[at] ??= []).push(bin);
    seen += bin.hits + bin.misses;
  }
  return pools.filter((pool) => pool !== undefined).map(together);
}

function totalOf(bins: readonly Counts[]): Counts {
  return bins.reduce((sum, { hits, misses }) => ({ hits: sum.hits + hits, misses: sum.misses + misses }), {
    hits: 0,
    misses: 0,
  });
}

function joined(a: Bin, b: Bin): Bin {
  const levels = a.levels && b.levels ? { levels: [...a.levels, ...b.levels].sort() } : {};
  return { hits: a.hits + b.hits, misses: a.misses + b.misses, below: b.below, ...levels };
}

/**
 * Neighbours joined to at most so many bins, each large enough, such that they hold the most information; with a sign, only
 * bins whose shares of positives rise (1) or fall (-1). By dynamic programming over the last two bins, which is exact: the
 * problem that Navas-Palencia (2020), "Optimal binning", arXiv 2001.08025, gives to a solver.
 */
function parted(
  bins: readonly Bin[],
  total: Counts,
  { bins: most, share }: BinningAsk,
  mass: number,
  sign: -1 | 0 | 1 = 0,
): Bin[] {
  const n = bins.length;
  const before = [{ hits: 0, misses: 0 }];
  for (const bin of bins) before.push(totalOf([before[before.length - 1], bin]));
  const own = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n + 1 }, (_, j) => {
      const hits = before[j].hits - before[i].hits;
      const misses = before[j].misses - before[i].misses;
      const large = j > i && hits + misses >= share * mass;
      const whole = i === 0 && j === n;
      return {
        rate: (sign * hits) / (hits + misses),
        value: large || whole ? informationValue([{ hits, misses }], total) : -Infinity,
      };
    }),
  );
  // score[i * (n + 1) + j]: the best parting of the first j whose last bin begins at i; from: where the one before it begins.
  let score = new Float64Array(n * (n + 1)).fill(-Infinity);
  for (let j = 1; j <= n; j++) score[j] = own[0][j].value;
  const froms: Int32Array[] = [];
  let best = { value: score[n], count: 1, last: 0 };
  for (let count = 2; count <= Math.min(most, n); count++) {
    const next = new Float64Array(n * (n + 1)).fill(-Infinity);
    const from = new Int32Array(n * (n + 1)).fill(-1);
    for (let i = count - 1; i < n; i++)
      for (let j = i + 1; j <= n; j++) {
        const { value, rate } = own[i][j];
        if (value === -Infinity) continue;
        for (let h = count - 2; h < i; h++) {
          const found = score[h * (n + 1) + i] + value;
          if (found > next[i * (n + 1) + j] && (sign === 0 || own[h][i].rate < rate)) {
            next[i * (n + 1) + j] = found;
            from[i * (n + 1) + j] = h;
          }
        }
      }
    froms.push(from);
    score = next;
    for (let i = 0; i < n; i++)
      if (score[i * (n + 1) + n] > best.value) best = { value: score[i * (n + 1) + n], count, last: i };
  }
  const parts: Bin[] = [];
  let [begin, end] = [best.last, n];
  for (let count = best.count; count > 0; count--) {
    parts.unshift(bins.slice(begin, end).reduce(joined));
    const earlier = count > 1 ? froms[count - 2][begin * (n + 1) + end] : 0;
    [begin, end] = [earlier, begin];
  }
  return parts;
}
