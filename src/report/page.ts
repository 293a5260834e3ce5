import type { Chart } from "./charts/chart.js";
import type { Graph } from "./charts/graph.js";

/** A report before it is HTML, Markdown or JSON: all are made from this and say the same. */
export interface Page {
  /** The language of its texts, as HTML has it. */
  lang: string;
  title: string;
  /** What the page is about, in one line: the run, when it began. */
  subtitle?: string;
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
  /** The file or stage that it is about; empty for what is about all of them. */
  about: string;
  parts: Part[];
}

export type Part = Facts | Pairs | Figures | TablePart | Note | Heading | Code | Lineage;

/** What matters most, the weightiest first: a figure in large type with the sentence that says what it means. */
export interface Facts {
  kind: "facts";
  rows: Fact[];
}

export interface Fact {
  /** "89.5 %", "357". */
  figure: string;
  /** What it is, in two or three words. */
  label: string;
  /** In plain words, with the interval and what it is compared with. */
  text: string;
  tone?: "good" | "bad";
}

export interface Heading {
  kind: "heading";
  text: string;
}

export interface Note {
  kind: "note";
  text: string;
  tone?: "plain" | "warning";
}

/** A handful of headline figures; with a caption, settings in small type. */
export interface Pairs {
  kind: "pairs";
  caption?: string;
  rows: [name: string, value: Cell][];
}

export interface TablePart {
  kind: "table";
  caption: string;
  head: string[];
  rows: Cell[][];
}

/** Lines to type into a shell. */
export interface Code {
  kind: "code";
  caption: string;
  lines: string[];
}

/** Charts that stand side by side where there is room. */
export interface Figures {
  kind: "figures";
  figures: Figure[];
}

/** A chart with the numbers behind it: Markdown shows the numbers, HTML the chart with the numbers folded away. */
export interface Figure {
  caption: string;
  /** What the chart shows, for those who cannot see it. */
  alt: string;
  chart: Chart;
  data: { head: string[]; rows: Cell[][] };
}

/** What was made from what, as a graph and as a table. */
export interface Lineage {
  kind: "lineage";
  caption: string;
  alt: string;
  graph: Graph;
  data: { head: string[]; rows: Cell[][] };
}

/** One chart across the page. */
export function figure(about: Figure): Figures {
  return { kind: "figures", figures: [about] };
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
