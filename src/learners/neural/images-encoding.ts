import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { listed, ShopaiError } from "../../core/errors.js";
import type { Field } from "../../engine/engine.js";
import { codes, type Frame } from "../../engine/frame.js";
import { BrokenImage, squarePixels } from "../../table/image.js";
import { kindOf, type Relation } from "../../table/relation.js";
import type { EncodedRows, RowShape } from "./encoded-rows.js";

/** Image files, named by a column of paths. */
export interface ImagesEncoding extends RowShape {
  kind: "images";
  /** The column. */
  name: string;
  side: number;
}

/** Images that are decoded at once. */
const together = 8;

export const holdPaths = (features: readonly Field[]): boolean =>
  features.some(({ type }) => kindOf(type) === "text");

/**
 * @param side pixels of a side that images of any size are scaled to
 * @throws ShopaiError "data" when there is more than the column of paths
 */
export function fitImages(relation: Relation, features: readonly Field[], side: number): ImagesEncoding {
  const paths = features.filter(({ type }) => kindOf(type) === "text");
  if (features.length > 1)
    throw new ShopaiError(
      "data",
      `images are one column of paths, and ${listed(features.map(({ name }) => name))} are ${features.length} columns`,
      { where: relation.name, try: `--features ${paths[0].name}` },
    );
  return {
    kind: "images",
    name: paths[0].name,
    side,
    width: 3 * side * side,
    fields: 0,
    levels: 0,
  };
}

/** Folders that the paths of a relation may start from, beside the one of the process: those of its files. */
export const foldersOf = ({ inputs }: Relation): string[] => [
  ...new Set(inputs.map(({ path }) => dirname(path))),
];

/**
 * Values from -1 to 1.
 *
 * @param from first row, and `to` the one behind the last
 * @throws ShopaiError "data" naming the images that cannot be read
 */
export async function encodeImages(
  frame: Frame,
  { name, side, width }: ImagesEncoding,
  folders: readonly string[],
  from = 0,
  to = frame.rows,
): Promise<EncodedRows> {
  const { values, levels } = codes(frame, name);
  const numbers = new Float32Array((to - from) * width);
  const broken: { path: string; why: string }[] = [];
  const rows = Array.from({ length: to - from }, (_, row) => row);
  for (let first = 0; first < rows.length; first += together)
    await Promise.all(
      rows.slice(first, first + together).map(async (row) => {
        const path = levels[values[from + row]];
        try {
          if (path === undefined) throw new BrokenImage("no path");
          const pixels = await squarePixels(placeOf(path, folders), side);
          for (let i = 0; i < width; i++) numbers[row * width + i] = pixels[i] / 127.5 - 1;
        } catch (cause) {
          if (!(cause instanceof BrokenImage)) throw cause;
          broken.push({ path: path ?? "NULL", why: cause.message });
        }
      }),
    );
  if (broken.length > 0) {
    const [{ why }] = broken;
    throw new ShopaiError(
      "data",
      `${broken.length === 1 ? "an image" : `${broken.length} images`} cannot be read: ${why}`,
      {
        where: listed(
          broken.map(({ path }) => path),
          5,
        ),
        try: "shopai clean <folder of images> -o images.parquet --rejects broken.csv, and its rows",
      },
    );
  }
  return { rows: to - from, numbers, codes: new Int32Array() };
}

function placeOf(path: string, folders: readonly string[]): string {
  if (existsSync(path)) return path;
  return folders.map((folder) => join(folder, path)).find((place) => existsSync(place)) ?? path;
}
