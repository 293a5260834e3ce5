import { counted } from "../core/quantity.js";
import type { Block } from "../pipeline/command.js";
import type { StageOutcome } from "../pipeline/execute.js";

/** What ran, or would run, as a table; of what would run also how long it took before. */
export function outcomeBlocks(stages: readonly StageOutcome[], ahead: boolean): Block[] {
  const table: Block = {
    kind: "table",
    head: ["stage", "command", "status", ahead ? "took before" : "seconds", "why"],
    rows: stages.map((one) => [
      one.stage,
      one.command,
      one.status,
      rounded(ahead ? one.expected : one.seconds),
      whyText(one),
    ]),
  };
  return ahead ? [table, { kind: "line", text: outlook(stages) }] : [table];
}

const rounded = (seconds: number | undefined): string => (seconds === undefined ? "" : seconds.toFixed(1));

/** At most three reasons a stage: the whole list is in `--json`. */
export function whyText({ why }: StageOutcome): string {
  return why.length <= 3 ? why.join("; ") : `${why.slice(0, 3).join("; ")}; and ${why.length - 3} more`;
}

/** "3 stages would run, 2 may: about 42 s by the last runs" */
export function outlook(stages: readonly StageOutcome[]): string {
  const would = stages.filter(({ status }) => status === "would run");
  const may = stages.filter(({ status }) => status === "may run");
  if (would.length + may.length === 0) return "nothing to do";
  const told = [
    would.length > 0 ? `${counted(would.length, "stage")} would run` : "",
    may.length > 0 ? `${counted(may.length, "stage")} may` : "",
  ];
  const stale = [...would, ...may];
  const known = stale.filter(({ expected }) => expected !== undefined);
  const seconds = known.reduce((sum, { expected }) => sum + expected!, 0);
  const unknown = stale.length - known.length;
  const time =
    known.length === 0
      ? "never timed yet"
      : `about ${duration(seconds)} by the last runs${unknown > 0 ? `, without ${counted(unknown, "stage")} never timed` : ""}`;
  return `${told.filter(Boolean).join(", ")}: ${time}`;
}

export const duration = (seconds: number): string =>
  seconds < 120
    ? `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
    : `${Math.round(seconds / 60)} min`;
