import { existsSync, readdirSync } from "node:fs";
import type { RunFacts, Spell } from "../report/run-facts.js";
import type { Command } from "./command.js";
import { readRun, runNumbers, type RunRecord } from "./history.js";
import type { LockedStage } from "./lock.js";
import type { CommandListing } from "./plan.js";
import { stageKinds } from "./plan.js";
import { resultPath, runsFolder, stateFolder } from "./state.js";
import { quoted, typedLine } from "./typed.js";

/** Pipelines that left something in the state folder of the working directory. */
export function knownPipelines(): string[] {
  const names = [`${stateFolder}/results`, `${stateFolder}/runs`].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder) : [],
  );
  return [...new Set(names)].sort();
}

/** What is known of a pipeline's last run; undefined when it never ran here. */
export async function runFacts(pipeline: string, listing: CommandListing): Promise<RunFacts | undefined> {
  const number = existsSync(runsFolder(pipeline)) ? runNumbers(pipeline).at(-1) : undefined;
  const record = number === undefined ? undefined : readRun(pipeline, number);
  const folder = resultPath(pipeline, "").replace(/\/\.json$/, "");
  const results = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".json"))
        .map((name) => name.slice(0, -".json".length))
        .sort()
    : [];
  if (!record && results.length === 0) return undefined;
  // A run that was cut short tells only of the stages that it came to; the lock has what earlier ones left.
  const names = record
    ? [...new Set([...record.stages.map(({ stage }) => stage), ...Object.keys(record.lock)])]
    : results;
  const stages: RunFacts["stages"] = [];
  for (const name of names) {
    const outcome = record?.stages.find(({ stage }) => stage === name);
    const locked = record?.lock[name];
    const result = results.includes(name) ? resultPath(pipeline, name) : undefined;
    if (!locked && !result && !outcome) continue;
    stages.push({
      name,
      command: locked?.run ?? outcome?.command ?? "",
      reads: locked ? Object.keys(locked.inputs) : [],
      writes: locked ? Object.keys(locked.outputs) : [],
      typed: locked && (await lineOf(locked, listing)),
      raw: locked?.run === "clean" ? locked.in : undefined,
      result,
      status: outcome?.status,
      seconds: outcome?.seconds,
      why: outcome?.why,
    });
  }
  return { pipeline, last: record && lastOf(record), again: againOf(pipeline, record), stages };
}

const lastOf = ({ run, began, seconds, error, params }: RunRecord): RunFacts["last"] => ({
  run,
  began,
  seconds,
  error,
  params,
});

/** The pipeline's file is where pipelines usually are; it may lie elsewhere, and then nothing is said. */
function againOf(pipeline: string, record: RunRecord | undefined): string[] {
  const file = [`pipelines/${pipeline}.yaml`, `${pipeline}.yaml`].find((path) => existsSync(path));
  if (file === undefined || !record) return [];
  const params = Object.entries(record.params).flatMap(([name, value]) =>
    value === null || typeof value === "object" ? [] : ["--param", `${name}=${String(value)}`],
  );
  const line = ["shopai", "run", file, ...params].map(quoted).join(" ");
  return [line, `${line} --frozen`];
}

/** What was written and no option names is the output itself. */
async function lineOf(locked: LockedStage, listing: CommandListing): Promise<string | undefined> {
  const command = await commandOf(locked.run, listing);
  if (!command) return undefined;
  const asOptions = Object.values(locked.options).flat();
  const outs = Object.keys(locked.outputs).filter(
    (path) => !asOptions.includes(path) && !path.startsWith(`${stateFolder}/results/`),
  );
  if (outs.length > 1) return undefined;
  return typedLine(command, { in: locked.in, options: locked.options, seed: locked.seed, out: outs[0] });
}

async function commandOf(name: string, listing: CommandListing): Promise<Command | undefined> {
  if (name in stageKinds || !Object.hasOwn(listing, name)) return undefined;
  return (await listing[name].load()).default;
}

/** How a command that a file records is typed, where all of it is known: `decide` does not record what it decided. */
export function speller(listing: CommandListing): Spell {
  return async ({ command: name, options, seed, in: inputs, out }) => {
    const command = await commandOf(name, listing);
    if (!command || !inputs || name === "decide") return undefined;
    return typedLine(command, { in: inputs, options, seed, out });
  };
}
