import { codes, floats, type Frame } from "../../../engine/frame.js";
import type { TreeColumn } from "../trees.js";

/**
 * Rows of a frame as the trees see them: numbers, indices of levels, statistics of levels; NaN for what
 * is missing and for levels that training did not see (of a statistic: what stands for those).
 *
 * @returns rows x columns
 */
export function treeRows(
  frame: Frame,
  columns: readonly TreeColumn[],
  from = 0,
  to = frame.rows,
): Float64Array {
  const width = columns.length;
  const rows = new Float64Array((to - from) * width);
  columns.forEach((column, c) => {
    const place = (value: (row: number) => number): void => {
      for (let r = from; r < to; r++) rows[(r - from) * width + c] = value(r);
    };
    if (column.kind === "number") {
      const values = floats(frame, column.name);
      return place((row) => values[row]);
    }
    const { values, levels } = codes(frame, column.name);
    const indexOf = new Map(column.levels.map((level, i) => [level, i]));
    const known = levels.map((level) => indexOf.get(level));
    const encoded = Float64Array.from(known, (index) =>
      column.kind === "category" ? (index ?? NaN) : index === undefined ? column.other : column.values[index],
    );
    place((row) => (values[row] < 0 ? NaN : encoded[values[row]]));
  });
  return rows;
}
