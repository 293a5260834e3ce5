import type { SharedKernel } from "../../engine/pool.js";
import { writeMeta, type BinLayout } from "./bins.js";

/** Bytes of a job of `findSplits`. */
const jobBytes = 64;
/** Bytes of a node of `findSplits`. */
const nodeBytes = 64;
/** Bytes of an answer of `findSplits`: one per node and column. */
export const answerBytes = 64;

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

/**
 * The kernel's memory for one training: histograms of every thread and of every node, jobs and answers.
 * `phase` runs one of the kernel's functions on all threads, or, where the data are small, on this one.
 */
export class Workspace {
  readonly tile: number;
  readonly threads: number;
  readonly counter: number;
  private readonly jobs: number;
  private readonly nodesAt: number;
  private readonly masksAt: number;
  private readonly answersAt: number;
  private readonly free: number[] = [];

  constructor(
    readonly kernel: SharedKernel,
    readonly layout: BinLayout,
    readonly bins: number,
    readonly rows: number,
    /** Histograms that one phase adds at most. */
    readonly slots: number,
    signs: readonly number[] | undefined,
  ) {
    const { stride, histBytes, columns } = layout;
    // Small data are done before other threads have woken up.
    this.threads = rows * columns.length < 60_000 ? 1 : kernel.threads;
    this.tile = stride <= 32 ? 4096 : Math.max(256, Math.floor((1 << 17) / stride) & ~3);
    const meta = writeMeta(kernel, layout, signs);
    const privateBytes = slots * histBytes;
    const privates = kernel.alloc(privateBytes * this.threads);
    const scratchBytes = this.tile * 16 + 8192;
    const scratch = kernel.alloc(scratchBytes * this.threads);
    this.counter = kernel.alloc(64);
    this.jobs = kernel.alloc(slots * jobBytes);
    this.nodesAt = kernel.alloc(slots * 2 * nodeBytes);
    this.masksAt = kernel.alloc(slots * 2 * columns.length);
    this.answersAt = kernel.alloc(slots * 2 * columns.length * answerBytes);
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
    );
  }

  /** Runs a function of the kernel whose threads share work by the counter. */
  phase(fn: string, ...args: number[]): void {
    this.kernel.u32(this.counter, 1)[0] = 0;
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
    const { kernel, layout } = this;
    const words = kernel.u32(this.jobs, (jobs.length * jobBytes) / 4);
    const answers = jobs.map((job, i) => {
      const small = job.small ? this.writeNode(2 * i, job.small, scales) : undefined;
      const large = job.large ? this.writeNode(2 * i + 1, job.large, scales) : undefined;
      words.set(
        [job.hist, job.parent, job.slot * layout.histBytes, small?.node ?? 0, large?.node ?? 0],
        (i * jobBytes) / 4,
      );
      return { small: small?.answers ?? 0, large: large?.answers ?? 0 };
    });
    this.phase(
      "findSplits",
      this.jobs,
      jobs.length,
      layout.columns.length,
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
    const answers = this.answersAt + index * columns * answerBytes;
    const mask = node.allowed ? this.masksAt + index * columns : 0;
    if (node.allowed) this.kernel.u8(mask, columns).set(node.allowed);
    this.kernel.f64(at, 4).set([node.G * (1 / scales.g), node.H * (1 / scales.h), node.low, node.high]);
    this.kernel.u32(at + 32, 3).set([answers, mask, node.salt >>> 0]);
    return { node: at, answers };
  }
}
