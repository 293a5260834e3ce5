/** A WebAssembly module that every thread of the pool has an instance of, over one shared memory. */
export interface SharedKernel {
  /** Threads that `each` runs on, the calling one included. */
  readonly threads: number;
  readonly memory: WebAssembly.Memory;
  /** The calling thread's instance. */
  readonly exports: Readonly<Record<string, (...args: number[]) => number>>;
  /**
   * Room in the shared memory, aligned to 64 bytes, not cleared; grows the memory.
   *
   * @throws ShopaiError "engine" beyond 4 GiB, or when the machine has no more
   */
  alloc(bytes: number): number;
  /** How far the memory is given away; `release(mark())` takes back what was given in between. */
  mark(): number;
  release(mark: number): void;
  /** Views of the memory; a later `alloc` leaves them valid. */
  u8(pointer: number, length: number): Uint8Array;
  u16(pointer: number, length: number): Uint16Array;
  i32(pointer: number, length: number): Int32Array;
  u32(pointer: number, length: number): Uint32Array;
  f32(pointer: number, length: number): Float32Array;
  f64(pointer: number, length: number): Float64Array;
  /** Has the threads start, which takes tens of milliseconds, while this one does something else. */
  wake(): void;
  /**
   * Runs the export `fn(thread, threads, ...args)` on every thread at once and returns when all are done.
   * The memory that one phase wrote is seen by every thread in the next. Threads must not wait for each other inside.
   */
  each(fn: string, ...args: number[]): void;
  /**
   * The same, but this thread does work of its own before it joins the others: of functions whose threads take what is left to do piece by
   * piece, so that it does not matter when one begins.
   */
  meanwhile(work: () => void, fn: string, ...args: number[]): void;
  /** Lets the memory go. */
  close(): void;
}

/** The threads of one run. */
export interface Pool {
  readonly threads: number;
  /**
   * The kernel `name` (`src/kernels/name.as.ts`) with `bytes` of memory to begin with, or undefined where threads cannot
   * share memory, WebAssembly lacks SIMD, or plain kernels are asked for: then the plain twin does the work.
   */
  kernel(name: string | WebAssembly.Module, bytes?: number): Promise<SharedKernel | undefined>;
  /**
   * Does `module` (a file `name.tasks.ts`, whose default export takes an input and gives an output) for every input, on
   * several threads; outputs come in the order of the inputs, and inputs are drawn no faster than they are worked off.
   *
   * @throws what a task threw
   */
  map<I, O>(module: string, inputs: Iterable<I> | AsyncIterable<I>): AsyncGenerator<O>;
  close(): Promise<void>;
}
