import { ShopaiError } from "../../core/errors.js";
import { floats } from "../../engine/frame.js";
import { ident, literal } from "../../engine/sql.js";
import { columnNamed, type Relation } from "../../table/relation.js";
import { chronological, type Products } from "./products.js";

/** Possible futures of every product, path after path, each `horizon` periods of demand long. */
export interface FuturePaths {
  count: number;
  /** Demand of product i on path p in period h at (i * count + p) * horizon + h. */
  demand: Float64Array;
}

/**
 * Reads what `shopai forecast --paths-out` wrote, for the products and periods of a forecast.
 *
 * @param model whose paths, where the table holds several models'
 * @throws ShopaiError "data" for a table of other columns, and for products or periods without paths
 */
export async function readPaths(
  paths: Relation,
  { table, columns, count: products, horizon }: Products,
  model: string | undefined,
): Promise<FuturePaths> {
  const { engine } = paths;
  const named = (name: string): string => ident(columnNamed(paths, name).name);
  const [time, path, value] = [columns.time, "path", "value"].map(named);
  const same = columns.series.map((name) => `f.${named(name)} IS NOT DISTINCT FROM p.${ident(name)}`);
  const only = model === undefined ? "" : ` WHERE f.${named("model")} = ${literal(model)}`;
  const order = await chronological(paths, `f.${time}`, columns.time);
  const frame = await engine.frame(
    `SELECT p._product::DOUBLE AS product, f.${path}::DOUBLE AS path, greatest(f.${value}, 0)::DOUBLE AS value FROM (${paths.sql}) f JOIN ${ident(table)} p ON ${same.join(" AND ") || "true"}${only} ORDER BY p._product, f.${path}, ${order}`,
    ["product", "path", "value"].map((name) => ({ name, as: "f64" as const })),
  );
  const count = frame.rows / (products * horizon);
  const product = floats(frame, "product");
  const number = floats(frame, "path");
  const whole =
    Number.isInteger(count) &&
    count > 0 &&
    product.every((i, row) => {
      const at = Math.floor(row / horizon) * horizon;
      return i === Math.floor(row / (count * horizon)) && number[row] === number[at];
    });
  if (!whole)
    throw new ShopaiError(
      "data",
      `the paths are not ${horizon} periods of as many paths for each of the ${products} products`,
      {
        where: paths.name,
        try:
          model === undefined
            ? "paths of the same run as the forecast, or --model"
            : "paths of the same run as the forecast",
      },
    );
  return { count, demand: floats(frame, "value") };
}
