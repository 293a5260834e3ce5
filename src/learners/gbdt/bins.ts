import type { SharedKernel } from "../../engine/pool.js";
import type { TreeColumn } from "./trees.js";

/**
 * What the kernel asks of a column: how its values become bins. Bin 0 is for missing values. A number of more bins than a byte
 * counts has several of these, one after the other, each with a part of its edges: a split is best at one of them.
 */
export interface BinColumn {
  column: TreeColumn;
  /** Ascending, at most 254: bin b > 0 holds the values from `edges[b - 2]` (included) to `edges[b - 1]`. */
  edges: Float64Array;
  /** Bins, bin 0 included. */
  size: number;
}

/** Kinds of columns in the kernel's table of columns. */
const NUMBER = 0;
const CATEGORY_SET = 1;
const CATEGORY_ALONE = 3;

/**
 * A column that shares a byte with others, of which never two have another bin than their usual one in a row: 0 stands
 * for the usual bins of all of them.
 */
export interface Sharer {
  column: number;
  /** The bin that most rows have, which is not stored. */
  usual: number;
  /** Whether missing values are usual or have a place in the byte: where there seem to be none it is saved. */
  missing: boolean;
}

/** How a column is stored in its byte. */
export interface Stored extends Omit<Sharer, "column"> {
  /** What stands in the byte for the first of its bins that are stored. */
  first: number;
}

/** Columns laid out for the kernel: where each has its bins in a row and in a histogram. */
export interface BinLayout {
  columns: readonly BinColumn[];
  /** The columns of every byte of a row. */
  bytes: readonly (readonly number[])[];
  /** The byte of every column. */
  byteOf: Int32Array;
  /** Of columns that share their byte; others are stored as they are. */
  stored: readonly (Stored | undefined)[];
  /** What the trees see: the different columns of `columns`, and which of them each belongs to. */
  features: readonly TreeColumn[];
  featureOf: Int32Array;
  /** Categories of at most that many levels are split one against the rest, others set against set. */
  oneHot: number;
  /** Bytes of a row, rounded up to four. */
  stride: number;
  /** Bytes of a histogram: eight for every value of every byte of a row. */
  histBytes: number;
}

/** More edges than a byte can count are never there; the search of the kernel wants 255, padded. */
export const mostEdges = 254;

/** Bytes that hold the bins of a number with so many edges. */
export const bytesFor = (edges: number): number => Math.max(1, Math.ceil(edges / mostEdges));

/** A column of numbers as the kernel has it, by all its edges. */
export function numberColumns(column: TreeColumn, edges: Float64Array): BinColumn[] {
  return Array.from({ length: bytesFor(edges.length) }, (_, part) => {
    const own = edges.slice(part * mostEdges, (part + 1) * mostEdges);
    return { column, edges: own, size: own.length + 2 };
  });
}

/** Bytes of a row that holds so many, rounded up to four. */
export const strideOf = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** Bins that a column has in the byte that it shares. */
export const storedBins = ({ size }: BinColumn, { missing }: Pick<Sharer, "missing">): number =>
  size - (missing ? 1 : 2);

/**
 * @param bundles columns that share a byte, together fewer stored bins than a byte has values; others have one each
 */
export function layoutOf(
  columns: readonly BinColumn[],
  oneHot: number,
  bundles: readonly (readonly Sharer[])[] = [],
): BinLayout {
  const features = [...new Set(columns.map(({ column }) => column))];
  const numberOf = new Map(features.map((feature, f) => [feature, f]));
  const stored = new Array<Stored | undefined>(columns.length).fill(undefined);
  for (const bundle of bundles) {
    let first = 1;
    for (const { column, ...sharer } of bundle) {
      stored[column] = { ...sharer, first };
      first += storedBins(columns[column], sharer);
    }
  }
  const alone = Array.from(columns.keys()).filter((f) => !stored[f]);
  const bytes = [...alone.map((f) => [f]), ...bundles.map((bundle) => bundle.map(({ column }) => column))];
  const byteOf = new Int32Array(columns.length);
  bytes.forEach((own, byte) => own.forEach((f) => (byteOf[f] = byte)));
  const layout = {
    columns,
    bytes,
    byteOf,
    stored,
    features,
    featureOf: Int32Array.from(columns, ({ column }) => numberOf.get(column)!),
    oneHot,
    stride: strideOf(bytes.length),
  };
  const values = bytes.reduce((sum, _, byte) => sum + valuesOf(layout, byte), 0);
  // The padding of a row falls into a bin of its own at the end.
  return { ...layout, histBytes: Math.ceil((values * 8 + 8) / 64) * 64 };
}

/** How many values a byte of a row may have. */
function valuesOf({ bytes, columns, stored }: Pick<BinLayout, "bytes" | "columns" | "stored">, byte: number) {
  const last = bytes[byte].at(-1)!;
  const own = stored[last];
  return own ? own.first + storedBins(columns[last], own) : columns[last].size;
}

/** The same columns with a byte for each. */
export function apart(layout: BinLayout): BinLayout {
  return layout.stored.some((own) => own) ? layoutOf(layout.columns, layout.oneHot) : layout;
}

/** What stands in a column's byte for one of its bins; -1 for missing values that have no place there. */
export function valueOf({ stored }: Pick<BinLayout, "stored">, column: number, bin: number): number {
  const own = stored[column];
  if (!own) return bin;
  const { usual, missing, first } = own;
  if (bin === usual) return 0;
  if (bin === 0 && !missing) return -1;
  return first - (missing ? 0 : 1) + bin - (bin > usual ? 1 : 0);
}

/** Bytes of an entry of the kernel's table of bytes, and of that of columns. */
const byteEntry = 16;
const columnEntry = 32;

/**
 * Writes the kernel's tables. For every byte of a row, padding included: where its values begin in a histogram, how many they are,
 * and which entries of the table of columns are its own. For every column, byte by byte: where its first bin is in a histogram,
 * bins, kind, monotone sign; the bin that is not stored (-1: all are), whether missing values are, what stands for the first stored
 * one in the byte; its number.
 */
export function writeMeta(
  kernel: SharedKernel,
  layout: BinLayout,
  signs: readonly number[] | undefined,
): number {
  const { columns, bytes, stored, stride, histBytes, oneHot } = layout;
  const at = kernel.alloc(stride * byteEntry + columns.length * columnEntry);
  const ofBytes = kernel.i32(at, stride * 4).fill(0);
  const ofColumns = kernel.i32(at + stride * byteEntry, columns.length * 8);
  let from = 0;
  let entry = 0;
  bytes.forEach((own, byte) => {
    const values = valuesOf(layout, byte);
    ofBytes.set([from, values, entry, entry + own.length], byte * 4);
    for (const f of own) {
      const { column, size } = columns[f];
      const set = size - 1 > oneHot ? CATEGORY_SET : CATEGORY_ALONE;
      const kind = column.kind === "category" ? set : NUMBER;
      const { first, usual, missing } = stored[f] ?? { first: 0, usual: -1, missing: true };
      ofColumns.set(
        [from + first * 8, size, kind, signs?.[f] ?? 0, usual, Number(missing), first, f],
        entry++ * 8,
      );
    }
    from += values * 8;
  });
  for (let byte = bytes.length; byte < stride; byte++)
    ofBytes.set([histBytes - 8, 1, entry, entry], byte * 4);
  return at;
}

/** The largest finite float32: the threshold that all present values are under. */
export const above = 3.4028234663852886e38;

/** The threshold after bin `bin` of a numeric column: values below it go left. */
export function thresholdAfter(column: BinColumn, bin: number): number {
  return bin - 1 < column.edges.length ? column.edges[bin - 1] : above;
}

/**
 * Edges between sorted values: one between any two neighbouring values while there are few enough, else
 * such that bins hold about equally many, and a value that alone fills a bin gets one of its own.
 *
 * @param sorted values in ascending order, no NaN
 * @param most   bins for present values, 2 or more
 */
export function edgesOf(sorted: Float64Array, most: number): Float64Array {
  const edges: number[] = [];
  for (let at = 0; at < sorted.length;) {
    const next = endOf(sorted, at);
    if (next < sorted.length) edges.push(between(sorted[at], sorted[next]));
    // More values than bins.
    if (edges.length >= most) return quantileEdges(sorted, most);
    at = next;
  }
  return Float64Array.from(edges);
}

/** Where a value ends that fills a place: steps are doubled, then halved. */
function endOf(sorted: Float64Array, from: number): number {
  const value = sorted[from];
  let step = 1;
  while (from + step < sorted.length && sorted[from + step] === value) step *= 2;
  let low = from + (step >> 1);
  let high = Math.min(sorted.length, from + step);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] === value) low = middle;
    else high = middle;
  }
  return high;
}

/** Where a value begins that fills a place. */
function startOf(sorted: Float64Array, place: number): number {
  const value = sorted[place];
  let low = -1;
  let high = place;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle;
    else high = middle;
  }
  return high;
}

/** Values that alone fill a bin: where they begin, ascending. One that long lies across a multiple of its length. */
function heavyStarts(sorted: Float64Array, length: number): number[] {
  const step = Math.max(1, Math.ceil(length));
  const starts: number[] = [];
  for (let at = 0; at < sorted.length; at += step) {
    const start = startOf(sorted, at);
    if (start !== starts.at(-1) && endOf(sorted, at) - start >= length) starts.push(start);
  }
  return starts;
}

function quantileEdges(sorted: Float64Array, most: number): Float64Array {
  // Heavy values have bins of their own and leave the rest to the others.
  const heavy = heavyStarts(sorted, sorted.length / most);
  let bins = most - heavy.length;
  let left = sorted.length - heavy.reduce((sum, start) => sum + endOf(sorted, start) - start, 0);
  const edges: number[] = [];
  let size = left / Math.max(1, bins);
  let from = 0;
  let k = 0;
  while (from < sorted.length && edges.length < most - 1) {
    const next = heavy[k] ?? sorted.length;
    let to = endOf(sorted, Math.min(sorted.length - 1, Math.max(from, from + Math.ceil(size) - 1)));
    const alone = next === from || (next < to && next - from < Math.max(1, size / 2));
    if (alone) {
      // What is before a heavy value is too little for a bin.
      left -= next - from;
      to = endOf(sorted, next);
      k++;
    } else {
      to = Math.min(to, next);
      left -= to - from;
      size = left / Math.max(1, --bins);
    }
    if (to >= sorted.length) break;
    edges.push(between(sorted[to - 1], sorted[to]));
    from = to;
  }
  return Float64Array.from(edges);
}

/** A number above `low` and not above `high`: the middle as a float32, if float32 can tell them apart. */
function between(low: number, high: number): number {
  if (high === Infinity) return low < above ? above : low < Number.MAX_VALUE ? Number.MAX_VALUE : high;
  if (low === -Infinity) return Math.min(high, Math.max(-above, -Math.abs(high) * 2 - 1));
  const middle = Math.fround(low / 2 + high / 2);
  if (middle > low && middle <= high) return middle;
  const rounded = Math.fround(high);
  return rounded > low && rounded <= high ? rounded : high;
}
