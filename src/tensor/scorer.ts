import { kernelFile } from "../core/kernel-file.js";

/** Scores of many queries over all vectors: `queries` x `vectors`, row-major, right until the next call. */
export type Scorer = (queries: Float32Array) => Float32Array;

/**
 * Inner products of queries with a fixed set of vectors, on the CPU whatever device trained them: what a
 * network gives for a user times what it knows of the items.
 *
 * @param vectors count x width, row-major
 * @param most    queries of one call at most
 */
export function scorerOf(vectors: Float32Array, width: number, most: number): Scorer {
  const count = vectors.length / width;
  const bytes = kernelFile("heap-kernels");
  return bytes && WebAssembly.validate(bytes)
    ? kernelScorer(bytes, vectors, width, count, most)
    : plainScorer(vectors, width, count, most);
}

const page = 65536;

function kernelScorer(
  bytes: Uint8Array<ArrayBuffer>,
  vectors: Float32Array,
  width: number,
  count: number,
  most: number,
): Scorer {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const kernels = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
    .exports as Record<string, (...args: number[]) => number>;
  const aligned = (length: number): number => Math.ceil(length / 16) * 16;
  const itemsAt = page;
  const queriesAt = itemsAt + aligned(vectors.byteLength);
  const outAt = queriesAt + aligned(4 * most * width);
  const scratchAt = outAt + aligned(4 * most * count);
  memory.grow(Math.ceil((scratchAt + kernels.gemmScratch()) / page) - 1);
  new Float32Array(memory.buffer, itemsAt, vectors.length).set(vectors);
  return (queries) => {
    const n = queries.length / width;
    new Float32Array(memory.buffer, queriesAt, queries.length).set(queries);
    kernels.gemm(n, count, width, queriesAt, width, 1, itemsAt, 1, width, outAt, 0, scratchAt);
    return new Float32Array(memory.buffer, outAt, n * count);
  };
}

function plainScorer(vectors: Float32Array, width: number, count: number, most: number): Scorer {
  const out = new Float32Array(most * count);
  return (queries) => {
    const n = queries.length / width;
    for (let q = 0; q < n; q++)
      for (let i = 0; i < count; i++) {
        let sum = 0;
        for (let d = 0; d < width; d++)
          sum = Math.fround(sum + Math.fround(queries[q * width + d] * vectors[i * width + d]));
        out[q * count + i] = sum;
      }
    return out.subarray(0, n * count);
  };
}
