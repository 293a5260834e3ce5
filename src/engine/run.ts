import type { Rng } from "../core/rng.js";
import type { Checkpoint, Device } from "./device.js";
import type { Engine } from "./engine.js";
import type { Pool } from "./pool.js";

/** Says how far long work is: an animated line on a terminal, one line a stage elsewhere, nothing with --quiet. */
export interface Progress {
  /** Begins a stage: "reading orders.csv". */
  stage(what: string): void;
  /** So much of the stage is done; the rate and the remaining time are worked out from it. */
  update(done: number, total?: number, unit?: string): void;
  /** Ends the stage, with what came of it. */
  done(what?: string): void;
}

/** For work inside a stage of another's. */
export const unheard: Progress = { stage: () => undefined, update: () => undefined, done: () => undefined };

/** What a piece of work gets from outside: held still by a test, set by flags in the program. */
export interface Run {
  readonly seed: number;
  readonly threads: number;
  /** The engine, opened when first asked for. */
  engine(): Promise<Engine>;
  /** The threads of numerical work, started when first needed. */
  readonly pool: Pool;
  /** Where neural learners run, opened when first asked for. */
  device(): Promise<Device>;
  /** Where a training leaves checkpoints; none when it need not be resumed. */
  readonly checkpoint?: Checkpoint;
  /** A folder for the event files of a training, which TensorBoard draws; none when not asked for. */
  readonly tensorboard?: string;
  /** A random stream of its own for every name. */
  rng(name: string): Rng;
  readonly progress: Progress;
  /** Says something that the user should know and that is no error. */
  warn(message: string): void;
  readonly signal: AbortSignal;
}
