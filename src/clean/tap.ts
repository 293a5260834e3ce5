import { join } from "node:path";
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBScalarFunction,
  INTEGER,
  VARCHAR,
  type DuckDBDataChunk,
  type DuckDBVector,
} from "@duckdb/node-api";
import type { DuckDbEngine } from "../engine/duckdb.js";
import type { Engine } from "../engine/engine.js";
import { ident, pathLiteral } from "../engine/sql.js";
import { canonicalRecord } from "../table/csv-record.js";
import { fileColumn, rowColumn } from "../table/relation.js";
import { ScratchFile } from "../table/scratch-file.js";
import type { Step } from "./column-plan.js";
import type { Entry, Ledger } from "./ledger.js";

/** What the binding's double vectors hold and its types hide. */
interface Doubles {
  items: Float64Array;
}

/** Rows of which the same was noted. */
export interface Heard {
  held: Entry[];
  rows: number;
  masks: string[];
  goesOn: boolean;
  /** Whether the rows themselves are wanted afterwards. */
  isKept: boolean;
}

/**
 * Listens to the one pass that writes the clean rows. A row of which nothing was noted passes by inside
 * the engine; of the others the masks are counted here, and those that are refused are set aside and held
 * back. Reading raw text a second time, only to see what was wrong with it, would cost half as much again.
 */
export class Tap {
  /** A SELECT of the rows that go on. It must be read exactly once, and to its end. */
  readonly sql: string;
  readonly #heard = new Map<string, Heard>();
  readonly #scratch: ScratchFile;
  readonly #ledger: Ledger;
  readonly #step: Step;

  constructor(engine: Engine, step: Step, ledger: Ledger) {
    this.#step = step;
    this.#ledger = ledger;
    this.#scratch = new ScratchFile(join(engine.scratch, engine.fresh("rejected")));
    const name = engine.fresh("shopai_tap");
    const masks = step.masks.map(ident);
    // Every mask fits a double: a bit is a power of two, and there are at most 50 in one.
    const wanted = [ident(fileColumn), ident(rowColumn), ...masks.map((mask) => `${mask}::DOUBLE`)];
    const kept = step.raw ? `CASE WHEN ${ledger.holds(ledger.of("reject"))} THEN ${step.raw} END` : "NULL::VARCHAR";
    const any = masks.map((mask) => `${mask} <> 0`).join(" OR ") || "false";
    const passes = `CASE WHEN ${any} THEN ${name}(${[...wanted, kept].join(", ")}) ELSE true END`;
    this.sql = `SELECT * FROM (SELECT *, ${passes} AS _shopai_passes FROM (${step.sql})) WHERE _shopai_passes`;
    (engine as DuckDbEngine).connection.registerScalarFunction(
      DuckDBScalarFunction.create({
        name,
        parameterTypes: [INTEGER, BIGINT, ...masks.map(() => DOUBLE), VARCHAR],
        returnType: BOOLEAN,
        // Without it a filter would be pushed below, and every cast be done twice.
        volatile: true,
        specialHandling: true,
        mainFunction: (_info, input, output) => this.#listen(input, output),
      }),
    );
  }

  #listen(input: DuckDBDataChunk, output: DuckDBVector): void {
    const count = this.#step.masks.length;
    const masks = this.#step.masks.map((_, i) => (input.getColumnVector(2 + i) as DuckDBVector & Doubles).items);
    const files = input.getColumnVector(0);
    const rows = input.getColumnVector(1);
    const raws = input.getColumnVector(2 + count);
    for (let row = 0; row < input.rowCount; row++) {
      const key = count === 1 ? String(masks[0][row]) : masks.map((mask) => mask[row]).join(",");
      let heard = this.#heard.get(key);
      if (!heard) this.#heard.set(key, (heard = this.#judged(key)));
      heard.rows++;
      output.setItem(row, heard.goesOn);
      if (!heard.isKept) continue;
      const place = [String(files.getItem(row)), String(rows.getItem(row))];
      this.#scratch.write(Buffer.from(`${canonicalRecord([...place, ...heard.masks, raws.getItem(row) as string | null], ",")}\n`));
    }
    output.flush();
  }

  #judged(key: string): Heard {
    const masks = key.split(",");
    const held = this.#ledger.entries.filter(
      ({ mask, bit }) => (BigInt(masks[this.#step.masks.indexOf(mask)]) >> BigInt(bit)) & 1n,
    );
    const does = (action: Entry["action"]): boolean => held.some((entry) => entry.action === action);
    return {
      held,
      rows: 0,
      masks,
      goesOn: !does("reject") && !does("duplicate"),
      isKept: does("reject") || does("fail"),
    };
  }

  /** What was noted, when the pass is over: rows that share all their notes are one entry. */
  heard(): Heard[] {
    return [...this.#heard.values()];
  }

  /** SELECT of key, masks and `raw` of the rows that broke a rule which rejects or fails. */
  close(): string {
    this.#scratch.close();
    const columns = [
      `'${fileColumn}': 'INTEGER'`,
      `'${rowColumn}': 'BIGINT'`,
      ...this.#step.masks.map((mask) => `'${mask}': 'BIGINT'`),
      "'raw': 'VARCHAR'",
    ];
    return `SELECT * FROM read_csv(${pathLiteral(this.#scratch.path)}, columns = {${columns.join(", ")}}, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, max_line_size = 100000000)`;
  }
}
