import { floats, texts, type ColumnAsk } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { holdsChinese, wordCutter, type WordCutter } from "../../features/words.js";
import type { Csr } from "../../kernels/csr.js";
import { rowColumn } from "../../table/relation.js";
import type { Engine } from "../../engine/engine.js";
import { breathe } from "../breathe.js";
import type { ItemColumn, ItemsTable } from "./items-table.js";

/** What a learner weighs the kinds of columns by. */
export interface KindWeights {
  text: number;
  category: number;
  number: number;
}

/** Items as directions: rows of length 1 (0 for items of which nothing is known). */
export interface ItemVectors {
  /** The words, categories and bands, by column of the matrix: `title: wool`, `price: 20 to 50`. */
  terms: string[];
  /** items x terms. */
  matrix: Csr;
  /** How Chinese was cut, when there was some. */
  chinese?: string;
}

type Block = keyof KindWeights;

/** Items read at once: bounds what is held of their texts. */
const batch = 20_000;

/** Counts of terms per item, growing. */
class Counts {
  codes = new Int32Array(1024);
  values = new Float32Array(1024);
  filled = 0;
  add(code: number, value: number): void {
    if (this.filled === this.codes.length) {
      const [codes, values] = [new Int32Array(2 * this.filled), new Float32Array(2 * this.filled)];
      codes.set(this.codes);
      values.set(this.values);
      [this.codes, this.values] = [codes, values];
    }
    this.codes[this.filled] = code;
    this.values[this.filled++] = value;
  }
}

/**
 * TF-IDF vectors of items: tf is 1 + ln(count) for words, 1 for categories and flags, 1 for a number's
 * band and a half for its neighbours; idf is ln((1 + n) / (1 + df)) + 1 (Salton & Buckley 1988; smoothed as in
 * scikit-learn). Terms of one item alone tell nothing of others and are left out. Texts, categories and
 * numbers are brought to length 1 apart, weighed, and the whole to length 1 again.
 *
 * @param items codes of the rows of the result, by item as text
 * @param most  terms kept, those of most items
 */
export async function itemVectors(
  engine: Engine,
  { table, rows, columns }: ItemsTable,
  items: ReadonlyMap<string, number>,
  weights: KindWeights,
  most: number,
  run: Run,
): Promise<ItemVectors> {
  const codeOf = new Map<string, number>();
  const names: string[] = [];
  const blocks: Block[] = [];
  const intern = (block: Block, name: string): number => {
    const known = codeOf.get(name);
    if (known !== undefined) return known;
    codeOf.set(name, names.length);
    names.push(name);
    blocks.push(block);
    return names.length - 1;
  };
  const counts = new Counts();
  const starts = new Int32Array(items.size + 1);
  const rowOf = new Int32Array(rows);
  const ends = new Int32Array(rows);
  let cutter: WordCutter | undefined;
  run.progress.stage("content: terms");
  for (let from = 0; from < rows; from += batch) {
    const asks: ColumnAsk[] = [
      { name: "item", as: "text" },
      ...columns.map((column): ColumnAsk => ({
        name: column.name,
        as: column.kind === "number" || column.kind === "flag" ? "f64" : "text",
      })),
    ];
    const frame = await engine.frame(
      `SELECT * FROM ${ident(table)} WHERE ${rowColumn} >= ${from} AND ${rowColumn} < ${from + batch} ORDER BY ${rowColumn}`,
      asks,
    );
    cutter = await cutterFor(cutter, columns, (name) => texts(frame, name));
    const id = texts(frame, "item");
    const readers = columns.map((column) =>
      termsOf(
        column,
        cutter!,
        column.kind === "number" || column.kind === "flag"
          ? floats(frame, column.name)
          : texts(frame, column.name),
      ),
    );
    for (let row = 0; row < frame.rows; row++) {
      const own = new Map<number, number>();
      for (const read of readers)
        read(row, (block, term, value) => {
          const code = intern(block, term);
          own.set(code, (own.get(code) ?? 0) + value);
        });
      for (const [code, value] of own) counts.add(code, value);
      rowOf[from + row] = items.get(id[row]!) ?? -1;
      ends[from + row] = counts.filled;
    }
    run.progress.update(from + frame.rows, rows, "items");
    await breathe(run);
  }
  run.progress.done(`${names.length} terms`);
  const kept = keptTerms(counts, names, most);
  const idf = idfOf(counts, kept.code, kept.terms.length, rows);
  for (let row = 0; row < rows; row++) {
    if (rowOf[row] < 0) continue;
    for (let p = row === 0 ? 0 : ends[row - 1]; p < ends[row]; p++)
      if (kept.code[counts.codes[p]] >= 0) starts[rowOf[row] + 1]++;
  }
  for (let i = 0; i < items.size; i++) starts[i + 1] += starts[i];
  const matrix: Csr = {
    rows: items.size,
    cols: kept.terms.length,
    starts,
    columns: new Int32Array(starts[items.size]),
    values: new Float32Array(starts[items.size]),
  };
  for (let row = 0; row < rows; row++)
    if (rowOf[row] >= 0)
      fillRow(
        matrix,
        rowOf[row],
        counts,
        row === 0 ? 0 : ends[row - 1],
        ends[row],
        kept.code,
        idf,
        blocks,
        weights,
      );
  return { terms: kept.terms, matrix, chinese: cutter?.chinese };
}

/** The cutter so far, or one for Chinese from the first batch that holds some. */
async function cutterFor(
  known: WordCutter | undefined,
  columns: readonly ItemColumn[],
  values: (name: string) => readonly (string | null)[],
): Promise<WordCutter> {
  if (known?.chinese) return known;
  const chinese = columns.some(
    (column) =>
      column.kind === "text" && values(column.name).some((text) => text !== null && holdsChinese(text)),
  );
  return known && !chinese ? known : wordCutter(chinese);
}

type Emit = (block: Block, term: string, value: number) => void;

/** Says the terms of one column of one row. */
function termsOf(
  column: ItemColumn,
  cutter: WordCutter,
  values: Float64Array | readonly (string | null)[],
): (row: number, emit: Emit) => void {
  const { name } = column;
  if (column.kind === "flag")
    return (row, emit) => {
      if ((values[row] as number) > 0) emit("category", `${name}`, 1);
    };
  if (column.kind === "number") {
    const label = (band: number): string => bandName(name, column.edges, band);
    return (row, emit) => {
      const value = values[row] as number;
      if (!Number.isFinite(value)) return;
      let band = 0;
      while (band < column.edges.length && value > column.edges[band]) band++;
      emit("number", label(band), 1);
      if (band > 0) emit("number", label(band - 1), 0.5);
      if (band < column.edges.length) emit("number", label(band + 1), 0.5);
    };
  }
  if (column.kind === "text")
    return (row, emit) => {
      const counted = new Map<string, number>();
      for (const word of cutter.words((values[row] as string | null) ?? ""))
        counted.set(word, (counted.get(word) ?? 0) + 1);
      // A word means the same in a title and in a description.
      for (const [word, count] of counted) emit("text", word, 1 + Math.log(count));
    };
  return (row, emit) => {
    for (const group of groupsOf((values[row] as string | null) ?? ""))
      emit("category", `${name}: ${group}`, 1);
  };
}

/** `a|b` and `a;b` are several groups; `a > b` is a group in a group, and belongs to both. */
function groupsOf(text: string): string[] {
  return text.split(/[|;]/).flatMap((path) => {
    const steps = path
      .split(">")
      .map((step) => step.trim())
      .filter((step) => step !== "");
    return steps.map((_, i) => steps.slice(0, i + 1).join(" > "));
  });
}

function bandName(name: string, edges: readonly number[], band: number): string {
  if (edges.length === 0) return name;
  if (band === 0) return `${name}: up to ${edges[0]}`;
  if (band === edges.length) return `${name}: above ${edges[edges.length - 1]}`;
  return `${name}: ${edges[band - 1]} to ${edges[band]}`;
}

/** Terms of two items or more, the `most` frequent of them, in the order of their names. */
function keptTerms(
  counts: Counts,
  names: readonly string[],
  most: number,
): { terms: string[]; code: Int32Array } {
  const df = frequencies(counts, names.length);
  let chosen = [...names.keys()].filter((code) => df[code] > 1);
  if (chosen.length > most)
    chosen = chosen.sort((a, b) => df[b] - df[a] || (names[a] < names[b] ? -1 : 1)).slice(0, most);
  chosen.sort((a, b) => (names[a] < names[b] ? -1 : 1));
  const code = new Int32Array(names.length).fill(-1);
  chosen.forEach((old, place) => (code[old] = place));
  return { terms: chosen.map((old) => names[old]), code };
}

function frequencies({ codes, filled }: Counts, terms: number): Int32Array {
  const df = new Int32Array(terms);
  for (let p = 0; p < filled; p++) df[codes[p]]++;
  return df;
}

function idfOf(counts: Counts, code: Int32Array, terms: number, rows: number): Float64Array {
  const df = frequencies(counts, code.length);
  const idf = new Float64Array(terms);
  for (let old = 0; old < code.length; old++)
    if (code[old] >= 0) idf[code[old]] = Math.log((1 + rows) / (1 + df[old])) + 1;
  return idf;
}

function fillRow(
  matrix: Csr,
  item: number,
  counts: Counts,
  from: number,
  to: number,
  code: Int32Array,
  idf: Float64Array,
  blocks: readonly Block[],
  weights: KindWeights,
): void {
  const squares: Record<Block, number> = { text: 0, category: 0, number: 0 };
  const found: { term: number; value: number; block: Block }[] = [];
  for (let p = from; p < to; p++) {
    const term = code[counts.codes[p]];
    if (term < 0) continue;
    const block = blocks[counts.codes[p]];
    const value = counts.values[p] * idf[term];
    squares[block] += value * value;
    found.push({ term, value, block });
  }
  let length = 0;
  for (const block of Object.keys(squares) as Block[]) if (squares[block] > 0) length += weights[block] ** 2;
  found.sort((a, b) => a.term - b.term);
  found.forEach(({ term, value, block }, i) => {
    const p = matrix.starts[item] + i;
    matrix.columns[p] = term;
    matrix.values![p] = length > 0 ? (weights[block] * value) / Math.sqrt(squares[block] * length) : 0;
  });
}
