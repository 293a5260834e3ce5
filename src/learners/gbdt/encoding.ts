import type { SharedKernel } from "../../engine/pool.js";
import { searchBytes, writeLevels, writeSearch } from "../../kernels/gbdt/edges.js";
import { edgesOf, writeMeta, type BinLayout } from "./bins.js";
import type { Numbers } from "./streaming.js";
import type { TreeColumn } from "./trees.js";

/** Values of fewer rows and columns are worked on by this thread: others would take longer to start. */
export const manyCells = (cells: number): boolean => cells >= 1_000_000;

/** Values that may find their byte taken before columns are given a byte each. */
const mostClashes = 1 << 20;

/** Values that are sorted at once, so that memory is bounded. */
const sortedAtOnce = 1 << 19;

/** Runs a phase of the kernel on as many threads as the number of values is worth. */
function onThreads(kernel: SharedKernel, cells: number, fn: string, ...args: number[]): void {
  if (manyCells(cells)) kernel.each(fn, ...args);
  else kernel.exports[fn](0, 1, ...args);
}

/** The hashes of a category's levels, in their order. */
export type LevelHashes = ReadonlyMap<TreeColumn, BigUint64Array>;

/** Room in a kernel's memory for the values of rows, of categories their hashes, column by column, which it makes bins of. */
export class Stage {
  /** Address and width of every column of bins. */
  readonly table: number;
  readonly columns: readonly Numbers[];
  private readonly places: readonly number[];

  /**
   * @param narrow per feature whether float32 holds its values
   * @param mostColumns of bins that are made of them
   */
  constructor(
    readonly kernel: SharedKernel,
    private readonly narrow: readonly boolean[],
    private readonly mostColumns: number,
    readonly room: number,
  ) {
    this.table = kernel.alloc(mostColumns * 8);
    this.places = narrow.map((small) => kernel.alloc(room * (small ? 4 : 8)));
    this.columns = this.places.map((at, f) => (narrow[f] ? kernel.f32(at, room) : kernel.f64(at, room)));
  }

  /** Says of which feature every column of bins is made. */
  name(featureOf: Int32Array): void {
    const table = this.kernel.u32(this.table, this.mostColumns * 2);
    featureOf.forEach((f, column) => table.set([this.places[f], this.narrow[f] ? 4 : 8], column * 2));
  }

  static bytes(narrow: readonly boolean[], rows: number): number {
    return narrow.reduce((sum, small) => sum + rows * (small ? 4 : 8), 0);
  }
}

/** What makes bins of values: the edges of a layout in the kernel's memory. */
export class Encoder {
  private readonly meta: number;
  private readonly edges: number;
  private readonly counter: number;
  private readonly clashesAt: number;

  constructor(
    readonly kernel: SharedKernel,
    readonly layout: BinLayout,
    hashes: LevelHashes,
  ) {
    const { columns, stored } = layout;
    this.edges = kernel.alloc(columns.length * searchBytes);
    columns.forEach(({ column, edges }, f) => {
      const search = kernel.u8(this.edges + f * searchBytes, searchBytes);
      if (column.kind === "category") writeLevels(search, hashes.get(column)!);
      else writeSearch(search, edges);
    });
    this.meta = writeMeta(kernel, layout, undefined);
    this.counter = kernel.alloc(64);
    const room = stored.some((own) => own) ? mostClashes : 0;
    this.clashesAt = kernel.alloc(8 + room * 8);
    kernel.u32(this.clashesAt, 2).set([0, room]);
  }

  /**
   * Values that found the byte taken which their column shares, as the address of the byte, and the column and the bin in one
   * number (column * 256 + bin); undefined where they were too many to be kept.
   */
  clashes(): Uint32Array | undefined {
    const [count, room] = this.kernel.u32(this.clashesAt, 2);
    return count > room ? undefined : this.kernel.u32(this.clashesAt + 8, count * 2);
  }

  /** Writes the bins of the first rows of a stage to `to`, row after row; there must be zeros where bytes are shared. */
  encode(stage: Stage, count: number, to: number): void {
    const { kernel, layout, meta, edges, counter, clashesAt } = this;
    const { stride, histBytes, columns, featureOf } = layout;
    stage.name(featureOf);
    const cells = count * columns.length;
    kernel.u32(counter, 1)[0] = 0;
    onThreads(kernel, cells, "setup", to, stride, meta, histBytes, 0, 0, 0, 0, counter, 4, 0);
    onThreads(kernel, cells, "encode", stage.table, count, to, edges, clashesAt);
  }
}

/**
 * Edges of columns from samples of their values.
 *
 * @param samples one per column, NaN for missing; at most `room` values each
 * @param bins    most bins of present values
 * @param chosen  the rows of the samples that count; all by default
 */
export function edgesOfSamples(
  kernel: SharedKernel,
  samples: readonly Numbers[],
  room: number,
  bins: number,
  chosen?: Uint32Array,
): Float64Array[] {
  const found: Float64Array[] = [];
  const atOnce = Math.max(kernel.threads, Math.floor(sortedAtOnce / Math.max(1, room)));
  for (let at = 0; at < samples.length; at += atOnce)
    found.push(...edgesOfSome(kernel, samples.slice(at, at + atOnce), room, bins, chosen));
  return found;
}

function edgesOfSome(
  kernel: SharedKernel,
  samples: readonly Numbers[],
  room: number,
  bins: number,
  chosen: Uint32Array | undefined,
): Float64Array[] {
  const mark = kernel.mark();
  const at = kernel.alloc(samples.length * room * 8);
  const arrays = samples.map((values, i) => {
    const array = kernel.f64(at + i * room * 8, room);
    if (!chosen) {
      array.set(values);
      return array.fill(NaN, values.length);
    }
    for (let r = 0; r < chosen.length; r++) array[r] = values[chosen[r]];
    return array.fill(NaN, chosen.length);
  });
  const counts = kernel.alloc(samples.length * 4);
  const counter = kernel.alloc(64);
  const spare = kernel.alloc(kernel.threads * (room * 8 + 16384));
  const cells = samples.length * room;
  kernel.u32(counter, 1)[0] = 0;
  onThreads(kernel, cells, "setup", 0, 4, 0, 0, 0, 0, 0, 0, counter, 4, 0);
  onThreads(kernel, cells, "sortColumns", at, room, samples.length, counts, spare);
  const known = kernel.u32(counts, samples.length);
  const found = arrays.map((array, i) => edgesOf(array.subarray(0, known[i]), bins));
  kernel.release(mark);
  return found;
}
