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

/** Bytes that the search of a column's bins takes: edges, padded with NaN, lowest edge, cells per unit, bytes of the first step, starts. */
export const searchBytes = 4416;
/** Where the parts of a search lie, in bytes. */
const search = { edges: 0, low: 2304, scale: 2312, half: 2320, starts: 2368 };
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
