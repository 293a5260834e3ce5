import { ShopaiError } from "../core/errors.js";
import { legacyRng } from "../core/mt19937.js";
import { ident } from "../engine/sql.js";
import { planSql, tip, type Plan, type Step } from "./plan.js";

/** Column of the fold that `kfold` adds. */
export const foldColumn = "fold";

/** Everything that these splits need to know. */
export interface NumpySplit {
  kind: "item" | "user" | "kfold";
  /** Column of the items or users. */
  column?: string;
  /** Names of the parts with the share of rows up to the end of each, the last left out. */
  parts: readonly string[];
  edges: readonly number[];
  folds: number;
  /** Columns that order the rows as their file does. */
  order: readonly string[];
  seed: number;
}

/**
 * Steps of the splits that well-known libraries publish figures on, drawn as they draw: by NumPy's legacy
 * generator, one draw a row in the order of the file.
 *
 * - item, user: rows of every item (user) in the order of their draws, cut at the shares, halves to even:
 *   `python_stratified_split` of Microsoft Recommenders
 * - kfold: a shuffled list of rows in contiguous folds, the first ones longer: `KFold` of Surprise (and scikit-learn)
 */
export async function numpySplitSteps(plan: Plan, ask: NumpySplit): Promise<Step[]> {
  if (!Number.isInteger(ask.seed) || ask.seed < 0 || ask.seed >= 2 ** 32)
    throw new ShopaiError(
      "usage",
      `--split ${ask.kind} takes a --seed from 0 to 4294967295, got ${ask.seed}`,
    );
  const { engine } = plan;
  const [{ count }] = await engine.rows<{ count: bigint }>(
    `SELECT count(*) AS count FROM (${planSql(plan)})`,
  );
  const rows = Number(count);
  const draws = engine.fresh("draws");
  await engine.load(draws, {
    rows,
    columns: new Map([
      ["row number", { kind: "i32", values: Int32Array.from({ length: rows }, (_, row) => row) }],
      ["draw", { kind: "f64", values: drawsOf(ask, rows) }],
    ]),
  });
  const own = plan.columns.map((field) => `t.${ident(field.name)}`).join(", ");
  const order = ask.order.map((name) => `t.${ident(name)}`).join(", ");
  const steps = [
    {
      name: "numbered",
      sql: `SELECT ${own}, row_number() OVER (${order ? `ORDER BY ${order}` : ""}) - 1 AS "row number"\nFROM ${tip(plan)} AS t`,
    },
    {
      name: "drawn",
      sql: `SELECT ${own}, t."row number", d.draw\nFROM numbered AS t JOIN ${ident(draws)} AS d ON t."row number" = d."row number"`,
    },
  ];
  if (ask.kind === "kfold")
    return [
      ...steps,
      { name: "split", sql: `SELECT ${own}, t.draw::INTEGER AS ${foldColumn}\nFROM drawn AS t` },
    ];
  const group = `t.${ident(ask.column!)}`;
  const cases = ask.edges.map(
    (edge, i) =>
      `WHEN t."rank in group" <= round_even(t."rows of group" * ${edge}, 0) THEN '${ask.parts[i]}'`,
  );
  return [
    ...steps,
    {
      name: "ranked",
      sql: `SELECT ${own}, row_number() OVER (PARTITION BY ${group} ORDER BY t.draw, t."row number") AS "rank in group", count(*) OVER (PARTITION BY ${group}) AS "rows of group"\nFROM drawn AS t`,
    },
    {
      name: "split",
      sql: `SELECT ${own}, CASE ${cases.join(" ")} ELSE '${ask.parts.at(-1)!}' END AS split\nFROM ranked AS t`,
    },
  ];
}

/** A draw per row; of `kfold` the number of its fold. */
function drawsOf({ kind, folds, seed }: NumpySplit, rows: number): Float64Array {
  const rng = legacyRng(seed);
  if (kind !== "kfold") return Float64Array.from({ length: rows }, () => rng.uniform());
  if (rows < folds)
    throw new ShopaiError("data", `${rows} rows cannot be dealt to ${folds} folds`, {
      try: "a smaller --folds",
    });
  const fold = new Float64Array(rows);
  const shortest = Math.floor(rows / folds);
  const longer = rows % folds;
  rng.permutation(rows).forEach((row, place) => {
    fold[row] =
      place < longer * (shortest + 1)
        ? Math.floor(place / (shortest + 1))
        : longer + Math.floor((place - longer * (shortest + 1)) / shortest);
  });
  return fold;
}
