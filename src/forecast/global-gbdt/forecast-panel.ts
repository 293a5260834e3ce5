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

/** What a first try teaches: how many trees do good, from where to tell targets, how errors grow with the step. */
interface Trial {
  rounds: number;
  anchor: Anchor;
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
  const ahead = await projected(work, final, ends, trial.growth);
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
    const found = await projected(work, past, origins, trial.growth);
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
  const { set, features, horizon, params, run, engine, recursive } = work;
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
  const { mean, spread } = await projected(work, { model, anchor }, kept, new Float64Array(horizon).fill(1));
  const squares = new Float64Array(horizon);
  kept.forEach(({ series, known }, i) => {
    for (let h = 0; h < horizon; h++) {
      const error = set.values[set.starts[series] + known + h] - mean[i * horizon + h];
      squares[h] += (error / spread[i * horizon + h]) ** 2 / kept.length;
    }
  });
  return { rounds, anchor, growth: squares.map((square) => Math.sqrt(square) || 1) };
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

/** Forecasts from origins: every step at once, or one after the other. */
async function projected(
  work: Work,
  { model, anchor }: Learned,
  origins: readonly Origin[],
  growth: Float64Array,
): Promise<Projections> {
  const { features, horizon, recursive, run, set } = work;
  const mean = new Float64Array(origins.length * horizon);
  const spread = new Float64Array(origins.length * horizon);
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
      some.forEach((_, i) => {
        for (let h = 0; h < horizon; h++) spread[(at + i) * horizon + h] = measures[i].unit * growth[h];
      });
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
  return { mean, spread };
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
