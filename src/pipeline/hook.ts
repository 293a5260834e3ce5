import { ShopaiError } from "../core/errors.js";
import type { Plan } from "./plan.js";
import { runShell } from "./shell.js";
import { logPath } from "./state.js";

/**
 * Tells the pipeline's `on_failure` command that a run failed: what it is told stands in its environment
 * (SHOPAI_PIPELINE, SHOPAI_STAGE, SHOPAI_ERROR, SHOPAI_EXIT, SHOPAI_LOG). A hook that fails itself is a
 * warning: the run's own error is the one to tell.
 */
export async function tellFailure(
  plan: Plan,
  error: unknown,
  signal: AbortSignal,
  warn: (message: string) => void,
): Promise<void> {
  if (plan.onFailure === undefined || signal.aborted) return;
  const message = (error as Error).message;
  const stage = /^stage (\S+):/.exec(message)?.[1] ?? "";
  const words: string[] = [];
  const { code } = await runShell(plan.onFailure, {
    signal,
    log: (text) => void words.push(text),
    env: {
      SHOPAI_PIPELINE: plan.name,
      SHOPAI_STAGE: stage,
      SHOPAI_ERROR: message,
      SHOPAI_EXIT: String(error instanceof ShopaiError ? error.exitCode : 1),
      SHOPAI_LOG: stage === "" ? "" : logPath(plan.name, stage),
    },
  });
  if (code !== 0) warn(`on_failure ended with ${code}: ${words.join("").trim().slice(-200)}`);
}
