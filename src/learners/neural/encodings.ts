import type { Frame } from "../../engine/frame.js";
import { encodeColumns, type ColumnsEncoding } from "./columns-encoding.js";
import type { EncodedRows } from "./encoded-rows.js";
import { encodePixels, type PixelsEncoding } from "./pixels-encoding.js";
import { encodeTokens, type TokensEncoding } from "./tokens-encoding.js";

/** How rows become the inputs of a network; fitted on the training rows and stored with the model. */
export type Encoding = ColumnsEncoding | PixelsEncoding | TokensEncoding;

export function encodeRows(frame: Frame, encoding: Encoding): EncodedRows {
  switch (encoding.kind) {
    case "columns":
      return encodeColumns(frame, encoding);
    case "pixels":
      return encodePixels(frame, encoding);
    case "tokens":
      return encodeTokens(frame, encoding);
  }
}
