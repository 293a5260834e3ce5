import type { SharedKernel } from "../../engine/pool.js";
import { writeMeta, type BinLayout } from "./bins.js";

/** Bins that stay in a cache from one phase to the next. */
const nearBytes = 1 << 23;
/** Bytes of a job of `findSplits`. */
const jobBytes = 64;
/** Bytes of a node of `findSplits`. */
const nodeBytes = 64;
/** Bytes of an answer of `findSplits`, one per node and column; the gains of a node follow its answers, side by side. */
export const answerBytes = 64;
const gainBytes = 8;

/** A node that splits are sought for. */
export interface Sought {
  /** Sums of the quantised gradients and hessians. */
  G: number;
  H: number;
  /** What its value must lie between. */
  low: number;
  high: number;
  /** Histogram, as a pointer. */
  hist: number;
  /** A byte per column, 0 for those that may not be used; absent: all may. */
  allowed?: Uint8Array;
  /** Seeds random thresholds. */
  salt: number;
}

/** What gradients and hessians were multiplied by before they were rounded. */
export interface Scales {
  g: number;
  h: number;
}

/** A histogram that was just added, of the smaller of two siblings, and what is to be done with it. */
export interface Job {
  /** Where it is to go. */
  hist: number;
  /** The parent's histogram, which becomes the larger sibling's; 0 at the root. */
  parent: number;
  /** Its number among the histograms that were added at once. */
  slot: number;
  /** The node and its sibling, where a split of them is wanted. */
  small?: Sought;
  large?: Sought;
}

/** What a split must obey and how it is valued. */
export interface SplitRules {
  lambda: number;
  alpha: number;
  childWeight: number;
  catLambda: number;
  catSmooth: number;
  /** Largest absolute value of a leaf before the learning rate; 0: any. */
  maxStep: number;
  /** Not 0: thresholds are drawn, not searched. */
  extraSeed: number;
}

/** A leaf-wise partition that `findSplits` finishes on the way. */
export interface Gather {
  list: number;
  spare: number;
  start: number;
  count: number;
  counts: number;
}

/** The whole memory of a kernel as arrays, made anew after it has grown: making a view of a few bytes costs more than using it. */
export class MemoryViews {
  u8 = new Uint8Array();
  i32 = new Int32Array();
  u32 = new Uint32Array();
  f32 = new Float32Array();
  f64 = new Float64Array();
  private buffer?: ArrayBufferLike;

  constructor(private readonly memory: WebAssembly.Memory) {}

  now(): this {
    const { buffer } = this.memory;
    if (buffer === this.buffer && this.u8.length === buffer.byteLength) return this;
    this.buffer = buffer;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    return this;
  }
}

/**
 * The kernel's memory for one training: histograms of every thread and of every node, jobs and answers.
 * `phase` runs one of the kernel's functions on all threads, or, where the data are small, on this one.
 */
export class Workspace {
  readonly tile: number;
  readonly threads: number;
  readonly counter: number;
  private readonly views: MemoryViews;
  private readonly jobs: number;
  private readonly nodesAt: number;
  private readonly masksAt: number;
  private readonly answersAt: number;
  private readonly blocks: { at: number; count: number };
  private readonly free: number[] = [];

  constructor(
    readonly kernel: SharedKernel,
    readonly layout: BinLayout,
    readonly bins: number,
    readonly rows: number,
    /** Histograms that one phase adds at most. */
    readonly slots: number,
    signs: readonly number[] | undefined,
    /** Trees that are to be grown at most. */
    trees: number,
  ) {
    const { stride, histBytes, columns } = layout;
    this.views = new MemoryViews(kernel.memory);
    // Small data are done before other threads have woken up, short work before they have started.
    const cells = rows * columns.length;
    this.threads = cells < 60_000 || cells * trees < 3e7 ? 1 : kernel.threads;
    this.tile = stride <= 32 ? 4096 : Math.max(256, Math.floor((1 << 17) / stride) & ~3);
    const meta = writeMeta(kernel, layout, signs);
    const privateBytes = slots * histBytes;
    const privates = kernel.alloc(privateBytes * this.threads);
    // Packing lists the rows of a tile once, routing in a list for each slot and one more.
    const scratchBytes = this.tile * 16 * (slots + 1) + 8192;
    const scratch = kernel.alloc(scratchBytes * this.threads);
    this.counter = kernel.alloc(64);
    this.jobs = kernel.alloc(slots * jobBytes);
    this.nodesAt = kernel.alloc(slots * 2 * nodeBytes);
    this.masksAt = kernel.alloc(slots * 2 * columns.length);
    this.answersAt = kernel.alloc(slots * 2 * columns.length * (answerBytes + gainBytes));
    this.blocks = writeBlocks(kernel, layout);
    kernel.u8(privates, privateBytes * this.threads).fill(0);
    this.call(
      "setup",
      bins,
      stride,
      meta,
      histBytes,
      privates,
      privateBytes,
      scratch,
      scratchBytes,
      this.counter,
      this.tile,
      Number(rows * stride > nearBytes),
    );
  }

  /** The memory as it is now; a later `takeHist` or `alloc` may replace it. */
  get memory(): MemoryViews {
    return this.views.now();
  }

  /** Runs a function of the kernel whose threads share work by the counter. */
  phase(fn: string, ...args: number[]): void {
    this.memory.u32[this.counter >> 2] = 0;
    this.call(fn, ...args);
  }

  private call(fn: string, ...args: number[]): void {
    if (this.threads === 1) this.kernel.exports[fn](0, 1, ...args);
    else this.kernel.each(fn, ...args);
  }

  takeHist(): number {
    return this.free.pop() ?? this.kernel.alloc(this.layout.histBytes);
  }

  giveHist(hist: number): void {
    this.free.push(hist);
  }

  /**
   * Merges histograms and finds the best split of every column for every node that is sought.
   *
   * @returns for each job the addresses of the answers of its two nodes
   */
  findSplits(
    jobs: readonly Job[],
    scales: Scales,
    rules: SplitRules,
    gather?: Gather,
  ): { small: number; large: number }[] {
    const { layout, blocks } = this;
    const { u32 } = this.memory;
    const answers = jobs.map((job, i) => {
      const small = job.small ? this.writeNode(2 * i, job.small, scales) : undefined;
      const large = job.large ? this.writeNode(2 * i + 1, job.large, scales) : undefined;
      const at = (this.jobs + i * jobBytes) >>> 2;
      u32[at] = job.hist;
      u32[at + 1] = job.parent;
      u32[at + 2] = job.slot * layout.histBytes;
      u32[at + 3] = small?.node ?? 0;
      u32[at + 4] = large?.node ?? 0;
      return { small: small?.answers ?? 0, large: large?.answers ?? 0 };
    });
    this.phase(
      "findSplits",
      this.jobs,
      jobs.length,
      blocks.at,
      blocks.count,
      1 / scales.g,
      1 / scales.h,
      rules.lambda,
      rules.alpha,
      rules.childWeight,
      rules.catLambda,
      rules.catSmooth,
      rules.maxStep,
      rules.extraSeed,
      gather?.list ?? 0,
      gather?.spare ?? 0,
      gather?.start ?? 0,
      gather?.count ?? 0,
      gather?.counts ?? 0,
    );
    return answers;
  }

  private writeNode(index: number, node: Sought, scales: Scales): { node: number; answers: number } {
    const columns = this.layout.columns.length;
    const at = this.nodesAt + index * nodeBytes;
    const answers = this.answersAt + index * columns * (answerBytes + gainBytes);
    const mask = node.allowed ? this.masksAt + index * columns : 0;
    const { u8, u32, f64 } = this.memory;
    if (node.allowed) u8.set(node.allowed, mask);
    f64[at / 8] = node.G * (1 / scales.g);
    f64[at / 8 + 1] = node.H * (1 / scales.h);
    f64[at / 8 + 2] = node.low;
    f64[at / 8 + 3] = node.high;
    u32[at / 4 + 8] = answers;
    u32[at / 4 + 9] = mask;
    u32[at / 4 + 10] = node.salt;
    u32[at / 4 + 11] = answers + columns * answerBytes;
    u32[at / 4 + 12] = node.H;
    u32[at / 4 + 13] = node.G;
    return { node: at, answers };
  }
}

/** What one thread takes of a search at a time: neighbouring bytes of a row that hold at least so many columns. */
const blockColumns = 4;

/** Writes the first and the last but one byte of every block. */
function writeBlocks(kernel: SharedKernel, { bytes }: BinLayout): { at: number; count: number } {
  const blocks: number[] = [];
  let columns = 0;
  bytes.forEach((own, byte) => {
    if (columns === 0) blocks.push(byte, byte);
    columns += own.length;
    blocks[blocks.length - 1] = byte + 1;
    if (columns >= blockColumns) columns = 0;
  });
  const at = kernel.alloc(blocks.length * 4);
  kernel.u32(at, blocks.length).set(blocks);
  return { at, count: blocks.length / 2 };
}
