import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of chunks that may wait for the collector. */
const mostWaiting = 1 << 22;

let collect: ((options: { type: "minor" }) => void) | undefined;

/**
 * The engine's chunks are given back when the collector finds that nobody has them any more, but it knows nothing of their
 * size and looks so seldom that a whole table waits for it. This has it look among the youngest objects whenever
 * `mostWaiting` bytes of chunks are done with, which takes a fraction of a millisecond.
 */
export class LetGo {
  private waiting = 0;

  /** A chunk of so many bytes is done with. */
  chunk(bytes: number): void {
    this.waiting += bytes;
    if (this.waiting < mostWaiting) return;
    this.waiting = 0;
    collect ??= collector();
    collect({ type: "minor" });
  }
}

function collector(): NonNullable<typeof collect> {
  setFlagsFromString("--expose-gc");
  const found = runInNewContext("globalThis.gc") as typeof collect;
  return found ?? (() => undefined);
}
