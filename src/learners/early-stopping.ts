import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import type { Csr } from "../kernels/csr.js";
import type { Factors } from "./factor-model.js";
import { judgeOf } from "./held-out-items.js";
import { int } from "./params.js";
import type { Catalogue } from "./recommendations.js";

export const patienceParam = int({
  default: 0,
  min: 0,
  help: "stop after so many looks without a better nDCG@10 of held-out items; then train on all rows as long; 0 does all epochs",
});

/** Looks in all, at most. */
const looks = 20;

/** Told of every epoch; false to stop. */
export type Look = (epoch: number, factors: () => Factors) => Promise<boolean>;

/** How long to train, and how good that was. */
export interface Stopped {
  epochs: number;
  about: Record<string, unknown>;
}

/**
 * Finds out how many epochs to train: the learner is fitted without some items (`judgeOf`), and nDCG@10 of these is looked
 * at, up to twenty times.
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
  const { rest, users, ndcg } = judgeOf(catalogue, matrix, run);
  if (users.length === 0) {
    run.warn("no user has two items, so none can be held out: all epochs are done");
    return undefined;
  }
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
