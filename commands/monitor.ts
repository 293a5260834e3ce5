import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { ShopaiError } from "../src/core/errors.js";
import { durationText, grouped, parseDuration } from "../src/core/quantity.js";
import { checkGates, gateResults, parseGate, unknownMetric, type Gate } from "../src/metrics/gates.js";
import { defineCommand, option, readingOptions, type Block, type Cell } from "../src/pipeline/command.js";
import { ageOf } from "../src/pipeline/freshness-rule.js";
import { monitored, monitorMetrics, type ColumnDrift } from "../src/pipeline/monitor.js";
import { writeAtomically } from "../src/table/atomic.js";
import { openTable } from "../src/table/open.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "monitor",
  summary: summaries.monitor,
  inputs: {
    usage: "<model> <table...>",
    min: 2,
    max: Infinity,
    help: "the model folder, then tables with new rows",
  },
  examples: [
    'shopai monitor model/ new.parquet --fail-if "psi > 0.25"',
    "shopai monitor model/ new.parquet --time started_at --max-age 26h",
    'shopai monitor model/ new.parquet --retrain-if "drifted > 2" --trigger work/retrain.json --cooldown 3d',
  ],
  options: {
    out: option.path("report to write, JSON", { short: "o" }).optional(),
    failIf: option
      .repeated('end with exit code 6 if this holds: "psi > 0.25"', { arg: "<condition>" })
      .default([]),
    driftedAt: option.real("PSI above which a column counts as drifted", { min: 0 }).default(0.2),
    time: option.text("column of dates or times that freshness is told by", { arg: "<column>" }).optional(),
    maxAge: option
      .text("end with exit code 6 if the newest --time is older: 26h, 3d", { arg: "<duration>" })
      .optional(),
    retrainIf: option
      .repeated('write --trigger if this holds: "drifted > 2"', { arg: "<condition>" })
      .default([]),
    trigger: option
      .path("file that asks for training: an input of the stage that trains", { arg: "<json>" })
      .optional(),
    cooldown: option
      .text("time after a trigger in which there is no other", { arg: "<duration>" })
      .default("24h"),
    answers: option.flag("leave the model's own answers out").default(true),
    now: option.text("the time that ages are measured at (default: the clock)", { arg: "<time>" }).optional(),
    ...readingOptions,
  },
  moreHelp: async () => {
    const width = Math.max(...Object.keys(monitorMetrics).map((name) => name.length));
    const lines = Object.entries(monitorMetrics).map(([name, what]) => `  ${name.padEnd(width)}  ${what}`);
    return `\nWhat conditions may ask about:\n${lines.join("\n")}\n`;
  },
  reads: (o) => o.in,
  writes: (o) => (o.out === undefined ? [] : [o.out]),
  async run(o, run) {
    const gates = o.failIf.map((text) => gateOf(text, "--fail-if"));
    const triggers = o.retrainIf.map((text) => gateOf(text, "--retrain-if"));
    if (triggers.length > 0 !== (o.trigger !== undefined))
      throw new ShopaiError("usage", "--retrain-if and --trigger go together", {
        try: '--retrain-if "drifted > 2" --trigger work/retrain.json',
      });
    const cooldown = parseDuration(o.cooldown);
    const mostAge = o.maxAge === undefined ? undefined : parseDuration(o.maxAge);
    if (mostAge !== undefined && o.time === undefined)
      throw new ShopaiError("usage", "--max-age needs the column of the time", { try: "--time ordered_at" });
    const now = timeOf(o.now);
    const [path, ...tables] = o.in;
    const rows = await openTable(await run.engine(), tables, { ...o, signal: run.signal });
    const report = await monitored(path, rows, { noAnswers: !o.answers, drifted: o.driftedAt }, run);
    const age = o.time === undefined ? undefined : await ageOf(rows, o.time, now);
    if (age) report.metrics.age_hours = age.seconds === null ? null : age.seconds / 3600;
    const { metrics, worst } = report;
    const reasons = gateResults(triggers, metrics, worst).flatMap(({ broken }) => broken ?? []);
    const retrain =
      o.trigger === undefined
        ? undefined
        : await triggered(o.trigger, reasons, { cooldown, now, model: path });
    const json = { model: path, ...report, ...(retrain && { retrain }) };
    if (o.out !== undefined)
      await writeAtomically(o.out, async (temporary) =>
        writeFileSync(temporary, `${JSON.stringify(json, undefined, 2)}\n`),
      );
    if (mostAge !== undefined && !(age!.seconds !== null && age!.seconds <= mostAge))
      throw new ShopaiError(
        "gate",
        age!.seconds === null
          ? `${o.time} holds no time`
          : `the newest ${o.time} is ${age!.newest}, ${durationText(age!.seconds)} old, and --max-age is ${o.maxAge}`,
        { where: rows.name, try: "newer rows" },
      );
    checkGates(
      gateResults(gates, metrics, worst),
      path,
      "a look at these rows, a new model, or another bound",
    );
    return { json, blocks: blocksOf(json, age?.seconds ?? undefined) };
  },
});

function gateOf(text: string, flag: string): Gate {
  const gate = parseGate(text);
  if (!Object.hasOwn(monitorMetrics, gate.metric))
    throw unknownMetric(gate.metric, Object.keys(monitorMetrics), flag);
  return gate;
}

function timeOf(text: string | undefined): Date {
  const time = text === undefined ? new Date() : new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new ShopaiError("usage", `--now must be a time, got ${text}`, {
      try: "--now 2026-01-31T06:00:00Z",
    });
  return time;
}

interface Retrain {
  due: boolean;
  reasons: string[];
  /** When the file last asked; it asks again after the cool-down. */
  last?: string;
}

/** Writes the trigger file when there is a reason and the last one is long enough ago. */
async function triggered(
  file: string,
  reasons: string[],
  { cooldown, now, model }: { cooldown: number; now: Date; model: string },
): Promise<Retrain> {
  const last = existsSync(file) ? lastTrigger(file) : undefined;
  const since = last === undefined ? Infinity : (now.getTime() - last.getTime()) / 1000;
  // A clock that was put back must not silence the trigger for longer than the cool-down.
  const cool = since < cooldown && since > -cooldown;
  const due = reasons.length > 0 && !cool;
  if (due) {
    const text = `${JSON.stringify({ model, time: now.toISOString(), reasons }, undefined, 2)}\n`;
    await writeAtomically(file, async (temporary) => writeFileSync(temporary, text));
  }
  return { due, reasons, last: last?.toISOString() };
}

function lastTrigger(file: string): Date {
  try {
    const time = new Date((JSON.parse(readFileSync(file, "utf8")) as { time: string }).time);
    if (!Number.isNaN(time.getTime())) return time;
  } catch {
    // Said below, like a file of another kind.
  }
  throw new ShopaiError("data", "the trigger file was not written by monitor", {
    where: file,
    try: "another --trigger",
  });
}

interface Shown {
  model: string;
  rows: number;
  reference_rows: number;
  columns: ColumnDrift[];
  answers?: ColumnDrift;
  retrain?: Retrain;
}

function blocksOf(shown: Shown, age: number | undefined): Block[] {
  const columns = [...shown.columns].sort((a, b) => (b.psi ?? Infinity) - (a.psi ?? Infinity));
  const rows = [...(shown.answers ? [{ ...shown.answers, name: "(the model's answers)" }] : []), ...columns];
  const blocks: Block[] = [
    {
      kind: "title",
      text: `${shown.model}: ${grouped(shown.rows)} new rows against ${grouped(shown.reference_rows)} of training`,
    },
    {
      kind: "table",
      head: ["column", "psi", "ks", "js", "chi² p", "missing before", "after", "new", "new values"],
      rows: rows.map((one): Cell[] => [
        one.name,
        ...(one.absent
          ? ["absent", null, null, null]
          : [one.psi, one.ks, one.js, one.chi2 && (one.chi2.p < 1e-4 ? "< 0.0001" : one.chi2.p.toFixed(4))]),
        percent(one.missing_before),
        percent(one.missing_after),
        percent(one.new_share),
        one.new_values.join(", "),
      ]),
    },
  ];
  if (age !== undefined) blocks.push({ kind: "line", text: `newest row: ${durationText(age)} old` });
  if (shown.retrain) blocks.push({ kind: "line", text: retrainText(shown.retrain) });
  return blocks;
}

function retrainText({ due, reasons, last }: Retrain): string {
  if (due) return `retrain: ${reasons.join("; ")}`;
  return reasons.length === 0
    ? "no reason to retrain"
    : `retrain: ${reasons.join("; ")}; asked at ${last} already, within the cool-down`;
}

const percent = (share: number | null): string => (share === null ? "" : `${(100 * share).toFixed(1)} %`);
