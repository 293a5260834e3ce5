import { open } from "node:fs/promises";
import { RecordBatchReader } from "apache-arrow";
import type { Engine } from "../engine/engine.js";
import { literal, pathLiteral } from "../engine/sql.js";
import { formatOfPath } from "./format.js";
import { provenanceKey, type Provenance } from "./provenance.js";

/** What a Parquet or Arrow file tells of its making; undefined for other formats and for files of other programs. */
export async function readProvenance(engine: Engine, path: string): Promise<Provenance | undefined> {
  const format = formatOfPath(path)?.name;
  const text =
    format === "parquet"
      ? await fromParquet(engine, path)
      : format === "arrow"
        ? await fromArrow(path)
        : undefined;
  return text === undefined ? undefined : (JSON.parse(text) as Provenance);
}

async function fromParquet(engine: Engine, path: string): Promise<string | undefined> {
  const rows = await engine.rows<{ value: string }>(
    `SELECT decode(value) AS value FROM parquet_kv_metadata(${pathLiteral(path)}) WHERE decode(key) = ${literal(provenanceKey)}`,
  );
  return rows[0]?.value;
}

async function fromArrow(path: string): Promise<string | undefined> {
  const handle = await open(path, "r");
  try {
    const reader = await RecordBatchReader.from(handle.createReadStream({ autoClose: false }));
    await reader.open();
    const text = reader.schema.metadata.get(provenanceKey);
    await reader.cancel();
    return text;
  } finally {
    await handle.close();
  }
}
