import { listed, nearest, ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Field } from "../engine/engine.js";
import { codes, floats, type ColumnAsk, type Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import type { DesignMatrix } from "../kernels/design.js";
import { findColumn, isNumeric, kindOf, type Relation } from "../table/relation.js";
import { flag, int } from "./params.js";

/** How feature columns become numbers; fitted on the training rows and stored with the model. */
export interface Encoding {
  numbers: NumberColumn[];
  categories: CategoryColumn[];
  /** Columns of the matrix: the numbers, then the levels and missing-value indicators. */
  width: number;
}

interface NumberColumn {
  name: string;
  /** Subtracted, and put in the place of missing values. */
  mean: number;
  /** Divided by; 1 without scaling. */
  scale: number;
  /** Column of the indicator of missing values, when training rows had some, and their share of the rows. */
  missing?: number;
  missingShare?: number;
}

interface CategoryColumn {
  name: string;
  /** Level i has column `start + i`; levels that are not here get zeros everywhere. */
  levels: string[];
  start: number;
  /** Share of the training rows, by level. */
  shares: number[];
  missing?: number;
  missingShare?: number;
}

export interface EncodingAsk {
  /** Divide numbers by their standard deviation. */
  scale: boolean;
  /** Most levels kept of one text column, the most frequent. */
  levels: number;
}

/** Parameters of learners that weigh the columns of the matrix. */
export const columnParams = {
  scale: flag({ default: true, help: "divide numbers by their standard deviation" }),
  levels: int({
    default: 1000,
    min: 1,
    max: 1_000_000,
    help: "most levels kept of one text column, the most frequent",
  }),
};

/** How the features are read from the engine: numbers and booleans as float64, texts as codes. */
export function featureAsks(features: readonly Field[]): ColumnAsk[] {
  return features.map(({ name, type }) => ({ name, as: isNumberLike(type) ? "f64" : "code" }));
}

/** Numbers and booleans, which are read as float64. */
export function isNumberLike(type: string): boolean {
  return isNumeric(type) || kindOf(type) === "boolean";
}

/**
 * Fits the encoding: mean and standard deviation of numbers (of the values that are there), the levels
 * of texts in sorted order, an indicator for every column that lacks values in the training rows.
 *
 * @throws ShopaiError "data" naming the columns that hold infinities
 */
export function fitEncoding(frame: Frame, features: readonly Field[], ask: EncodingAsk, run: Run): Encoding {
  refuseInfinities(frame, features);
  const plain = features.filter((field) => isNumberLike(field.type));
  const texts = features.filter((field) => !isNumberLike(field.type));
  let width = plain.length;
  const numbers = plain.map(({ name }): NumberColumn => {
    const { mean, deviation, missing } = moments(floats(frame, name));
    const column = { name, mean, scale: ask.scale && deviation > 0 ? deviation : 1 };
    return missing > 0 ? { ...column, missing: width++, missingShare: missing } : column;
  });
  const categories = texts.map(({ name }): CategoryColumn => {
    const { values, levels } = codes(frame, name);
    const kept = levels.length <= ask.levels ? levels : mostFrequent(values, levels, ask.levels);
    if (kept.length < levels.length)
      run.warn(
        `${name} has ${grouped(levels.length)} different values; the ${grouped(kept.length)} most frequent are used (--param levels=n, or --features -${name})`,
      );
    const { byLevel, missing } = shares(values, levels, kept);
    const column = { name, levels: kept, start: width, shares: byLevel };
    width += kept.length;
    return missing > 0 ? { ...column, missing: width++, missingShare: missing } : column;
  });
  return { numbers, categories, width };
}

/** @returns also the share of the values that are missing */
function moments(values: Float64Array): { mean: number; deviation: number; missing: number } {
  let count = 0;
  let sum = 0;
  for (const value of values)
    if (!Number.isNaN(value)) {
      count++;
      sum += value;
    }
  const mean = count > 0 ? sum / count : 0;
  let squares = 0;
  for (const value of values) if (!Number.isNaN(value)) squares += (value - mean) * (value - mean);
  const deviation = count > 0 ? Math.sqrt(squares / count) : 0;
  // A constant column leaves rounding errors of its mean, which are no spread.
  const spread = deviation > 1e-12 * Math.abs(mean) ? deviation : 0;
  return { mean, deviation: spread, missing: 1 - count / values.length };
}

/** Shares of the rows that hold each of some levels, and that hold none. */
function shares(
  values: Int32Array,
  levels: string[],
  kept: string[],
): { byLevel: number[]; missing: number } {
  const counts = new Map<number, number>();
  for (const code of values) counts.set(code, (counts.get(code) ?? 0) + 1);
  const codeOf = new Map(levels.map((level, code) => [level, code]));
  const share = (code: number): number => (counts.get(code) ?? 0) / values.length;
  return { byLevel: kept.map((level) => share(codeOf.get(level)!)), missing: share(-1) };
}

/** The most frequent levels, in sorted order; of equally frequent ones the first. */
function mostFrequent(values: Int32Array, levels: string[], most: number): string[] {
  const counts = new Float64Array(levels.length);
  for (const code of values) if (code >= 0) counts[code]++;
  return levels
    .map((_, code) => code)
    .sort((a, b) => counts[b] - counts[a] || a - b)
    .slice(0, most)
    .sort((a, b) => a - b)
    .map((code) => levels[code]);
}

/** The rows of a frame as the encoding says. @throws ShopaiError "data" naming the columns that hold infinities */
export function encode(frame: Frame, features: readonly Field[], encoding: Encoding): DesignMatrix {
  refuseInfinities(frame, features);
  const { rows } = frame;
  const numberWidth = encoding.numbers.length;
  const numbers = new Float64Array(rows * numberWidth);
  const marks: Int32Array[] = [];
  encoding.numbers.forEach(({ name, mean, scale, missing }, at) => {
    const values = floats(frame, name);
    const mark = missing === undefined ? undefined : new Int32Array(rows).fill(-1);
    for (let r = 0; r < rows; r++) {
      const value = values[r];
      if (!Number.isNaN(value)) numbers[r * numberWidth + at] = (value - mean) / scale;
      else if (mark) mark[r] = missing!;
    }
    if (mark) marks.push(mark);
  });
  for (const { name, levels, start, missing } of encoding.categories) {
    const column = codes(frame, name);
    const columnOf = new Map(levels.map((level, i) => [level, start + i]));
    const to = Int32Array.from(column.levels, (level) => columnOf.get(level) ?? -1);
    marks.push(column.values.map((code) => (code < 0 ? (missing ?? -1) : to[code])));
  }
  const starts = new Int32Array(rows + 1);
  for (let r = 0; r < rows; r++)
    starts[r + 1] = starts[r] + marks.reduce((count, mark) => count + (mark[r] >= 0 ? 1 : 0), 0);
  const ones = new Int32Array(starts[rows]);
  for (let r = 0, p = 0; r < rows; r++) for (const mark of marks) if (mark[r] >= 0) ones[p++] = mark[r];
  return { rows, width: encoding.width, numberWidth, numbers, starts, ones };
}

/** @throws ShopaiError "data" naming the columns that hold infinities */
export function refuseInfinities(frame: Frame, features: readonly Field[]): void {
  const bad = features.filter(
    ({ name, type }) =>
      isNumberLike(type) && floats(frame, name).some((value) => value === Infinity || value === -Infinity),
  );
  if (bad.length > 0)
    throw new ShopaiError("data", `infinite values in ${listed(bad.map((field) => field.name))}`, {
      try: `--where 'isfinite("${bad[0].name}")', or --features -${bad[0].name}`,
    });
}

/**
 * Checks that a table to predict on has the features of the training rows.
 *
 * @throws ShopaiError "data" naming every column that is missing or no longer holds numbers
 */
export function checkFeatures(rows: Relation, features: readonly Field[]): void {
  const known = rows.schema.map((field) => field.name);
  const missing = features.filter((field) => !known.includes(field.name));
  if (missing.length > 0) {
    const near = nearest(missing[0].name, known);
    throw new ShopaiError(
      "data",
      `${missing.length === 1 ? "a feature of the model is" : "features of the model are"} not in the table: ${listed(missing.map((field) => field.name))}`,
      {
        where: rows.name,
        try: near ? `renaming ${near} to ${missing[0].name}` : "a table with the columns of training",
      },
    );
  }
  const changed = features.filter((field) => {
    const now = findColumn(rows.schema, field.name)!.type;
    return isNumberLike(field.type) ? !isNumberLike(now) : kindOf(now) === "nested";
  });
  if (changed.length > 0) {
    const now = findColumn(rows.schema, changed[0].name)!.type;
    throw new ShopaiError(
      "data",
      `${changed[0].name} is ${now} here and was ${changed[0].type} in training`,
      { where: rows.name, try: "clean with the same contract as for training" },
    );
  }
}

/** Names of the matrix's columns: `age`, `country=NO`, `age is missing`. */
export function columnNames({ numbers, categories, width }: Encoding): string[] {
  const names = new Array<string>(width);
  numbers.forEach(({ name, missing }, at) => {
    names[at] = name;
    if (missing !== undefined) names[missing] = `${name} is missing`;
  });
  for (const { name, levels, start, missing } of categories) {
    levels.forEach((level, i) => (names[start + i] = `${name}=${level}`));
    if (missing !== undefined) names[missing] = `${name} is missing`;
  }
  return names;
}
