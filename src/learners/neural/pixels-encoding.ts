import { ShopaiError } from "../../core/errors.js";
import type { Field } from "../../engine/engine.js";
import { floats, type Frame } from "../../engine/frame.js";
import { ident } from "../../engine/sql.js";
import { isNumeric, type Relation } from "../../table/relation.js";
import type { EncodedRows, RowShape } from "./encoded-rows.js";

/** Square images, a pixel per column in rows from the top left; three columns a pixel for colours. */
export interface PixelsEncoding extends RowShape {
  kind: "pixels";
  names: string[];
  side: number;
  channels: number;
  /** Subtracted from every value, and what is left is divided by. */
  mean: number;
  scale: number;
}

/**
 * Fits the encoding: the side from the number of columns, the range from the values.
 *
 * @throws ShopaiError "data" when the columns are no numbers, or not those of a square image
 */
export async function fitPixels(relation: Relation, features: readonly Field[]): Promise<PixelsEncoding> {
  const odd = features.filter(({ type }) => !isNumeric(type));
  if (odd.length > 0)
    throw new ShopaiError("data", `a pixel must be a number, and ${odd[0].name} is ${odd[0].type}`, {
      where: relation.name,
      try: "--features 'pixel*'",
    });
  const names = features.map(({ name }) => name);
  const channels = [1, 3].find((count) => Number.isInteger(Math.sqrt(names.length / count)));
  if (!channels)
    throw new ShopaiError(
      "data",
      `${names.length} pixels are no square image of one or three values a pixel`,
      { where: relation.name, try: "--features with all pixels and nothing else" },
    );
  const columns = names.map((name) => `${ident(name)}::DOUBLE`);
  const [{ low, high }] = await relation.engine.rows<{ low: number; high: number }>(
    `SELECT min(least(${columns.join(", ")})) AS low, max(greatest(${columns.join(", ")})) AS high FROM (${relation.sql})`,
  );
  const range = high > low ? high - low : 1;
  return {
    kind: "pixels",
    names,
    side: Math.sqrt(names.length / channels),
    channels,
    mean: (low + high) / 2,
    scale: range / 2,
    width: names.length,
    fields: 0,
    levels: 0,
  };
}

/** Values from -1 to 1; a pixel that is missing is in the middle. */
export function encodePixels(frame: Frame, { names, width, mean, scale }: PixelsEncoding): EncodedRows {
  const numbers = new Float32Array(frame.rows * width);
  names.forEach((name, at) => {
    const values = floats(frame, name);
    for (let r = 0; r < frame.rows; r++)
      numbers[r * width + at] = Number.isFinite(values[r]) ? (values[r] - mean) / scale : 0;
  });
  return { rows: frame.rows, numbers, codes: new Int32Array() };
}
