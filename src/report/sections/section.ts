import type { Run } from "../../engine/run.js";
import type { Relation } from "../../table/relation.js";
import type { Messages, SectionName } from "../messages/messages.js";
import type { Fact, Part, Source } from "../page.js";

/** An input of a report, and what it was taken for. */
export interface Found<T = unknown> {
  /** What to call it: the path as typed, or the stage of a pipeline. */
  name: string;
  section: SectionKind<T>;
  content: T;
  sources: Source[];
  /** The document that it was read from, for those that are JSON. */
  document?: Document;
}

export type Document = Record<string, unknown>;

/** What sections are made with. */
export interface Making {
  run: Run;
  /** The texts of the page's language. */
  say: Messages;
  /** All that was given of a kind. */
  of<T>(kind: SectionKind<T>): Found<T>[];
  /** Tables as they were before cleaning, by the path of the clean one. */
  raw: ReadonlyMap<string, readonly string[]>;
}

/** A figure for the summary. The least weight comes first: money, then what models are worth, then the rest. */
export type WeightedFact = Fact & { weight: number };
export const weights = { money: 0, alarm: 5, quality: 10, forecast: 20, reach: 25, data: 30 };

/**
 * A kind of input and the section that it gets. A new one is a file of this folder, its line in
 * listing.ts and its texts: how it is recognised, what is shown of it, and what of it belongs in the summary.
 */
export interface SectionKind<T> {
  /** Its title and what its inputs are called stand under this name in the messages. */
  name: SectionName;
  /** What a JSON document holds, when it is of this kind. */
  document?(document: Document): T | undefined;
  /** The same for a table. */
  table?(relation: Relation): T | undefined;
  /** The same for a folder. */
  folder?(path: string): T | undefined;
  parts(found: Found<T>, making: Making): Part[] | Promise<Part[]>;
  facts?(found: Found<T>, making: Making): WeightedFact[] | Promise<WeightedFact[]>;
}

/** Declares a section; nothing but a place for the types to meet. */
export function defineSection<T>(kind: SectionKind<T>): SectionKind<T> {
  return kind;
}

export function isObject(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a document has all of these keys. */
export function has(document: Document, ...keys: string[]): boolean {
  return keys.every((key) => key in document);
}
