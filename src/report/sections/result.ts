import type { Cell } from "../page.js";
import { defineSection, type Document } from "./section.js";

const mostRows = 50;

/** Any other result of a stage: its figures, and what is nested in it as tables. */
export const result = defineSection<Document>({
  name: "result",
  parts({ content }, { say }) {
    const plain = Object.entries(content).filter(
      ([, value]) => value !== null && typeof value !== "object",
    ) as [string, Cell][];
    const tables = Object.entries(content).filter((entry): entry is [string, Document] => {
      const value = entry[1];
      return (
        typeof value === "object" &&
        value !== null &&
        Object.values(value).some((inner) => typeof inner !== "object")
      );
    });
    return [
      ...(plain.length > 0 ? [{ kind: "pairs" as const, rows: plain }] : []),
      ...tables.map(([name, value]) => ({
        kind: "table" as const,
        caption: name,
        head: [Array.isArray(value) ? "" : say.page.name, say.page.value],
        rows: Object.entries(value)
          .filter(([, inner]) => typeof inner !== "object")
          .slice(0, mostRows)
          .map(([key, inner]): Cell[] => [Array.isArray(value) ? Number(key) + 1 : key, inner as Cell]),
      })),
    ];
  },
});
