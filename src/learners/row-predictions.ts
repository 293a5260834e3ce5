import { ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import type { Column, Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { columnNamed, orderSql, type Relation, relationOf, rowColumn } from "../table/relation.js";
import { breathe } from "./breathe.js";
import { checkFeatures, featureAsks } from "./design-matrix.js";
import type { Ask } from "./learner.js";

/** Rows scored at once: bounds what is held in memory, whatever the size of the table. */
const batch = 1 << 17;

/**
 * Predicts row by row: reads the features in batches, in the order of the table, and gives the columns
 * that `predict` and `ask.also` return beside the columns to keep.
 *
 * @param predict columns of a frame of features; their names become columns of the result
 * @param read the features that `predict` looks at, all by default; `ask.also` sees all
 * @param types engine types that columns get instead of the ones their arrays have (`prediction`: BOOLEAN)
 */
export async function predictRows(
  rows: Relation,
  features: readonly Field[],
  ask: Ask,
  run: Run,
  predict: (frame: Frame) => Map<string, Column> | Promise<Map<string, Column>>,
  types: Readonly<Record<string, string>> = {},
  read: readonly Field[] = features,
): Promise<Relation> {
  checkFeatures(rows, features);
  const seen = ask.also ? features : read;
  const score = async (frame: Frame): Promise<Map<string, Column>> =>
    new Map([...(await predict(frame)), ...(ask.also?.(frame) ?? [])]);
  if (rows.memory) return inMemory(rows, rows.memory, ask, score, types);
  const { engine } = rows;
  const kept = (ask.keep ?? []).map((name) => columnNamed(rows, name, "--keep").name);
  const names = [...new Set([...seen.map((field) => field.name), ...kept])];
  const staged = engine.fresh("to_score");
  const row = ident(rowColumn);
  const order = orderSql(rows);
  await engine.run(
    `CREATE TABLE ${ident(staged)} AS SELECT (row_number() OVER (${order}) - 1)::INTEGER AS ${row}, ${names.map(ident).join(", ")} FROM (${rows.sql}) ORDER BY ${row}`,
  );
  const [{ count }] = await engine.rows<{ count: bigint }>(`SELECT count(*) AS count FROM ${ident(staged)}`);
  const total = Number(count);
  const scored = engine.fresh("scored");
  run.progress.stage("predicting");
  let given: string[] = [];
  for (let from = 0; from === 0 || from < total; from += batch) {
    const frame = await engine.frame(
      `SELECT * FROM ${ident(staged)} WHERE ${row} >= ${from} AND ${row} < ${from + batch} ORDER BY ${row}`,
      featureAsks(seen),
    );
    const columns = await score(frame);
    given = [...columns.keys()];
    refuseClash(kept, given);
    const part = from === 0 ? scored : engine.fresh("scored_part");
    const numbered = Int32Array.from({ length: frame.rows }, (_, i) => from + i);
    await engine.load(part, {
      rows: frame.rows,
      columns: new Map([[rowColumn, { kind: "i32", values: numbered }], ...columns]),
    });
    if (part !== scored) {
      await engine.run(`INSERT INTO ${ident(scored)} SELECT * FROM ${ident(part)}`);
      await engine.run(`DROP TABLE ${ident(part)}`);
    }
    run.progress.update(from + frame.rows, total);
    await breathe(run);
  }
  run.progress.done();
  const list = [
    ...kept.map((name) => `t.${ident(name)}`),
    ...given.map((name) =>
      types[name] ? `p.${ident(name)}::${types[name]} AS ${ident(name)}` : `p.${ident(name)}`,
    ),
    `p.${row}`,
  ];
  return relationOf(
    engine,
    `SELECT ${list.join(", ")} FROM ${ident(staged)} t JOIN ${ident(scored)} p ON t.${row} = p.${row}`,
    { key: [rowColumn], inputs: rows.inputs, name: rows.name },
  );
}

/** Predictions of rows that are in memory; kept columns are the caller's. */
async function inMemory(
  rows: Relation,
  frame: Frame,
  ask: Ask,
  score: (frame: Frame) => Map<string, Column> | Promise<Map<string, Column>>,
  types: Readonly<Record<string, string>>,
): Promise<Relation> {
  const columns = await score(frame);
  refuseClash(ask.keep ?? [], [...columns.keys()]);
  const schema = [...columns].map(([name, { kind }]) => ({ name, type: types[name] ?? engineType[kind] }));
  return { ...rows, schema, memory: { rows: frame.rows, columns } };
}

const engineType: Record<Column["kind"], string> = {
  f64: "DOUBLE",
  f32: "FLOAT",
  i32: "INTEGER",
  i64: "BIGINT",
  code: "VARCHAR",
  text: "VARCHAR",
};

function refuseClash(kept: readonly string[], given: readonly string[]): void {
  const clash = kept.find((name) => given.includes(name));
  if (clash !== undefined)
    throw new ShopaiError("usage", `--keep ${clash} would stand beside the ${clash} of the model`, {
      try: "leaving it out, or renaming the column",
    });
}
