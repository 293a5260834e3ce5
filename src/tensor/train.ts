import { ShopaiError } from "../core/errors.js";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import type { Run } from "../engine/run.js";
import { Adam } from "./adam.js";
import { dropCheckpoint, readCheckpoint, writeCheckpoint, type Identity } from "./checkpoint.js";
import { openEventFile } from "./event-file.js";
import { isOutOfMemory } from "./out-of-memory.js";
import { tf, type Tf } from "./tf.js";
import type { Weights } from "./weights.js";

/** What there is to learn. A batch is plain typed arrays; tensors are made of it one step at a time. */
export interface Lesson<B> {
  learner: string;
  weights: Weights;
  /** Batches of an epoch, in an order of its own: drawn from a stream that the epoch names. */
  batches(epoch: number): Iterable<B> | AsyncIterable<B>;
  /** What a batch counts in progress and in the mean loss: rows, or positions of sequences. */
  size(batch: B): number;
  /** Rows of an epoch, and what they are called. */
  rows: number;
  unit: string;
  /** Steps of an epoch, for schedules. */
  steps: number;
  /**
   * The loss of a batch, a mean over it.
   * @param seed another for every step: what dropout draws from
   */
  loss(batch: B, seed: number): Tf.Scalar;
  /** A figure of held-out rows by which the best epoch is chosen. */
  valid?: { name: string; larger: boolean; measure(): Promise<number> };
  /** Parameters that a resumed training must share. */
  params: Record<string, unknown>;
  /** What to name in the advice when memory runs out, and numbers of the largest tensor per unit of it, where known. */
  batchParam: { name: string; value: number; widest?: number };
}

export interface Schedule {
  epochs: number;
  rate: number;
  schedule: "constant" | "cosine" | "linear";
  /** Stop after so many epochs without a better held-out figure; 0 to go on to the end. */
  patience: number;
  clip: number;
  decay: number;
}

export interface Lessons {
  /** Epochs run, and the one whose weights were kept. */
  epochs: number;
  best_epoch: number;
  /** Mean loss of every epoch, and the held-out figure under its name. */
  curve: Record<string, number>[];
}

/** Losses are read together: waiting for each would leave a GPU idle between steps. */
const readEvery = { wasm: 1, tensorflow: 8, webgpu: 16 } as const;

/**
 * Trains by Adam until the epochs are over or the held-out figure stops improving, and leaves the best
 * weights in place.
 *
 * @throws ShopaiError "data" when the loss is no number, "engine" when the device is lost or out of memory
 */
export async function train<B>(
  lesson: Lesson<B>,
  schedule: Schedule,
  device: Device,
  run: Run,
): Promise<Lessons> {
  const { weights, learner, valid } = lesson;
  refuseTooLarge(lesson, device);
  const adam = new Adam(weights, schedule);
  const identity: Identity = {
    learner,
    weights: weights.manifest(),
    seed: run.seed,
    rows: lesson.rows,
    params: lesson.params,
  };
  let curve: Record<string, number>[] = [];
  let best: { epoch: number; value: number } | undefined;
  let bestWeights: Float32Array | undefined;
  let stale = 0;
  let epoch = 0;
  const found = run.checkpoint?.resume ? readCheckpoint(run.checkpoint, identity) : undefined;
  if (run.checkpoint?.resume && !found)
    run.warn(`there is no checkpoint at ${run.checkpoint.path}: training from the start`);
  if (found) {
    ({ curve, best, stale, epoch } = found);
    bestWeights = found.arrays.best;
    weights.assign(found.arrays.weights);
    adam.restore({ steps: found.steps, first: found.arrays.first, second: found.arrays.second });
  }
  const events = run.tensorboard === undefined ? undefined : openEventFile(run.tensorboard);
  run.progress.stage(`${learner}: training on ${device.name}`);
  try {
    while (epoch < schedule.epochs && !(schedule.patience > 0 && stale >= schedule.patience)) {
      const loss = await oneEpoch(lesson, schedule, epoch, adam, device, run, curve);
      epoch++;
      const figures: Record<string, number> = { epoch, loss };
      if (valid) {
        const value = await valid.measure();
        figures[valid.name] = value;
        if (!best || (valid.larger ? value > best.value : value < best.value)) {
          best = { epoch, value };
          bestWeights = await weights.joined();
          stale = 0;
        } else stale++;
      }
      curve.push(figures);
      const { epoch: number, ...scalars } = figures;
      events?.write(number, {
        ...scalars,
        rate: rateAt(schedule, adam.steps - 1, schedule.epochs * lesson.steps),
      });
      if (run.checkpoint) {
        const state = await adam.state();
        await writeCheckpoint(run.checkpoint, identity, {
          epoch,
          steps: state.steps,
          stale,
          best,
          curve,
          arrays: {
            weights: await weights.joined(),
            first: state.first,
            second: state.second,
            best: bestWeights,
          },
        });
      }
    }
  } catch (cause) {
    // A GPU that is lost fails a command first and says so a moment later.
    await new Promise((resolve) => setImmediate(resolve));
    throw told(cause, lesson, device, run);
  } finally {
    adam.dispose();
  }
  if (bestWeights) weights.assign(bestWeights);
  if (run.checkpoint) dropCheckpoint(run.checkpoint);
  const last = curve[(best?.epoch ?? epoch) - 1];
  run.progress.done(
    `${epoch} epochs, loss ${last.loss.toPrecision(4)}${best ? `, ${valid!.name} ${best.value.toPrecision(4)} at epoch ${best.epoch}` : ""}`,
  );
  return { epochs: epoch, best_epoch: best?.epoch ?? epoch, curve };
}

/** Refuses batches of which one tensor would be larger than the device takes, before anything is computed. */
function refuseTooLarge(
  { learner, batchParam: { name, value, widest }, rows }: Lesson<never> | Lesson<unknown>,
  { largestTensor, adapter }: Device,
): void {
  if (widest === undefined || largestTensor === undefined) return;
  const fits = Math.max(1, Math.floor(largestTensor / (4 * widest)));
  if (Math.min(value, rows) <= fits) return;
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GiB`;
  throw new ShopaiError(
    "engine",
    `${learner}: a step of ${name}=${value} needs ${gigabytes(4 * widest * Math.min(value, rows))} in one tensor, and ${adapter} takes ${gigabytes(largestTensor)}`,
    { where: `--param ${name}=${value}`, try: `--param ${name}=${2 ** Math.floor(Math.log2(fits))}` },
  );
}

/** @returns the mean loss over the epoch */
async function oneEpoch<B>(
  lesson: Lesson<B>,
  schedule: Schedule,
  epoch: number,
  adam: Adam,
  device: Device,
  run: Run,
  curve: readonly Record<string, number>[],
): Promise<number> {
  const draws = run.rng(`${lesson.learner} dropout ${epoch}`);
  const total = schedule.epochs * lesson.steps;
  const pending: { loss: Tf.Scalar; size: number; step: number }[] = [];
  let sum = 0;
  let seen = 0;
  let rested = performance.now();
  const before = curve.length > 0 ? `, loss ${curve[curve.length - 1].loss.toPrecision(4)}` : "";
  const read = async (): Promise<void> => {
    const failed = device.failure();
    if (failed) throw failed;
    for (const { loss, size, step } of pending.splice(0)) {
      const [value] = await loss.data();
      loss.dispose();
      if (!Number.isFinite(value)) throw diverged(lesson.learner, step, epoch + 1, schedule.rate);
      sum += value * size;
      seen += size;
    }
    run.progress.update(
      epoch * lesson.rows + seen,
      schedule.epochs * lesson.rows,
      `${lesson.unit} (epoch ${epoch + 1}${before})`,
    );
  };
  try {
    for await (const batch of lesson.batches(epoch)) {
      const rate = rateAt(schedule, adam.steps, total);
      const seed = draws.integer(4294967296);
      const loss = tf.tidy(() => {
        const step = lesson.weights.gradients(() => lesson.loss(batch, seed));
        adam.step(step.gradients, rate);
        return step.loss;
      });
      pending.push({ loss, size: lesson.size(batch), step: adam.steps });
      if (pending.length >= readEvery[device.backend]) await read();
      if (performance.now() - rested > 50) {
        await breathe(run);
        rested = performance.now();
      }
    }
    await read();
  } finally {
    tf.dispose(pending.map(({ loss }) => loss));
  }
  return sum / seen;
}

/** The rate of a step, from 0. */
function rateAt({ schedule, rate }: Schedule, step: number, total: number): number {
  if (schedule === "constant" || total <= 1) return rate;
  const done = Math.min(1, step / total);
  return schedule === "linear" ? rate * (1 - done) : (rate * (1 + Math.cos(Math.PI * done))) / 2;
}

function diverged(learner: string, step: number, epoch: number, rate: number): ShopaiError {
  return new ShopaiError("data", `${learner}: the loss is no number at step ${step} (epoch ${epoch})`, {
    where: `--param rate=${rate}`,
    try: `--param rate=${Number((rate / 10).toPrecision(2))}, or --param clip=1`,
  });
}

/** What a failure of the device means to the user. */
function told(
  cause: unknown,
  { learner, batchParam: { name, value } }: Lesson<never> | Lesson<unknown>,
  device: Device,
  run: Run,
): unknown {
  if (run.signal.aborted) return cause;
  const failed = device.failure();
  if (cause instanceof ShopaiError && cause !== failed) return cause;
  const message = failed?.message ?? String((cause as Error)?.message ?? cause);
  if (isOutOfMemory(message))
    return new ShopaiError("engine", `${learner}: out of memory on ${device.adapter} with ${name}=${value}`, {
      where: message.split("\n")[0].slice(0, 200),
      try: `--param ${name}=${Math.max(1, Math.floor(value / 4))}`,
      cause,
    });
  if (!failed) return cause;
  return new ShopaiError("engine", `${learner}: ${failed.message}`, {
    where: failed.where,
    try: run.checkpoint
      ? "the same call with --resume, or --device cpu"
      : "the same call again, or --device cpu",
    cause,
  });
}
