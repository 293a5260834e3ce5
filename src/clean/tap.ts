import { join } from "node:path";
import type { DuckDBDataChunk, DuckDBVector } from "@duckdb/node-api";
import type { DuckDbEngine } from "../engine/duckdb.js";
import type { Engine } from "../engine/engine.js";
import { ident, pathLiteral } from "../engine/sql.js";
import { canonicalRecord } from "../table/csv-record.js";
import { fileColumn, rowColumn } from "../table/relation.js";
import { ScratchFile } from "../table/scratch-file.js";
import type { Step } from "./column-plan.js";
import type { Entry, Ledger } from "./ledger.js";

/**
 * Listens to the one pass that writes the clean rows. A row of which nothing was noted passes by inside
 * the engine; of the others the notes are counted here, and those that are refused are set aside and held
 * back. Reading raw text a second time, only to see what was wrong with it, would cost half as much again.
 */
export interface Tap {
  /** A SELECT of the rows that go on. It must be read exactly once, and to its end. */
  sql: string;
  /** What was noted, when the pass is over: rows that share all their notes are one entry. */
  heard(): Heard[];
  /** SELECT of key, masks and `raw` of the rows that broke a rule which rejects or fails; the pass is over. */
  close(): string;
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

/** What the binding's vectors of numbers hold and its types hide. */
interface Items {
  items: Float64Array | Int32Array | BigInt64Array;
}

/** One byte a row of a boolean vector; its own setter is ten times as slow. */
function bytesOf(vector: DuckDBVector): Uint8Array {
  const { dataView } = vector as unknown as { dataView: DataView };
  return new Uint8Array(dataView.buffer, dataView.byteOffset, dataView.byteLength);
}

export async function openTap(engine: Engine, step: Step, ledger: Ledger): Promise<Tap> {
  const { BIGINT, BOOLEAN, DOUBLE, DuckDBScalarFunction, INTEGER, VARCHAR } =
    await import("../engine/duckdb-library.js");
  const name = engine.fresh("shopai_tap");
  const scratch = new ScratchFile(join(engine.scratch, engine.fresh("rejected")));
  const width = step.masks.length;
  const heard: Heard[] = [];
  const notesOf = noteFinder(heard, step, ledger);
  let longest = 0;

  const listen = (input: DuckDBDataChunk, output: DuckDBVector): void => {
    const count = input.rowCount;
    const masks = step.masks.map((_, i) => (input.getColumnVector(2 + i) as DuckDBVector & Items).items);
    const passes = bytesOf(output);
    for (let row = 0; row < count; row++) {
      const notes = notesOf(masks, row);
      notes.rows++;
      passes[row] = notes.goesOn ? 1 : 0;
      if (!notes.isKept) continue;
      const place = [0, 1].map((i) => String((input.getColumnVector(i) as DuckDBVector & Items).items[row]));
      const raw = input.getColumnVector(2 + width).getItem(row) as string | null;
      const bytes = Buffer.from(`${canonicalRecord([...place, ...notes.masks, raw], ",")}\n`);
      longest = Math.max(longest, bytes.length);
      scratch.write(bytes);
    }
    output.flush();
  };
  (engine as DuckDbEngine).connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      parameterTypes: [INTEGER, BIGINT, ...step.masks.map(() => DOUBLE), VARCHAR],
      returnType: BOOLEAN,
      // Were it not, the filter on it would be pushed down and every cast be done twice.
      volatile: true,
      specialHandling: true,
      mainFunction: (_info, input, output) => listen(input, output),
    }),
  );
  return {
    sql: tappedSql(name, step, ledger),
    heard: () => heard,
    close() {
      scratch.close();
      return keptSql(scratch.path, step, longest);
    },
  };
}

function tappedSql(name: string, step: Step, ledger: Ledger): string {
  const masks = step.masks.map(ident);
  // Masks travel as doubles, which hold their bits exactly and come as one typed array.
  const wanted = [ident(fileColumn), ident(rowColumn), ...masks.map((mask) => `${mask}::DOUBLE`)];
  const refused = ledger.holds(ledger.of("reject"));
  const raw = step.raw ? `CASE WHEN ${refused} THEN ${step.raw} END` : "NULL::VARCHAR";
  const any = masks.map((mask) => `${mask} <> 0`).join(" OR ") || "false";
  const passes = `CASE WHEN ${any} THEN ${name}(${[...wanted, raw].join(", ")}) ELSE true END`;
  return `SELECT * FROM (SELECT *, ${passes} AS _shopai_passes FROM (${step.sql})) WHERE _shopai_passes`;
}

type Masks = readonly Items["items"][];

/** Finds the notes that a row shares with others by its masks, one number at a time: a text a row would cost more than the rest. */
function noteFinder(heard: Heard[], step: Step, ledger: Ledger): (masks: Masks, row: number) => Heard {
  type Branch = Map<number, Branch | Heard>;
  const root: Branch = new Map();
  const last = step.masks.length - 1;
  return (masks, row) => {
    let branch = root;
    for (let i = 0; i < last; i++) {
      const mask = masks[i][row] as number;
      let next = branch.get(mask) as Branch | undefined;
      if (!next) branch.set(mask, (next = new Map()));
      branch = next;
    }
    const mask = masks[last][row] as number;
    let notes = branch.get(mask) as Heard | undefined;
    if (!notes) {
      notes = judged(
        masks.map((one) => String(one[row])),
        step,
        ledger,
      );
      branch.set(mask, notes);
      heard.push(notes);
    }
    return notes;
  };
}

function judged(masks: string[], step: Step, ledger: Ledger): Heard {
  const held = ledger.entries.filter(
    ({ mask, bit }) => (BigInt(masks[step.masks.indexOf(mask)]) >> BigInt(bit)) & 1n,
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

/** The reader's buffers are 16 times the longest line that it is told of. */
const smallBuffer = 1 << 17;

function keptSql(path: string, step: Step, longest: number): string {
  const columns = [
    `'${fileColumn}': 'INTEGER'`,
    `'${rowColumn}': 'BIGINT'`,
    ...step.masks.map((mask) => `'${mask}': 'BIGINT'`),
    "'raw': 'VARCHAR'",
  ];
  return `SELECT * FROM read_csv(${pathLiteral(path)}, columns = {${columns.join(", ")}}, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, max_line_size = ${Math.max(smallBuffer, longest + 64)})`;
}
