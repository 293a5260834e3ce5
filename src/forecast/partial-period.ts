import type { Run } from "../engine/run.js";
import type { Engine } from "../engine/engine.js";
import { ident } from "../engine/sql.js";
import { kindOf } from "../table/relation.js";
import type { TimeAxis } from "./frequency.js";

/** Periods before the last one that tell how far rows of a period usually reach. */
const compared = 8;
const fewestCompared = 3;
/** The last period must end earlier than all of these by so much of its length. */
const short = 0.1;

/**
 * Warns of a last period that seems not to be over: adding up the days of a week that has begun gives a low value to go on from.
 * Rows of the periods before it all reach further into their period.
 *
 * @param rows a SELECT of the table
 */
export async function warnOfPart(
  engine: Engine,
  rows: string,
  time: { name: string; type: string },
  value: string,
  { toPeriod, firstDay, freq, word }: TimeAxis,
  run: Run,
): Promise<void> {
  const kind = kindOf(time.type);
  if (!firstDay || freq === "H" || (kind === "date" ? freq === "D" : kind !== "timestamp")) return;
  const at = ident(time.name);
  const latest = await engine.rows<{ period: number; day: number }>(
    `SELECT ${toPeriod(at)}::DOUBLE AS period, max(epoch_us(${at}::TIMESTAMP)) / 86400e6 AS day
       FROM (${rows}) WHERE ${ident(value)} IS NOT NULL GROUP BY 1 ORDER BY 1 DESC LIMIT ${compared + 1}`,
  );
  if (latest.length <= fewestCompared) return;
  const reach = ({ period, day }: { period: number; day: number }): number =>
    (day - firstDay(period)) / (firstDay(period + 1) - firstDay(period));
  const [last, ...before] = latest;
  if (reach(last) >= Math.min(...before.map(reach)) - short) return;
  const written = (day: number): string => new Date(day * 86_400_000).toISOString();
  const [from, to] = [written(firstDay(last.period)).slice(0, 10), written(last.day)];
  run.warn(
    `the last of the ${word}, from ${from} on, has rows up to ${freq === "D" ? to.slice(11, 16) : to.slice(0, 10)} only, the ones before reach further: if it is not over yet, leave it out by --where "${time.name} < '${from}'"`,
  );
}
