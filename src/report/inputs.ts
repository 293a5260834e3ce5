import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { sha256OfFile } from "../core/hash.js";
import type { Engine } from "../engine/engine.js";
import { formatOfPath } from "../table/format.js";
import { openTable } from "../table/open.js";
import { missingFile } from "../table/source.js";
import type { Messages } from "./messages/messages.js";
import type { Source } from "./page.js";
import { result } from "./sections/result.js";
import { sections } from "./sections/listing.js";
import { isObject, type Document, type Found } from "./sections/section.js";

const understood = "a table, a model folder, a result saved as JSON, or the name of a pipeline that ran here";

/** Larger JSON documents than this are no results. */
const largestDocument = 64 * 1024 * 1024;

/**
 * Reads what a user named: files, model folders, and folders of stage results.
 *
 * @throws ShopaiError "data" naming the file that is no kind of input, and the kinds there are
 */
export async function inputsOf(
  engine: Engine,
  path: string,
  say: Messages,
  signal: AbortSignal,
): Promise<Found[]> {
  if (!existsSync(path) && !/[*?[{]/.test(path)) throw missingFile(path);
  if (existsSync(path) && statSync(path).isDirectory()) {
    const folder = await folderInput(path, say);
    if (folder) return [folder];
    if (holdsResults(path)) return resultsBelow(path, say);
    if (readdirSync(path).every((name) => name.startsWith(".")))
      throw new ShopaiError("data", "the folder is empty: there is nothing to report", {
        where: path,
        try: understood,
      });
  } else if (existsSync(path) && formatOfPath(path)?.name === "json" && !formatOfPath(path)?.compression) {
    const document = readDocument(path);
    if (!Array.isArray(document)) return [await documentInput(document, path, say)];
  } else if (existsSync(path) && !formatOfPath(path))
    throw unknownKind(path, "the ending does not say what it is");
  return [await tableInput(engine, path, say, signal)];
}

/** What a stage of a run left at a path; undefined for what a report does not show (a page, a gate's XML, a fit). */
export async function outputOf(
  engine: Engine,
  path: string,
  say: Messages,
  signal: AbortSignal,
): Promise<Found | undefined> {
  if (!existsSync(path)) return undefined;
  if (statSync(path).isDirectory()) {
    const folder = await folderInput(path, say);
    return folder ?? (await tableInput(engine, path, say, signal).catch(ignoringData));
  }
  const format = formatOfPath(path);
  if (!format) return undefined;
  if (format.name === "json" && !format.compression) {
    const document = readDocument(path);
    return isObject(document) && recognised(document) ? documentInput(document, path, say) : undefined;
  }
  return tableInput(engine, path, say, signal);
}

function ignoringData(error: unknown): undefined {
  if (error instanceof ShopaiError && error.kind === "data") return undefined;
  throw error;
}

/** The result of a stage, as the pipeline keeps it. */
export async function resultOf(path: string, say: Messages): Promise<Found> {
  return documentInput(readDocument(path), path, say);
}

async function sourceOf(path: string, kind: string): Promise<Source> {
  return { path, sha256: await sha256OfFile(path), kind };
}

async function folderInput(path: string, say: Messages): Promise<Found | undefined> {
  for (const section of sections) {
    const content = section.folder?.(path);
    if (content === undefined) continue;
    const card = await sourceOf(join(path, "model.json"), say.kinds[section.name as "model"]);
    return { name: path, section, content, sources: [card] };
  }
  return undefined;
}

function holdsResults(folder: string): boolean {
  const names = readdirSync(folder).filter((name) => !name.startsWith("."));
  return (
    names.length > 0 &&
    names.every((name) => name.endsWith(".json") && statSync(join(folder, name)).size < largestDocument) &&
    names.some((name) => isStageResult(readDocument(join(folder, name))))
  );
}

async function resultsBelow(folder: string, say: Messages): Promise<Found[]> {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort();
  const found: Found[] = [];
  for (const name of names) found.push(await resultOf(join(folder, name), say));
  return found;
}

function readDocument(path: string): unknown {
  if (statSync(path).size > largestDocument)
    throw unknownKind(path, "it is larger than any result; a table of JSON lines ends in .ndjson");
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ShopaiError("data", `this is no JSON: ${(cause as Error).message}`, {
      where: path,
      try: "writing it again: it may be half a file",
      cause,
    });
  }
}

interface StageResult {
  command: string;
  stage: string;
  result: Document;
}

function isStageResult(document: unknown): document is StageResult {
  return (
    isObject(document) &&
    typeof document.command === "string" &&
    typeof document.stage === "string" &&
    isObject(document.result)
  );
}

/** The first kind of section that knows a document, told by its keys. */
function recognised(document: unknown): Pick<Found, "section" | "content"> | undefined {
  if (!isObject(document)) return undefined;
  for (const section of sections) {
    const content = section.document?.(document);
    if (content !== undefined) return { section, content };
  }
  return undefined;
}

async function documentInput(document: unknown, path: string, say: Messages): Promise<Found> {
  const stage = isStageResult(document);
  const own = stage ? document.result : document;
  const known = recognised(own) ?? (stage ? { section: result, content: own } : undefined);
  if (!known) throw unknownKind(path, "its keys are of no result that a report shows");
  const kind = say.kinds[known.section.name as keyof Messages["kinds"]];
  return {
    ...known,
    name: stage ? say.stage(document.stage, document.command) : path,
    sources: [await sourceOf(path, kind)],
    document: own as Document,
  };
}

async function tableInput(engine: Engine, path: string, say: Messages, signal: AbortSignal): Promise<Found> {
  const relation = await openTable(engine, [path], { signal });
  for (const section of sections) {
    const content = section.table?.(relation);
    if (content === undefined) continue;
    const kind = say.kinds[section.name as keyof Messages["kinds"]];
    const sources = relation.inputs.map(({ path: own, sha256 }) => ({ path: own, sha256, kind }));
    return { name: path, section, content, sources };
  }
  throw unknownKind(path, "no section shows tables");
}

function unknownKind(path: string, why: string): ShopaiError {
  return new ShopaiError("data", `a report cannot show this file: ${why}`, { where: path, try: understood });
}
