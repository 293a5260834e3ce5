import { literal, pathLiteral } from "../engine/sql.js";
import { provenanceKey, type Provenance } from "../table/provenance.js";
import type { Relation } from "../table/relation.js";

/** How a table was made, where its file tells (Parquet). */
export async function provenanceIn(relation: Relation): Promise<Provenance | undefined> {
  const path = relation.inputs[0]?.path;
  if (path === undefined || !/\.(parquet|pq)$/i.test(path)) return undefined;
  const [row] = await relation.engine.rows<{ value: string }>(
    `SELECT decode(value) AS value FROM parquet_kv_metadata(${pathLiteral(path)}) WHERE decode(key) = ${literal(provenanceKey)}`,
  );
  return row ? (JSON.parse(row.value) as Provenance) : undefined;
}
