import { ShopaiError } from "../core/errors.js";
import { integers } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { columnNamed, relationOf, type Relation } from "../table/relation.js";
import { truthOf, type Windows } from "./backtest.js";
import { reconciler, type ReconcileRule, type Tree } from "./reconcile.js";
import { floorOf, type MadeForecasts } from "./series-work.js";
import type { SeriesSet } from "./series.js";

/**
 * The rows of a table once for every level of a hierarchy: as they are, and with the columns below a level empty, up
 * to all rows together. Adding up per series then gives every node's history.
 *
 * @param columns from the top level to the bottom
 * @throws ShopaiError "data" where a column holds nulls, which stand for "all" here
 */
export async function withLevels(
  relation: Relation,
  columns: readonly string[],
  others: readonly string[],
): Promise<Relation> {
  const fields = columns.map((name) => columnNamed(relation, name, "--hierarchy"));
  const kept = others.map((name) => ident(columnNamed(relation, name).name));
  const nulls = fields.map((field) => `count(*) - count(${ident(field.name)}) AS ${ident(field.name)}`);
  const [empty] = await relation.engine.rows<Record<string, bigint>>(
    `SELECT ${nulls.join(", ")} FROM (${relation.sql})`,
  );
  const holed = fields.filter((field) => empty[field.name] > 0n);
  if (holed.length > 0)
    throw new ShopaiError(
      "data",
      `${holed.map((field) => field.name).join(", ")} of the hierarchy has empty values, which stand for "all" in the output`,
      { where: relation.name, try: "--where with IS NOT NULL, or shopai clean with a rule that fills them" },
    );
  const parts = Array.from({ length: fields.length + 1 }, (_, depth) => {
    const list = fields.map((field, i) =>
      i < depth ? ident(field.name) : `NULL::${field.type} AS ${ident(field.name)}`,
    );
    return `SELECT ${[...list, ...kept].join(", ")} FROM (${relation.sql})`;
  });
  return relationOf(relation.engine, parts.join(" UNION ALL "), {
    key: [],
    inputs: relation.inputs,
    name: relation.name,
  });
}

/** The tree of the series of a set that was read from `withLevels`. */
export async function treeOf(relation: Relation, set: SeriesSet): Promise<Tree> {
  const names = set.columns.map((column) => ident(column.name));
  const level = names.map((name) => `(${name} IS NOT NULL)::INTEGER`).join(" + ");
  const joins = names.map((name, i) => {
    const kept = `CASE WHEN c._level > ${i + 1} THEN c.${name} END`;
    return `p.${name} IS NOT DISTINCT FROM ${kept}`;
  });
  const levelled = `SELECT *, (${level}) AS _level FROM ${ident(set.table)}`;
  const frame = await relation.engine.frame(
    `SELECT c._sid AS sid, c._level::INTEGER AS level, coalesce(p._sid, -1)::INTEGER AS parent
       FROM (${levelled}) c LEFT JOIN (${levelled}) p ON p._level = c._level - 1 AND ${joins.join(" AND ")} ORDER BY c._sid`,
    [
      { name: "sid", as: "i32" },
      { name: "level", as: "i32" },
      { name: "parent", as: "i32" },
    ],
  );
  const depth = integers(frame, "level");
  return {
    parent: integers(frame, "parent"),
    level: depth,
    order: Int32Array.from(depth.keys()).sort((a, b) => depth[a] - depth[b] || a - b),
    levels: ["total", ...set.columns.map((column) => column.name)],
  };
}

/**
 * Makes the forecasts of a model add up over the tree, ahead and in every window of the backtest, in place.
 *
 * @throws ShopaiError "usage" where series end at different times
 */
export function reconcileForecasts(
  set: SeriesSet,
  tree: Tree,
  windows: Windows,
  forecasts: MadeForecasts,
  rule: ReconcileRule,
): void {
  if (set.last.some((last) => last !== set.last[0]))
    throw new ShopaiError("usage", "series of a hierarchy must end together to add up", {
      try: "--fill zero",
    });
  const { horizon } = windows;
  const nodes = set.count;
  const floor = floorOf(set.values);
  const windowAt = Array.from({ length: windows.origins }, () => new Int32Array(nodes).fill(-1));
  windows.series.forEach((s, w) => (windowAt[windows.origin[w]][s] = w));
  const errorsOf = (origin: number): Float64Array[] =>
    Array.from({ length: horizon }, (_, h) =>
      Float64Array.from(windowAt[origin], (w) =>
        w < 0 ? NaN : truthOf(set, windows, w)[h] - forecasts.windows.mean[w * horizon + h],
      ),
    );
  const errors = windowAt.map((_, origin) => errorsOf(origin));
  const row = new Float64Array(nodes);
  windowAt.forEach((at, origin) => {
    // Windows are made to add up by what the other origins tell.
    const others = errors.flatMap((rows, o) => (o === origin ? [] : rows));
    const adjust = reconciler(tree, rule, others.length > 0 ? others : errors[origin], floor);
    for (let h = 0; h < horizon; h++) {
      // A series that had not begun by then is forecast to be nothing.
      at.forEach((w, s) => (row[s] = w < 0 ? 0 : forecasts.windows.mean[w * horizon + h]));
      adjust(row);
      at.forEach((w, s) => {
        if (w >= 0) forecasts.windows.mean[w * horizon + h] = row[s];
      });
    }
  });
  const adjust = reconciler(tree, rule, errors.flat(), floor);
  for (let h = 0; h < horizon; h++) {
    for (let s = 0; s < nodes; s++) row[s] = forecasts.ahead.mean[s * horizon + h];
    adjust(row);
    for (let s = 0; s < nodes; s++) forecasts.ahead.mean[s * horizon + h] = row[s];
  }
}
