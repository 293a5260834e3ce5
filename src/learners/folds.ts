import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { floats } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident, literal, numeric } from "../engine/sql.js";
import { windowOf } from "../features/naming.js";
import {
  columnNamed,
  countRows,
  isNumeric,
  kindOf,
  orderSql,
  type Relation,
  rowColumn,
  visible,
} from "../table/relation.js";

/** How rows are dealt to folds. */
export interface FoldAsk {
  /** 2 or more. */
  folds: number;
  /** Column whose rows of one value stay together: no customer on both sides. */
  group?: string;
  /** Column of times: every fold is later than all that its model learned from. */
  time?: string;
  /** With `time`: what is left out between learning and measuring, `7d`, `12h` or `4w`. */
  gap?: string;
  /** Column within whose values rows are dealt alike (stratified); used without `group` and `time`. */
  stratum?: string;
}

/** Rows to learn from and rows to measure on. */
export interface Fold {
  train: Relation;
  /** With `foldRow` among its columns. */
  held: Relation;
}

/** Number of a row in the dealt table, from 0, in the order of the rows. */
export const foldRow = "_shopai_fold_row";
const foldColumn = "_shopai_fold";

/**
 * Deals the rows of a table to folds.
 *
 * - stratified: by md5 of the seed and the row's number, within every value of `stratum`
 * - group: whole groups, the largest first, each to the fold of the fewest rows, as in scikit-learn's GroupKFold
 * - time: the rows in the order of time are cut into folds + 1 blocks, a moment never cut; fold i learns from
 *   what is earlier than block i less the gap and measures on block i. The first block is learned from alone.
 *
 * @returns the folds, all rows as the folds number them, and what drops the copy of the rows that they read
 * @throws ShopaiError "data" when there are fewer rows, groups or moments than folds, or rows without a time
 */
export async function dealt(
  relation: Relation,
  ask: FoldAsk,
  run: Run,
): Promise<{ folds: Fold[]; all: Relation; drop: () => Promise<void> }> {
  if (ask.gap !== undefined && ask.time === undefined)
    throw new ShopaiError("usage", "--cv-gap is for folds in the order of time", {
      try: "--cv-time <column>",
    });
  if (ask.group !== undefined && ask.time !== undefined)
    throw new ShopaiError("usage", "--cv-group and --cv-time deal rows in different ways", {
      try: "one of them",
    });
  const rows = await countRows(relation);
  if (rows < ask.folds)
    throw new ShopaiError("data", `${grouped(rows)} rows cannot be dealt to ${ask.folds} folds`, {
      where: relation.name,
      try: "a smaller --cv",
    });
  const order = orderSql(relation);
  const numbered = `SELECT ${visible(relation).join(", ")}, row_number() OVER (${order}) - 1 AS ${foldRow} FROM (${relation.sql})`;
  const { engine } = relation;
  const table = engine.fresh("dealt");
  const groups =
    ask.group === undefined ? undefined : await dealtGroups(relation, ask.group, ask.folds, run.seed);
  const dealing = groups ? groups.dealing(numbered) : dealingSql(relation, ask, numbered, rows, run.seed);
  await engine.run(`CREATE TABLE ${ident(table)} AS ${dealing}`);
  await groups?.drop();
  const part = (predicate: string): Relation => ({
    ...relation,
    sql: `SELECT ${visible(relation).join(", ")}, ${foldRow}, ${foldRow} AS ${rowColumn} FROM ${ident(table)} WHERE ${predicate}`,
    key: [rowColumn],
  });
  const held = (predicate: string): Relation => {
    const { schema, ...rest } = part(predicate);
    return { ...rest, schema: [...schema, { name: foldRow, type: "BIGINT" }] };
  };
  const folds = Array.from({ length: ask.folds }, (_, i): Fold => {
    const block = ask.time === undefined ? i : i + 1;
    return {
      train: part(
        ask.time === undefined
          ? `${foldColumn} <> ${block}`
          : earlier(
              relation,
              ask.time,
              ask.gap,
              `SELECT min(${ident(ask.time)}) FROM ${ident(table)} WHERE ${foldColumn} = ${block}`,
            ),
      ),
      held: held(`${foldColumn} = ${block}`),
    };
  });
  await checkFolds(relation, ask, folds);
  return { folds, all: part("true"), drop: () => engine.run(`DROP TABLE ${ident(table)}`) };
}

function dealingSql(relation: Relation, ask: FoldAsk, numbered: string, rows: number, seed: number): string {
  const { folds } = ask;
  if (ask.time !== undefined) {
    const time = ident(columnNamed(relation, ask.time, "--cv-time").name);
    return `SELECT *, ((rank() OVER (ORDER BY ${time}) - 1) * ${folds + 1}) // ${rows} AS ${foldColumn} FROM (${numbered})`;
  }
  const within = ask.stratum === undefined ? [] : [ident(columnNamed(relation, ask.stratum).name)];
  const dealing = [...within, `md5(${literal(`${seed}:`)} || ${foldRow})`, foldRow].join(", ");
  return `SELECT *, (row_number() OVER (ORDER BY ${dealing}) - 1) % ${folds} AS ${foldColumn} FROM (${numbered})`;
}

/** Deals groups to folds, the largest first, each to the fold that has the fewest rows; of like sizes by md5 of the seed. */
async function dealtGroups(
  relation: Relation,
  named: string,
  folds: number,
  seed: number,
): Promise<{ dealing: (numbered: string) => string; drop: () => Promise<void> }> {
  const { engine } = relation;
  const group = ident(columnNamed(relation, named, "--cv-group").name);
  const [ranked, dealt] = [engine.fresh("groups"), engine.fresh("groups_dealt")];
  await engine.run(
    `CREATE TABLE ${ident(ranked)} AS SELECT ${group} AS shopai_group, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC, md5(${literal(`${seed}:`)} || coalesce(${group}::VARCHAR, '')), ${group}) - 1 AS place FROM (${relation.sql}) GROUP BY ${group}`,
  );
  const sizes = floats(
    await engine.frame(`SELECT n FROM ${ident(ranked)} ORDER BY place`, [{ name: "n", as: "f64" }]),
    "n",
  );
  const held = new Float64Array(folds);
  const foldOf = Int32Array.from(sizes, (size) => {
    const fold = held.indexOf(Math.min(...held));
    held[fold] += size;
    return fold;
  });
  const place = Int32Array.from(sizes, (_, i) => i);
  await engine.load(dealt, {
    rows: sizes.length,
    columns: new Map([
      ["place", { kind: "i32", values: place }],
      ["fold", { kind: "i32", values: foldOf }],
    ]),
  });
  return {
    dealing: (numbered) =>
      `SELECT n.*, d.fold AS ${foldColumn} FROM (${numbered}) n JOIN ${ident(ranked)} g ON n.${group} IS NOT DISTINCT FROM g.shopai_group JOIN ${ident(dealt)} d USING (place)`,
    drop: () => engine.run(`DROP TABLE ${ident(ranked)}; DROP TABLE ${ident(dealt)}`),
  };
}

/** The predicate of rows earlier than a moment (a scalar SELECT) less the gap. */
function earlier(relation: Relation, time: string, gap: string | undefined, moment: string): string {
  const { name, type } = columnNamed(relation, time, "--cv-time");
  const kind = kindOf(type);
  if (!isNumeric(type) && kind !== "date" && kind !== "timestamp")
    throw new ShopaiError("data", `the times in ${name} are ${type}, not dates, timestamps or seconds`, {
      where: relation.name,
      try: "clean, which makes timestamps of texts",
    });
  if (gap === undefined) return `${ident(name)} < (${moment})`;
  const window = windowOf(gap);
  if (window.interval === undefined)
    throw new ShopaiError("usage", `--cv-gap must be a stretch of time, got ${gap}`, { try: "--cv-gap 7d" });
  const length = isNumeric(type) ? numeric(window.days * 86400) : window.interval;
  return `${ident(name)} < (${moment}) - ${length}`;
}

async function checkFolds(relation: Relation, ask: FoldAsk, folds: readonly Fold[]): Promise<void> {
  if (ask.time !== undefined) {
    const time = ident(columnNamed(relation, ask.time, "--cv-time").name);
    const [{ missing }] = await relation.engine.rows<{ missing: bigint }>(
      `SELECT count(*) - count(${time}) AS missing FROM (${relation.sql})`,
    );
    if (missing > 0n)
      throw new ShopaiError("data", `${missing} rows have no ${ask.time}, and folds follow it`, {
        where: relation.name,
        try: `--where '${time} IS NOT NULL'`,
      });
  }
  for (const { train, held } of folds)
    if ((await countRows(held)) === 0 || (await countRows(train)) === 0)
      throw new ShopaiError(
        "data",
        ask.group === undefined
          ? `${ask.time} has too few different times${ask.gap === undefined ? "" : `, less a gap of ${ask.gap},`} for ${ask.folds} folds`
          : `${ask.group} has fewer than ${ask.folds} different values`,
        { where: relation.name, try: "a smaller --cv" },
      );
}
