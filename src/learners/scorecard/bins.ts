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

/** Bins that a number is cut to before they are merged. */
const fine = 50;
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
 * Cuts a number into bins whose shares of positives only rise or only fall: fine quantile bins, pooled where
 * they break the order, then merged where that costs the least information until every bin is large enough
 * and they are few enough. Of rising and falling the one with more information is taken.
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
  const ways = [1, -1].map((sign) => merged(monotone(cut, sign), total, ask, mass));
  return informationValue(ways[0], total) >= informationValue(ways[1], total) ? ways[0] : ways[1];
}

/** Bins of levels with like shares of positives: levels in the order of their shares, merged as numbers are. */
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
  return merged(pooled(bins, mass), total, ask, mass);
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

/** Pools neighbours until the shares of positives rise (sign 1) or fall (-1). */
function monotone(bins: readonly Bin[], sign: number): Bin[] {
  const pools: Bin[] = [];
  const rate = ({ hits, misses }: Counts): number => hits / (hits + misses);
  for (const bin of bins) {
    let own = bin;
    while (pools.length > 0 && sign * rate(pools[pools.length - 1]) >= sign * rate(own))
      own = joined(pools.pop()!, own);
    pools.push(own);
  }
  return pools;
}

/** Merges the neighbours that lose the least information, first those of bins that are too small. */
function merged(bins: readonly Bin[], total: Counts, { bins: most, share }: BinningAsk, mass: number): Bin[] {
  const kept = [...bins];
  const small = ({ hits, misses }: Counts): boolean => hits + misses < share * mass;
  while (kept.length > 1 && (kept.length > most || kept.some(small))) {
    const anySmall = kept.some(small);
    let best = 0;
    let least = Infinity;
    for (let i = 0; i + 1 < kept.length; i++) {
      if (anySmall && !small(kept[i]) && !small(kept[i + 1])) continue;
      const loss =
        informationValue([kept[i], kept[i + 1]], total) -
        informationValue([joined(kept[i], kept[i + 1])], total);
      if (loss < least) [best, least] = [i, loss];
    }
    kept.splice(best, 2, joined(kept[best], kept[best + 1]));
  }
  return kept;
}
