// part of other kernels
/** Where rows, histograms and the room of a thread lie; the counter that threads share work by. */

/** Rows of a block: partial sums of gradients are kept per block. */
export const BLOCK: u32 = 4096;

export let bins: u32 = 0;
export let stride: u32 = 0;
export let quads: u32 = 0;
export let meta: u32 = 0;
export let histBytes: u32 = 0;
export let privates: u32 = 0;
export let privateBytes: u32 = 0;
export let own: u32 = 0;
export let scratch: u32 = 0;
export let counter: u32 = 0;
export let tile: u32 = BLOCK;
export let far: bool = false;

export function setup(
  thread: u32,
  threads: u32,
  binsAt: u32,
  strideBytes: u32,
  metaAt: u32,
  bytesPerHist: u32,
  privatesAt: u32,
  bytesPerThread: u32,
  scratchAt: u32,
  scratchBytes: u32,
  counterAt: u32,
  tileRows: u32,
  isFar: u32,
): void {
  bins = binsAt;
  stride = strideBytes;
  quads = strideBytes >> 2;
  meta = metaAt;
  histBytes = bytesPerHist;
  privates = privatesAt;
  privateBytes = bytesPerThread;
  own = privatesAt + thread * bytesPerThread;
  scratch = scratchAt + thread * scratchBytes;
  counter = counterAt;
  tile = tileRows;
  far = isFar != 0;
}

/** The entry of the table of columns, which follows that of bytes. */
export function columnEntry(entry: u32): u32 {
  return meta + stride * 16 + entry * 32;
}

/**
 * Of data that no cache holds, reads a word of every line of a stretch, many at a time, so that what works on it then
 * finds it near: there is no prefetch here, and a loop that does more gets but a few lines ahead of itself.
 */
export function touch(at: u32, bytes: u32): void {
  if (!far) return;
  let all: u32 = 0;
  for (let p = at; p < at + bytes; p += 64) all ^= load<u32>(p);
  // Without a use the loads would be left out.
  touched = all;
}

let touched: u32 = 0;

export function next(): u32 {
  return atomic.add<u32>(counter, 1);
}
