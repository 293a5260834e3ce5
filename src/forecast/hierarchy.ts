import { ShopaiError } from "../core/errors.js";
import { integers } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { columnNamed, relationOf, type Relation } from "../table/relation.js";
import { truthOf, type Windows } from "./backtest.js";
import { reconciler, type Crossing, type Hierarchy, type ReconcileRule, type Tree } from "./reconcile.js";
import { floorOf, type MadeForecasts } from "./series-work.js";
import type { SeriesSet } from "./series.js";

/** Columns from the top level to the bottom; several such paths cross each other (state/region and purpose). */
export type HierarchyPaths = readonly (readonly string[])[];

/** How many columns of every path a level has, from none to all, the sum of all first. */
function levelsOf(paths: HierarchyPaths): number[][] {
  return paths.reduce<number[][]>(
    (known, path) =>
      known.flatMap((depths) => [...Array(path.length + 1).keys()].map((depth) => [...depths, depth])),
    [[]],
  );
}

/** Whether a level keeps each of the columns of all paths. */
const keptAt = (paths: HierarchyPaths, depths: readonly number[]): boolean[] =>
  paths.flatMap((path, p) => path.map((_, i) => i < depths[p]));

/** "total", or the lowest columns that a level keeps: "region*purpose". */
const levelName = (paths: HierarchyPaths, depths: readonly number[]): string =>
  paths.flatMap((path, p) => path.slice(0, depths[p]).slice(-1)).join("*") || "total";

/**
 * The rows of a table once for every level of a hierarchy: as they are, and with the columns below a level empty, up
 * to all rows together. Adding up per series then gives every node's history.
 *
 * @throws ShopaiError "data" where a column holds nulls, which stand for "all" here
 */
export async function withLevels(
  relation: Relation,
  paths: HierarchyPaths,
  others: readonly string[],
): Promise<Relation> {
  const fields = paths.flat().map((name) => columnNamed(relation, name, "--hierarchy"));
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
  const parts = levelsOf(paths).map((depths) => {
    const at = keptAt(paths, depths);
    const list = fields.map((field, i) =>
      at[i] ? ident(field.name) : `NULL::${field.type} AS ${ident(field.name)}`,
    );
    return `SELECT ${[...list, ...kept].join(", ")} FROM (${relation.sql})`;
  });
  return relationOf(relation.engine, parts.join(" UNION ALL "), {
    key: [],
    inputs: relation.inputs,
    name: relation.name,
  });
}

/**
 * Refuses what cannot be made to add up, before models are fitted.
 *
 * @throws ShopaiError "usage" where series end at different times, and for "top-down" of crossed sums
 */
export function checkHierarchy(set: SeriesSet, paths: HierarchyPaths, rule: ReconcileRule): void {
  if (rule === "top-down" && paths.length > 1)
    throw new ShopaiError("usage", "crossed sums have no one way down", { try: "--reconcile mint" });
  if (set.last.some((last) => last !== set.last[0]))
    throw new ShopaiError("usage", "series of a hierarchy must end together to add up", {
      try: "--fill zero",
    });
}

/** What adds up to what among the series of a set that was read from `withLevels`. */
export function hierarchyOf(relation: Relation, set: SeriesSet, paths: HierarchyPaths): Promise<Hierarchy> {
  return paths.length === 1 ? treeOf(relation, set) : crossingOf(relation, set, paths);
}

async function crossingOf(relation: Relation, set: SeriesSet, paths: HierarchyPaths): Promise<Crossing> {
  const names = set.columns.map((column) => ident(column.name));
  const codes = names.map(
    (name, i) =>
      `(CASE WHEN ${name} IS NULL THEN 0 ELSE dense_rank() OVER (ORDER BY ${name}) END)::INTEGER AS c${i}`,
  );
  const frame = await relation.engine.frame(
    `SELECT ${codes.join(", ")} FROM ${ident(set.table)} ORDER BY _sid`,
    names.map((_, i) => ({ name: `c${i}`, as: "i32" as const })),
  );
  const columns = names.map((_, i) => integers(frame, `c${i}`));
  /** The columns of a series that a level keeps. */
  const keyAt = (sid: number, at: readonly boolean[]): string =>
    columns.map((column, i) => (at[i] ? column[sid] : 0)).join();
  const levels = levelsOf(paths);
  const kept = levels.map((depths) => keptAt(paths, depths));
  const level = Int32Array.from({ length: set.count }, (_, sid) =>
    kept.findIndex((at) => columns.every((column, i) => column[sid] > 0 === at[i])),
  );
  const everything = names.map(() => true);
  const sidOf = new Map(Array.from(level, (_, sid) => [keyAt(sid, everything), sid]));
  const parts = new Map<number, number[]>();
  const bottom = levels.length - 1;
  level.forEach((at, leaf) => {
    if (at !== bottom) return;
    for (const at of kept.slice(0, bottom)) {
      const node = sidOf.get(keyAt(leaf, at))!;
      const own = parts.get(node);
      if (own) own.push(leaf);
      else parts.set(node, [leaf]);
    }
  });
  return {
    sums: [...parts].map(([node, own]) => ({ node, parts: Int32Array.from(own) })),
    level,
    levels: levels.map((depths) => levelName(paths, depths)),
  };
}

async function treeOf(relation: Relation, set: SeriesSet): Promise<Tree> {
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

/** Makes the forecasts of a model add up, ahead and in every window of the backtest, in place. */
export function reconcileForecasts(
  set: SeriesSet,
  hierarchy: Hierarchy,
  windows: Windows,
  forecasts: MadeForecasts,
  rule: ReconcileRule,
): void {
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
    const adjust = reconciler(hierarchy, rule, others.length > 0 ? others : errors[origin], floor);
    for (let h = 0; h < horizon; h++) {
      // A series that had not begun by then is forecast to be nothing.
      at.forEach((w, s) => (row[s] = w < 0 ? 0 : forecasts.windows.mean[w * horizon + h]));
      adjust(row);
      at.forEach((w, s) => {
        if (w >= 0) forecasts.windows.mean[w * horizon + h] = row[s];
      });
    }
  });
  const adjust = reconciler(hierarchy, rule, errors.flat(), floor);
  for (let h = 0; h < horizon; h++) {
    for (let s = 0; s < nodes; s++) row[s] = forecasts.ahead.mean[s * horizon + h];
    adjust(row);
    for (let s = 0; s < nodes; s++) forecasts.ahead.mean[s * horizon + h] = row[s];
  }
}
