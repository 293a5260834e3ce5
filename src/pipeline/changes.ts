import { stableJson } from "../core/hash.js";
import { grouped } from "../core/quantity.js";
import type { ContentFacts } from "./content.js";
import type { LockedStage, StageNow } from "./lock.js";

/** What was remembered of contents by their hash; a lock from another machine may name hashes never seen here. */
export type FactsOf = (hash: string) => ContentFacts | undefined;

/** Differences that are named one by one; the rest is counted. */
const mostNamed = 4;

/** Why a stage is not what the lock says: each difference in words, the most telling first; empty when all is equal. */
export function differences(locked: LockedStage | undefined, now: StageNow, facts: FactsOf): string[] {
  if (!locked) return ["never ran"];
  const found: string[] = [];
  if (locked.run !== now.run) return [`command ${locked.run} → ${now.run}`];
  if (locked.version !== now.version) found.push(`new version ${locked.version} → ${now.version}`);
  if (locked.seed !== now.seed) found.push(`seed ${locked.seed} → ${now.seed}`);
  for (const { name, before, after } of changedOptions(locked.options, now.options))
    found.push(`option \`${name}\` ${before} → ${after}`);
  for (const path of union(locked.inputs, now.inputs)) {
    const [before, after] = [locked.inputs[path], now.inputs[path]];
    if (before === after) continue;
    if (before === undefined) found.push(`input ${path} is new`);
    else if (after === undefined) found.push(`input ${path} is read no more`);
    else found.push(`input ${path}${contentChange(before, after, facts)}`);
  }
  if (found.length === 0 && shown(locked.in) !== shown(now.in))
    found.push(`inputs ${locked.in.join(", ")} → ${now.in.join(", ")}`);
  return found;
}

/** Options that differ; of a mapping (`param`) the entries that differ. */
export function changedOptions(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): { name: string; before: string; after: string }[] {
  return union(before, after).flatMap((name) => {
    const [one, other] = [before[name], after[name]];
    if (isMapping(one) && isMapping(other))
      return changedOptions(one, other).map((inner) => ({ ...inner, name: `${name}.${inner.name}` }));
    return shown(one) === shown(other) ? [] : [{ name, before: shown(one), after: shown(other) }];
  });
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/**
 * How the content of a path changed, from what was remembered of both: `: 3 rows more`,
 * `: \`outliers.iqr\` 1.5 → 3.0`; the hashes when nothing is known.
 */
export function contentChange(before: string, after: string, facts: FactsOf): string {
  const [old, now] = [facts(before), facts(after)];
  if (!old || !now) return ` changed (${short(before)} → ${short(after)})`;
  if (old.options && now.options) return `: ${optionChanges(old.options, now.options)}`;
  if (old.files && now.files) return `: ${fileChanges(old.files, now.files, facts)}`;
  if (old.rows !== undefined && now.rows !== undefined)
    return old.rows === now.rows ? `: as many rows, other values` : `: ${amount(now.rows - old.rows, "row")}`;
  if (old.bytes !== now.bytes) return `: ${amount(now.bytes - old.bytes, "byte")}`;
  return ` changed (${short(before)} → ${short(after)})`;
}

const amount = (difference: number, unit: string): string =>
  `${counted(Math.abs(difference), unit)} ${difference > 0 ? "more" : "fewer"}`;

const counted = (count: number, unit: string): string => `${grouped(count)} ${unit}${count === 1 ? "" : "s"}`;

function optionChanges(before: Record<string, string>, after: Record<string, string>): string {
  const changed = changedOptions(before, after).map(
    ({ name, before: old, after: now }) => `\`${name}\` ${old} → ${now}`,
  );
  return changed.length === 0 ? "another order of keys" : few(changed);
}

function fileChanges(before: Record<string, string>, after: Record<string, string>, facts: FactsOf): string {
  const names = union(before, after);
  const added = names.filter((name) => before[name] === undefined);
  const gone = names.filter((name) => after[name] === undefined);
  const changed = names.filter(
    (name) => before[name] !== undefined && after[name] !== undefined && before[name] !== after[name],
  );
  const parts = changed.map((name) => `${name}${contentChange(before[name], after[name], facts)}`);
  if (added.length > 0) parts.push(`${counted(added.length, "file")} more (${few(added)})`);
  if (gone.length > 0) parts.push(`${counted(gone.length, "file")} fewer (${few(gone)})`);
  return few(parts);
}

const few = (parts: readonly string[]): string =>
  parts.length <= mostNamed
    ? parts.join(", ")
    : `${parts.slice(0, mostNamed).join(", ")} and ${parts.length - mostNamed} more`;

/** How outputs on disk differ from the lock: `missing` ones can be made again, `changed` ones were touched by somebody else. */
export function outputDifferences(
  locked: LockedStage,
  outputs: Record<string, string | undefined>,
): { missing: string[]; changed: string[] } {
  const missing: string[] = [];
  const changed: string[] = [];
  for (const [path, now] of Object.entries(outputs)) {
    const before = locked.outputs[path];
    if (before === undefined) missing.push(`output ${path} is new`);
    else if (now === undefined) missing.push(`output ${path} is missing`);
    else if (now !== before)
      changed.push(`output ${path} is not what the stage wrote (${short(before)} → ${short(now)})`);
  }
  return { missing, changed };
}

export const short = (hash: string): string => hash.slice(0, 8);

const shown = (value: unknown): string =>
  value === undefined ? "unset" : typeof value === "string" ? value : stableJson(value);

export const union = (a: object, b: object): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
