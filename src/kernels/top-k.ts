/**
 * The k best of `scores`, best first; equal scores in ascending order of `tie`, whose values differ.
 * Entries of -Infinity are never chosen.
 *
 * Selection by a heap of k whose root is the worst kept: O(n log k), O(n) when few displace it.
 *
 * @param into receives the indices; its length is k
 * @returns how many were chosen, at most k
 */
export function topK(scores: Float64Array, tie: Int32Array, into: Int32Array): number {
  const k = into.length;
  const worse = (a: number, b: number): boolean =>
    scores[a] < scores[b] || (scores[a] === scores[b] && tie[a] > tie[b]);
  let size = 0;
  const siftDown = (root: number, end: number): void => {
    for (let parent = root; ;) {
      let worst = parent;
      const left = 2 * parent + 1;
      if (left < end && worse(into[left], into[worst])) worst = left;
      if (left + 1 < end && worse(into[left + 1], into[worst])) worst = left + 1;
      if (worst === parent) return;
      const kept = into[parent];
      into[parent] = into[worst];
      into[worst] = kept;
      parent = worst;
    }
  };
  for (let i = 0; i < scores.length; i++) {
    if (scores[i] === -Infinity) continue;
    if (size < k) {
      into[size++] = i;
      if (size === k) for (let root = (k >> 1) - 1; root >= 0; root--) siftDown(root, k);
    } else if (k > 0 && worse(into[0], i)) {
      into[0] = i;
      siftDown(0, k);
    }
  }
  if (size < k) for (let root = (size >> 1) - 1; root >= 0; root--) siftDown(root, size);
  for (let end = size - 1; end > 0; end--) {
    const kept = into[0];
    into[0] = into[end];
    into[end] = kept;
    siftDown(0, end);
  }
  return size;
}
