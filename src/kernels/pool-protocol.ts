/** What the main thread hands to a thread of the pool when it starts. */
export interface PoolSeat {
  /** Call number, function, number of arguments, threads that are done, thread that failed (from 1; 0 is none). */
  control: Int32Array<SharedArrayBuffer>;
  /** Arguments of the call. */
  args: Float64Array<SharedArrayBuffer>;
}

/** What the main thread sends. */
export type PoolMail =
  | { kind: "kernel"; kernel: number; module: WebAssembly.Module; memory: WebAssembly.Memory }
  | { kind: "drop"; kernel: number }
  | { kind: "function"; kernel: number; fn: string }
  | { kind: "enter"; thread: number; threads: number; epoch: number }
  | { kind: "task"; id: number; module: string; input: unknown };

/** What a thread answers. */
export type TaskAnswer =
  | { kind: "answer"; id: number; output: unknown }
  | { kind: "failure"; id: number; message: string; stack?: string };

export const mostArguments = 24;
const [EPOCH, FUNCTION, ARITY, DONE, FAILED] = [0, 1, 2, 3, 4];
export const controlWords = 5;

/** Looks at a word before sleeping on it: a phase of a kernel follows the last in microseconds, and to be woken takes as long as several phases. */
const [fewestLooks, mostLooks] = [2_000, 32_000];

/** Fewer after it was in vain, as where others want this core; more after it was not. */
let looks = mostLooks;

function awaitChange(control: Int32Array, word: number, from: number): number {
  for (let i = 0; i < looks; i++) {
    const now = Atomics.load(control, word);
    if (now === from) continue;
    looks = Math.min(mostLooks, looks * 2);
    return now;
  }
  looks = Math.max(fewestLooks, looks / 2);
  for (;;) {
    Atomics.wait(control, word, from);
    const now = Atomics.load(control, word);
    if (now !== from) return now;
  }
}

/** The waiting side: a thread of the pool. */
export const nextCall = {
  await: (control: Int32Array, epoch: number): number => awaitChange(control, EPOCH, epoch),
  which: (control: Int32Array): number => Atomics.load(control, FUNCTION),
  arity: (control: Int32Array): number => Atomics.load(control, ARITY),
  failed: (control: Int32Array, thread: number): void => void Atomics.store(control, FAILED, thread),
  done(control: Int32Array): void {
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  },
};

/** The calling side: the main thread. */
export const call = {
  epoch: (control: Int32Array): number => Atomics.load(control, EPOCH),
  /** Wakes the threads for function `index`, or, with -1, lets them go. */
  start(control: Int32Array, index: number, arity: number): void {
    Atomics.store(control, FUNCTION, index);
    Atomics.store(control, ARITY, arity);
    Atomics.store(control, DONE, 0);
    Atomics.store(control, FAILED, 0);
    Atomics.add(control, EPOCH, 1);
    Atomics.notify(control, EPOCH);
  },
  /** Waits until `others` threads are done; gives the thread that failed, or 0. */
  finish(control: Int32Array, others: number): number {
    let done = Atomics.load(control, DONE);
    while (done < others) done = awaitChange(control, DONE, done);
    return Atomics.load(control, FAILED);
  },
};
