import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { ident } from "../engine/sql.js";
import { inferTypes, textTypes, type TextType } from "./infer-types.js";
import type { RawTable } from "./open-text.js";
import { fileColumn, relationOf, rowColumn, selectOrdered, type Relation } from "./relation.js";

/**
 * A table of text with the types that all its values allow.
 *
 * @throws ShopaiError "data" when records were refused, naming the first
 */
export async function typed(raw: RawTable): Promise<Relation> {
  await refuseRefused(raw);
  return typedRows(raw);
}

/** As `typed`, of the records that could be read, whatever was refused. */
export async function typedRows(raw: RawTable): Promise<Relation> {
  const { relation } = raw;
  const { engine, sql } = relation;
  const candidates = new Map(
    relation.schema.map(({ name }) => [name, candidatesFor(raw.jsonKinds?.get(name))]),
  );
  const types = await inferTypes(engine, sql, candidates);
  const lists = await listTypes(raw);
  const columns = relation.schema.map(({ name }) => {
    const column = ident(name);
    const list = lists.get(name);
    if (list) return `CAST(${column}::JSON AS ${list}) AS ${column}`;
    const type = types.get(name);
    return type ? `CAST(nullif(${column}, '') AS ${type}) AS ${column}` : column;
  });
  const typedSql = `SELECT ${[...columns, ident(fileColumn), ident(rowColumn)].join(", ")} FROM (${sql})`;
  return { ...(await relationOf(engine, typedSql, relation)), lastRow: relation.lastRow };
}

async function refuseRefused({ refused, relation, records, unit = "records" }: RawTable): Promise<void> {
  const worst = await refused.engine.rows<{ _reason: string; _source: string; _line: bigint }>(
    `${selectOrdered(refused, ["_reason", "_source", "_line"])} LIMIT 1`,
  );
  if (worst.length === 0) return;
  const [{ n }] = await refused.engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${refused.sql})`);
  const [{ _reason: reason, _source: source, _line: line }] = worst;
  const count = `${grouped(n)} of ${grouped(records)} ${unit} cannot be read`;
  const advice = /not UTF-8/.test(reason) ? "--encoding latin-1, windows-1252 or gb18030; or " : "";
  throw new ShopaiError("data", `${count}; the first: ${reason}`, {
    where: unit === "images" ? source : `${source}, line ${line}`,
    try: `${advice}shopai clean ${relation.name} -o clean.parquet --rejects rejects.csv`,
  });
}

/** JSON says what is a number and what is text; only times are written as text there. */
function candidatesFor(kinds: readonly string[] | undefined): readonly TextType[] {
  if (!kinds) return textTypes;
  const values = kinds.filter((kind) => kind !== "NULL");
  const all = (...names: string[]): boolean =>
    values.length > 0 && values.every((kind) => names.includes(kind));
  if (all("BIGINT", "UBIGINT", "DOUBLE")) return ["BIGINT", "DOUBLE"];
  if (all("BOOLEAN")) return ["BOOLEAN"];
  return all("VARCHAR") ? ["DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"] : [];
}

/** Columns of a JSON table that hold lists of scalars of one kind, with their type; other nested values stay JSON text. */
async function listTypes({ jsonKinds, relation }: RawTable): Promise<Map<string, string>> {
  const lists = new Map<string, string>();
  for (const [name, kinds] of jsonKinds ?? []) {
    if (kinds.some((kind) => kind !== "ARRAY" && kind !== "NULL") || !kinds.includes("ARRAY")) continue;
    const column = ident(name);
    const [about] = await relation.engine.rows<{ kinds: string[] | null; exact: boolean; long: boolean }>(
      `SELECT list_sort(list_distinct(flatten(list(json_type(${column}, '$[*]'))))) AS kinds, ` +
        `bool_and(${column} = to_json(TRY_CAST(${column}::JSON AS BIGINT[]))::VARCHAR) AS exact, ` +
        `bool_or(regexp_matches(${column}, '[0-9]{16}')) AS long FROM (${relation.sql}) WHERE ${column} IS NOT NULL`,
    );
    const elements = (about.kinds ?? []).filter((kind) => kind !== null && kind !== "NULL");
    const all = (...names: string[]): boolean =>
      elements.length > 0 && elements.every((kind) => names.includes(kind));
    if (all("BIGINT", "UBIGINT") && about.exact) lists.set(name, "BIGINT[]");
    else if (all("BIGINT", "UBIGINT", "DOUBLE") && !about.long) lists.set(name, "DOUBLE[]");
    else if (all("VARCHAR")) lists.set(name, "VARCHAR[]");
    else if (all("BOOLEAN")) lists.set(name, "BOOLEAN[]");
  }
  return lists;
}
