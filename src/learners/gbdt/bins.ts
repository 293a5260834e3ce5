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
const PADDING = 2;
const CATEGORY_ALONE = 3;

/** Columns laid out for the kernel: where each has its bins in a row and in a histogram. */
export interface BinLayout {
  columns: readonly BinColumn[];
  /** What the trees see: the different columns of `columns`, and which of them each belongs to. */
  features: readonly TreeColumn[];
  featureOf: Int32Array;
  /** Categories of at most that many levels are split one against the rest, others set against set. */
  oneHot: number;
  /** Bytes of a row: the columns, rounded up to four. */
  stride: number;
  /** Bytes of a histogram: eight for every bin. */
  histBytes: number;
  /** First byte of every column in a histogram. */
  offsets: Int32Array;
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

/** Bytes of a row of so many columns: one each, rounded up to four. */
export const strideOf = (columns: number): number => Math.ceil(columns / 4) * 4;

export function layoutOf(columns: readonly BinColumn[], oneHot: number): BinLayout {
  const offsets = new Int32Array(columns.length);
  let bytes = 0;
  columns.forEach(({ size }, f) => {
    offsets[f] = bytes;
    bytes += size * 8;
  });
  const features = [...new Set(columns.map(({ column }) => column))];
  // The padding of a row falls into a bin of its own at the end.
  return {
    columns,
    features,
    featureOf: Int32Array.from(columns, ({ column }) => features.indexOf(column)),
    oneHot,
    stride: strideOf(columns.length),
    histBytes: Math.ceil((bytes + 8) / 64) * 64,
    offsets,
  };
}

/** Writes the table of columns: offset, bins, kind and monotone sign of each, padding included. */
export function writeMeta(
  kernel: SharedKernel,
  layout: BinLayout,
  signs: readonly number[] | undefined,
): number {
  const { columns, stride, offsets, histBytes, oneHot } = layout;
  const at = kernel.alloc(stride * 16);
  const meta = kernel.i32(at, stride * 4);
  for (let f = 0; f < stride; f++)
    if (f < columns.length) {
      const { column, size } = columns[f];
      const set = size - 1 > oneHot ? CATEGORY_SET : CATEGORY_ALONE;
      const kind = column.kind === "category" ? set : NUMBER;
      meta.set([offsets[f], size, kind, signs?.[f] ?? 0], f * 4);
    } else meta.set([histBytes - 8, 1, PADDING, 0], f * 4);
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
  let distinct = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) distinct++;
  const values = new Float64Array(distinct);
  const counts = new Int32Array(distinct);
  for (let i = 0, v = -1; i < sorted.length; i++) {
    if (i === 0 || sorted[i] !== sorted[i - 1]) values[++v] = sorted[i];
    counts[v]++;
  }
  if (distinct > most) return quantileEdges(values, counts, sorted.length, most);
  const edges = new Float64Array(Math.max(0, distinct - 1));
  for (let v = 1; v < distinct; v++) edges[v - 1] = between(values[v - 1], values[v]);
  return edges;
}

function quantileEdges(values: Float64Array, counts: Int32Array, total: number, most: number): Float64Array {
  // Heavy values have bins of their own and leave the rest to the others.
  let bins = most;
  let left = total;
  const mean = total / most;
  for (const count of counts)
    if (count >= mean) {
      bins--;
      left -= count;
    }
  const edges: number[] = [];
  let size = left / Math.max(1, bins);
  let held = 0;
  for (let i = 0; i + 1 < values.length && edges.length < most - 1; i++) {
    const heavy = counts[i] >= mean;
    if (!heavy) left -= counts[i];
    held += counts[i];
    const full = heavy || held >= size || (counts[i + 1] >= mean && held >= Math.max(1, size / 2));
    if (!full) continue;
    edges.push(between(values[i], values[i + 1]));
    held = 0;
    if (heavy) continue;
    bins--;
    size = left / Math.max(1, bins);
  }
  return Float64Array.from(edges);
}

/** A number above `low` and not above `high`: the middle as a float32, if float32 can tell them apart. */
function between(low: number, high: number): number {
  if (high === Infinity) return low < above ? above : Number.MAX_VALUE;
  if (low === -Infinity) return Math.max(-above, -Math.abs(high) * 2 - 1);
  const middle = Math.fround(low / 2 + high / 2);
  if (middle > low && middle <= high) return middle;
  const rounded = Math.fround(high);
  return rounded > low && rounded <= high ? rounded : high;
}
