import { ShopaiError } from "../../core/errors.js";
import { codes } from "../../engine/frame.js";
import type { Rng } from "../../core/rng.js";
import { ident } from "../../engine/sql.js";
import type { Catalogue } from "../recommendations.js";
import type { TrainingData } from "../learner.js";

/** What every user had, in the order of time: items of user u at starts[u]..starts[u+1], by code. */
export interface Sequences {
  starts: Int32Array;
  items: Int32Array;
}

/**
 * The interactions of training rows in the order of time (of the rows, where times are equal or no time
 * is named); repeated items stay.
 */
export async function readSequences(data: TrainingData, { users, items }: Catalogue): Promise<Sequences> {
  const { relation, roles } = data;
  // Named with their table, so that no column of the result is meant.
  const column = (name: string): string => `r.${ident(name)}`;
  const user = column(roles.user!);
  const item = column(roles.item!);
  const order = [
    user,
    ...(roles.time ? [`${column(roles.time)} NULLS FIRST`] : []),
    ...relation.key.map(column),
  ];
  const frame = await relation.engine.frame(
    `SELECT ${user}::VARCHAR AS "user", ${item}::VARCHAR AS "item" FROM (${relation.sql}) r WHERE ${user} IS NOT NULL AND ${item} IS NOT NULL ORDER BY ${order.join(", ")}`,
    [
      { name: "user", as: "code" },
      { name: "item", as: "code" },
    ],
  );
  const userOf = recoded(codes(frame, "user"), users);
  const itemOf = recoded(codes(frame, "item"), items);
  const starts = new Int32Array(users.length + 1);
  for (const code of userOf) starts[code + 1]++;
  for (let u = 0; u < users.length; u++) starts[u + 1] += starts[u];
  return { starts, items: itemOf };
}

/** Codes by the order of the column's type, in the place of codes by the order of texts. */
function recoded(
  { values, levels }: { values: Int32Array; levels: readonly string[] },
  names: readonly string[],
): Int32Array {
  const codeOf = new Map(names.map((name, code) => [name, code]));
  const to = Int32Array.from(levels, (level) => codeOf.get(level)!);
  return values.map((code) => to[code]);
}

/** One row of a batch: `length` items from `from` on, with the next of each as its target. */
interface Window {
  user: number;
  from: number;
  length: number;
}

/** Steps of sequences, padded at the end to one length; batch x length, row-major. */
export interface SequenceBatch {
  count: number;
  length: number;
  /** Items that go in, -1 for padding. */
  inputs: Int32Array;
  /** Distance of every place to the end of its sequence, 0 for the last. */
  places: Int32Array;
  /** Places (flat) that have a target, and the targets. */
  at: Int32Array;
  targets: Int32Array;
}

/**
 * Cuts sequences to windows of at most `longest` steps, from the end back, so that none is lost.
 *
 * @param ends where each user's sequence ends for training (held-out items lie beyond)
 */
export function trainingWindows(sequences: Sequences, ends: Int32Array, longest: number): Window[] {
  const windows: Window[] = [];
  for (let user = 0; user < ends.length; user++) {
    const start = sequences.starts[user];
    // The last item is a target only.
    for (let end = ends[user] - 1; end > start; end -= longest) {
      const from = Math.max(start, end - longest);
      windows.push({ user, from, length: end - from });
    }
  }
  return windows;
}

/**
 * Batches of windows of like length, of about `positions` steps each, in a shuffled order.
 * Windows of one length are shuffled, so that batches differ from epoch to epoch.
 */
export function* sequenceBatches(
  sequences: Sequences,
  windows: readonly Window[],
  positions: number,
  rng: Rng,
): Generator<SequenceBatch> {
  const order = rng.shuffle(Int32Array.from(windows, (_, i) => i));
  const sorted = Array.from(order).sort((a, b) => windows[a].length - windows[b].length);
  const groups = packed(
    sorted.map((i) => windows[i]),
    positions,
  );
  for (const group of rng.shuffle(groups)) yield batchOf(sequences, group, true);
}

/** The steps of one epoch. */
export function batchCount(windows: readonly Window[], positions: number): number {
  return packed(
    [...windows].sort((a, b) => a.length - b.length),
    positions,
  ).length;
}

/** @param windows by ascending length */
function packed(windows: readonly Window[], positions: number): Window[][] {
  const groups: Window[][] = [];
  let group: Window[] = [];
  for (const window of windows) {
    // The longest comes last: its length is that of all.
    if (group.length > 0 && (group.length + 1) * window.length > positions) {
      groups.push(group);
      group = [];
    }
    group.push(window);
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function batchOf({ items }: Sequences, windows: readonly Window[], withTargets: boolean): SequenceBatch {
  const length = windows.reduce((most, window) => Math.max(most, window.length), 0);
  const count = windows.length;
  const inputs = new Int32Array(count * length).fill(-1);
  const places = new Int32Array(count * length);
  const steps = windows.reduce((sum, window) => sum + window.length, 0);
  const at = new Int32Array(withTargets ? steps : count);
  const targets = new Int32Array(withTargets ? steps : 0);
  let filled = 0;
  windows.forEach((window, row) => {
    for (let t = 0; t < window.length; t++) {
      const place = row * length + t;
      inputs[place] = items[window.from + t];
      places[place] = window.length - 1 - t;
      if (!withTargets) continue;
      at[filled] = place;
      targets[filled++] = items[window.from + t + 1];
    }
    if (!withTargets) at[row] = row * length + window.length - 1;
  });
  return { count, length, inputs, places, at, targets };
}

/** What users had up to an end, as batches without targets, users in the order of length: `users` names them. */
export function* historyBatches(
  sequences: Sequences,
  users: Int32Array,
  ends: Int32Array,
  longest: number,
  positions: number,
): Generator<{ users: Int32Array; batch: SequenceBatch }> {
  const windows = Array.from(users, (user, i): Window => {
    const from = Math.max(sequences.starts[user], ends[i] - longest);
    return { user, from, length: ends[i] - from };
  }).sort((a, b) => a.length - b.length || a.user - b.user);
  for (const group of packed(windows, positions))
    yield { users: Int32Array.from(group, ({ user }) => user), batch: batchOf(sequences, group, false) };
}

/** Refuses rows that hold no order to learn from. */
export function refuseShort(windows: readonly unknown[], name: string, where: string): void {
  if (windows.length === 0)
    throw new ShopaiError("data", `${name} learns what comes after what, and no user has two rows`, {
      where,
      try: "another --user column, or a learner that needs no order (shopai learners --task recommendation)",
    });
}
