import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
import { stableJson } from "../core/hash.js";
import type { Checkpoint } from "../engine/device.js";
import { writeAtomically } from "../table/atomic.js";
import type { WeightAbout } from "./weights.js";

/** What a training must have in common with the one that left a checkpoint. */
export interface Identity {
  learner: string;
  weights: WeightAbout[];
  seed: number;
  /** Rows learned from, and whatever else shapes the steps. */
  rows: number;
  params: Record<string, unknown>;
}

/** Everything that the rest of a training depends on: what came before is exactly repeated by it. */
export interface TrainingState {
  /** Epochs done. */
  epoch: number;
  /** Steps of the optimiser done. */
  steps: number;
  /** Epochs since the best. */
  stale: number;
  best?: { epoch: number; value: number };
  curve: Record<string, number>[];
  arrays: { weights: Float32Array; first: Float32Array; second: Float32Array; best?: Float32Array };
}

const magic = "SHPC1\n";

/** Writes a checkpoint, atomically: a kill while it is written leaves the one before. */
export async function writeCheckpoint(
  { path }: Checkpoint,
  identity: Identity,
  { arrays, ...state }: TrainingState,
): Promise<void> {
  const names = Object.keys(arrays).filter((name) => arrays[name as keyof typeof arrays]);
  const parts = names.map((name) => arrays[name as keyof typeof arrays]!);
  const header = Buffer.from(
    stableJson({ identity, state, arrays: names.map((name, i) => ({ name, length: parts[i].length })) }),
  );
  const start = Buffer.alloc(magic.length + 4);
  start.write(magic, "latin1");
  start.writeUInt32LE(header.length, magic.length);
  const bytes = Buffer.concat([
    start,
    header,
    ...parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)),
  ]);
  await writeAtomically(path, async (temporary) => writeFileSync(temporary, bytes));
}

/**
 * Reads a checkpoint, when there is one.
 * @throws ShopaiError "model" when it is damaged or of another training
 */
export function readCheckpoint({ path }: Checkpoint, identity: Identity): TrainingState | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  const damaged = (cause?: unknown): ShopaiError =>
    new ShopaiError("model", "the checkpoint is damaged", {
      where: path,
      try: "training without --resume",
      cause,
    });
  if (bytes.length < magic.length + 4 || bytes.toString("latin1", 0, magic.length) !== magic) throw damaged();
  const from = magic.length + 4;
  const end = from + bytes.readUInt32LE(magic.length);
  let header: {
    identity: Identity;
    state: Omit<TrainingState, "arrays">;
    arrays: { name: string; length: number }[];
  };
  try {
    header = JSON.parse(bytes.toString("utf8", from, end));
  } catch (cause) {
    throw damaged(cause);
  }
  refuseOther(header.identity, identity, path);
  const arrays: Record<string, Float32Array> = {};
  let at = end;
  for (const { name, length } of header.arrays) {
    if (at + 4 * length > bytes.length) throw damaged();
    // A copy of its own: the values need not start at a multiple of 4.
    arrays[name] = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + 4 * length),
    );
    at += 4 * length;
  }
  return { ...header.state, arrays: arrays as unknown as TrainingState["arrays"] };
}

export function dropCheckpoint({ path }: Checkpoint): void {
  rmSync(path, { force: true });
}

function refuseOther(there: Identity, here: Identity, path: string): void {
  const differs = (what: string, was: unknown, is: unknown): ShopaiError =>
    new ShopaiError(
      "model",
      `the checkpoint is of another training: ${what} was ${String(was)} and is ${String(is)}`,
      { where: path, try: "the same call as before, or leaving --resume out" },
    );
  if (there.learner !== here.learner) throw differs("the learner", there.learner, here.learner);
  if (there.seed !== here.seed) throw differs("--seed", there.seed, here.seed);
  for (const name of new Set([...Object.keys(there.params), ...Object.keys(here.params)]))
    if (there.params[name] !== here.params[name])
      throw differs(`--param ${name}`, there.params[name], here.params[name]);
  if (there.rows !== here.rows) throw differs("the number of rows", there.rows, here.rows);
  const shape = ({ name, shape: lengths }: WeightAbout): string => `${name} of ${lengths.join(" x ")}`;
  const was = there.weights.map(shape);
  const is = here.weights.map(shape);
  for (let i = 0; i < Math.max(was.length, is.length); i++)
    if (was[i] !== is[i]) throw differs("a weight of the network", was[i] ?? "absent", is[i] ?? "absent");
}
