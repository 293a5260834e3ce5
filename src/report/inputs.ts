import { forecastColumns, type ForecastColumns } from "../forecast/forecast-table.js";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { sha256OfFile } from "../core/hash.js";
import type { Engine } from "../engine/engine.js";
import type { TableProfile } from "../clean/profile.js";
import type { ModelCard } from "../learners/learner.js";
import { isModelFolder, readModelCard } from "../learners/model-folder.js";
import type { Comparison } from "../metrics/against.js";
import type { GroupFairness } from "../metrics/fairness.js";
import type { SliceScore } from "../metrics/scorecard.js";
import { formatOfPath } from "../table/format.js";
import { openTable } from "../table/open.js";
import type { Relation } from "../table/relation.js";
import { missingFile } from "../table/source.js";
import type { Source } from "./page.js";

/** What an input of a report was taken for. */
export type Input = {
  /** What to call it: the path as typed, or the stage of a pipeline. */
  name: string;
  sources: Source[];
} & Content;

export type Content =
  | { kind: "cleaning"; result: CleaningResult }
  | { kind: "profile"; profile: TableProfile }
  | { kind: "model"; folder?: string; card: Partial<ModelCard> & { learner: string; task: string } }
  | { kind: "metrics"; result: MetricsResult }
  | { kind: "backtest"; result: BacktestResult }
  | { kind: "result"; command: string; result: Record<string, unknown> }
  | { kind: "forecasts"; relation: Relation; columns: ForecastColumns }
  | { kind: "rejects"; relation: Relation }
  | { kind: "recommendations"; relation: Relation }
  | { kind: "table"; relation: Relation };

/** The result of `clean`. */
export interface CleaningResult {
  rows_in: number;
  rows_out: number;
  rejected: number;
  duplicates: number;
  repaired: number;
  by_rule: Record<string, number>;
}

/** The result of `evaluate`. */
export interface MetricsResult {
  task: string;
  rows: number;
  metrics: Record<string, number | null>;
  intervals?: Record<string, [number, number] | null>;
  slices?: Record<string, Record<string, SliceScore>>;
  against?: Comparison;
  fairness?: { column: string; reference: string; groups: Record<string, GroupFairness> };
}

/** The result of `forecast`. */
export interface BacktestResult {
  horizon: number;
  series?: number;
  metrics: Record<string, Record<string, number | null>>;
  chosen?: Record<string, number>;
}

const understood =
  "a table, a model folder, metrics.json of evaluate, a result of any command saved with --json, or .shopai/results/<pipeline>";

/** Larger JSON documents than this are no results. */
const largestDocument = 64 * 1024 * 1024;

/**
 * Reads what a user named: files, folders, and names of pipelines that ran here.
 *
 * @throws ShopaiError "data" naming the file that is no kind of input, and the kinds there are
 */
export async function readInputs(
  engine: Engine,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Input[]> {
  const found: Input[] = [];
  for (const path of paths) found.push(...(await inputsOf(engine, path, signal)));
  return found;
}

async function inputsOf(engine: Engine, path: string, signal: AbortSignal): Promise<Input[]> {
  const results = join(".shopai/results", path);
  if (!existsSync(path) && !/[*?[{]/.test(path)) {
    if (/^[\w.-]+$/.test(path) && existsSync(results)) return resultsBelow(results);
    throw missingFile(path);
  }
  if (existsSync(path) && statSync(path).isDirectory()) {
    if (isModelFolder(path)) return [await modelInput(path)];
    if (holdsResults(path)) return resultsBelow(path);
  } else if (existsSync(path) && formatOfPath(path)?.name === "json" && !formatOfPath(path)?.compression) {
    const document = readDocument(path);
    if (!Array.isArray(document))
      return [{ sources: [await sourceOf(path)], ...contentOf(document, path) }].map(named);
  } else if (existsSync(path) && !formatOfPath(path))
    throw unknownKind(path, "the ending does not say what it is");
  return [await tableInput(engine, path, signal)];
}

/** Sources are listed under the kind that was found. */
function named<T extends Input>(input: T): T {
  return { ...input, sources: input.sources.map((source) => ({ ...source, kind: kindNames[input.kind] })) };
}

export const kindNames: Record<Content["kind"], string> = {
  cleaning: "result of clean",
  profile: "profile of a table",
  model: "model",
  metrics: "metrics",
  backtest: "result of forecast",
  result: "result",
  forecasts: "forecasts",
  rejects: "refused rows",
  recommendations: "recommendations",
  table: "table",
};

async function sourceOf(path: string): Promise<Source> {
  return { path, sha256: await sha256OfFile(path), kind: "" };
}

async function modelInput(path: string): Promise<Input> {
  return named({
    kind: "model",
    name: path,
    folder: path,
    card: readModelCard(path),
    sources: [await sourceOf(join(path, "model.json"))],
  });
}

function holdsResults(folder: string): boolean {
  const names = readdirSync(folder).filter((name) => !name.startsWith("."));
  return (
    names.length > 0 &&
    names.every((name) => name.endsWith(".json") && statSync(join(folder, name)).size < largestDocument) &&
    names.some((name) => isStageResult(readDocument(join(folder, name))))
  );
}

async function resultsBelow(folder: string): Promise<Input[]> {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort();
  const inputs: Input[] = [];
  for (const name of names) {
    const path = join(folder, name);
    inputs.push(named({ sources: [await sourceOf(path)], ...contentOf(readDocument(path), path) }));
  }
  return inputs;
}

function readDocument(path: string): unknown {
  if (statSync(path).size > largestDocument)
    throw unknownKind(path, "it is larger than any result; a table of JSON lines ends in .ndjson");
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ShopaiError("data", `this is no JSON: ${(cause as Error).message}`, {
      where: path,
      try: understood,
      cause,
    });
  }
}

interface StageResult {
  command: string;
  stage: string;
  result: Record<string, unknown>;
}

function isStageResult(document: unknown): document is StageResult {
  return (
    isObject(document) &&
    typeof document.command === "string" &&
    typeof document.stage === "string" &&
    isObject(document.result)
  );
}

/** What a JSON document holds, told by its keys. */
function contentOf(document: unknown, path: string): Content & { name: string } {
  if (isStageResult(document)) {
    const content = known(document.result) ?? {
      kind: "result" as const,
      command: document.command,
      result: document.result,
    };
    return { ...content, name: `stage ${document.stage} (${document.command})` };
  }
  const content = known(document);
  if (!content) throw unknownKind(path, "its keys are of no result that a report shows");
  return { ...content, name: path };
}

function known(document: unknown): Content | undefined {
  if (!isObject(document)) return undefined;
  const has = (...keys: string[]): boolean => keys.every((key) => key in document);
  const as = <T>(): T => document as unknown as T;
  if (has("rows_in", "rows_out", "by_rule")) return { kind: "cleaning", result: as() };
  if (has("horizon", "metrics") && isObject(document.metrics)) return { kind: "backtest", result: as() };
  if (has("task", "metrics") && isObject(document.metrics)) return { kind: "metrics", result: as() };
  if (has("learner", "task", "params")) return { kind: "model", card: as() };
  if (
    has("rows", "columns") &&
    Array.isArray(document.columns) &&
    document.columns.every((column) => isObject(column) && "nulls" in column)
  )
    return { kind: "profile", profile: as() };
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function tableInput(engine: Engine, path: string, signal: AbortSignal): Promise<Input> {
  const relation = await openTable(engine, [path], { signal });
  const names = relation.schema.map((field) => field.name);
  const columns = forecastColumns(relation);
  const content: Content = columns
    ? { kind: "forecasts", relation, columns }
    : ["_reason", "_source", "_line"].every((name) => names.includes(name))
      ? { kind: "rejects", relation }
      : names.length === 4 && names[2] === "score" && names[3] === "rank"
        ? { kind: "recommendations", relation }
        : { kind: "table", relation };
  const sources = relation.inputs.map((record) => ({ path: record.path, sha256: record.sha256, kind: "" }));
  return named({ name: path, sources, ...content });
}

function unknownKind(path: string, why: string): ShopaiError {
  return new ShopaiError("data", `a report cannot show this file: ${why}`, { where: path, try: understood });
}
