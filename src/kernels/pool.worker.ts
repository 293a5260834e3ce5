import { parentPort, workerData } from "node:worker_threads";
import { nextCall, type PoolMail, type PoolSeat, type TaskAnswer } from "./pool-protocol.js";

/** A thread of the pool: instantiates kernels, does tasks, and between `enter` and `leave` waits for calls. */
const { control, args } = workerData as PoolSeat;
type Exports = Record<string, (...args: number[]) => number>;
const instances = new Map<number, Exports>();
const functions: (readonly [kernel: number, fn: string])[] = [];

parentPort!.on("message", (mail: PoolMail) => {
  switch (mail.kind) {
    case "kernel": {
      // The memory may have grown since the mail was sent; growing it by nothing lets this thread know.
      mail.memory.grow(0);
      const instance = new WebAssembly.Instance(mail.module, {
        env: { memory: mail.memory, abort: () => undefined },
      });
      instances.set(mail.kernel, instance.exports as unknown as Exports);
      return parentPort!.postMessage({ kind: "ready" });
    }
    case "drop":
      return void instances.delete(mail.kernel);
    case "function":
      return void functions.push([mail.kernel, mail.fn]);
    case "enter":
      return serveCalls(mail.thread, mail.threads, mail.epoch);
    case "task":
      return void doTask(mail.id, mail.module, mail.input);
  }
});

/** Runs whatever the main thread calls, until it calls nothing more; blocks this thread in between. */
function serveCalls(thread: number, threads: number, since: number): void {
  let epoch = since;
  for (;;) {
    epoch = nextCall.await(control, epoch);
    const index = nextCall.which(control);
    if (index < 0) return nextCall.done(control);
    const [kernel, fn] = functions[index];
    try {
      instances.get(kernel)![fn](thread, threads, ...args.slice(0, nextCall.arity(control)));
    } catch {
      nextCall.failed(control, thread);
    }
    nextCall.done(control);
  }
}

async function doTask(id: number, module: string, input: unknown): Promise<void> {
  let answer: TaskAnswer;
  try {
    const { default: task } = (await import(module)) as { default(input: unknown): unknown };
    answer = { kind: "answer", id, output: await task(input) };
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    answer = { kind: "failure", id, message: error.message, stack: error.stack };
  }
  parentPort!.postMessage(answer);
}
