import { unheard, type Run } from "../engine/run.js";
import type { Csr } from "../kernels/csr.js";
import { factorModel, type Factors } from "./factor-model.js";
import { itemTotals } from "./interactions.js";
import { listsOf } from "./list-batches.js";
import type { Catalogue } from "./recommendations.js";

/** Users whose held-out items are looked at, at most. */
const mostUsers = 5000;
/** Share of their items that is held out. */
const share = 0.1;
const cut = 10;
const discount = Float64Array.from({ length: cut }, (_, i) => 1 / Math.log2(i + 2));

/** Interactions without some that are held out, and how well factors of the rest put those first. */
export interface Judge {
  rest: Csr;
  /** Users with held-out items, at most 5,000; none where no user has two items. */
  users: Int32Array;
  /** Mean nDCG@10 of the held-out items among all that are new to the user. */
  ndcg(factors: Factors): Promise<number>;
}

/** Holds out a tenth of the items of users with two and more, drawn by the seed. */
export function judgeOf(catalogue: Catalogue, matrix: Csr, run: Run): Judge {
  const { rest, users, held } = withoutSome(matrix, run);
  const before: Catalogue = { ...catalogue, seen: rest, popularity: itemTotals(rest), segments: undefined };
  const quiet: Run = { ...run, progress: unheard };
  return {
    rest,
    users,
    async ndcg(factors) {
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
    },
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
