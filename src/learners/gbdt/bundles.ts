import type { SharedKernel } from "../../engine/pool.js";
import { apart, layoutOf, storedBins, valueOf, type BinColumn, type BinLayout, type Sharer } from "./bins.js";
import type { BinnedRows } from "./boost.js";
import { recoded } from "./encoding.js";
import type { Numbers } from "./streaming.js";
import type { TreeColumn } from "./trees.js";

/** Values of a byte beside 0, which stands for the usual bins. */
const valuesOfByte = 255;

/** A column that has one bin in most rows of a sample. */
interface Sparse extends Sharer {
  /** Rows with another bin. */
  others: number[];
  /** Rows of the sample. */
  rows: number;
  bins: number;
}

/**
 * Columns that can share a byte: exclusive feature bundling of Ke et al. (2017), "LightGBM", section 4, where no two columns
 * may be unusual in the same row of the sample. What a larger table shows beyond its sample is taken apart again
 * (`withoutClashes`), so that the trees are those of columns with a byte each.
 *
 * @param sampleOf values of a column, of the same rows for all, NaN for missing; undefined: it keeps its byte
 * @returns none where they would save less than a quarter of the bytes
 */
export function bundlesOf(
  columns: readonly BinColumn[],
  sampleOf: (column: TreeColumn) => Numbers | undefined,
): Sharer[][] {
  const bytes = new Map<TreeColumn, number>();
  for (const { column } of columns) bytes.set(column, (bytes.get(column) ?? 0) + 1);
  const sparse = columns.flatMap((own, f): Sparse[] => {
    const values = bytes.get(own.column) === 1 ? sampleOf(own.column) : undefined;
    const found = values && sparseIn(own, f, values);
    return found ? [found] : [];
  });
  sparse.sort((a, b) => b.others.length - a.others.length || a.column - b.column);
  const bundles: { taken: Uint8Array; bins: number; sharers: Sparse[] }[] = [];
  for (const own of sparse) {
    const fits = bundles.find(
      ({ taken, bins }) => bins + own.bins <= valuesOfByte && own.others.every((row) => taken[row] === 0),
    );
    const bundle = fits ?? { taken: new Uint8Array(own.rows), bins: 0, sharers: [] };
    if (!fits) bundles.push(bundle);
    for (const row of own.others) bundle.taken[row] = 1;
    bundle.bins += own.bins;
    bundle.sharers.push(own);
  }
  const shared = bundles.filter(({ sharers }) => sharers.length > 1);
  const saved = shared.reduce((sum, { sharers }) => sum + sharers.length - 1, 0);
  if (saved < columns.length / 4) return [];
  return shared.map(({ sharers }) =>
    sharers
      .map(({ column, usual, missing }) => ({ column, usual, missing }))
      .sort((a, b) => a.column - b.column),
  );
}

/** Undefined where no value is that of half of the rows. */
function sparseIn(own: BinColumn, column: number, values: Numbers): Sparse | undefined {
  const { edges } = own;
  const most = majority(values);
  let usual = 0;
  if (!Number.isNaN(most)) while (usual < edges.length && edges[usual] <= most) usual++;
  if (!Number.isNaN(most)) usual++;
  const low = usual > 1 ? edges[usual - 2] : -Infinity;
  const high = usual > 0 && usual <= edges.length ? edges[usual - 1] : NaN;
  const others: number[] = [];
  let missing = usual === 0;
  for (let r = 0; r < values.length; r++) {
    const x = values[r];
    if (usual > 0 ? x >= low && !(x >= high) : Number.isNaN(x)) continue;
    if (others.length * 2 > values.length) return undefined;
    others.push(r);
    if (Number.isNaN(x)) missing = true;
  }
  const bins = storedBins(own, { missing });
  return bins > valuesOfByte / 2 ? undefined : { column, usual, missing, others, rows: values.length, bins };
}

/** The value that most have, if more than half of them have it; NaN counts as one. Boyer & Moore (1981). */
function majority(values: Numbers): number {
  let found = NaN;
  let lead = 0;
  for (const value of values) {
    if (lead === 0) found = value;
    lead += Object.is(value, found) ? 1 : -1;
  }
  return found;
}

/** The layout in which columns that clashed have a byte of their own; all have where the clashes are too many to tell. */
export function withoutClashes(layout: BinLayout, clashes: Uint32Array | undefined): BinLayout {
  if (!clashes) return apart(layout);
  const { columns, oneHot, bytes, stored } = layout;
  const clashed = new Set<number>();
  for (let i = 1; i < clashes.length; i += 2) clashed.add(clashes[i] >>> 8);
  const bundles = bytes.flatMap((own): Sharer[][] => {
    const left = own.filter((f) => stored[f] && !clashed.has(f));
    return left.length > 1 ? [left.map((column) => ({ ...stored[column]!, column }))] : [];
  });
  return layoutOf(columns, oneHot, bundles);
}

/** Lays rows out anew, with the values that clashed at their places. */
export function laidApart(kernel: SharedKernel, rows: BinnedRows, clashes: Uint32Array): BinnedRows {
  const layout = withoutClashes(rows.layout, clashes);
  const { bytes, columns, byteOf, stride } = layout;
  const before = rows.layout;
  const sources = Int32Array.from(bytes, ([first]) => before.byteOf[first]);
  const tables = new Uint8Array(bytes.length * 256);
  bytes.forEach((own, byte) => {
    const [first] = own;
    const usual = before.stored[first]?.usual ?? 0;
    if (!layout.stored[first]) tables.fill(usual, byte * 256, byte * 256 + 256);
    for (const f of own)
      for (let bin = 0; bin < columns[f].size; bin++) {
        const value = valueOf(before, f, bin);
        if (value >= 0) tables[byte * 256 + value] = valueOf(layout, f, bin);
      }
  });
  const at = kernel.alloc(rows.rows * stride + 16);
  const from = kernel.u8(rows.at, rows.rows * before.stride);
  const to = kernel.u8(at, rows.rows * stride + 16).fill(0);
  const all = Int32Array.from({ length: rows.rows }, (_, r) => r);
  recoded({ bytes: from, stride: before.stride }, all, { bytes: to, stride }, sources, tables);
  for (let i = 0; i < clashes.length; i += 2) {
    const column = clashes[i + 1] >>> 8;
    const row = Math.floor((clashes[i] - rows.at) / before.stride);
    to[row * stride + byteOf[column]] = clashes[i + 1] & 255;
  }
  return { rows: rows.rows, at, layout };
}
