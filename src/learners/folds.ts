import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
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
 * - group: whole groups, the largest first, to and fro over the folds, so that they are of like size
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
  await engine.run(`CREATE TABLE ${ident(table)} AS ${dealingSql(relation, ask, numbered, rows, run.seed)}`);
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
  if (ask.group !== undefined) {
    const group = ident(columnNamed(relation, ask.group, "--cv-group").name);
    const ranked = `SELECT ${group} AS shopai_group, row_number() OVER (ORDER BY count(*) DESC, md5(${literal(`${seed}:`)} || coalesce(${group}::VARCHAR, '')), ${group}) - 1 AS place FROM (${numbered}) GROUP BY ${group}`;
    const toAndFro = `CASE WHEN (place // ${folds}) % 2 = 0 THEN place % ${folds} ELSE ${folds - 1} - place % ${folds} END`;
    return `SELECT n.*, ${toAndFro} AS ${foldColumn} FROM (${numbered}) n JOIN (${ranked}) g ON n.${group} IS NOT DISTINCT FROM g.shopai_group`;
  }
  const within = ask.stratum === undefined ? [] : [ident(columnNamed(relation, ask.stratum).name)];
  const dealing = [...within, `md5(${literal(`${seed}:`)} || ${foldRow})`, foldRow].join(", ");
  return `SELECT *, (row_number() OVER (ORDER BY ${dealing}) - 1) % ${folds} AS ${foldColumn} FROM (${numbered})`;
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
