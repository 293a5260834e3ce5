import { ShopaiError } from "../core/errors.js";
import type { Stage } from "./plan.js";

/** Values shorter than this stand in too many words to be hidden. */
const shortest = 3;

/** Replaces the values of a stage's environment variables by their names: in logs, results and errors. */
export type Mask = (text: string) => string;

/** Names of environment variables that a shell or script stage declared with `env`. */
export const envNames = (stage: Stage): string[] =>
  "env" in stage.command.options ? ((stage.options as { env?: string[] }).env ?? []) : [];

/** @throws ShopaiError "usage" naming the variables that a stage needs and the environment has not */
export function checkEnvironment(stages: readonly Stage[]): void {
  for (const stage of stages) {
    const missing = envNames(stage).filter((name) => process.env[name] === undefined);
    if (missing.length > 0)
      throw new ShopaiError(
        "usage",
        `stage ${stage.name} needs ${missing.join(" and ")} in the environment`,
        { where: stage.where("env"), try: missing.map((name) => `${name}=…`).join(" ") + " shopai run …" },
      );
  }
}

export function maskOf(stage: Stage): Mask {
  const hidden = envNames(stage)
    .map((name) => [process.env[name] ?? "", `$${name}`] as const)
    .filter(([value]) => value.length >= shortest)
    .sort(([a], [b]) => b.length - a.length);
  return (text) => hidden.reduce((masked, [value, name]) => masked.replaceAll(value, name), text);
}
