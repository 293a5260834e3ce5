import type { Run } from "../../engine/run.js";
import { scorerOf, type Scorer as ItemScorer } from "../../tensor/scorer.js";
import type { Fitted } from "../learner.js";
import type { FolderWriter } from "../model-folder.js";
import { recommender, type Catalogue } from "../recommendations.js";
import type { Profile, Scorer } from "../scorer.js";

/** Vectors whose inner products are scores, from a network that was opened. */
export interface OpenedVectors {
  /** items x factors. */
  items: Float32Array;
  /** Users of training x factors. */
  users: Float32Array;
  /** The vector of somebody with these items, oldest first, one or more: at once, on the CPU. */
  after(history: Int32Array): Float32Array;
}

export interface VectorModel {
  catalogue: Catalogue;
  factors: number;
  about: Record<string, unknown>;
  open(run: Run): Promise<OpenedVectors>;
  /** The items of a profile that the network looks at, oldest first. */
  history(profile: Profile): Int32Array;
  /** Writes what stands beside the catalogue. */
  save(folder: FolderWriter): void;
}

/** Users scored at once. */
export const block = 64;

/** A recommender by a network that gives users and items vectors; it is opened when first asked. */
export function vectorRecommender({ catalogue, factors, about, open, history, save }: VectorModel): Fitted {
  let ready: OpenedVectors | undefined;
  let opening: Promise<void> | undefined;
  const prepare = (run: Run): Promise<void> =>
    (opening ??= open(run).then((opened) => {
      ready = opened;
    }));
  const scorer = scorerFor(catalogue, factors, history, () => {
    if (!ready) throw new TypeError("a network answers after prepare");
    return ready;
  });
  const shell = recommender(catalogue, scorer, save);
  return {
    ...shell,
    about: { ...shell.about, ...about },
    prepare,
    async predict(rows, ask, run) {
      await prepare(run);
      return shell.predict(rows, ask, run);
    },
    async similar(rows, ask, run) {
      await prepare(run);
      return shell.similar!(rows, ask, run);
    },
  };
}

function scorerFor(
  catalogue: Catalogue,
  factors: number,
  history: VectorModel["history"],
  opened: () => OpenedVectors,
): Scorer {
  const items = catalogue.items.length;
  let score: ItemScorer | undefined;
  const scored = (queries: Float32Array): Float32Array =>
    (score ??= scorerOf(opened().items, factors, block))(queries);
  let from = -1;
  let scores: Float32Array = new Float32Array(0);
  let lengths: Float64Array | undefined;
  return {
    user(user, into) {
      const first = user - (user % block);
      // Users come in the order of their codes: a block serves its neighbours, too.
      if (first !== from) {
        from = first;
        scores = scored(opened().users.subarray(first * factors, (first + block) * factors));
      }
      into.set(scores.subarray((user - first) * items, (user - first + 1) * items));
    },
    profile(profile, into) {
      from = -1;
      const had = history(profile);
      if (had.length === 0) into.set(catalogue.popularity);
      else into.set(scored(opened().after(had)));
    },
    similar(item, into) {
      const vectors = opened().items;
      lengths ??= Float64Array.from(into, (_, other) => Math.sqrt(product(vectors, other, other)) || 1);
      for (let other = 0; other < into.length; other++)
        into[other] = product(vectors, item, other) / (lengths[item] * lengths[other]);
    },
  };

  function product(vectors: Float32Array, a: number, b: number): number {
    let sum = 0;
    for (let d = 0; d < factors; d++) sum += vectors[a * factors + d] * vectors[b * factors + d];
    return sum;
  }
}
