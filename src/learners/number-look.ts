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
 * @param hit      1 for rows of the class, 0 or NaN for others
 * @param mostBins bins of as many rows each, into which more different values than that are put
 */
export function lookAt(values: Float64Array, hit: Float64Array, mostBins: number): Look {
  const counts = countsOf(values, hit);
  const missing = values.length - counts.reduce((sum, { hits, misses }) => sum + hits + misses, 0);
  const most = counts.reduce((most, { hits, misses }) => Math.max(most, hits + misses), missing);
  const bins = counts.length > mostBins ? binned(counts, most, values.length, mostBins) : counts;
  const hitsOfMissing = missing === 0 ? 0 : hit.filter((own, r) => own > 0 && Number.isNaN(values[r])).length;
  return {
    rows: values.length,
    distinct: counts.length,
    most,
    missing,
    bins: missing > 0 ? [...bins, { hits: hitsOfMissing, misses: missing - hitsOfMissing }] : bins,
  };
}

/** Rows of every value, values ascending. */
function countsOf(values: Float64Array, hit: Float64Array): ClassCounts[] {
  const seen: number[] = [];
  const found: ClassCounts[] = [];
  let last = 0;
  for (let r = 0; r < values.length; r++) {
    const value = values[r];
    if (value !== value) continue;
    if (value !== seen[last]) {
      last = seen.indexOf(value);
      if (last < 0) {
        if (seen.length === fewValues) return sortedCounts(values, hit);
        last = seen.push(value) - 1;
        found.push({ hits: 0, misses: 0 });
      }
    }
    if (hit[r] > 0) found[last].hits++;
    else found[last].misses++;
  }
  const order = Array.from(seen.keys()).sort((a, b) => seen[a] - seen[b]);
  return order.map((i) => found[i]);
}

function sortedCounts(values: Float64Array, hit: Float64Array): ClassCounts[] {
  // -0 would sort before 0.
  const sides = [true, false].map((side) =>
    values
      .filter((value, r) => value === value && hit[r] > 0 === side)
      .map((value) => value + 0)
      .sort(),
  );
  const [hits, misses] = sides;
  const found: ClassCounts[] = [];
  for (let h = 0, m = 0; h < hits.length || m < misses.length;) {
    const value = m === misses.length || hits[h] < misses[m] ? hits[h] : misses[m];
    const [h0, m0] = [h, m];
    while (hits[h] === value) h++;
    while (misses[m] === value) m++;
    found.push({ hits: h - h0, misses: m - m0 });
  }
  return found;
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
