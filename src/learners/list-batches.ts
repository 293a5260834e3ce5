import type { Run } from "../engine/run.js";
import {
  mostMembers,
  weightTop,
  weightTopBytes,
  type TopProblem,
  type TopRows,
} from "../kernels/top-rows.js";
import { breathe } from "./breathe.js";
import type { Ask } from "./learner.js";
import { listMaker, type List, type Person } from "./lists.js";
import { openedProducts } from "./near-index.js";
import type { Catalogue } from "./recommendations.js";
import type { Reranker } from "./rerank.js";
import { popularityRanks, trainingProfile, type Scorer } from "./scorer.js";

/** Users between two looks at the clock and the signal. */
const stride = 256;
/** Scores from which on it pays to open the kernel. */
export const manyScores = 4_000_000;

export interface ListsAsk extends Pick<Ask, "k" | "includeSeen"> {
  reranker?: Reranker;
  /** Numbers of the people whose list must come with the scores of all items. */
  whole?(number: number): boolean;
}

/**
 * The lists of `count` people in their order. Scores that are products of factors or sums of weights are made by a
 * kernel, many users at a time, where it has all it needs: plain users of training. The lists are the same either way.
 */
export async function* listsOf(
  catalogue: Catalogue,
  scorer: Scorer,
  { count, person }: { count: number; person(number: number): Person },
  { whole, ...ask }: ListsAsk,
  run: Run,
): AsyncGenerator<List> {
  const make = listMaker(catalogue, scorer, ask, ask.reranker);
  const pays = count * catalogue.items.length >= manyScores;
  const top = pays && !ask.reranker ? await openedTop(catalogue, scorer, ask, run) : undefined;
  const k = ask.k ?? 10;
  try {
    for (let from = 0; from < count; from += mostMembers) {
      const people = Array.from({ length: Math.min(mostMembers, count - from) }, (_, i) => person(from + i));
      const plain = people.map(({ user, newer }, i) => user >= 0 && !newer && !whole?.(from + i));
      const members = Int32Array.from(
        people.filter((_, i) => plain[i]),
        ({ user }) => user,
      );
      const found = members.length > 0 ? top?.of(members) : undefined;
      let row = 0;
      for (let i = 0; i < people.length; i++) {
        if ((from + i) % stride === 0) {
          run.progress.update(from + i, count, "users");
          await breathe(run);
        }
        const place = plain[i] ? row++ : -1;
        const size = found && place >= 0 ? found.counts[place] : -1;
        if (size < 0) yield make(people[i], whole?.(from + i));
        else
          yield {
            source: "model",
            items: found!.items.subarray(place * k, place * k + size),
            scores: found!.scores.subarray(place * k, place * k + size),
            profile: trainingProfile(catalogue, people[i].user),
            segment: -1,
          };
      }
    }
  } finally {
    top?.close();
  }
}

/** The kernel for what the scorer is made of, or undefined where there is none. */
async function openedTop(
  catalogue: Catalogue,
  scorer: Scorer,
  { k = 10, includeSeen = false }: Pick<Ask, "k" | "includeSeen">,
  run: Run,
): Promise<TopRows | undefined> {
  const { made } = scorer;
  if (!made) return undefined;
  const problem: TopProblem = { seen: catalogue.seen, includeSeen, k, tie: popularityRanks(catalogue) };
  if ("factors" in made) return openedProducts(made, problem, run);
  const bytes = weightTopBytes(made.weights, problem, run.pool.threads);
  if (bytes > 2 ** 32) return undefined;
  const kernel = await run.pool.kernel("top-rows", bytes);
  return kernel && weightTop(kernel, made.weights, problem);
}
