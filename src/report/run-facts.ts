/** A run of a pipeline, as a report tells it. */
export interface RunFacts {
  pipeline: string;
  /** The last run that did something; absent where none was recorded. */
  last?: { run: number; began: string; seconds: number; error?: string; params: Record<string, unknown> };
  /** What a shell would be told to do it all again. */
  again: string[];
  /** In the order in which they run. */
  stages: (Step & { result?: string; status?: string; seconds?: number; why?: string[] })[];
}

/** One thing that was made: by a stage, or by a command whose output says so. */
export interface Step {
  name: string;
  command: string;
  /** Files and folders. */
  reads: string[];
  writes: string[];
  /** As one would type it, where all of it is known. */
  typed?: string;
  /** Of a cleaning: what was cleaned. */
  raw?: string[];
}

/** What is known of a command that wrote a file. */
export interface Made {
  command: string;
  options: Record<string, unknown>;
  seed?: number;
  /** Positional inputs; undefined where they are not known for certain. */
  in?: string[];
  reads: string[];
  out: string;
}

/** A command as one would type it; undefined where that is not known for certain. */
export type Spell = (made: Made) => Promise<string | undefined>;
