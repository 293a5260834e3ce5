import type { SharedKernel } from "../../engine/pool.js";
import { layoutOf, storedBins, valueOf, type BinColumn, type BinLayout, type Sharer } from "./bins.js";
import type { BinnedRows } from "./boost.js";
import type { Numbers } from "./streaming.js";
import type { TreeColumn } from "./trees.js";

/** Values of a byte beside 0, which stands for the usual bins. */
const valuesOfByte = 255;

/** Stored bins of a column up to which there is room for others beside it. */
const mostStored = valuesOfByte / 2;

/** Of fewer columns bundles save little. */
const fewColumns = 16;

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
 * (`laidApart`), so that the trees are those of columns with a byte each.
 *
 * @param sampleOf values of a column, of the same rows for all, NaN for missing; undefined: it keeps its byte
 * @returns none where they would save less than a quarter of the bytes
 */
export function bundlesOf(
  columns: readonly BinColumn[],
  sampleOf: (column: TreeColumn) => Numbers | undefined,
): Sharer[][] {
  if (columns.length < fewColumns) return [];
  const bytes = new Map<TreeColumn, number>();
  for (const { column } of columns) bytes.set(column, (bytes.get(column) ?? 0) + 1);
  const sparse = columns.flatMap((own, f): Sparse[] => {
    const fits = bytes.get(own.column) === 1 && storedBins(own, { missing: false }) <= mostStored;
    const values = fits ? sampleOf(own.column) : undefined;
    const found = values && sparseIn(own, f, values);
    return found ? [found] : [];
  });
  const bundles: Bundle[] = [];
  put(sparse, bundles, sparse[0]?.rows ?? 0);
  const shared = bundles.filter(({ sharers }) => sharers.length > 1);
  const saved = shared.reduce((sum, { sharers }) => sum + sharers.length - 1, 0);
  return saved < columns.length / 4 ? [] : shared.map(sharersOf);
}

interface Bundle {
  /** 1 for rows in which a column is unusual. */
  taken: Uint8Array;
  bins: number;
  sharers: Sharer[];
}

/**
 * Puts columns, one after the other, where the one before went, else into the first bundle in which no row is taken, else into one
 * of their own: the levels of one category mostly stand side by side.
 */
function put(columns: readonly Omit<Sparse, "rows">[], bundles: Bundle[], rows: number): void {
  let last: Bundle | undefined;
  for (const own of columns) {
    const isFull = ({ bins }: Bundle): boolean => bins + own.bins > valuesOfByte;
    const isFree = ({ taken }: Bundle): boolean => own.others.every((row) => taken[row] === 0);
    // In a sample rare levels are free nearly everywhere: where a category has more than a byte counts, they begin another.
    const goesOn = last && isFull(last) && isFree(last);
    const open = [...(last ? [last] : []), ...(goesOn ? [] : bundles)];
    let bundle = open.find((one) => !isFull(one) && isFree(one));
    if (!bundle) bundles.push((bundle = { taken: new Uint8Array(rows), bins: 0, sharers: [] }));
    for (const row of own.others) bundle.taken[row] = 1;
    bundle.bins += own.bins;
    bundle.sharers.push(own);
    last = bundle;
  }
}

function sharersOf({ sharers }: Bundle): Sharer[] {
  return sharers
    .map(({ column, usual, missing }) => ({ column, usual, missing }))
    .sort((a, b) => a.column - b.column);
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
  return bins > mostStored ? undefined : { column, usual, missing, others, rows: values.length, bins };
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

/** Lays rows out anew whose columns clashed: by all rows, these go where they fit. */
export function laidApart(kernel: SharedKernel, rows: BinnedRows, clashes: Uint32Array): BinnedRows {
  const before = rows.layout;
  const from = kernel.u8(rows.at, rows.rows * before.stride);
  const clashed = clashesOf(rows, clashes);
  const layout = withoutClashes(rows, from, clashed);
  const { bytes, columns, stored, byteOf, stride } = layout;
  const at = kernel.alloc(rows.rows * stride + 16);
  const to = kernel.u8(at, rows.rows * stride + 16).fill(0);
  bytes.forEach((own, byte) => {
    for (const source of new Set(own.map((f) => before.byteOf[f]))) {
      const table = new Uint8Array(256);
      const [first] = own;
      if (!stored[first]) table.fill(before.stored[first]?.usual ?? 0);
      for (const f of own.filter((f) => before.byteOf[f] === source))
        for (let bin = 0; bin < columns[f].size; bin++) {
          const value = valueOf(before, f, bin);
          if (value >= 0) table[value] = valueOf(layout, f, bin);
        }
      for (let r = 0; r < rows.rows; r++) to[r * stride + byte] |= table[from[r * before.stride + source]];
    }
  });
  for (const [column, values] of clashed)
    for (const { row, bin } of values) to[row * stride + byteOf[column]] = valueOf(layout, column, bin);
  return { rows: rows.rows, at, layout };
}

/** The values that clashed, by column. */
function clashesOf(
  { at, layout }: BinnedRows,
  clashes: Uint32Array,
): Map<number, { row: number; bin: number }[]> {
  const found = new Map<number, { row: number; bin: number }[]>();
  for (let i = 0; i < clashes.length; i += 2) {
    const column = clashes[i + 1] >>> 8;
    if (!found.has(column)) found.set(column, []);
    found.get(column)!.push({
      row: Math.floor((clashes[i] - at) / layout.stride),
      bin: clashes[i + 1] & 255,
    });
  }
  return found;
}

/** @param from the rows as they are, without the values that clashed */
function withoutClashes(
  { rows, layout }: BinnedRows,
  from: Uint8Array,
  clashed: ReadonlyMap<number, readonly { row: number }[]>,
): BinLayout {
  const { columns, oneHot, stored, stride } = layout;
  const others = new Map(Array.from(clashed, ([f, values]) => [f, values.map(({ row }) => row)]));
  const bundles: Bundle[] = [];
  layout.bytes.forEach((own, byte) => {
    if (!stored[own[0]]) return;
    // What leaves the byte, by its values.
    const leaving = new Array<number[] | undefined>(256).fill(undefined);
    for (const f of own)
      for (let bin = 0; others.has(f) && bin < columns[f].size; bin++) {
        const value = valueOf(layout, f, bin);
        if (value > 0) leaving[value] = others.get(f);
      }
    const taken = new Uint8Array(rows);
    for (let r = 0; r < rows; r++) {
      const value = from[r * stride + byte];
      if (leaving[value]) leaving[value].push(r);
      else if (value > 0) taken[r] = 1;
    }
    const sharers = own.filter((f) => !others.has(f)).map((column) => ({ ...stored[column]!, column }));
    const bins = sharers.reduce((sum, sharer) => sum + storedBins(columns[sharer.column], sharer), 0);
    bundles.push({ taken, bins, sharers });
  });
  const moving = [...others.keys()]
    .sort((a, b) => a - b)
    .map((column) => {
      // A missing value that had no place may be among those that clashed.
      const sharer = { column, usual: stored[column]!.usual, missing: true };
      return { ...sharer, others: others.get(column)!, bins: storedBins(columns[column], sharer) };
    });
  put(moving, bundles, rows);
  return layoutOf(columns, oneHot, bundles.filter(({ sharers }) => sharers.length > 1).map(sharersOf));
}
