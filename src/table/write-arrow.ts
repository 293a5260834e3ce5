import {
  AsyncByteQueue,
  Field,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
} from "apache-arrow";
import { guarded, type DuckDbEngine } from "../engine/duckdb.js";
import { ident } from "../engine/sql.js";
import { columnBuilder } from "./arrow-columns.js";
import { pairingOf } from "./arrow-types.js";
import { provenanceKey, provenanceText, type Provenance } from "./provenance.js";
import { selectOrdered, type Relation } from "./relation.js";

/** A record batch ends after so many rows, or so many bytes of text: both depend on the data alone. */
const batchRows = 65_536;
const batchBytes = 128 * 1024 * 1024;

/**
 * Writes a relation as Arrow IPC, a batch at a time, by whole columns.
 *
 * @param kind `file` (random access, with a footer) or `stream`
 * @param put  takes the bytes; the next batch is not worked out before it resolves
 * @returns the rows written
 */
export async function writeArrow(
  relation: Relation,
  provenance: Provenance,
  kind: "file" | "stream",
  put: (bytes: Uint8Array) => Promise<void>,
): Promise<number> {
  const { schema, sql } = await arrowPlan(relation, provenance);
  const parts = new Parts();
  const writer = kind === "file" ? new RecordBatchFileWriter() : new RecordBatchStreamWriter();
  let rows = 0;
  writer.reset(parts, schema);
  for await (const batch of recordBatches(relation.engine as DuckDbEngine, sql, schema)) {
    writer.write(batch);
    rows += batch.numRows;
    for (const bytes of parts.take()) await put(bytes);
  }
  writer.finish();
  for (const bytes of parts.take()) await put(bytes);
  return rows;
}

/** Where a writer leaves the bytes of a batch, to be taken before the next. */
class Parts extends AsyncByteQueue {
  #parts: Uint8Array[] = [];

  override write(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }

  override close(): void {}

  take(): Uint8Array[] {
    return this.#parts.splice(0);
  }
}

async function arrowPlan(
  relation: Relation,
  provenance: Provenance,
): Promise<{ schema: Schema; sql: string }> {
  const { connection } = relation.engine as DuckDbEngine;
  const sql = `SELECT * FROM (${selectOrdered(relation)}) LIMIT 0`;
  const empty = await guarded(sql, () => connection.run(sql));
  const pairings = empty.columnTypes().map(pairingOf);
  const fields = relation.schema.map(({ name }, i) => new Field(name, pairings[i].arrow, true));
  const columns = relation.schema.map(({ name }, i) => {
    const same = String(empty.columnType(i)) === pairings[i].sql;
    return same ? ident(name) : `CAST(${ident(name)} AS ${pairings[i].sql}) AS ${ident(name)}`;
  });
  return {
    schema: new Schema(fields, new Map([[provenanceKey, provenanceText(provenance)]])),
    sql: selectOrdered(relation, columns),
  };
}

async function* recordBatches(
  engine: DuckDbEngine,
  sql: string,
  schema: Schema,
): AsyncGenerator<RecordBatch> {
  const builders = schema.fields.map((field) => columnBuilder(field.type));
  const result = await guarded(sql, () => engine.connection.stream(sql));
  const type = new Struct(schema.fields);
  const finish = (): RecordBatch => {
    const { length } = builders[0];
    const children = builders.map((builder) => builder.finish());
    return new RecordBatch(schema, makeData({ type, length, nullCount: 0, children }));
  };
  for (;;) {
    const chunk = await guarded(sql, () => result.fetchChunk());
    if (!chunk || chunk.rowCount === 0) break;
    const vectors = builders.map((_, i) => chunk.getColumnVector(i));
    for (let from = 0; from < chunk.rowCount;) {
      const to = Math.min(chunk.rowCount, from + batchRows - builders[0].length);
      builders.forEach((builder, i) => builder.take(vectors[i], from, to));
      from = to;
      const bytes = builders.reduce((most, builder) => Math.max(most, builder.bytes), 0);
      if (builders[0].length === batchRows || bytes > batchBytes) yield finish();
    }
  }
  if (builders[0].length > 0) yield finish();
}
