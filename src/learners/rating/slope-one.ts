import { ShopaiError } from "../../core/errors.js";
import { grouped } from "../../core/quantity.js";
import type { Run } from "../../engine/run.js";
import { breathe } from "../breathe.js";
import { defineLearner, flag, type Fitted } from "../learner.js";
import { loadRaters, ratersOf, ratingModel, type Raters } from "./rating-model.js";
import { loadProfiles, profilesOf, saveProfiles, type Profiles } from "./profiles.js";
import { readRatings } from "./ratings.js";

/** More items than this would need more than 3 GB for their pairs. */
const mostItems = 20_000;

/**
 * Mean differences between items: who rated j with 4 and usually rates i half a star above j rates i with 4.5.
 *
 * Lemire & Maclachlan (2005), section 3.1: the user's mean plus the mean of dev_ij over the items j that the user
 * rated and somebody rated together with i.
 */
export default defineLearner({
  name: "slope-one",
  task: "rating",
  summary: "ratings from the mean differences between items; nothing to tune, up to 20,000 items",
  source:
    "Lemire & Maclachlan (2005), Slope One Predictors for Online Rating-Based Collaborative Filtering, SDM",
  roles: { user: "required", item: "required", rating: "required" },
  features: false,
  params: {
    weighted: flag({
      default: false,
      help: "differences that many users agree on count more (section 3.2 of the paper)",
      search: true,
    }),
  },
  async fit(data, { weighted }, run) {
    const ratings = await readRatings(data);
    const profiles = profilesOf(ratings);
    const { deviations, counts } = await deviationsOf(profiles, ratings.items.length, run);
    return fitted(ratersOf(data, ratings), profiles, deviations, weighted ? counts : undefined);
  },
  load(folder) {
    const raters = loadRaters(folder);
    const items = raters.items.length;
    return fitted(
      raters,
      loadProfiles(folder, raters.users.length),
      folder.array("deviations", "f32", [items, items]),
      folder.card.params.weighted === true ? folder.array("counts", "i32", [items, items]) : undefined,
    );
  },
});

interface Differences {
  /** Mean of r_ui - r_uj over the users of both; NaN where there are none. */
  deviations: Float32Array;
  /** Ratings that both have from one user. */
  counts: Int32Array;
}

async function deviationsOf(profiles: Profiles, items: number, run: Run): Promise<Differences> {
  if (items > mostItems)
    throw new ShopaiError("data", `slope-one compares all pairs of ${grouped(items)} items`, {
      try: "svd, or fewer items by --where",
    });
  const { starts, item, value } = profiles;
  const sums = new Float32Array(items * items);
  const counts = new Int32Array(items * items);
  run.progress.stage("slope-one: differences");
  for (let user = 0; user + 1 < starts.length; user++) {
    if (user % 256 === 0) {
      run.progress.update(user, starts.length - 1, "users");
      await breathe(run);
    }
    for (let p = starts[user]; p < starts[user + 1]; p++)
      for (let q = starts[user]; q < p; q++) {
        sums[item[p] * items + item[q]] += value[p] - value[q];
        counts[item[p] * items + item[q]]++;
      }
  }
  // Pairs were met in both orders: both halves belong together.
  for (let i = 0; i < items; i++) {
    sums[i * items + i] = 0;
    for (let j = 0; j < i; j++) {
      const count = counts[i * items + j] + counts[j * items + i];
      const mean = (sums[i * items + j] - sums[j * items + i]) / count;
      sums[i * items + j] = mean;
      sums[j * items + i] = -mean;
      counts[i * items + j] = counts[j * items + i] = count;
    }
  }
  run.progress.done();
  return { deviations: sums, counts };
}

function fitted(
  raters: Raters,
  profiles: Profiles,
  deviations: Float32Array,
  counts: Int32Array | undefined,
): Fitted {
  const { starts, item: had, value } = profiles;
  const items = raters.items.length;
  return ratingModel(
    raters,
    () => (user, item) => {
      if (user < 0 || item < 0) return raters.mean;
      let mean = 0;
      let differences = 0;
      let count = 0;
      for (let p = starts[user]; p < starts[user + 1]; p++) {
        mean += value[p] / (starts[user + 1] - starts[user]);
        const deviation = deviations[item * items + had[p]];
        if (Number.isNaN(deviation)) continue;
        const weight = counts ? counts[item * items + had[p]] : 1;
        differences += weight * deviation;
        count += weight;
      }
      return count === 0 ? mean : mean + differences / count;
    },
    (folder) => {
      saveProfiles(folder, profiles);
      folder.array("deviations", deviations, [items, items]);
      if (counts) folder.array("counts", counts, [items, items]);
    },
  );
}
