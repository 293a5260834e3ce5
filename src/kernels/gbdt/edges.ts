/** How many of ascending edges are not above a value. */
export function edgesBelow(edges: Float64Array, x: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Bytes that the search of a column's bins takes: of a number the edges, padded with NaN, lowest edge, cells per unit, bytes of the
 * first step, starts; of a category the hashes of its levels, scattered, and their bins.
 */
export const searchBytes = 4608;
/** Where the parts of a search lie, in bytes. */
const search = { edges: 0, low: 2304, scale: 2312, half: 2320, starts: 2368, bins: 4096 };
/** Places for the hashes of levels: twice as many as there can be levels, so that a search is short. */
export const places = 512;
const cells = 2048;
/** Edges of a cell up to which what is compared stays within the padding. */
const mostInCell = 31;

/**
 * Writes what finds the bin of a value in few comparisons: the range of the edges is cut into equal cells, and of every cell it is known
 * how many edges lie in those before it. The same rounding puts edges and values into cells, which keeps their order, so that
 * only edges of a value's own cell are to be compared with it. Where one cell has too many of them there is but one cell.
 *
 * @param edges ascending, at most 255
 */
export function writeSearch(bytes: Uint8Array, edges: Float64Array): void {
  const at = (from: number, length: number): Float64Array =>
    new Float64Array(bytes.buffer, bytes.byteOffset + from, length);
  at(search.edges, search.low / 8)
    .fill(NaN)
    .set(edges);
  const starts = bytes.subarray(search.starts, search.starts + cells).fill(0);
  const low = edges.length > 0 ? edges[0] : 0;
  const scale = edges.length > 1 ? (cells - 1) / (edges[edges.length - 1] - low) : 0;
  const counts = new Uint32Array(cells);
  const cuts = scale > 0 && scale < Infinity;
  if (cuts) for (const edge of edges) counts[Math.min(cells - 1, Math.trunc((edge - low) * scale))]++;
  else counts[0] = edges.length;
  const most = counts.reduce((a, b) => Math.max(a, b));
  const narrow = cuts && most <= mostInCell;
  if (narrow) for (let cell = 1; cell < cells; cell++) starts[cell] = starts[cell - 1] + counts[cell - 1];
  at(search.low, 2).set([low, narrow ? scale : 0]);
  let half = 1;
  while (half * 2 - 1 < (narrow ? most : edges.length)) half *= 2;
  new Uint32Array(bytes.buffer, bytes.byteOffset + search.half, 1)[0] = edges.length > 0 ? half * 8 : 0;
}

/**
 * Writes what finds the bin of a text by its hash: every hash stands at the place that its last bits say, or at the next that is
 * free. The bin of a place that is free is 0.
 *
 * @param hashes of the levels, in their order; at most 254
 */
export function writeLevels(bytes: Uint8Array, hashes: BigUint64Array): void {
  const keys = new BigUint64Array(bytes.buffer, bytes.byteOffset, places);
  const bins = bytes.subarray(search.bins, search.bins + places).fill(0);
  hashes.forEach((hash, level) => {
    let place = Number(hash & BigInt(places - 1));
    while (bins[place] > 0) place = (place + 1) % places;
    keys[place] = hash;
    bins[place] = level + 1;
  });
}

/** The bin of a text by the words of its hash; 0 for one that is no level. */
export function binOfHash(words: Uint32Array, bins: Uint8Array, low: number, high: number): number {
  let place = low % places;
  while (bins[place] > 0 && (words[place * 2] !== low || words[place * 2 + 1] !== high))
    place = (place + 1) % places;
  return bins[place];
}
