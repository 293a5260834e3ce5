import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
import type { Pairing } from "../metrics/against.js";
import { runNumbers, readRun } from "./history.js";
import { lockFrom, type LockFile, type MetricEntry } from "./lock.js";
import { lockPath } from "./state.js";

/** One side of a comparison. */
export interface Side {
  /** As it was typed, for heads of tables. */
  label: string;
  /** Locks by name: one for a lock, a pipeline or a run, many for a git revision. */
  locks: Record<string, LockFile>;
  /** Metrics files by name. */
  metrics: Record<string, MetricsDocument>;
}

export interface MetricsDocument {
  task: string;
  metrics: Record<string, MetricEntry>;
  pairing?: Pairing;
}

const isLock = (path: string): boolean => /\.lock\.yaml$/.test(path);

/**
 * Reads what a user named: a metrics file, a lock, a pipeline (its lock), `<pipeline>#<run>` (`#last`),
 * `<revision>:<path>` or a git revision.
 *
 * @throws ShopaiError "data" when it is none of them
 */
export function readSide(name: string): Side {
  const run = /^(.+)#(\d+|last)$/.exec(name);
  if (run) return runSide(name, run[1], run[2]);
  if (existsSync(name)) return fileSide(name, name, readFileSync(name, "utf8"));
  const cut = name.indexOf(":");
  if (cut > 0) {
    const path = name.slice(cut + 1);
    return fileSide(name, path, git(["show", `${name.slice(0, cut)}:./${path}`], name));
  }
  return revisionSide(name);
}

/** The files of the working tree that the other side has, too. */
export function workingSide({ locks, metrics }: Side): Side {
  const side: Side = { label: "working tree", locks: {}, metrics: {} };
  const own = git(["ls-files", "--cached", "--others", "--exclude-standard", "*.lock.yaml"], "git").split(
    "\n",
  );
  for (const path of new Set([...Object.keys(locks), ...own.filter(Boolean)]))
    if (existsSync(path)) addFile(side, path, readFileSync(path, "utf8"));
  for (const path of Object.keys(metrics))
    if (existsSync(path)) addFile(side, path, readFileSync(path, "utf8"));
  return side;
}

function runSide(label: string, pipeline: string, number: string): Side {
  const numbers = runNumbers(pipeline);
  const run = number === "last" ? numbers.at(-1) : Number(number);
  const record = run === undefined ? undefined : readRun(pipeline, run);
  if (!record)
    throw new ShopaiError("data", `there is no run ${number} of ${pipeline}`, {
      where: label,
      try: numbers.length > 0 ? `${pipeline}#${numbers.at(-1)}` : `shopai run ${pipeline}.yaml`,
    });
  return { label, locks: { [pipeline]: record.lock }, metrics: {} };
}

function fileSide(label: string, path: string, text: string): Side {
  const side: Side = { label, locks: {}, metrics: {} };
  if (/\.ya?ml$/i.test(path) && !isLock(path)) {
    const lock = label === path ? lockPath(path) : "";
    if (!existsSync(lock))
      throw new ShopaiError("data", "the pipeline has no lock", { where: path, try: `shopai run ${path}` });
    side.locks[""] = lockFrom(readFileSync(lock, "utf8"), lock);
  } else if (isLock(path)) side.locks[""] = lockFrom(text, label);
  else {
    const metrics = metricsFrom(text);
    if (!metrics)
      throw new ShopaiError("data", "the file is neither a lock nor metrics", {
        where: label,
        try: "a *.lock.yaml, a pipeline, or a file that evaluate wrote with -o",
      });
    side.metrics[""] = metrics;
  }
  return side;
}

/** All locks and metrics files that a revision holds below the working directory. */
function revisionSide(revision: string): Side {
  const side: Side = { label: revision, locks: {}, metrics: {} };
  const names = git(["ls-tree", "-r", "--name-only", revision], revision).split("\n");
  const changed = git(["diff", "--name-only", "--relative", revision, "--", "*.json"], revision).split("\n");
  for (const path of names)
    if (isLock(path) || changed.includes(path))
      addFile(side, path, git(["show", `${revision}:./${path}`], revision));
  return side;
}

function addFile(side: Side, path: string, text: string): void {
  if (isLock(path)) side.locks[path] = lockFrom(text, path);
  else {
    const metrics = metricsFrom(text);
    if (metrics) side.metrics[path] = metrics;
  }
}

function metricsFrom(text: string): MetricsDocument | undefined {
  try {
    const content = JSON.parse(text) as {
      task?: unknown;
      metrics?: Record<string, unknown>;
      intervals?: Record<string, [number, number] | null>;
      pairing?: Pairing;
    };
    if (typeof content.task !== "string" || !content.metrics || typeof content.metrics !== "object")
      return undefined;
    const entries = Object.entries(content.metrics).filter(
      ([, value]) => value === null || typeof value === "number",
    );
    return {
      task: content.task,
      metrics: Object.fromEntries(
        entries.map(([name, value]) => [
          name,
          [value as number | null, ...(content.intervals?.[name] ?? [])],
        ]),
      ),
      pairing: content.pairing,
    };
  } catch {
    return undefined;
  }
}

function git(words: readonly string[], asked: string): string {
  try {
    return execFileSync("git", words, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1e9,
    });
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim().split("\n")[0];
    throw new ShopaiError("data", `"${asked}" is neither a file, a run nor a git revision`, {
      where: said || process.cwd(),
      try: "a metrics file, a *.lock.yaml, <pipeline>#<run>, <revision>, or <revision>:<path>",
      cause,
    });
  }
}
