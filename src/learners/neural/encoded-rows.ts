/** What every row is to a network: so many numbers, and so many codes below `levels`. */
export interface RowShape {
  width: number;
  fields: number;
  /** Codes that there are, over all fields. */
  levels: number;
}

/** Rows as inputs. */
export interface EncodedRows {
  rows: number;
  /** rows x width, row-major. */
  numbers: Float32Array;
  /** rows x fields, row-major. */
  codes: Int32Array;
}
