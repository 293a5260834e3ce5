import type { Frame } from "../../engine/frame.js";
import { encodeColumns, type ColumnsEncoding } from "./columns-encoding.js";
import type { EncodedRows } from "./encoded-rows.js";
import { encodeImages, type ImagesEncoding } from "./images-encoding.js";
import { encodePixels, type PixelsEncoding } from "./pixels-encoding.js";
import { encodeTokens, type TokensEncoding } from "./tokens-encoding.js";

/** How rows become the inputs of a network; fitted on the training rows and stored with the model. */
export type Encoding = ColumnsEncoding | PixelsEncoding | ImagesEncoding | TokensEncoding;

/** @param folders that paths in the rows may start from */
export async function encodeRows(
  frame: Frame,
  encoding: Encoding,
  folders: readonly string[],
): Promise<EncodedRows> {
  switch (encoding.kind) {
    case "columns":
      return encodeColumns(frame, encoding);
    case "pixels":
      return encodePixels(frame, encoding);
    case "images":
      return encodeImages(frame, encoding, folders);
    case "tokens":
      return encodeTokens(frame, encoding);
  }
}

/** Bytes of images that are held in memory at once when they are only asked about. */
const imageBytes = 64e6;

/** The same in parts, where all rows of a frame would not fit in memory. */
export async function* encodedParts(
  frame: Frame,
  encoding: Encoding,
  folders: readonly string[],
): AsyncGenerator<EncodedRows> {
  if (encoding.kind !== "images") return yield await encodeRows(frame, encoding, folders);
  const atOnce = Math.ceil(imageBytes / (4 * encoding.width));
  for (let from = 0; from < frame.rows; from += atOnce)
    yield await encodeImages(frame, encoding, folders, from, Math.min(frame.rows, from + atOnce));
}
