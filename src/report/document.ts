import type { Cell, Page, Part } from "./page.js";

/**
 * A report as JSON: title, sections with their parts, and sources. Charts are their numbers
 * (`head`, `rows`), histograms `{bars}`, shares `{share}`; integers beyond 2^53 are texts.
 */
export function documentOf(page: Page, createdBy: string): string {
  const { lang, title, subtitle, sections, sources } = page;
  const document = {
    title,
    ...(subtitle && { subtitle }),
    lang,
    created_by: createdBy,
    sections: sections.map((section) => ({ ...section, parts: section.parts.flatMap(plain) })),
    sources,
  };
  return `${escaped(JSON.stringify(document, (_, value: unknown) => (typeof value === "bigint" ? integer(value) : value), 2))}\n`;
}

function plain(part: Part): object[] {
  const table = (caption: string, { head, rows }: { head: string[]; rows: Cell[][] }, alt: string) => ({
    kind: "figure",
    caption,
    alt,
    head,
    rows,
  });
  switch (part.kind) {
    case "figures":
      return part.figures.map(({ caption, alt, data }) => table(caption, data, alt));
    case "lineage": {
      const nodes = part.graph.nodes.map(({ id, label, detail, kind }) => ({ id, label, detail, kind }));
      return [{ kind: "lineage", caption: part.caption, nodes, edges: part.graph.edges }];
    }
    default:
      return [part];
  }
}

const integer = (value: bigint): number | string =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);

/** The same JSON, harmless where somebody puts it into a page. */
const escaped = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
