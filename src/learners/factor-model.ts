import type { Fitted } from "./learner.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";
import { loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import type { Profile, Scorer } from "./scorer.js";

/** Factors of users and items, f32, `width` to a row; scores are their products, plus the item's bias. */
export interface Factors {
  width: number;
  users: Float32Array;
  items: Float32Array;
  biases?: Float32Array;
}

/** What a factor model of one learner has beside its factors. */
export interface FactorWays {
  /** Factors of somebody from what they had: how newcomers are answered. */
  foldIn?(profile: Profile): ArrayLike<number>;
  /** What `foldIn` takes of newcomers' columns. */
  describe?: Scorer["describe"];
  about?: Record<string, unknown>;
  /** What `foldIn` needs when the model is loaded again. */
  saveOwn?(folder: FolderWriter): void;
}

/** A recommender whose scores are products of factors. */
export function factorModel(catalogue: Catalogue, factors: Factors, ways: FactorWays = {}): Fitted {
  const { width, users, items, biases } = factors;
  const count = catalogue.items.length;
  const products = (of: ArrayLike<number>, into: Float64Array): void => {
    for (let item = 0; item < count; item++) {
      let sum = biases ? biases[item] : 0;
      for (let f = 0, at = item * width; f < width; f++) sum += of[f] * items[at + f];
      into[item] = sum;
    }
  };
  const { foldIn } = ways;
  const scorer: Scorer = {
    made: { factors },
    user: (user, into) => products(users.subarray(user * width, (user + 1) * width), into),
    describe: ways.describe,
    profile: foldIn && ((profile, into) => products(foldIn(profile), into)),
    similar(item, into) {
      const of = items.subarray(item * width, (item + 1) * width);
      for (let other = 0; other < count; other++) {
        let product = 0;
        let square = 0;
        for (let f = 0, at = other * width; f < width; f++) {
          product += of[f] * items[at + f];
          square += items[at + f] * items[at + f];
        }
        into[other] = square === 0 ? 0 : product / Math.sqrt(square);
      }
      const length = Math.sqrt(of.reduce((sum, value) => sum + value * value, 0));
      if (length > 0) for (let other = 0; other < count; other++) into[other] /= length;
    },
  };
  const fitted = recommender(catalogue, scorer, (folder) => {
    folder.array("user-factors", users, [catalogue.users.length, width]);
    folder.array("item-factors", items, [count, width]);
    if (biases) folder.array("item-biases", biases);
    ways.saveOwn?.(folder);
  });
  return { ...fitted, about: { ...fitted.about, ...ways.about } };
}

/** Catalogue and factors of a model folder. */
export function loadFactors(folder: FolderReader): { catalogue: Catalogue; factors: Factors } {
  const catalogue = loadCatalogue(folder);
  const items = folder.array("item-factors", "f32", [catalogue.items.length, undefined]);
  const width = items.length / catalogue.items.length;
  return {
    catalogue,
    factors: {
      width,
      items,
      users: folder.array("user-factors", "f32", [catalogue.users.length, width]),
      biases:
        "item-biases.bin" in folder.card.files
          ? folder.array("item-biases", "f32", [catalogue.items.length])
          : undefined,
    },
  };
}
