import { resolve } from "node:path";
import { readPipeline } from "./document.js";
import { planPipeline, type CommandListing, type Plan, type PlanAsk } from "./plan.js";
import { lockPath, projectFolder } from "./state.js";

export interface OpenedPipeline {
  plan: Plan;
  /** Its lock, an absolute path. */
  lockFile: string;
  /** The project folder: the working directory from now on. */
  project: string;
}

/**
 * Reads and plans a pipeline, and goes to its project folder.
 *
 * @param file  as typed, relative to the working directory
 * @param param `--param k=v` as typed
 * @throws ShopaiError "usage" with the place in the file
 */
export async function openPipeline(
  file: string,
  param: readonly string[],
  listing: CommandListing,
  ask: PlanAsk,
): Promise<OpenedPipeline> {
  const document = readPipeline(file, param);
  const lockFile = resolve(lockPath(file));
  const project = projectFolder(file);
  process.chdir(project);
  return { plan: await planPipeline(document, listing, project, ask), lockFile, project };
}
