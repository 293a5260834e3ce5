import { Worker } from "node:worker_threads";
import { bundleFile } from "../core/bundle-file.js";
import { ShopaiError } from "../core/errors.js";
import { kernelFile } from "../core/kernel-file.js";
import type { Pool, SharedKernel } from "../engine/pool.js";
import { call, controlWords, mostArguments, type PoolMail, type TaskAnswer } from "./pool-protocol.js";

export interface PoolOptions {
  threads: number;
  /** Use the plain twins of kernels. */
  plain?: boolean;
  /** Says, once, that plain twins are used although nobody asked for them. */
  warn?(message: string): void;
}

const page = 65536;
const mostPages = 65536;
/** What the compiler lays down (constants, tables) stays below this. */
const firstFree = 65536;

/** Threads are started when first needed and end with `close`; they never keep the process alive by themselves. */
export function openPool({ threads, plain = false, warn }: PoolOptions): Pool {
  const control = new Int32Array(new SharedArrayBuffer(4 * controlWords));
  const args = new Float64Array(new SharedArrayBuffer(8 * mostArguments));
  const workers: Worker[] = [];
  const kernels = new Map<number, PoolMail>();
  const functions = new Map<string, number>();
  const functionMails: PoolMail[] = [];
  const waiting = new Map<number, { settle(output: unknown): void; fail(error: Error): void }>();
  const busy = new Map<Worker, number>();
  let serving = false;
  let ids = 0;
  let warned = false;
  let closed = false;

  function worker(seat: number): Worker {
    if (closed) throw new Error("the pool is closed");
    if (workers[seat]) return workers[seat];
    const started = new Worker(bundleFile("pool.worker"), { workerData: { control, args } });
    started.unref();
    started.on("message", (answer: TaskAnswer | { kind: "ready" }) => {
      if (answer.kind === "ready") return;
      const asked = waiting.get(answer.id)!;
      waiting.delete(answer.id);
      release(started);
      if (answer.kind === "answer") return asked.settle(answer.output);
      asked.fail(Object.assign(new Error(answer.message), { stack: answer.stack }));
    });
    started.on("error", (error) => {
      for (const asked of waiting.values()) asked.fail(error as Error);
      waiting.clear();
    });
    workers[seat] = started;
    for (const mail of [...kernels.values(), ...functionMails]) started.postMessage(mail);
    return started;
  }

  function release(worker: Worker): void {
    const left = busy.get(worker)! - 1;
    busy.set(worker, left);
    if (left === 0) worker.unref();
  }

  /** Sends mail to every thread that is there, out of the way of calls. */
  function tell(mail: PoolMail): void {
    leave();
    for (const worker of workers) worker.postMessage(mail);
  }

  function enter(): void {
    if (serving || threads === 1) return;
    serving = true;
    const epoch = call.epoch(control);
    for (let seat = 0; seat < threads - 1; seat++)
      worker(seat).postMessage({ kind: "enter", thread: seat + 1, threads, epoch } satisfies PoolMail);
  }

  function leave(): void {
    if (!serving) return;
    serving = false;
    call.start(control, -1, 0);
    call.finish(control, threads - 1);
  }

  function functionIndex(kernel: number, fn: string): number {
    const name = `${kernel} ${fn}`;
    const known = functions.get(name);
    if (known !== undefined) return known;
    const mail: PoolMail = { kind: "function", kernel, fn };
    tell(mail);
    functionMails.push(mail);
    functions.set(name, functions.size);
    return functions.size - 1;
  }

  function compiled(name: string): WebAssembly.Module | undefined {
    if (plain) return undefined;
    const bytes = typeof SharedArrayBuffer === "undefined" ? undefined : kernelFile(name);
    if (bytes && WebAssembly.validate(bytes)) return new WebAssembly.Module(bytes);
    if (!warned)
      warn?.("this Node has no shared memory or SIMD: plain kernels are used, several times slower");
    warned = true;
    return undefined;
  }

  async function kernel(wanted: string | WebAssembly.Module, bytes = 0): Promise<SharedKernel | undefined> {
    const module = typeof wanted === "string" ? compiled(wanted) : wanted;
    if (!module) return undefined;
    const id = ids++;
    const memory = sharedMemory(firstFree + bytes);
    const instance = new WebAssembly.Instance(module, { env: { memory, abort: () => undefined } });
    const exports = instance.exports as unknown as SharedKernel["exports"];
    const mail: PoolMail = { kind: "kernel", kernel: id, module, memory };
    tell(mail);
    kernels.set(id, mail);
    let top = firstFree;
    const phase = (work: (() => void) | undefined, fn: string, given: number[]): void => {
      if (threads === 1) {
        work?.();
        return void exports[fn](0, 1, ...given);
      }
      const index = functionIndex(id, fn);
      enter();
      args.set(given);
      call.start(control, index, given.length);
      let failed: number;
      try {
        work?.();
        exports[fn](0, threads, ...given);
      } finally {
        failed = call.finish(control, threads - 1);
        // A task that is under way on one of the threads goes on.
        if (waiting.size > 0) leave();
      }
      if (failed > 0) throw new Error(`${fn} failed on thread ${failed}`);
    };
    return {
      threads,
      memory,
      exports,
      alloc(size) {
        const at = Math.ceil(top / 64) * 64;
        if (at + size > memory.buffer.byteLength) grow(memory, at + size);
        top = at + size;
        return at;
      },
      mark: () => top,
      release: (mark) => void (top = mark),
      u8: (pointer, length) => new Uint8Array(memory.buffer, pointer, length),
      u16: (pointer, length) => new Uint16Array(memory.buffer, pointer, length),
      i32: (pointer, length) => new Int32Array(memory.buffer, pointer, length),
      u32: (pointer, length) => new Uint32Array(memory.buffer, pointer, length),
      f32: (pointer, length) => new Float32Array(memory.buffer, pointer, length),
      f64: (pointer, length) => new Float64Array(memory.buffer, pointer, length),
      wake: enter,
      each: (fn, ...given) => phase(undefined, fn, given),
      meanwhile: (work, fn, ...given) => phase(work, fn, given),
      close() {
        kernels.delete(id);
        if (!closed) tell({ kind: "drop", kernel: id });
      },
    };
  }

  function ask<O>(seat: number, module: string, input: unknown): Promise<O> {
    leave();
    const to = worker(seat);
    const id = ids++;
    busy.set(to, (busy.get(to) ?? 0) + 1);
    to.ref();
    to.postMessage({ kind: "task", id, module, input } satisfies PoolMail);
    return new Promise<O>((settle, fail) =>
      waiting.set(id, { settle: settle as (o: unknown) => void, fail }),
    );
  }

  async function* map<I, O>(name: string, inputs: Iterable<I> | AsyncIterable<I>): AsyncGenerator<O> {
    const module = bundleFile(name).href;
    const answers: Promise<O>[] = [];
    const free = Array.from({ length: threads }, (_, seat) => seat);
    let wake: (() => void) | undefined;
    const give = (input: I): void => {
      const seat = free.pop()!;
      const answer = ask<O>(seat, module, input).finally(() => {
        free.push(seat);
        wake?.();
      });
      // Who draws the outputs hears of a failure in its turn.
      answer.catch(() => undefined);
      answers.push(answer);
    };
    for await (const input of inputs) {
      while (free.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      give(input);
      // Outputs that are ready, but never so many waiting that memory grows with the number of inputs.
      while (answers.length > 4 * threads) yield await answers.shift()!;
    }
    while (answers.length > 0) yield await answers.shift()!;
  }

  return {
    threads,
    kernel,
    map,
    async close() {
      if (closed) return;
      leave();
      closed = true;
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function sharedMemory(bytes: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / page), maximum: mostPages, shared: true });
  } catch (cause) {
    throw noRoom(bytes, cause);
  }
}

function grow(memory: WebAssembly.Memory, bytes: number): void {
  try {
    memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / page));
  } catch (cause) {
    throw noRoom(bytes, cause);
  }
}

function noRoom(bytes: number, cause: unknown): ShopaiError {
  return new ShopaiError("engine", `the kernel needs ${(bytes / 1e9).toFixed(1)} GB, and there is no room`, {
    try: "fewer rows or columns (a kernel holds at most 4.3 GB)",
    cause,
  });
}
