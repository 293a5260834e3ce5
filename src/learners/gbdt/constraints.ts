import { nearest, ShopaiError } from "../../core/errors.js";
import type { Field } from "../../engine/engine.js";
import { isNumber } from "./columns.js";

/**
 * Directions that predictions must keep with columns: `price:-1,visits:1`.
 *
 * @returns a sign per column, or undefined when none is wanted
 * @throws ShopaiError "usage" for what is no direction, a column that is no feature, or a text
 */
export function monotoneSigns(
  wanted: string,
  columns: readonly string[],
  features: readonly Field[],
): number[] | undefined {
  if (wanted.trim() === "") return undefined;
  const signs = columns.map(() => 0);
  for (const part of wanted.split(",")) {
    const match = /^(.*):\s*([+-]?1)\s*$/.exec(part);
    if (!match)
      throw new ShopaiError(
        "usage",
        `monotone must be columns with 1 or -1, such as price:-1, got "${part}"`,
        {
          where: "--param monotone of gbdt",
        },
      );
    const name = match[1].trim();
    const at = columnAt(name, columns, "monotone");
    if (!isNumber(features.find((field) => field.name === name)!))
      throw new ShopaiError("usage", `${name} is a text, which predictions cannot rise or fall with`, {
        where: "--param monotone of gbdt",
      });
    signs[at] = Number(match[2]);
  }
  return signs;
}

/**
 * Groups of columns that may stand on one path: `price+brand,age+visits`. A column of no group stands alone.
 *
 * @throws ShopaiError "usage" for a column that is no feature
 */
export function interactionGroups(wanted: string, columns: readonly string[]): number[][] {
  if (wanted.trim() === "") return [];
  return wanted.split(",").map((group) =>
    group.split("+").flatMap((part) => {
      const name = part.trim();
      columnAt(name, columns, "interactions");
      return columns.flatMap((column, f) => (column === name ? [f] : []));
    }),
  );
}

/** Columns of a list: `browser,region`. @throws ShopaiError "usage" for one that is no feature */
export function namedColumns(wanted: string, columns: readonly string[], param: string): string[] {
  if (wanted.trim() === "") return [];
  return wanted.split(",").map((part) => columns[columnAt(part.trim(), columns, param)]);
}

function columnAt(name: string, columns: readonly string[], param: string): number {
  const at = columns.indexOf(name);
  if (at >= 0) return at;
  const near = nearest(name, columns);
  throw new ShopaiError("usage", `${param} names "${name}", which is no feature`, {
    where: `--param ${param} of gbdt`,
    try: near ? `${near} in place of ${name}` : undefined,
  });
}
