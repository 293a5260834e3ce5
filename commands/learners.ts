import { describedLearner } from "../src/learners/listing.js";
import { roleHelp, rolesOf, tasks, type Learner, type RoleName } from "../src/learners/learner.js";
import { rangeOf } from "../src/learners/params.js";
import { learnerNamed, learnerNames } from "../src/learners/registry.js";
import { defineCommand, option, type Block } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "learners",
  summary: summaries.learners,
  inputs: {
    usage: "[learner...]",
    min: 0,
    max: Infinity,
    help: "learners to show in full",
    choices: learnerNames,
  },
  examples: ["shopai learners", "shopai learners ease", "shopai learners --task recommendation --json"],
  options: {
    task: option.choice("only learners for this task", tasks).optional(),
  },
  reads: () => [],
  writes: () => [],
  async run(o) {
    const named = o.in.length > 0;
    const all = await Promise.all((named ? o.in : learnerNames).map(learnerNamed));
    const shown = all.filter(
      (learner) => o.task === undefined || (learner.tasks ?? [learner.task]).includes(o.task),
    );
    return {
      json: shown.map(describedLearner),
      blocks: named ? shown.flatMap(inFull) : overview(shown),
    };
  },
});

function overview(learners: readonly Learner[]): Block[] {
  return [
    {
      kind: "table",
      head: ["task", "learner", "what it does"],
      rows: learners
        .toSorted((a, b) => (a.task < b.task ? -1 : a.task > b.task ? 1 : 0))
        .map((learner) => [learner.task, learner.name, learner.summary]),
    },
    { kind: "line", text: "Every parameter of one: shopai learners <learner>" },
  ];
}

function inFull(learner: Learner): Block[] {
  return [
    {
      kind: "title",
      text: `${learner.name} (${(learner.tasks ?? [learner.task]).join(", ")}): ${learner.summary}`,
    },
    { kind: "line", text: `  ${learner.source}` },
    {
      kind: "pairs",
      rows: Object.entries(rolesOf(learner)).map(([role, need]) => [
        `--${role}`,
        `${roleHelp[role as RoleName]}${need === "optional" ? " (optional)" : ""}`,
      ]),
    },
    {
      kind: "table",
      head: ["--param", "default", "takes", "what it does"],
      rows: Object.entries(learner.params).map(([name, param]) => [
        name,
        String(param.default),
        rangeOf(param),
        param.help,
      ]),
    },
  ];
}
