import { join } from "node:path";
import { listed, ShopaiError } from "../core/errors.js";
import type { Engine } from "../engine/engine.js";
import { ident, literal, pathLiteral } from "../engine/sql.js";
import { kindNumber, newRecordCopier, type FieldKind } from "./copy-records.js";
import { dialectOf, refuseDoubles, type Dialect } from "./csv-dialect.js";
import { canonicalRecord } from "./csv-record.js";
import type { OpenOptions } from "./open.js";
import type { InputRecord } from "./provenance.js";
import { fileColumn, plainColumn, relationOf, rowColumn, type Relation } from "./relation.js";
import { CsvScanner, type RecordSink } from "./scan-csv.js";
import { ElementScanner, jsonDelimiter, LineScanner, type JsonScanner } from "./scan-json.js";
import { ScratchFile } from "./scratch-file.js";
import { sourceFiles, type SourceFile } from "./source.js";
import { otherText } from "./foreign.js";
import { TextBytes } from "./text-bytes.js";

export interface TextOptions extends OpenOptions {
  /** What columns of a CSV file are to be read as, by name: `plainColumn` then speaks of their form as well. */
  kinds?: ReadonlyMap<string, FieldKind>;
}

/** Text files, or images, as they stand. `records` = rows of `relation` + rows of `refused`. */
export interface RawTable {
  /** Every column VARCHAR; key: number of the file and physical line on which the record begins (1 is the first line of the file). */
  relation: Relation;
  /** `_reason`, `_source`, `_line` and `_raw` of every record that could not be read; key: file and line. */
  refused: Relation;
  /** What kind of JSON value each column of a JSON table holds, as `json_type` names them; absent for CSV. */
  jsonKinds?: ReadonlyMap<string, readonly string[]>;
  /** Records seen; the header and blank lines are none. */
  records: number;
  /** What a record is, in the plural; records otherwise. */
  unit?: "records" | "images";
}

/**
 * Opens CSV, TSV, NDJSON and JSON files without giving them types: an unquoted empty CSV field is NULL, a
 * quoted empty one is ''. The files are scanned once (bytes are hashed on the way); what could be read
 * lies in the engine's scratch folder from then on, what could not is in `refused`. In `_raw`, bytes that
 * are no text are shown `\xNN`, and backslashes of such records doubled.
 *
 * @throws ShopaiError "data" for a missing, empty, damaged or binary file, for headers that cannot be used
 *         or that differ between the files, and for JSON whose brackets do not match
 */
export async function openText(
  engine: Engine,
  inputs: readonly string[],
  options: TextOptions = {},
): Promise<RawTable> {
  return openTextFiles(engine, sourceFiles(inputs, options.format), inputs.join(" "), options);
}

/** As `openText`, for files that are known already. */
export async function openTextFiles(
  engine: Engine,
  files: readonly SourceFile[],
  name: string,
  options: TextOptions,
): Promise<RawTable> {
  const json = isJson(files[0]);
  const odd = files.find((file) => isJson(file) !== json || !isText(file));
  if (odd)
    throw new ShopaiError(
      "data",
      `text and other tables cannot be read as one (${files[0].path} is ${files[0].format.name})`,
      {
        where: odd.path,
        try: "files of one format",
      },
    );
  const spool = new Spool(
    engine,
    files.map((file) => file.path),
  );
  const inputRecords: InputRecord[] = [];
  try {
    for (const [number, file] of files.entries())
      inputRecords.push(
        json ? await scanJson(spool, file, number, options) : await scanCsv(spool, file, number, options),
      );
  } finally {
    spool.close();
  }
  const about = { key: [fileColumn, rowColumn], inputs: inputRecords, name };
  const { sql, refusedSql, jsonKinds } = json
    ? await jsonSql(engine, spool, name)
    : { sql: csvSql(spool), refusedSql: refusedCsvSql(spool), jsonKinds: undefined };
  return {
    relation: {
      ...(await relationOf(engine, sql, about)),
      plain: json ? undefined : (options.kinds ?? new Map()),
      lastRow: files.length === 1 ? spool.lastLine : undefined,
    },
    refused: await relationOf(engine, refusedSql, { ...about, key: [fileColumn, "_line"] }),
    jsonKinds,
    records: inputRecords.reduce((sum, record) => sum + record.rows!, 0),
  };
}

export const isText = (file: SourceFile): boolean => file.format.name === "csv" || isJson(file);
const isJson = (file: SourceFile): boolean => file.format.name === "ndjson" || file.format.name === "json";

/** Files with the same columns in the same order, gathered in one scratch file. */
interface Batch {
  scratch: ScratchFile;
  delimiter: string;
  header: string[];
  partitions: Record<string, string>;
  /** Bytes of the longest record. */
  longest: number;
}

/** The scratch files of one opening. */
class Spool {
  readonly batches = new Map<string, Batch>();
  readonly refused: ScratchFile;
  /** Bytes of the longest line in it: the reader takes memory by it. */
  longestRefused = 0;
  /** The largest line number of any file. */
  lastLine = 0;
  /** Whether records carry the number of their file. */
  readonly numbered: boolean;
  readonly copier = newRecordCopier();
  readonly #name: string;

  constructor(
    private readonly engine: Engine,
    readonly sources: readonly string[],
  ) {
    this.numbered = sources.length > 1;
    this.#name = engine.fresh("text");
    this.refused = this.#scratch("refused");
  }

  batch(delimiter: string, header: string[], partitions: Record<string, string>): Batch {
    const key = JSON.stringify([delimiter, header, partitions]);
    let batch = this.batches.get(key);
    if (!batch) {
      const scratch = this.#scratch(String(this.batches.size));
      batch = { scratch, delimiter, header, partitions, longest: 0 };
      this.batches.set(key, batch);
    }
    return batch;
  }

  sink(file: number, batch: Batch): RecordSink {
    return {
      good: (bytes) => batch.scratch.write(bytes),
      refuse: (line, reason, raw) => {
        const fields = [String(file), String(line), reason, this.sources[file], raw];
        const bytes = Buffer.from(`${canonicalRecord(fields, ",")}\n`);
        this.longestRefused = Math.max(this.longestRefused, bytes.length);
        this.refused.write(bytes);
      },
    };
  }

  /** What stands before the line number. */
  prefix(file: number, delimiter: string): string {
    return this.numbered ? `${file}${delimiter}` : "";
  }

  close(): void {
    for (const batch of this.batches.values()) batch.scratch.close();
    this.refused.close();
  }

  #scratch(name: string): ScratchFile {
    return new ScratchFile(join(this.engine.scratch, `${this.#name}_${name}`));
  }
}

async function scanCsv(
  spool: Spool,
  file: SourceFile,
  number: number,
  options: TextOptions,
): Promise<InputRecord> {
  const { path } = file;
  const bytes = new TextBytes(path, { ...options, compression: file.format.compression });
  let pending = Buffer.alloc(0);
  let scanner: CsvScanner | undefined;
  let batch: Batch | undefined;
  const begin = (whole: boolean): void => {
    const other = otherText(pending.subarray(0, 1000).toString());
    if (other)
      throw new ShopaiError("data", `this is no ${file.format.name.toUpperCase()}: it is ${other.what}`, {
        where: path,
        try: other.advice,
      });
    const asked = { delimiter: options.delimiter ?? file.format.delimiter, header: options.header };
    const dialect = dialectOf(pending, whole, path, asked);
    refuseDoubles([...dialect.header, ...Object.keys(file.partitions)], path);
    const first = [...spool.batches.values()][0];
    if (first) refuseOtherColumns(first.header, dialect, path);
    batch = spool.batch(dialect.delimiter, dialect.header, file.partitions);
    scanner = new CsvScanner(
      spool.copier,
      dialect.delimiter.charCodeAt(0),
      dialect.header.length,
      dialect.headerLines + 1,
      spool.sink(number, batch),
      {
        prefix: spool.prefix(number, dialect.delimiter),
        encoding: foreign(options.encoding),
        kinds: Uint8Array.from(dialect.header, (name) => kindNumber(options.kinds?.get(name))),
      },
    );
    scanner.push(pending.subarray(dialect.headerBytes));
  };
  for await (const chunk of bytes.chunks()) {
    if (scanner) scanner.push(chunk);
    else {
      pending = Buffer.concat([pending, chunk]);
      if (pending.length >= headBytes) begin(false);
    }
  }
  if (!scanner) begin(true);
  scanner!.end();
  batch!.longest = Math.max(batch!.longest, scanner!.longest);
  spool.lastLine = Math.max(spool.lastLine, scanner!.line);
  return { path, sha256: bytes.sha256, rows: scanner!.records };
}

/** The separator is judged by this much of a file. */
const headBytes = 1 << 20;

/** The encoding, if it is not UTF-8. */
const foreign = (encoding?: string): string | undefined =>
  encoding === undefined || /^(utf-?8|ascii)$/i.test(encoding) ? undefined : encoding;

function refuseOtherColumns(wanted: readonly string[], dialect: Dialect, path: string): void {
  const missing = wanted.filter((name) => !dialect.header.includes(name));
  const surplus = dialect.header.filter((name) => !wanted.includes(name));
  if (missing.length + surplus.length === 0) return;
  const parts = [
    missing.length > 0 && `it lacks ${listed(missing)}`,
    surplus.length > 0 && `it has ${listed(surplus)} besides`,
  ].filter(Boolean);
  throw new ShopaiError("data", `the columns differ from those of the first file: ${parts.join(", ")}`, {
    where: path,
    try: "reading the files apart, or mending the header",
  });
}

function csvSql(spool: Spool): string {
  const batches = [...spool.batches.values()];
  const names = batches[0].header;
  const partitions = [...new Set(batches.flatMap((batch) => Object.keys(batch.partitions)))];
  return batches
    .map((batch) => {
      const columns = [
        ...names.map(ident),
        ...partitions.map((name) => `${partitionValue(batch, name)} AS ${ident(name)}`),
        `${spool.numbered ? ident(fileColumn) : "0::INTEGER"} AS ${ident(fileColumn)}`,
        `abs(${ident(rowColumn)}) AS ${ident(rowColumn)}`,
        // How the scan says it (copy-records.ts).
        `${ident(rowColumn)} > 0 AS ${ident(plainColumn)}`,
      ];
      const types = batch.header.map((name) => `${literal(name)}: 'VARCHAR'`);
      return `SELECT ${columns.join(", ")} FROM ${readScratch(spool, batch, types, `quote = '"', escape = '"'`)}`;
    })
    .join(" UNION ALL ");
}

const partitionValue = (batch: Batch, name: string): string =>
  batch.partitions[name] === undefined ? "NULL::VARCHAR" : literal(batch.partitions[name]);

function readScratch(spool: Spool, batch: Batch, types: readonly string[], quoting: string): string {
  const columns = [
    ...(spool.numbered ? [`${literal(fileColumn)}: 'INTEGER'`] : []),
    `${literal(rowColumn)}: 'BIGINT'`,
    ...types,
  ];
  const { scratch, delimiter, longest } = batch;
  return `read_csv(${pathLiteral(scratch.path)}, columns = {${columns.join(", ")}}, delim = ${literal(delimiter)}, ${quoting}, ${strictly}, max_line_size = ${Math.max(smallBuffer, longest + 64)})`;
}

/** The reader takes buffers of 16 times the longest line that it is told of, which a small cache holds. */
const smallBuffer = 1 << 17;

const strictly =
  "nullstr = '', allow_quoted_nulls = false, header = false, auto_detect = false, new_line = '\\n', strict_mode = true, comment = ''";

function refusedCsvSql(spool: Spool): string {
  const columns = `{${literal(fileColumn)}: 'INTEGER', '_line': 'BIGINT', '_reason': 'VARCHAR', '_source': 'VARCHAR', '_raw': 'VARCHAR'}`;
  return `SELECT _reason, _source, _line, _raw, ${ident(fileColumn)} FROM read_csv(${pathLiteral(spool.refused.path)}, columns = ${columns}, delim = ',', quote = '"', escape = '"', ${strictly}, max_line_size = ${Math.max(smallBuffer, spool.longestRefused + 64)})`;
}

async function scanJson(
  spool: Spool,
  file: SourceFile,
  number: number,
  options: OpenOptions,
): Promise<InputRecord> {
  const { path } = file;
  const bytes = new TextBytes(path, { ...options, compression: file.format.compression });
  const batch = spool.batch(jsonDelimiter, ["json"], file.partitions);
  const sink = spool.sink(number, batch);
  const prefix = spool.prefix(number, jsonDelimiter);
  const fail = (line: number, reason: string): never => {
    throw new ShopaiError("data", `the JSON cannot be read: ${reason}`, {
      where: `${path}, line ${line}`,
      try: "mending the file, or NDJSON: one object a line",
    });
  };
  let scanner: JsonScanner | undefined;
  for await (const chunk of bytes.chunks()) {
    scanner ??=
      file.format.name === "ndjson" && !startsList(chunk)
        ? new LineScanner(sink, prefix)
        : new ElementScanner(sink, prefix, fail);
    scanner.push(chunk);
  }
  scanner?.end();
  batch.longest = Math.max(batch.longest, scanner?.longest ?? 0);
  spool.lastLine = Math.max(spool.lastLine, scanner?.line ?? 0);
  return { path, sha256: bytes.sha256, rows: scanner?.records ?? 0 };
}

const startsList = (chunk: Buffer): boolean => /^\s*\[\s*[{\]]/.test(chunk.toString("latin1", 0, 256));

async function jsonSql(
  engine: Engine,
  spool: Spool,
  name: string,
): Promise<{ sql: string; refusedSql: string; jsonKinds: Map<string, string[]> }> {
  const batches = [...spool.batches.values()];
  const partitions = [...new Set(batches.flatMap((batch) => Object.keys(batch.partitions)))];
  const lines = batches
    .map((batch) => {
      const extra = partitions.map((column) => `, ${partitionValue(batch, column)} AS ${ident(column)}`);
      const file = spool.numbered ? ident(fileColumn) : "0::INTEGER";
      return `SELECT ${file} AS ${ident(fileColumn)}, ${ident(rowColumn)}, json${extra.join("")} FROM ${readScratch(spool, batch, ["'json': 'VARCHAR'"], "quote = '', escape = ''")}`;
    })
    .join(" UNION ALL ");
  const [{ broken }] = await engine.rows<{ broken: bigint }>(
    `SELECT count(*) AS broken FROM (${lines}) WHERE NOT json_valid(json)`,
  );
  // Filters may run in any order, so a broken text must not reach a function that throws on it.
  const json = broken > 0n ? "CASE WHEN json_valid(json) THEN json END" : "json";
  const good = broken > 0n ? "WHERE json_valid(json)" : "";
  const keys = await engine.rows<{ key: string }>(
    `SELECT key FROM (SELECT unnest(keys) AS key, generate_subscripts(keys, 1) AS place, * EXCLUDE (keys) FROM (SELECT json_keys(${json}) AS keys, * EXCLUDE (json) FROM (${lines}) ${good})) GROUP BY key ORDER BY min((${ident(fileColumn)}, ${ident(rowColumn)}, place))`,
  );
  if (keys.length === 0)
    throw new ShopaiError("data", "the file holds no JSON object with a key", {
      where: name,
      try: "one JSON object a line, or an array of objects",
    });
  const columns = keys.map((row) => row.key);
  refuseDoubles([...columns, ...partitions], name);
  const pointers = columns.map((column) => literal(`/${column.replaceAll("~", "~0").replaceAll("/", "~1")}`));
  const extract = `json_extract_string(${json}, [${pointers.join(", ")}])`;
  const selected = columns.map((column, i) => `v[${i + 1}] AS ${ident(column)}`);
  const sql = `SELECT ${[...selected, ...partitions.map(ident)].join(", ")}, ${ident(fileColumn)}, ${ident(rowColumn)} FROM (SELECT ${extract} AS v, * EXCLUDE (json) FROM (${lines}) ${good})`;
  const source = `[${spool.sources.map(literal).join(", ")}][${ident(fileColumn)} + 1]`;
  const refusedSql = `${refusedCsvSql(spool)} UNION ALL SELECT 'not valid JSON' AS _reason, ${source} AS _source, ${ident(rowColumn)} AS _line, json AS _raw, ${ident(fileColumn)} FROM (${lines}) WHERE NOT json_valid(json)`;
  const kinds = columns.map((_, i) => `list_sort(list_distinct(list(t[${i + 1}])))`);
  const [row] = await engine.rows<{ kinds: string[][] }>(
    `SELECT [${kinds.join(", ")}] AS kinds FROM (SELECT json_type(${json}, [${pointers.join(", ")}]) AS t FROM (${lines}) ${good})`,
  );
  const jsonKinds = new Map(
    columns.map((column, i) => [column, row.kinds[i].filter((kind) => kind !== null)]),
  );
  return { sql, refusedSql, jsonKinds };
}
