import type { Learner } from "./learner.js";
import { roleHelp, rolesOf, type RoleName } from "./learner.js";
import { rangeOf } from "./params.js";

/** A learner as `learners --json` tells it. */
export function describedLearner(learner: Learner): Record<string, unknown> {
  const { name, task, tasks = [task], summary, source, features } = learner;
  return {
    name,
    task,
    tasks,
    summary,
    source,
    roles: Object.entries(rolesOf(learner)).map(([role, need]) => ({
      name: role,
      required: need === "required",
      help: roleHelp[role as RoleName],
    })),
    features,
    params: Object.entries(learner.params).map(([param, about]) => ({ name: param, ...finite(about) })),
  };
}

/** Without the ends of ranges that are open. */
function finite<T extends object>(param: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(param).filter(
      ([, value]) => value !== Number.MAX_VALUE && value !== Number.MAX_SAFE_INTEGER,
    ),
  ) as Partial<T>;
}

/** What `train <learner> --help` adds to the help of `train`. */
export function parametersText(learner: Learner): string {
  const rows = Object.entries(learner.params).map(([name, param]) => [
    `${name}=${String(param.default)}`,
    `${param.help} (${rangeOf(param)})`,
  ]);
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  const roles = Object.entries(rolesOf(learner)).map(
    ([role, need]) => `--${role}${need === "optional" ? " (optional)" : ""}`,
  );
  if (learner.features) roles.push("--features (optional)");
  return [
    "",
    `${learner.name}: ${learner.summary}`,
    `  ${learner.source}`,
    `  uses ${roles.join(", ")}`,
    ...(rows.length > 0 ? ["", "Parameters, each as --param name=value:"] : []),
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    "",
  ].join("\n");
}
