/**
 * DuckDB's client, loaded by whoever needs it: `import("./duckdb-library.js")` costs 100 ms, which help and a usage error must not
 * pay. A module of ours, because bundled packages give their names to static exports alone.
 */
export {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBInstance,
  DuckDBScalarFunction,
  INTEGER,
  VARCHAR,
} from "@duckdb/node-api";
