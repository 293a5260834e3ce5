import type { Run } from "../engine/run.js";
import type { Csr } from "../kernels/csr.js";
import type { ItemIndex } from "../kernels/item-index.js";
import type { FactorScores } from "../kernels/top-rows.js";
import type { Fitted } from "./learner.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";
import { loadIndex, measuredIndex, saveIndex } from "./near-index.js";
import { loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import type { Profile, Scorer } from "./scorer.js";

/** Factors of users and items, f32, `width` to a row; scores are their products, plus the item's bias. */
export interface Factors {
  width: number;
  users: Float32Array;
  items: Float32Array;
  biases?: Float32Array;
  /** Where items are many: indexes of them for the scores, and for how alike they are. */
  index?: ItemIndex;
  alikeIndex?: ItemIndex;
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
  const { width, users, items, biases, index, alikeIndex } = factors;
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
    made: { factors, index },
    alike: () => ({ factors: cosines(items, width), index: alikeIndex }),
    user: (user, into) => products(users.subarray(user * width, (user + 1) * width), into),
    describe: ways.describe,
    profile: foldIn && ((profile, into) => products(foldIn(profile), into)),
    similar(item, into) {
      for (let other = 0; other < count; other++) into[other] = cosine(items, width, item, other);
    },
  };
  const fitted = recommender(catalogue, scorer, (folder) => {
    folder.array("user-factors", users, [catalogue.users.length, width]);
    folder.array("item-factors", items, [count, width]);
    if (biases) folder.array("item-biases", biases);
    if (index) saveIndex(folder, "index", index);
    if (alikeIndex) saveIndex(folder, "alike-index", alikeIndex);
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
      index: loadIndex(folder, "index", catalogue.items.length),
      alikeIndex: loadIndex(folder, "alike-index", catalogue.items.length),
    },
  };
}

/** The cosine of two items' factors, 0 where one of them has none. */
function cosine(items: Float32Array, width: number, a: number, b: number): number {
  let [product, left, right] = [0, 0, 0];
  for (let f = 0, i = a * width, j = b * width; f < width; f++, i++, j++) {
    product += items[i] * items[j];
    left += items[i] * items[i];
    right += items[j] * items[j];
  }
  return left === 0 || right === 0 ? 0 : product / Math.sqrt(left) / Math.sqrt(right);
}

/** Cosines of items as products: of factors brought to length 1. */
function cosines(items: Float32Array, width: number): FactorScores {
  const units = new Float32Array(items.length);
  for (let from = 0; from < items.length; from += width) {
    let square = 0;
    for (let f = from; f < from + width; f++) square += items[f] * items[f];
    if (square > 0) for (let f = from; f < from + width; f++) units[f] = items[f] / Math.sqrt(square);
  }
  return { width, users: units, items: units, exact: (a, b) => cosine(items, width, a, b) };
}

/** The factors with indexes of their items, where these are `from` or more (0: never), and what the card says of them. */
export async function withIndexes(
  { seen, users, items }: Catalogue,
  factors: Factors,
  from: number,
  run: Run,
): Promise<{ factors: Factors; about: Record<string, unknown> }> {
  if (from === 0 || items.length < from) return { factors, about: {} };
  const all = (count: number): Int32Array => Int32Array.from({ length: count }, (_, code) => code);
  const scores = await measuredIndex("index", factors, seen, all(users.length), run);
  const alike = cosines(factors.items, factors.width);
  const similar = await measuredIndex("alike index", alike, itself(items.length), all(items.length), run);
  return {
    factors: { ...factors, index: scores.index, alikeIndex: similar.index },
    about: { ...scores.about, ...similar.about },
  };
}

/** Every item has had itself. */
export const itself = (items: number): Csr => ({
  rows: items,
  cols: items,
  starts: Int32Array.from({ length: items + 1 }, (_, item) => item),
  columns: Int32Array.from({ length: items }, (_, item) => item),
});
