// part of other kernels
/*
 * The k best of what is offered, in a heap with the worst at its root: `ids` and `best` side by side. Of equal scores
 * the smaller id is better.
 */

/** Takes an entry where it is among the k best so far. @returns how many are kept now */
export function offer(ids: usize, best: usize, size: i32, k: i32, id: i32, score: f32): i32 {
  if (size < k) {
    store<i32>(ids + ((<usize>size) << 2), id);
    store<f32>(best + ((<usize>size) << 2), score);
    if (size + 1 == k) for (let root = (k >> 1) - 1; root >= 0; root--) siftDown(ids, best, root, k);
    return size + 1;
  }
  if (k > 0 && worse(ids, best, 0, id, score)) {
    store<i32>(ids, id);
    store<f32>(best, score);
    siftDown(ids, best, 0, k);
  }
  return size;
}

export function siftDown(ids: usize, best: usize, root: i32, end: i32): void {
  const id = load<i32>(ids + ((<usize>root) << 2));
  const score = load<f32>(best + ((<usize>root) << 2));
  let place = root;
  for (;;) {
    let child = 2 * place + 1;
    if (child >= end) break;
    if (
      child + 1 < end &&
      worse(
        ids,
        best,
        child + 1,
        load<i32>(ids + ((<usize>child) << 2)),
        load<f32>(best + ((<usize>child) << 2)),
      )
    )
      child++;
    if (!worse(ids, best, child, id, score)) break;
    store<i32>(ids + ((<usize>place) << 2), load<i32>(ids + ((<usize>child) << 2)));
    store<f32>(best + ((<usize>place) << 2), load<f32>(best + ((<usize>child) << 2)));
    place = child;
  }
  store<i32>(ids + ((<usize>place) << 2), id);
  store<f32>(best + ((<usize>place) << 2), score);
}

/** Whether the entry at a place is worse than another: of a lower score, or of the same and a larger id. */
function worse(ids: usize, best: usize, place: i32, id: i32, score: f32): bool {
  const mine = load<f32>(best + ((<usize>place) << 2));
  return mine < score || (mine == score && load<i32>(ids + ((<usize>place) << 2)) > id);
}
