import type { Run } from "../engine/run.js";

/** What a stage of a pipeline works with: a Run that also takes down what a script or a shell command prints. */
export interface StageRun extends Run {
  log(text: string): void;
  /** Where a process that the stage starts is taken down, so that it can be ended if this one is killed. */
  childFile: string;
  /** The pipeline, and a hash of what its stages had read, been told and written when it began. */
  lineage(): { pipeline: string; lock: string };
}
