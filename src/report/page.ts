import type { Chart } from "./charts.js";

/** A report before it is HTML or Markdown: both are made from this and say the same. */
export interface Page {
  title: string;
  sections: Section[];
  /** The files that it was made from. */
  sources: Source[];
}

export interface Source {
  path: string;
  sha256: string;
  /** What it was taken for: "metrics", "model". */
  kind: string;
}

export interface Section {
  title: string;
  /** The file or stage that it is about. */
  about: string;
  parts: Part[];
}

export type Part = Pairs | Figure | TablePart | Note | Heading;

export interface Heading {
  kind: "heading";
  text: string;
}

export interface Note {
  kind: "note";
  text: string;
  tone?: "plain" | "warning";
}

/** A handful of headline figures. */
export interface Pairs {
  kind: "pairs";
  rows: [name: string, value: Cell][];
}

export interface TablePart {
  kind: "table";
  caption: string;
  head: string[];
  rows: Cell[][];
}

/** A chart with the numbers behind it: Markdown shows the numbers, HTML the chart with the numbers folded away. */
export interface Figure {
  kind: "figure";
  caption: string;
  /** What the chart shows, for those who cannot see it. */
  alt: string;
  chart: Chart;
  data: { head: string[]; rows: Cell[][] };
}

/** A value of a table; `Bars` is a small histogram, `Share` a part of a whole (0 to 1). */
export type Cell = string | number | bigint | boolean | null | undefined | Bars | Share;
export interface Bars {
  bars: number[];
}
export interface Share {
  share: number;
}

export function isBars(cell: Cell): cell is Bars {
  return typeof cell === "object" && cell !== null && "bars" in cell;
}

export function isShare(cell: Cell): cell is Share {
  return typeof cell === "object" && cell !== null && "share" in cell;
}

/** Whether a column of a table holds numbers, so that it is set flush right. */
export function isNumericColumn(rows: readonly Cell[][], column: number): boolean {
  const cells = rows
    .map((row) => row[column])
    .filter((cell) => cell !== null && cell !== undefined && cell !== "");
  return (
    cells.length > 0 &&
    cells.every((cell) => typeof cell === "number" || typeof cell === "bigint" || isShare(cell))
  );
}
