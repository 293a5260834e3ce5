import { readFileSync } from "node:fs";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { z } from "zod";
import { listed, nearest, ShopaiError, type ErrorKind } from "./errors.js";

/** A place in a YAML file, as people count: the first line is 1, the first column is 1. */
export interface Spot {
  line: number;
  col: number;
  /** The line of the file and a caret under the place, two lines of text. */
  caret: string;
}

/** Keys and indices from the top of a document: `["columns", "price", "min"]`. */
export type YamlPath = readonly (string | number)[];

/** A YAML document that still knows where everything stood. */
export interface YamlSource {
  /** The file's name, for errors. */
  path: string;
  /** The document as plain values; undefined when the file holds nothing. */
  value: unknown;
  /** Where the value at a path stands (or its key); the nearest parent when the path does not exist. */
  locate(path: YamlPath, at?: "key" | "value"): Spot;
  /** A scalar as it was written, so that `007` stays `007`; undefined for anything but a scalar. */
  textAt(path: YamlPath): string | undefined;
}

/** Reads a YAML file. @throws ShopaiError "data" when it is not there, "usage" as `parseYaml` */
export function readYaml(path: string): YamlSource {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new ShopaiError("data", missing ? "no such file" : "the file cannot be read", {
      where: path,
      try: "the path of a YAML file",
      cause,
    });
  }
  return parseYaml(text, path);
}

/**
 * Parses one YAML document and keeps the positions of its parts.
 *
 * @param path the file's name, for errors
 * @throws ShopaiError "usage" with line, column and caret when the text is not YAML or repeats a key
 */
export function parseYaml(text: string, path: string): YamlSource {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const spotAt = (offset: number): Spot => spot(text, counter, offset);
  const [fault] = document.errors;
  if (fault) {
    const place = spotAt(fault.pos[0]);
    throw new ShopaiError("usage", `the YAML cannot be read: ${lowered(fault.message)}`, {
      where: whereText(path, place),
      try:
        fault.code === "DUPLICATE_KEY"
          ? "each key once"
          : "mending this line (indent with spaces, quote texts that hold : or #)",
    });
  }
  return {
    path,
    value: plainValue(document, path),
    locate: (keys, at = "value") => spotAt(offsetOf(document, keys, at)),
    textAt(keys) {
      const node = walk(document, keys).at(-1)?.value;
      return isScalar(node) ? (node.source ?? String(node.value)) : undefined;
    },
  };
}

function plainValue(document: Document.Parsed, path: string): unknown {
  try {
    return (document.toJS({ maxAliasCount: 100 }) as unknown) ?? undefined;
  } catch (cause) {
    throw new ShopaiError("usage", `the YAML cannot be read: ${lowered((cause as Error).message)}`, {
      where: path,
      try: "fewer aliases",
      cause,
    });
  }
}

interface Step {
  key?: Node;
  value?: Node;
}

/** The nodes met along a path, the document's own first; shorter than the path where it does not exist. */
function walk(document: Document.Parsed, path: YamlPath): Step[] {
  const steps: Step[] = [{ value: document.contents ?? undefined }];
  for (const part of path) {
    let node: Node | undefined = steps.at(-1)!.value;
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => String(isScalar(item.key) ? item.key.value : item.key) === String(part),
      );
      if (!pair) break;
      steps.push({ key: pair.key as Node, value: (pair.value as Node | null) ?? undefined });
    } else if (isSeq(node)) {
      const item = node.items[Number(part)] as Node | undefined;
      if (!item) break;
      steps.push({ value: item });
    } else break;
  }
  return steps;
}

function offsetOf(document: Document.Parsed, path: YamlPath, at: "key" | "value"): number {
  const { key, value } = walk(document, path).at(-1)!;
  const node = (at === "key" ? (key ?? value) : (value ?? key)) as Node | undefined;
  return node?.range?.[0] ?? 0;
}

function spot(text: string, counter: LineCounter, offset: number): Spot {
  // An error at the end of the file belongs to the last line that holds something.
  const bounded = Math.min(offset, Math.max(0, text.trimEnd().length));
  const { line, col } = counter.linePos(bounded);
  const start = counter.lineStarts[Math.max(0, line - 1)] ?? 0;
  const end = text.indexOf("\n", start);
  const source = text.slice(start, end < 0 ? undefined : end).replace(/\r$/, "");
  const number = String(Math.max(1, line));
  const indent = source.slice(0, Math.max(0, col - 1)).replace(/[^\t]/g, " ");
  return {
    line: Math.max(1, line),
    col: Math.max(1, col),
    caret: `${number} | ${source}\n${" ".repeat(number.length)} | ${indent}^`,
  };
}

const lowered = (message: string): string => {
  const first = message.split("\n")[0];
  return first.slice(0, 1).toLowerCase() + first.slice(1);
};

const whereText = (path: string, place: Spot): string => `${path}:${place.line}:${place.col}\n${place.caret}`;

/** An error that points into a YAML file: `file:line:column`, the line itself and a caret under the place. */
export function yamlError(
  source: YamlSource,
  path: YamlPath,
  message: string,
  detail: { try?: string; kind?: ErrorKind; at?: "key" | "value"; cause?: unknown } = {},
): ShopaiError {
  return new ShopaiError(detail.kind ?? "usage", message, {
    where: whereText(source.path, source.locate(path, detail.at)),
    try: detail.try,
    cause: detail.cause,
  });
}

/**
 * Checks a document by a schema and gives the typed value.
 *
 * @throws ShopaiError "usage" at the first place that does not fit, with the nearest valid word for an unknown key or choice
 */
export function checkYaml<S extends z.ZodType>(source: YamlSource, schema: S): z.output<S> {
  const parsed = schema.safeParse(source.value);
  if (parsed.success) return parsed.data;
  const { issue, path } = deepest(mostTelling(parsed.error.issues), []);
  throw issueError(source, schema, issue, path);
}

type Issue = z.core.$ZodIssue;

/** An unknown key explains a missing one: it is most often its misspelling. */
const mostTelling = (issues: readonly Issue[]): Issue =>
  issues.find((issue) => issue.code === "unrecognized_keys") ?? issues[0];

/** For a value that fits no branch of a union: the complaint of the branch that came furthest. */
function deepest(issue: Issue, above: YamlPath): { issue: Issue; path: YamlPath } {
  const path = [...above, ...(issue.path as (string | number)[])];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return { issue, path };
  const branches = issue.errors
    .filter((errors) => errors.length > 0)
    .map((errors) => deepest(mostTelling(errors), path));
  const reach = (branch: (typeof branches)[number]): number =>
    branch.path.length + (branch.issue.code === "unrecognized_keys" ? 1 : 0);
  const furthest = Math.max(...branches.map(reach));
  return furthest > path.length ? branches.find((branch) => reach(branch) === furthest)! : { issue, path };
}

function issueError(source: YamlSource, schema: z.ZodType, issue: Issue, path: YamlPath): ShopaiError {
  const name = path.length > 0 ? dotted(path) : "the document";
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = keysAt(schema, path);
      const key = issue.keys[0];
      return yamlError(
        source,
        [...path, key],
        `unknown key "${key}"${path.length > 0 ? ` in ${name}` : ""}`,
        {
          at: "key",
          try: suggestion(key, known),
        },
      );
    }
    case "invalid_value": {
      const choices = issue.values.map(String);
      const given = source.textAt(path);
      return given === undefined && valueAt(source.value, path) === undefined
        ? missingKey(source, path)
        : yamlError(
            source,
            path,
            `${name} must be ${listed(choices)}, got ${shown(valueAt(source.value, path))}`,
            {
              try: suggestion(given ?? "", choices),
            },
          );
    }
    case "invalid_type":
    case "invalid_union": {
      const value = valueAt(source.value, path);
      if (value === undefined) return missingKey(source, path);
      const wanted = wantedText(issue);
      return yamlError(source, path, `${name} must be ${wanted}, got ${shown(value)}`, {
        try: nearest(source.textAt(path) ?? "", choicesOf(issue)) ?? `${path.at(-1)}: ${wanted}`,
      });
    }
    default:
      return yamlError(source, path, `${name}: ${lowered(issue.message)}`);
  }
}

function missingKey(source: YamlSource, path: YamlPath): ShopaiError {
  const parent = path.slice(0, -1);
  return path.length === 0
    ? new ShopaiError("usage", "the YAML file holds nothing", { where: source.path })
    : yamlError(
        source,
        parent,
        `${parent.length > 0 ? dotted(parent) : "the document"} needs the key "${path.at(-1)}"`,
        {
          at: "key",
          try: `${path.at(-1)}: …`,
        },
      );
}

const typeNames: Record<string, string> = {
  object: "a mapping (key: value)",
  record: "a mapping (key: value)",
  array: "a list",
  string: "a text",
  number: "a number",
  int: "an integer",
  boolean: "true or false",
};

/** What would have been right: a type, a choice, or several of them. */
function wantedText(issue: Issue): string {
  const wanted = branchesOf(issue).flatMap((inner) =>
    inner.code === "invalid_type" && inner.expected !== "null"
      ? [typeNames[inner.expected] ?? inner.expected]
      : inner.code === "invalid_value"
        ? [listed(inner.values.map(String))]
        : [],
  );
  return [...new Set(wanted)].join(" or ") || "another value";
}

const choicesOf = (issue: Issue): string[] =>
  branchesOf(issue).flatMap((inner) => (inner.code === "invalid_value" ? inner.values.map(String) : []));

const branchesOf = (issue: Issue): Issue[] =>
  issue.code === "invalid_union" ? issue.errors.flat().flatMap(branchesOf) : [issue];

function suggestion(given: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  return nearest(given, known) ?? `one of ${listed(known, 30)}`;
}

const dotted = (path: YamlPath): string =>
  path.map((part, i) => (typeof part === "number" ? `[${part + 1}]` : i === 0 ? part : `.${part}`)).join("");

function shown(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? `"${value}"` : String(value);
}

function valueAt(value: unknown, path: YamlPath): unknown {
  let inner = value;
  for (const part of path) inner = (inner as Record<string | number, unknown> | null | undefined)?.[part];
  return inner;
}

/** The keys that a schema allows at a path; those of every branch where branches differ. */
export function keysAt(schema: z.ZodType, path: YamlPath): string[] {
  const reached = path.reduce<z.ZodType[]>(
    (at, part) => at.flatMap((one) => stepInto(one, part)),
    objectsOf(schema),
  );
  return [...new Set(reached.flatMap(objectsOf).flatMap(ownKeys))];
}

/** Keys of an object, or of a record whose keys are a list of words. */
function ownKeys(schema: z.ZodType): string[] {
  const { shape, keyType } = definitionOf(schema);
  return Object.keys(shape ?? (keyType && definitionOf(keyType).entries) ?? {});
}

interface Definition {
  type: string;
  shape?: Record<string, z.ZodType>;
  element?: z.ZodType;
  keyType?: z.ZodType;
  valueType?: z.ZodType;
  entries?: Record<string, string>;
  innerType?: z.ZodType;
  in?: z.ZodType;
  out?: z.ZodType;
  options?: z.ZodType[];
  items?: z.ZodType[];
  getter?: () => z.ZodType;
}

const definitionOf = (schema: z.ZodType): Definition => schema.def as unknown as Definition;

/** The branches of a schema with wrappers (optional, default, lazy, pipe, union) taken off. */
function objectsOf(schema: z.ZodType): z.ZodType[] {
  const definition = definitionOf(schema);
  const inner = definition.innerType ?? definition.getter?.();
  if (inner) return objectsOf(inner);
  if (definition.type === "pipe")
    return [definition.in!, definition.out!]
      .filter((part) => definitionOf(part).type !== "transform")
      .flatMap(objectsOf);
  return definition.options ? definition.options.flatMap(objectsOf) : [schema];
}

function stepInto(schema: z.ZodType, part: string | number): z.ZodType[] {
  const definition = definitionOf(schema);
  const next =
    definition.shape?.[String(part)] ??
    definition.element ??
    definition.valueType ??
    definition.items?.[Number(part)];
  return next ? objectsOf(next) : [];
}
