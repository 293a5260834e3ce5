import { isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml";

/**
 * What a YAML text says, without its comments, blank lines and quotes: scalars as they were written, by
 * dotted path, in the order of the file. Two texts with equal entries mean the same to every command.
 *
 * @returns undefined when the text is not YAML
 */
export function yamlMeaning(text: string): Record<string, string> | undefined {
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length > 0) return undefined;
  const entries: Record<string, string> = {};
  const visit = (node: unknown, path: string): void => {
    if (isMap(node) && node.items.length > 0)
      for (const { key, value } of node.items) visit(value, under(path, scalarText(key)));
    else if (isSeq(node) && node.items.length > 0)
      node.items.forEach((item, i) => visit(item, `${path}[${i + 1}]`));
    else entries[path] = scalarText(node);
  };
  visit(document.contents, "");
  return entries;
}

const under = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

/** A text that reads as a number when plain keeps its quotes: `"1"` is not `1`. */
function scalarText(node: unknown): string {
  if (isAlias(node)) return `*${node.source}`;
  if (isMap(node)) return "{}";
  if (isSeq(node)) return "[]";
  if (!isScalar(node)) return "";
  if (typeof node.value !== "string") return node.source ?? String(node.value);
  const plain = parseDocument(node.value).contents;
  return isScalar(plain) && typeof plain.value === "string" ? node.value : JSON.stringify(node.value);
}
