/** A piece of work that waits for others, by name. */
export interface Waiting {
  name: string;
  needs: readonly string[];
}

/**
 * Starts every piece of work as soon as all that it needs has ended and a place is free.
 *
 * @param items   in an order in which they could run one after the other; what is needed and not listed counts as done
 * @param jobs    places
 * @param work    must not reject
 * @param stopped asked before every start; once it says true nothing more begins
 */
export async function inOrderOfNeed<T extends Waiting>(
  items: readonly T[],
  jobs: number,
  work: (item: T) => Promise<void>,
  stopped: () => boolean,
): Promise<void> {
  const waiting = [...items];
  const open = new Set(items.map(({ name }) => name));
  const running = new Set<Promise<void>>();
  const start = (item: T): void => {
    const task = work(item).finally(() => {
      running.delete(task);
      open.delete(item.name);
    });
    running.add(task);
  };
  for (;;) {
    while (running.size < jobs && !stopped()) {
      const next = waiting.findIndex(({ needs }) => !needs.some((need) => open.has(need)));
      if (next < 0) break;
      start(waiting.splice(next, 1)[0]);
    }
    if (running.size === 0) return;
    await Promise.race(running);
  }
}
