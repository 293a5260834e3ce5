import type { SharedKernel } from "../engine/pool.js";
import * as binning from "./gbdt/binning.js";
import * as gradients from "./gbdt/gradients.js";
import { PlainMemory, setup } from "./gbdt/memory.js";
import * as rows from "./gbdt/rows.js";
import { findSplits } from "./gbdt/splits.js";

/*
 * The plain twin of gbdt.as.ts: the same functions over the same layout of memory, with the same results to the
 * last bit. Float32 steps are rounded one by one, and a 64-bit bin of a histogram is two 32-bit words, the
 * hessian first, which never carry into each other.
 */

const phases = { setup, ...binning, ...gradients, ...rows, findSplits };
const firstFree = 65536;
const page = 65536;

/** The kernel in plain JavaScript, on this thread alone. */
export function plainGbdt(): SharedKernel {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
  const plain = new PlainMemory(memory);
  let top = firstFree;
  const exports = Object.fromEntries(
    Object.entries(phases).map(([name, fn]) => [
      name,
      (_thread: number, _threads: number, ...args: number[]) => {
        plain.look();
        (fn as (memory: PlainMemory, ...args: number[]) => void)(plain, ...args);
        return 0;
      },
    ]),
  );
  return {
    threads: 1,
    memory,
    exports,
    alloc(bytes) {
      const at = Math.ceil(top / 64) * 64;
      top = at + bytes;
      if (top > memory.buffer.byteLength) memory.grow(Math.ceil((top - memory.buffer.byteLength) / page));
      return at;
    },
    mark: () => top,
    release: (mark) => void (top = mark),
    u8: (at, length) => new Uint8Array(memory.buffer, at, length),
    u16: (at, length) => new Uint16Array(memory.buffer, at, length),
    i32: (at, length) => new Int32Array(memory.buffer, at, length),
    u32: (at, length) => new Uint32Array(memory.buffer, at, length),
    f32: (at, length) => new Float32Array(memory.buffer, at, length),
    f64: (at, length) => new Float64Array(memory.buffer, at, length),
    wake: () => undefined,
    each: (fn, ...args) => void exports[fn](0, 1, ...args),
    meanwhile: (work, fn, ...args) => {
      work();
      exports[fn](0, 1, ...args);
    },
    close: () => undefined,
  };
}
