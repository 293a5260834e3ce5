import { kernelFile } from "../core/kernel-file.js";
import type { Tf } from "./tf.js";

/** What is used of the tfjs WASM backend: its memory, its tensors, and how to make one. */
export interface WasmBackend {
  wasm: { HEAPU8: Uint8Array; _malloc(bytes: number): number; _free(pointer: number): void } & Record<
    string,
    unknown
  >;
  dataIdMap: { get(id: object): { memoryOffset: number } };
  makeOutput(shape: number[], dtype: Tf.DataType): Tf.TensorInfo;
  incRef(id: object): void;
}

/**
 * Makes a heap that is full an error. The backend does not look whether it got memory: without any it writes
 * to address 0, over what belongs to its library.
 */
export function guardMemory({ wasm }: WasmBackend): void {
  // The first call puts the function itself in the place of one that looks it up.
  wasm._free(wasm._malloc(16));
  const allocate = wasm._malloc;
  wasm._malloc = (bytes) => {
    const pointer = allocate(bytes);
    if (pointer === 0)
      throw new RangeError(`out of memory: no ${bytes} bytes are left of the 4 GiB of WebAssembly`);
    return pointer;
  };
}

type Kernel = (...args: number[]) => number;

/** Our kernels on the memory of the tfjs WASM backend: no tensor is copied to reach them. */
export interface Heap {
  /** A kernel of heap-kernels.as.ts by its name. */
  call(name: string, ...args: number[]): number;
  /** Where a tensor lies. Right until the tensor is disposed of. */
  at(tensor: Tf.TensorInfo): number;
  make(shape: readonly number[], dtype?: Tf.DataType): Tf.TensorInfo;
  /** Working space of at least so many bytes; the next call gives the same space. */
  scratch(bytes: number): number;
  /** A view of a tensor. Wrong as soon as anything is allocated: memory that grows moves. */
  view(tensor: Tf.TensorInfo): Float32Array;
}

/** @returns undefined where the kernels were not built or the backend does not show its memory */
export function heapOf(backend: WasmBackend): Heap | undefined {
  const bytes = kernelFile("heap-kernels");
  const memory = memoryOf(backend);
  if (!bytes || !memory || !WebAssembly.validate(bytes)) return undefined;
  const kernels = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
    .exports as Record<string, Kernel>;
  let space = 0;
  let room = 0;
  const at = (tensor: Tf.TensorInfo): number => backend.dataIdMap.get(tensor.dataId).memoryOffset;
  return {
    call: (name, ...args) => kernels[name](...args),
    at,
    make: (shape, dtype = "float32") => backend.makeOutput([...shape], dtype),
    scratch(wanted) {
      if (wanted > room) {
        if (space) backend.wasm._free(space);
        [space, room] = [0, 0];
        space = backend.wasm._malloc(wanted) >>> 0;
        room = wanted;
      }
      return space;
    },
    view: (tensor) =>
      new Float32Array(
        backend.wasm.HEAPU8.buffer,
        at(tensor),
        tensor.shape.reduce((product, length) => product * length, 1),
      ),
  };
}

/** The memory of the module: its exports have minified names, but only one of them is a memory. */
function memoryOf(backend: WasmBackend): WebAssembly.Memory | undefined {
  for (const holder of [backend.wasm, backend.wasm.asm as Record<string, unknown> | undefined])
    for (const value of Object.values(holder ?? {}))
      if (value instanceof WebAssembly.Memory && value.buffer === backend.wasm.HEAPU8.buffer) return value;
  return undefined;
}
