import { ShopaiError } from "../core/errors.js";
import { ident, literal } from "../engine/sql.js";
import { writeAtomically } from "./atomic.js";
import { formatOfPath, formatNames } from "./format.js";
import { provenanceKey, provenanceText, type Provenance } from "./provenance.js";
import { countRows, selectOrdered, type Relation } from "./relation.js";

/**
 * Writes a relation, ordered by its key, to a file whose ending picks the format, atomically and with
 * its provenance. `-` writes to stdout (`format` says how; CSV by default).
 *
 * @returns the rows written
 * @throws ShopaiError "usage" for an unknown ending, "data" for a table without columns or a path that cannot be written
 */
export async function writeTable(
  relation: Relation,
  path: string,
  provenance: Provenance,
  _options: { format?: string } = {},
): Promise<{ rows: number }> {
  const format = formatOfPath(path);
  if (!format)
    throw new ShopaiError("usage", "the ending of the output does not name a format", {
      where: path,
      try: `a name ending in .${formatNames.join(", .")}`,
    });
  if (relation.schema.length === 0)
    throw new ShopaiError("data", "a table without columns cannot be written", { where: path });
  const select = selectOrdered(relation);
  const how =
    format.name === "parquet"
      ? `FORMAT parquet, COMPRESSION zstd, KV_METADATA {${ident(provenanceKey)}: ${literal(provenanceText(provenance))}}`
      : format.name === "csv"
        ? "FORMAT csv, HEADER"
        : "FORMAT json";
  await writeAtomically(path, (temporary) =>
    relation.engine.run(`COPY (${select}) TO ${literal(temporary)} (${how})`),
  );
  return { rows: await countRows(relation) };
}
