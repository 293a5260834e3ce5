/** Whether an error of a backend says that memory ran out: each has words of its own. */
export const isOutOfMemory = (message: string): boolean =>
  /out.of.memory|OOM|allocation failed|memory access out of bounds|too large|exceeds the max/i.test(message);
