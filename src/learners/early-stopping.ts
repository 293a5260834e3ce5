import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import type { Csr } from "../kernels/csr.js";
import { factorModel, type Factors } from "./factor-model.js";
import { itemTotals } from "./interactions.js";
import { listsOf } from "./list-batches.js";
import { int } from "./params.js";
import type { Catalogue } from "./recommendations.js";

export const patienceParam = int({
  default: 0,
  min: 0,
  help: "stop after so many looks without a better nDCG@10 of held-out items; then train on all rows as long; 0 does all epochs",
});

/** Users whose held-out items are looked at, at most. */
const mostUsers = 5000;
/** Share of their items that is held out. */
const share = 0.1;
/** Looks in all, at most. */
const looks = 20;
const cut = 10;
const discount = Float64Array.from({ length: cut }, (_, i) => 1 / Math.log2(i + 2));

/** Told of every epoch; false to stop. */
export type Look = (epoch: number, factors: () => Factors) => Promise<boolean>;

/** How long to train, and how good that was. */
export interface Stopped {
  epochs: number;
  about: Record<string, unknown>;
}

/**
 * Finds out how many epochs to train: a tenth of the items of users with two and more (drawn by the seed) is held out, the
 * learner is fitted on the rest, and nDCG@10 of the held-out items among all that are new to the user is looked at, up to
 * twenty times.
 *
 * @param fit trains on the rows it is given and tells `look` of every epoch
 */
export async function stoppedEarly(
  catalogue: Catalogue,
  matrix: Csr,
  { epochs, patience }: { epochs: number; patience: number },
  fit: (rest: Csr, look: Look) => Promise<unknown>,
  run: Run,
): Promise<Stopped | undefined> {
  if (patience === 0 || epochs === 0) return undefined;
  const { rest, users, held } = withoutSome(matrix, run);
  if (users.length === 0) {
    run.warn("no user has two items, so none can be held out: all epochs are done");
    return undefined;
  }
  const before: Catalogue = { ...catalogue, seen: rest, popularity: itemTotals(rest), segments: undefined };
  const quiet: Run = {
    ...run,
    progress: { ...run.progress, stage: () => undefined, update: () => undefined },
  };
  const ndcg = async (factors: Factors): Promise<number> => {
    const people = { count: users.length, person: (place: number) => ({ user: users[place] }) };
    const { scorer } = factorModel(before, factors);
    let place = 0;
    let sum = 0;
    for await (const { items } of listsOf(before, scorer!, people, { k: cut }, quiet)) {
      const wanted = held(users[place++]);
      let gain = 0;
      let ideal = 0;
      items.forEach((item, i) => (gain += wanted.has(item) ? discount[i] : 0));
      for (let i = 0; i < Math.min(cut, wanted.size); i++) ideal += discount[i];
      sum += gain / ideal;
    }
    return sum / users.length;
  };
  const every = Math.max(1, Math.ceil(epochs / looks));
  const best = { epochs, ndcg: -1, waited: 0 };
  await fit(rest, async (epoch, factors) => {
    if (epoch % every !== 0 && epoch !== epochs) return true;
    const found = await ndcg(factors());
    if (found > best.ndcg) Object.assign(best, { epochs: epoch, ndcg: found, waited: 0 });
    else best.waited++;
    return best.waited < patience;
  });
  run.progress.done(`${best.epochs} epochs are best for ${grouped(users.length)} users`);
  return {
    epochs: best.epochs,
    about: { epochs: best.epochs, "validation ndcg@10": best.ndcg, "validation users": users.length },
  };
}

/** The matrix without a tenth of the entries of some users (one at least, never all), and which those are. */
function withoutSome(
  matrix: Csr,
  run: Run,
): { rest: Csr; users: Int32Array; held(user: number): Set<number> } {
  const { rows, starts, columns, values } = matrix;
  const rng = run.rng("held out");
  const able = Int32Array.from({ length: rows }, (_, row) => row).filter(
    (row) => starts[row + 1] - starts[row] > 1,
  );
  const users = rng.shuffle(able).slice(0, mostUsers).sort();
  const out = new Uint8Array(columns.length);
  for (const user of users) {
    const places = Int32Array.from({ length: starts[user + 1] - starts[user] }, (_, i) => starts[user] + i);
    for (const place of rng.shuffle(places).subarray(0, Math.max(1, Math.floor(share * places.length))))
      out[place] = 1;
  }
  const left = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    left[row + 1] = left[row];
    for (let p = starts[row]; p < starts[row + 1]; p++) left[row + 1] += 1 - out[p];
  }
  return {
    users,
    held: (user) =>
      new Set(columns.subarray(starts[user], starts[user + 1]).filter((_, i) => out[starts[user] + i])),
    rest: {
      ...matrix,
      starts: left,
      columns: columns.filter((_, p) => !out[p]),
      values: values?.filter((_, p) => !out[p]),
    },
  };
}
