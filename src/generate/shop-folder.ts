import { closeSync, openSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Engine } from "../engine/engine.js";
import { texts } from "../engine/frame.js";
import { ident, literal } from "../engine/sql.js";
import { makeFolder } from "../table/atomic.js";
import { provenanceKey, provenanceText, type Provenance } from "../table/provenance.js";
import { badByteMark } from "./dirt.js";

/** The folder that a shop is written into: files are filled by SELECTs that order their rows. */
export class ShopFolder {
  /** Rows of every file, by name; the parts of a split file count together. */
  readonly rows: Record<string, number> = {};
  private readonly open = new Map<string, number>();

  constructor(
    readonly engine: Engine,
    private readonly path: string,
    private readonly provenance: Provenance,
  ) {}

  /** Writes a Parquet file with provenance. @param name as users see it; `part` numbers the files of a folder */
  async parquet(name: string, select: string, part?: number): Promise<void> {
    const file = part === undefined ? name : `${name}/part-${String(part).padStart(4, "0")}.parquet`;
    await this.copy(
      name,
      file,
      select,
      `FORMAT parquet, COMPRESSION zstd, KV_METADATA {${ident(provenanceKey)}: ${literal(provenanceText(this.provenance))}}`,
    );
  }

  async csv(name: string, select: string, delimiter = ","): Promise<void> {
    await this.copy(name, name, select, `FORMAT csv, HEADER, DELIMITER ${literal(delimiter)}`);
  }

  /** Appends lines, one text column of a SELECT, to a text file. */
  async lines(name: string, select: string): Promise<void> {
    const frame = await this.engine.frame(select, [{ name: "record", as: "text" }]);
    const records = texts(frame, "record");
    if (records.length === 0) return void this.append(name, "", 0);
    this.append(name, `${records.join("\n")}\n`, records.length);
  }

  /** Appends text to a file; where the text holds the mark of a bad byte, that byte is written. */
  append(name: string, text: string, rows: number): void {
    this.rows[name] = (this.rows[name] ?? 0) + rows;
    let descriptor = this.open.get(name);
    if (descriptor === undefined) this.open.set(name, (descriptor = openSync(this.place(name), "w")));
    const pieces = text
      .split(badByteMark)
      .flatMap((piece, i) => (i === 0 ? [Buffer.from(piece)] : [Buffer.from([0xe9]), Buffer.from(piece)]));
    for (const piece of pieces) for (let at = 0; at < piece.length;) at += writeSync(descriptor, piece, at);
  }

  close(): void {
    for (const descriptor of this.open.values()) closeSync(descriptor);
    this.open.clear();
  }

  private async copy(name: string, file: string, select: string, how: string): Promise<void> {
    const [{ Count: count }] = await this.engine.rows<{ Count: bigint }>(
      `COPY (${select}) TO ${literal(this.place(file))} (${how})`,
    );
    this.rows[name] = (this.rows[name] ?? 0) + Number(count);
  }

  private place(file: string): string {
    const path = join(this.path, file);
    makeFolder(dirname(path));
    return path;
  }
}
