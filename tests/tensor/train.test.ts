import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import type { Device } from "../../src/engine/device.js";
import { Adam } from "../../src/tensor/adam.js";
import { openDevice } from "../../src/tensor/open-device.js";
import { dense, dropoutMask, squaredLoss } from "../../src/tensor/ops.js";
import { tf, type Tf } from "../../src/tensor/tf.js";
import { train, type Lesson, type Schedule } from "../../src/tensor/train.js";
import { Weights } from "../../src/tensor/weights.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const folder = temporaryFolder();
let device: Device;
beforeAll(async () => {
  device = await openDevice({ name: "cpu" });
});

const schedule: Schedule = { epochs: 6, rate: 0.05, schedule: "constant", patience: 0, clip: 1, decay: 0.01 };

/** y = 2 a - b, learned by one layer from batches of 16. */
function lesson(about: Partial<Lesson<number[]>> = {}): Lesson<number[]> {
  const rng = seededRng(5, "rows");
  const rows = Array.from({ length: 64 }, () => [rng.normal(), rng.normal()]);
  const weights = new Weights((name) => seededRng(1, name));
  weights.add("w", [2, 1], "glorot");
  weights.add("b", [1], "zeros");
  const lossOf = (batch: number[]): Tf.Scalar => {
    const x = tf.tensor2d(batch.map((row) => rows[row]));
    const y = tf.tensor1d(batch.map((row) => 2 * rows[row][0] - rows[row][1]));
    return squaredLoss(dense(x, weights.get("w"), weights.get("b")).flatten(), y);
  };
  return {
    learner: "line",
    weights,
    *batches(epoch) {
      const order = seededRng(epoch, "order").shuffle(rows.map((_, row) => row));
      for (let at = 0; at < order.length; at += 16) yield order.slice(at, at + 16);
    },
    size: (batch) => batch.length,
    rows: rows.length,
    unit: "rows",
    steps: 4,
    loss: lossOf,
    params: { batch: 16 },
    batchParam: { name: "batch", value: 16 },
    ...about,
  };
}

async function refused(work: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const { kind, message, try: advice } = error as Record<string, unknown>;
  return { kind, message, try: advice };
}

describe("training", () => {
  test("learns, and holds no more tensors after many epochs than after one", async () => {
    const one = lesson();
    const counts: number[] = [];
    one.valid = {
      name: "valid",
      larger: false,
      measure: async () => {
        counts.push(tf.memory().numTensors);
        return 1 / (1 + counts.length);
      },
    };
    const before = tf.memory().numTensors;
    const { curve } = await train(one, { ...schedule, epochs: 40 }, device, run);
    expect(curve[39].loss).toBeLessThan(curve[0].loss / 20);
    expect(new Set(counts).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
    one.weights.dispose();
    expect(tf.memory().numTensors).toBe(before - 2);
  });

  test("keeps the weights of the best epoch and stops when it was long ago", async () => {
    const figures = [5, 3, 4, 4, 4, 4];
    const kept: Float32Array[] = [];
    const one = lesson();
    one.valid = {
      name: "valid",
      larger: false,
      measure: async () => {
        kept.push(await one.weights.joined());
        return figures[kept.length - 1];
      },
    };
    const lessons = await train(one, { ...schedule, patience: 2 }, device, run);
    expect([lessons.epochs, lessons.best_epoch]).toEqual([4, 2]);
    expect(await one.weights.joined()).toEqual(kept[1]);
    one.weights.dispose();
  });

  test("killed and resumed, it ends with the same bytes", async () => {
    const whole = lesson();
    await train(whole, schedule, device, run);
    const path = join(folder, "line.checkpoint");
    const killed = lesson();
    let epochs = 0;
    const { batches } = killed;
    killed.batches = (epoch) => {
      if (++epochs > 3) throw new Error("killed");
      return batches(epoch);
    };
    const kept = { ...run, checkpoint: { path, resume: false } };
    await expect(train(killed, schedule, device, kept)).rejects.toThrow("killed");
    expect(existsSync(path)).toBe(true);
    const resumed = lesson();
    const lessons = await train(resumed, schedule, device, { ...run, checkpoint: { path, resume: true } });
    expect(lessons.curve.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await resumed.weights.joined()).toEqual(await whole.weights.joined());
    expect(existsSync(path)).toBe(false);
    for (const { weights } of [whole, killed, resumed]) weights.dispose();
  });

  test("a checkpoint of another training is refused, and says what differs", async () => {
    const path = join(folder, "other.checkpoint");
    const stopped = lesson({
      valid: { name: "valid", larger: false, measure: () => Promise.reject(new Error("stop")) },
    });
    const { valid, ...plain } = stopped;
    expect(valid).toBeDefined();
    let epochs = 0;
    const dying = {
      ...plain,
      batches: (epoch: number) => {
        if (++epochs > 1) throw new Error("killed");
        return plain.batches(epoch);
      },
    };
    const checkpoint = { path, resume: false };
    await expect(train(dying, schedule, device, { ...run, checkpoint })).rejects.toThrow("killed");
    const again = { ...run, checkpoint: { path, resume: true } };
    const other = lesson({ params: { batch: 32 } });
    expect(await refused(train(other, schedule, device, again))).toMatchObject({
      kind: "model",
      message: "the checkpoint is of another training: --param batch was 16 and is 32",
    });
    const wider = lesson();
    wider.weights.add("more", [3], "zeros");
    expect((await refused(train(wider, schedule, device, again))).message).toMatch(
      /a weight of the network was absent and is more of 3/,
    );
  });

  test("a loss that is no number stops with its step and a smaller rate", async () => {
    let steps = 0;
    const one = lesson();
    const { loss } = one;
    one.loss = (batch, seed) => (++steps === 6 ? loss(batch, seed).mul(NaN) : loss(batch, seed));
    expect(await refused(train(one, schedule, device, run))).toEqual({
      kind: "data",
      message: "line: the loss is no number at step 6 (epoch 2)",
      try: "--param rate=0.005, or --param clip=1",
    });
  });

  test("a device that is lost, and memory that runs out, are said as such", async () => {
    const lost = { ...device, failure: () => undefined as ReturnType<Device["failure"]> };
    const one = lesson();
    one.loss = () => {
      throw new Error("Out of memory: 12 bytes");
    };
    expect(await refused(train(one, schedule, device, run))).toMatchObject({
      kind: "engine",
      message: expect.stringContaining("out of memory on WebAssembly"),
      try: "--param batch=4",
    });
    const { ShopaiError } = await import("../../src/core/errors.js");
    const gone = new ShopaiError("engine", "the GPU was lost");
    lost.failure = () => gone;
    const checkpoint = { path: join(folder, "lost.checkpoint"), resume: false };
    expect(await refused(train(lesson(), schedule, lost, { ...run, checkpoint }))).toEqual({
      kind: "engine",
      message: "line: the GPU was lost",
      try: "the same call with --resume, or --device cpu",
    });
    // As Dawn words it.
    const refusal = new ShopaiError("engine", "the GPU refused a command: Out of memory");
    lost.failure = () => refusal;
    expect(await refused(train(lesson(), schedule, lost, run))).toMatchObject({
      message: expect.stringMatching(/^line: out of memory on .+ with batch=16$/),
      try: "--param batch=4",
    });
  });

  test("a batch of which one tensor is larger than the device takes is refused with one that fits", async () => {
    const small = { ...device, largestTensor: 4 * 10 * 300 };
    const one = lesson({ rows: 5000, batchParam: { name: "batch", value: 4096, widest: 10 } });
    expect(await refused(train(one, schedule, small, run))).toMatchObject({
      kind: "engine",
      message: expect.stringContaining("a step of batch=4096 needs"),
      try: "--param batch=256",
    });
    // What is never filled needs no room.
    const few = lesson({ batchParam: { name: "batch", value: 4096, widest: 10 } });
    await train(few, { ...schedule, epochs: 1 }, small, run);
    for (const { weights } of [one, few]) weights.dispose();
  });

  test("leaves an event file with the losses of every epoch, and another when it goes on", async () => {
    const tensorboard = join(folder, "events");
    const one = lesson();
    await train(one, { ...schedule, epochs: 2 }, device, { ...run, tensorboard });
    await train(one, { ...schedule, epochs: 2 }, device, { ...run, tensorboard });
    const files = readdirSync(tensorboard).sort();
    expect(files).toHaveLength(2);
    for (const file of files) {
      expect(file).toMatch(/^events\.out\.tfevents\.\d{10}\.shopai/);
      const words = readFileSync(join(tensorboard, file), "latin1");
      expect(words.match(/brain\.Event:2|loss|rate/g)).toEqual([
        "brain.Event:2",
        ...["loss", "rate", "loss", "rate"],
      ]);
    }
    one.weights.dispose();
  });
});

test("Adam on the heap takes the steps of Adam over joined weights", async () => {
  const gradients = Array.from({ length: 4 }, (_, step) => ({
    w: Float32Array.from({ length: 15 }, () => seededRng(step, "w").normal()),
    b: Float32Array.from({ length: 5 }, () => 3 * seededRng(step, "b").normal()),
  }));
  const stepped = async (backend: string): Promise<Float32Array> => {
    await tf.setBackend(backend);
    const weights = new Weights((name) => seededRng(2, name));
    weights.add("w", [3, 5], "he");
    weights.add("b", [5], "ones");
    const adam = new Adam(weights, { clip: 2, decay: 0.3 });
    for (const { w, b } of gradients)
      tf.tidy(() => adam.step({ w: tf.tensor2d(w, [3, 5]), b: tf.tensor1d(b) }, 0.02));
    const values = await weights.joined();
    adam.dispose();
    weights.dispose();
    return values;
  };
  const plain = await stepped("cpu");
  const own = await stepped("wasm");
  own.forEach((value, i) => expect(value).toBeCloseTo(plain[i], 5));
});

test("dropout keeps about its share, and what it keeps depends on the seed", () => {
  const mask = dropoutMask(10_000, 0.3, 1);
  const kept = mask.filter((value) => value > 0).length;
  expect(kept / 10_000).toBeCloseTo(0.7, 1);
  expect(dropoutMask(10_000, 0.3, 2)).not.toEqual(mask);
});
