import type { Fitted } from "../learner.js";
import type { FolderReader } from "../model-folder.js";
import { loadRaters, ratingModel, type Raters } from "./rating-model.js";

/** Biases and factors, f64, `factors` to a row: a rating is mean + b_u + b_i + p_u·q_i. */
export interface BiasedFactors {
  factors: number;
  userBias: Float64Array;
  itemBias: Float64Array;
  users: Float64Array;
  items: Float64Array;
}

/** A model of ratings by factors; of a user or item that is not known only the other's bias is left. */
export function biasedFactorModel(
  raters: Raters,
  { factors, userBias, itemBias, users, items }: BiasedFactors,
  about: Record<string, unknown> = {},
): Fitted {
  return ratingModel(
    raters,
    () => (user, item) => {
      let estimate = raters.mean;
      if (user >= 0) estimate += userBias[user];
      if (item >= 0) estimate += itemBias[item];
      if (user >= 0 && item >= 0)
        for (let f = 0; f < factors; f++) estimate += users[user * factors + f] * items[item * factors + f];
      return estimate;
    },
    (folder) => {
      folder.array("user-biases", userBias);
      folder.array("item-biases", itemBias);
      folder.array("user-factors", users, [userBias.length, factors]);
      folder.array("item-factors", items, [itemBias.length, factors]);
    },
    about,
  );
}

export function loadBiasedFactors(folder: FolderReader): Fitted {
  const raters = loadRaters(folder);
  const [users, items] = [raters.users.length, raters.items.length];
  const userFactors = folder.array("user-factors", "f64", [users, undefined]);
  const factors = userFactors.length / users;
  return biasedFactorModel(raters, {
    factors,
    userBias: folder.array("user-biases", "f64", [users]),
    itemBias: folder.array("item-biases", "f64", [items]),
    users: userFactors,
    items: folder.array("item-factors", "f64", [items, factors]),
  });
}
