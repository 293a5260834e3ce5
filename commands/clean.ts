import { ShopaiError } from "../src/core/errors.js";
import { counted, grouped } from "../src/core/quantity.js";
import {
  planCleaning,
  type CleanCounts,
  type Cleaning,
  type Outcome,
  type RawRows,
} from "../src/clean/clean.js";
import { fieldKinds } from "../src/clean/column-plan.js";
import { parseContract, readContract, tablesOf, type Contract } from "../src/clean/contract.js";
import type { Engine } from "../src/engine/engine.js";
import { ident } from "../src/engine/sql.js";
import type { Run } from "../src/engine/run.js";
import {
  defineCommand,
  option,
  readingOptions,
  telling,
  type Block,
  type Result,
} from "../src/pipeline/command.js";
import { openRaw, openTable } from "../src/table/open.js";
import { typedRows } from "../src/table/typed-text.js";
import { provenanceOf } from "../src/table/provenance.js";
import { countRows, materialised, where } from "../src/table/relation.js";
import { writeTable } from "../src/table/write.js";
import { summaries } from "./summaries.js";

const command = defineCommand({
  name: "clean",
  summary: summaries.clean,
  inputs: {
    usage: "<file...>",
    min: 1,
    max: Infinity,
    help: "tables: files, folders, globs, or - for stdin",
  },
  examples: [
    "shopai clean orders.csv --contract orders.yaml -o orders.parquet",
    "shopai clean raw/*.csv --contract orders.yaml --rejects bad.csv --max-reject-rate 0.01 -o orders.parquet",
    "shopai clean export.csv.gz --encoding latin-1 -o export.parquet",
  ],
  options: {
    ...readingOptions,
    out: option.path("file for the clean rows; its ending picks the format", { short: "o", table: true }),
    contract: option
      .path(
        "data contract (docs/data-contracts.md); without one, types are found out and nothing is judged",
        { arg: "<yaml>" },
      )
      .optional(),
    rejects: option
      .path("file for every refused row as read, with _reason, _source and _line", { arg: "<file>" })
      .optional(),
    maxRejectRate: option
      .real(
        "largest share of rows that may be refused, 0 to 1; beyond it nothing but the rejects is written and the exit code is 3",
        { min: 0, max: 1, arg: "<share>" },
      )
      .optional(),
  },
  reads: (o) => [...o.in, ...(o.contract ? [o.contract, ...tablesOf(o.contract)] : [])],
  writes: (o) => [o.out, ...(o.rejects ? [o.rejects] : [])],
  async run(o, run) {
    if (o.rejects !== undefined && o.rejects === o.out)
      throw new ShopaiError("usage", "--out and --rejects name the same file", {
        where: o.out,
        try: "--rejects rejects.csv",
      });
    const declared = o.contract === undefined ? undefined : readContract(o.contract);
    const engine = await run.engine();
    run.progress.stage(`reading ${o.in.join(" ")}`);
    const raw = await rawRows(engine, o, run, declared);
    const contract = declared ?? parseContract("columns: {}", o.in.join(" "));
    const plan = await planCleaning(engine, raw, contract);
    run.progress.stage(`writing ${o.out}`);
    const outcome = await written(plan, o, run);
    const { rejected, rows_out } = outcome.counts;
    run.progress.done(counted(rows_out, "row"));
    if (rejected > 0 && !o.rejects)
      run.warn(
        `${counted(rejected, "row")} ${rejected === 1 ? "was" : "were"} refused; --rejects <file> keeps them, with reasons`,
      );
    return { ...resultOf(outcome, declared, o), wroteStdout: o.out === "-" };
  },
});

export default command;

type Options = {
  in: string[];
  out: string;
  contract?: string;
  rejects?: string;
  maxRejectRate?: number;
  where?: string;
  format?: string;
};

/** Rows as read; without a contract text columns get the types that all their values allow. */
async function rawRows(engine: Engine, o: Options, run: Run, contract?: Contract): Promise<RawRows> {
  const options = { ...o, signal: run.signal };
  const raw = await openRaw(engine, o.in, { ...options, kinds: contract && fieldKinds(contract) });
  if (!raw) return { rows: await openTable(engine, o.in, options) };
  const { relation, refused, records } = raw;
  if (o.where === undefined)
    return { rows: contract === undefined ? await typedRows(raw) : relation, refused, records };
  // A predicate is about values, so it is asked of the typed rows.
  const wanted = await where(await typedRows(raw), o.where);
  if (contract === undefined) return { rows: wanted, refused };
  const key = wanted.key.map(ident).join(", ");
  const sql = `SELECT * FROM (${relation.sql}) SEMI JOIN (SELECT ${key} FROM (${wanted.sql})) USING (${key})`;
  return { rows: { ...relation, sql }, refused };
}

/** Writes the clean rows; rejects first, and the rows only when there are not too many of those. */
async function written(plan: Cleaning, o: Options, run: Run): Promise<Outcome> {
  const provenance = provenanceOf(command.name, telling(command, o), run.seed, plan.table.inputs);
  let outcome: Outcome | undefined;
  const approve = async (rows: number): Promise<void> => {
    outcome = await plan.outcome(rows);
    if (o.rejects) await writeTable(outcome.rejects, o.rejects, provenance);
    refuseTooMany(outcome.counts, o);
  };
  if (o.out === "-") {
    // What went to stdout cannot be called back, so it waits until it is approved.
    const whole = await materialised(plan.table, "clean");
    await approve(await countRows(whole));
    await writeTable(whole, o.out, provenance, { format: o.format });
  } else await writeTable(plan.table, o.out, provenance, { approve });
  return outcome!;
}

function refuseTooMany({ rejected, rows_in }: CleanCounts, o: Options): void {
  if (o.maxRejectRate === undefined || rejected <= o.maxRejectRate * rows_in) return;
  const share = ((100 * rejected) / rows_in).toFixed(2);
  throw new ShopaiError(
    "data",
    `${grouped(rejected)} of ${grouped(rows_in)} rows (${share} %) were refused, more than --max-reject-rate ${o.maxRejectRate} allows`,
    {
      where: o.in.join(" "),
      try: o.rejects
        ? `reading ${o.rejects}, where they are with their reasons`
        : "--rejects <file>, which keeps them with their reasons",
    },
  );
}

function resultOf({ counts, actions }: Outcome, contract: Contract | undefined, o: Options): Result {
  const rules = Object.entries(counts.by_rule);
  const blocks: Block[] = [
    { kind: "title", text: `${o.out}: ${counted(counts.rows_out, "row")}` },
    {
      kind: "pairs",
      rows: [
        ["rows in", counts.rows_in],
        ["rows out", counts.rows_out],
        ["rejected", counts.rejected],
        ["duplicates", counts.duplicates],
        ["repaired", counts.repaired],
      ],
    },
  ];
  if (rules.length > 0)
    blocks.push({
      kind: "table",
      head: ["rule", "action", "rows"],
      rows: rules.map(([rule, n]) => [rule, actions[rule] ?? "reject", n]),
    });
  if (!contract)
    blocks.push({
      kind: "line",
      text: "no contract: types were found out, nothing was judged (shopai inspect --contract writes one to start from)",
    });
  return { json: counts, blocks };
}
