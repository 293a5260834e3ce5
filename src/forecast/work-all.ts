import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { breathe } from "../learners/breathe.js";
import { ScoreTotals } from "../metrics/forecast.js";
import type { Windows } from "./backtest.js";
import type { SeriesSet } from "./series.js";
import {
  workBatch,
  type Batch,
  type BatchOutput,
  type MadeForecasts,
  type Plan,
  type Projections,
} from "./series-work.js";
import { checkNames } from "./residual-checks.js";

/** What came of all batches. */
export interface Worked extends Omit<BatchOutput, "members"> {
  members: Map<string, ScoreTotals>;
}

/** Values of a batch, times the fits of every series, at most: small enough to share work out, large enough to be worth a message. */
const batchValues = 20_000;

/** Works on all series, in batches on the threads of the pool. The batches do not depend on their number. */
export async function workAll(
  set: SeriesSet,
  windows: Windows,
  plan: Plan,
  made: Record<string, MadeForecasts>,
  run: Run,
): Promise<Worked> {
  const { horizon } = plan;
  const total = (places: number): Projections => ({
    mean: new Float64Array(places),
    spread: new Float64Array(places),
  });
  const worked: Worked = {
    forecasts: Object.fromEntries(
      plan.models.map((name) => [
        name,
        { windows: total(windows.series.length * horizon), ahead: total(set.count * horizon) },
      ]),
    ),
    members: new Map(),
    chosen: [],
    rare: [],
    fallbacks: [],
    checks: Object.fromEntries(
      plan.models.map((name) => [name, new Float64Array(set.count * checkNames.length)]),
    ),
    events: [],
  };
  const edges = batchEdges(set);
  run.progress.stage(`fitting ${plan.models.join(", ")}`);
  let b = 0;
  const take = (output: BatchOutput): void => {
    const first = edges[b++];
    for (const name of plan.models)
      for (const part of ["windows", "ahead"] as const) {
        const at = (part === "windows" ? windows.starts[first] : first) * horizon;
        worked.forecasts[name][part].mean.set(output.forecasts[name][part].mean, at);
        worked.forecasts[name][part].spread.set(output.forecasts[name][part].spread, at);
      }
    for (const [label, totals] of Object.entries(output.members)) {
      const sum = worked.members.get(label) ?? new ScoreTotals();
      sum.merge(totals);
      worked.members.set(label, sum);
    }
    worked.chosen.push(...output.chosen);
    worked.rare.push(...output.rare);
    worked.events.push(...output.events);
    for (const name of plan.models) worked.checks[name].set(output.checks[name], first * checkNames.length);
    for (const one of output.fallbacks) worked.fallbacks.push({ ...one, series: one.series + first });
    run.progress.update(edges[b], set.count, "series");
  };
  const inputs = (function* () {
    for (let i = 0; i + 1 < edges.length; i++)
      yield batchOf(set, windows, plan, made, edges[i], edges[i + 1]);
  })();
  // One batch is not worth a thread.
  if (edges.length === 2 || run.threads === 1)
    for (const input of inputs) {
      await breathe(run);
      take(workBatch(input));
    }
  else
    for await (const output of run.pool.map<Batch, BatchOutput>("forecast.tasks", inputs)) {
      run.signal.throwIfAborted();
      take(output);
    }
  run.progress.done(`${grouped(set.count)} series`);
  return worked;
}

/** The first series of every batch, and the number of all. */
function batchEdges(set: SeriesSet): number[] {
  const edges = [0];
  for (let s = 0; s < set.count; s++)
    if (set.starts[s + 1] - set.starts[edges[edges.length - 1]] > batchValues && s > edges[edges.length - 1])
      edges.push(s);
  if (edges[edges.length - 1] < set.count) edges.push(set.count);
  return edges;
}

function batchOf(
  set: SeriesSet,
  windows: Windows,
  plan: Plan,
  made: Record<string, MadeForecasts>,
  from: number,
  to: number,
): Batch {
  const { horizon } = plan;
  const shifted = (whole: Int32Array): Int32Array =>
    whole.slice(from, to + 1).map((value) => value - whole[from]);
  const cut = (whole: Projections, first: number, last: number): Projections => ({
    mean: whole.mean.slice(first * horizon, last * horizon),
    spread: whole.spread.slice(first * horizon, last * horizon),
  });
  return {
    plan,
    // Threads share the values, and change none.
    values: set.values.subarray(set.starts[from], set.starts[to]),
    starts: shifted(set.starts),
    cuts: windows.cut.slice(windows.starts[from], windows.starts[to]),
    windows: shifted(windows.starts),
    known: set.known.map(({ values }) =>
      values.subarray(set.starts[from] + from * horizon, set.starts[to] + to * horizon),
    ),
    made: Object.fromEntries(
      Object.entries(made).map(([name, all]) => [
        name,
        {
          windows: cut(all.windows, windows.starts[from], windows.starts[to]),
          ahead: cut(all.ahead, from, to),
        },
      ]),
    ),
  };
}
