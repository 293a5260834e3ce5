/** What a column looks like: rows of its values, and those of two classes. */
export interface Look {
  rows: number;
  /** Different values, a missing one not counted. */
  distinct: number;
  /** Rows of the most frequent value, or without a value. */
  most: number;
  missing: number;
  /** Rows of both classes by value, or by bin of many numbers; none of texts of many values, which rank rows by chance. */
  bins: ClassCounts[];
}

export interface ClassCounts {
  hits: number;
  misses: number;
}

/** Values that differ up to this many are counted as they come, others are sorted. */
const fewValues = 32;

/**
 * Looks at a column of numbers beside a class.
 *
 * @param values   NaN for missing
 * @param hit      1 for rows of the class, 0 for others
 * @param mostBins bins of as many rows each, into which more different values than that are put
 */
export function lookAt(values: Float64Array, hit: Uint8Array, mostBins: number): Look {
  const { counts, missing } = countsOf(values, hit);
  const without = missing.hits + missing.misses;
  const most = counts.reduce((most, { hits, misses }) => Math.max(most, hits + misses), without);
  const bins = counts.length > mostBins ? binned(counts, most, values.length, mostBins) : counts;
  return {
    rows: values.length,
    distinct: counts.length,
    most,
    missing: without,
    bins: without > 0 ? [...bins, missing] : bins,
  };
}

/** Rows of every value, values ascending, and those without one. */
function countsOf(values: Float64Array, hit: Uint8Array): { counts: ClassCounts[]; missing: ClassCounts } {
  const seen: number[] = [];
  const counts = new Uint32Array(2 * fewValues + 2);
  const countAt = (place: number): ClassCounts => ({
    misses: counts[2 * place],
    hits: counts[2 * place + 1],
  });
  let last = 0;
  for (let r = 0; r < values.length; r++) {
    const value = values[r];
    if (value !== value) {
      counts[2 * fewValues + hit[r]]++;
      continue;
    }
    if (value !== seen[last]) {
      last = seen.indexOf(value);
      if (last < 0) {
        if (seen.length === fewValues) return sortedCounts(values, hit);
        last = seen.push(value) - 1;
      }
    }
    counts[2 * last + hit[r]]++;
  }
  const order = Array.from(seen.keys()).sort((a, b) => seen[a] - seen[b]);
  return { counts: order.map(countAt), missing: countAt(fewValues) };
}

function sortedCounts(values: Float64Array, hit: Uint8Array): ReturnType<typeof countsOf> {
  const all = [0, 1].map((side) => values.filter((_, r) => hit[r] === side));
  // -0 would sort before 0, and NaN sorts to the end.
  const sides = all.map((side) => side.map((value) => value + 0).sort());
  const [misses, hits] = sides.map((side) => {
    const known = side.findLastIndex((value) => !Number.isNaN(value)) + 1;
    return side.subarray(0, known);
  });
  const counts: ClassCounts[] = [];
  for (let h = 0, m = 0; h < hits.length || m < misses.length;) {
    const value = m === misses.length || hits[h] < misses[m] ? hits[h] : misses[m];
    const [h0, m0] = [h, m];
    while (hits[h] === value) h++;
    while (misses[m] === value) m++;
    counts.push({ hits: h - h0, misses: m - m0 });
  }
  const missing = { hits: all[1].length - hits.length, misses: all[0].length - misses.length };
  return { counts, missing };
}

/** Neighbouring values together, as many rows each; a frequent one may be what gives the answer away, and stays alone. */
function binned(counts: readonly ClassCounts[], most: number, rows: number, bins: number): ClassCounts[] {
  const alone = most * 4 * bins >= rows ? rows / (4 * bins) : Infinity;
  const found: ClassCounts[] = [];
  const together = new Map<number, ClassCounts>();
  let before = 0;
  for (const { hits, misses } of counts) {
    const bin = Math.floor((before * bins) / rows);
    before += hits + misses;
    if (hits + misses >= alone) {
      found.push({ hits, misses });
      continue;
    }
    const own = together.get(bin);
    if (own) {
      own.hits += hits;
      own.misses += misses;
    } else together.set(bin, { hits, misses });
  }
  return [...found, ...together.values()];
}
