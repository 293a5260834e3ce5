import type { Run } from "../../engine/run.js";
import type { Engine } from "../../engine/engine.js";
import { breathe } from "../../learners/breathe.js";
import { scoring, type Scorer } from "../../learners/gbdt/predict.js";
import type { TreeModel } from "../../learners/gbdt/trees.js";
import type { MadeForecasts, Projections } from "../series-work.js";
import { firstOf, type SeriesSet } from "../series.js";
import { floorOf } from "../series-work.js";
import { examplesOf, learn, nearestAnchor, type Examples } from "./examples.js";
import { Features, type Anchor, type Asked, type Measure } from "./features.js";
import type { GlobalParams } from "../global-gbdt.js";
import type { PanelAsk } from "../model.js";
import type { Windows } from "../backtest.js";
import { Track } from "./track.js";

/** Rows whose features are in memory at once. */
const chunkRows = 1 << 15;
/** Values of the series that are unrolled at once: 36 bytes each. */
const chunkValues = 4_000_000;
/** Fewest examples that trees are grown from. */
const fewestExamples = 200;
/** Rows that the number of trees is found on. */
const mostHeld = 100_000;
/** Trees where no series is long enough to hold a horizon out. */
const usualTrees = 100;

/** A place to forecast from: a series and how many of its values are known. */
interface Origin {
  series: number;
  known: number;
}

/** What errors of a series may be measured by. */
const yardsticks = ["unit", "deviation"] as const;
type Yardstick = (typeof yardsticks)[number];

/** What a first try teaches: how many trees do good, from where to tell targets, what errors go with and how they grow with the step. */
interface Trial {
  rounds: number;
  anchor: Anchor;
  yardstick: Yardstick;
  growth: Float64Array;
}

interface Learned {
  model: TreeModel;
  anchor: Anchor;
}

/**
 * Forecasts of every series and window by one model over all series.
 *
 * @returns why there are none, where the series are too few or too short to learn from
 */
export async function forecastPanel(
  { set, windows, season, seasons, horizon }: PanelAsk,
  params: GlobalParams,
  engine: Engine,
  run: Run,
): Promise<MadeForecasts | string> {
  run.progress.stage("global-gbdt");
  const features = new Features({
    season,
    seasons,
    axis: set.filled.rule === "none" ? { ...set.axis, firstDay: undefined } : set.axis,
    base: set.base,
    regressors: set.known.length,
  });
  const recursive = params.strategy === "recursive";
  const work: Work = { set, features, season, horizon, recursive, engine, run, params };
  const whole = Int32Array.from({ length: set.count }, (_, s) => set.starts[s + 1] - set.starts[s]);
  // All that the windows are judged by lies after their earliest origin; the horizon before it says how many trees do good.
  const before = whole.map((length, s) =>
    windows.starts[s + 1] > windows.starts[s] ? windows.cut[windows.starts[s + 1] - 1] : length,
  );
  const trial = await trialOf(work, before);
  if (!trial)
    return `too little to learn from: fewer than ${fewestExamples} examples of ${horizon} ${set.axis.word} ahead`;
  const inWindows = await windowForecasts(work, windows, before, trial);
  const final = await learned(work, whole, trial);
  const ends = Array.from(whole, (known, series): Origin => ({ series, known }));
  const ahead = spread(await projected(work, final, ends), trial);
  run.progress.done(
    `global-gbdt: ${trial.rounds} trees from the ${trial.anchor}, ${features.names.length} features`,
  );
  return { windows: inWindows, ahead };
}

/**
 * Forecasts in every window, by trees that saw what lies before the windows of its origin: intervals take their width from these, so that
 * they must be as good as those of the future.
 *
 * @param before lengths before the earliest window of every series: what is seen of one that has no window of an origin
 */
async function windowForecasts(
  work: Work,
  windows: Windows,
  before: Int32Array,
  trial: Trial,
): Promise<Projections> {
  const { horizon } = work;
  const places = windows.series.length * horizon;
  const made = { mean: new Float64Array(places), spread: new Float64Array(places) };
  for (let origin = 0; origin < windows.origins; origin++) {
    const own = [...windows.origin.keys()].filter((w) => windows.origin[w] === origin);
    const lengths = before.slice();
    for (const w of own) lengths[windows.series[w]] = windows.cut[w];
    const past = await learned(work, lengths, trial);
    const origins = own.map((w): Origin => ({ series: windows.series[w], known: windows.cut[w] }));
    const found = spread(await projected(work, past, origins), trial);
    own.forEach((w, i) => {
      for (const part of ["mean", "spread"] as const)
        made[part].set(found[part].subarray(i * horizon, (i + 1) * horizon), w * horizon);
    });
  }
  return made;
}

interface Work {
  set: SeriesSet;
  features: Features;
  season: number;
  horizon: number;
  recursive: boolean;
  engine: Engine;
  run: Run;
  params: GlobalParams;
}

/** A series up to a length, with room for what is forecast. */
function askedOf({ set, season, horizon }: Work, s: number, length: number, room = 0): Asked {
  const from = set.starts[s];
  return {
    track: new Track(set.values.subarray(from, from + length), season, room),
    first: firstOf(set, s),
    known: set.known.map(({ values }) =>
      values.subarray(from + s * horizon, set.starts[s + 1] + (s + 1) * horizon),
    ),
  };
}

/** Examples from the first `lengths[s]` values of every series. */
function drawn(work: Work, lengths: Int32Array, name: string): Examples {
  const { set, season, features, horizon, recursive, params, run } = work;
  const from = (s: number): number => Math.min(season, Math.floor(lengths[s] / 3)) + 1;
  let targets = 0;
  for (let s = 0; s < set.count; s++) targets += Math.max(0, lengths[s] - from(s));
  const draws = recursive ? 1 : Math.max(1, Math.min(horizon, 4, Math.floor(params.examples / targets)));
  const share = Math.min(1, params.examples / targets);
  function* series() {
    for (let s = 0; s < set.count; s++)
      yield { asked: askedOf(work, s, lengths[s]), from: from(s), to: lengths[s] };
  }
  return examplesOf(
    series(),
    features,
    recursive ? 1 : horizon,
    Math.min(targets * draws, Math.ceil(params.examples * 1.1)),
    { share, draws, rng: run.rng(`global-gbdt ${name}`) },
  );
}

/** Learns with the last horizon held out: the trees that do best there, and how errors grow with the step. */
async function trialOf(work: Work, lengths: Int32Array): Promise<Trial | undefined> {
  const { set, features, season, horizon, params, run, engine, recursive } = work;
  const shorter = lengths.map((length) => (length >= 2 * horizon ? length - horizon : length));
  const train = drawn(work, shorter, "trial");
  if (train.rows < fewestExamples) return undefined;
  const held: Origin[] = [];
  for (let s = 0; s < set.count; s++)
    if (shorter[s] < lengths[s]) held.push({ series: s, known: shorter[s] });
  if (held.length === 0)
    return {
      rounds: params.trees || usualTrees,
      anchor: nearestAnchor(train),
      // Changes over a season that was not seen twice rest on a few values.
      yardstick:
        2 * lengths.filter((length) => length < 2 * season).length > set.count ? "deviation" : "unit",
      growth: new Float64Array(horizon).fill(1),
    };
  const every = Math.ceil((held.length * horizon) / mostHeld);
  const kept = held.filter((_, i) => i % every === 0);
  const valid = examplesOf(
    kept.map(({ series, known }) => ({
      asked: askedOf(work, series, lengths[series]),
      from: known,
      to: known + horizon,
    })),
    features,
    recursive ? 1 : horizon,
    kept.length * horizon,
  );
  const anchor = nearestAnchor(train);
  const { model, about } = await learn(
    engine,
    features,
    train,
    anchor,
    treeParams(params, params.trees),
    run,
    valid,
  );
  const rounds = params.trees || Number(about.rounds);
  const found = await projected(work, { model, anchor }, kept);
  const errors = kept.map(({ series, known }, i) =>
    Float64Array.from({ length: horizon }, (_, h) =>
      Math.abs(set.values[set.starts[series] + known + h] - found.mean[i * horizon + h]),
    ),
  );
  const yardstick = aptest(errors, found);
  const squares = new Float64Array(horizon);
  errors.forEach((own, i) =>
    own.forEach((error, h) => (squares[h] += (error / found[yardstick][i]) ** 2 / kept.length)),
  );
  return { rounds, anchor, yardstick, growth: squares.map((square) => Math.sqrt(square) || 1) };
}

/** One horizon says little of small differences: the mean logarithm of likelihoods must differ by more than this. */
const clearly = 0.1;

/**
 * What tells most of the size of errors: the yardstick of greatest likelihood, were errors over it Laplace distributed. Changes over a
 * season do where series have a season, and tell little of items that hardly ever sell.
 *
 * @param errors absolute errors by origin, then step
 * @param found  sizes by origin, above zero
 */
export function aptest(
  errors: readonly Float64Array[],
  found: Readonly<Record<Yardstick, Float64Array>>,
): Yardstick {
  const surprise = (yardstick: Yardstick): number => {
    let logs = 0;
    let sizes = 0;
    errors.forEach((own, i) => {
      const size = found[yardstick][i];
      logs += Math.log(size);
      for (const error of own) sizes += error / size / own.length;
    });
    return logs / errors.length + Math.log(sizes / errors.length);
  };
  return surprise("deviation") < surprise("unit") - clearly ? "deviation" : "unit";
}

async function learned(work: Work, lengths: Int32Array, { rounds, anchor }: Trial): Promise<Learned> {
  const { engine, features, params, run } = work;
  const examples = drawn(work, lengths, "examples");
  const { model } = await learn(engine, features, examples, anchor, treeParams(params, rounds), run);
  return { model, anchor };
}

function treeParams({ eta, depth, objective }: GlobalParams, trees: number) {
  return { trees, eta, depth, objective, child_weight: 20, columns: 0.7 };
}

/** Means, horizon by horizon, and by origin what errors may be measured by. */
interface Forecasted extends Record<Yardstick, Float64Array> {
  mean: Float64Array;
}

/** Forecasts with the deviations that a trial lets expect. */
function spread(found: Forecasted, { yardstick, growth }: Trial): Projections {
  const horizon = growth.length;
  const sizes = found[yardstick];
  return {
    mean: found.mean,
    spread: found.mean.map((_, i) => sizes[Math.floor(i / horizon)] * growth[i % horizon]),
  };
}

/** Forecasts from origins: every step at once, or one after the other. */
async function projected(
  work: Work,
  { model, anchor }: Learned,
  origins: readonly Origin[],
): Promise<Forecasted> {
  const { features, horizon, recursive, run, set } = work;
  const mean = new Float64Array(origins.length * horizon);
  const sizes = { unit: new Float64Array(origins.length), deviation: new Float64Array(origins.length) };
  const names = features.names;
  const longest = origins.reduce((most, { known }) => Math.max(most, known), 0) + horizon;
  const perChunk = Math.max(
    1,
    Math.min(Math.floor(chunkRows / (recursive ? 1 : horizon)), Math.floor(chunkValues / longest)),
  );
  await scoring(model, origins.length * horizon, run, async (score) => {
    for (let at = 0; at < origins.length; at += perChunk) {
      await breathe(run);
      const some = origins.slice(at, at + perChunk);
      const asked = some.map(({ series, known }) => askedOf(work, series, known, recursive ? horizon : 0));
      const measures = some.map(({ known }, i) => features.measure(asked[i].track, known));
      const floors = some.map(({ series, known }) =>
        floorOf(set.values.subarray(set.starts[series], set.starts[series] + known)),
      );
      const settle = (i: number, h: number, raw: number, measure: Measure): number => {
        const from = features.anchor(
          anchor,
          asked[i].track,
          asked[i].track.length,
          recursive ? 1 : h + 1,
          measure,
        );
        const value = Math.max(floors[i], from + measure.unit * raw);
        mean[(at + i) * horizon + h] = value;
        return value;
      };
      for (const yardstick of yardsticks)
        measures.forEach((measure, i) => (sizes[yardstick][at + i] = measure[yardstick]));
      if (recursive)
        for (let h = 0; h < horizon; h++) {
          const now = some.map(({ known }, i) => features.measure(asked[i].track, known + h));
          const raw = scored(score, names, some.length, (columns) =>
            some.forEach(({ known }, i) => features.write(columns, i, asked[i], known + h, 1, now[i])),
          );
          some.forEach((_, i) => asked[i].track.push(settle(i, h, raw[i], now[i])));
        }
      else {
        const raw = scored(score, names, some.length * horizon, (columns) =>
          some.forEach(({ known }, i) => {
            for (let h = 0; h < horizon; h++)
              features.write(columns, i * horizon + h, asked[i], known, h + 1, measures[i]);
          }),
        );
        some.forEach((_, i) => {
          for (let h = 0; h < horizon; h++) settle(i, h, raw[i * horizon + h], measures[i]);
        });
      }
      run.progress.update(at + some.length, origins.length, "origins");
    }
  });
  return { mean, ...sizes };
}

function scored(
  score: Scorer,
  names: readonly string[],
  rows: number,
  fill: (columns: readonly Float64Array[]) => void,
): Float64Array {
  const columns = names.map(() => new Float64Array(rows));
  fill(columns);
  return score({
    rows,
    columns: new Map(names.map((name, f) => [name, { kind: "f64", values: columns[f] }])),
  });
}
