import { defineLearner, int, real, type Fitted } from "../learner.js";
import { loadCatalogue } from "../recommendations.js";
import { loadWeights, saveWeights } from "./saved.js";
import type { SideFeatures } from "./side-features.js";
import { levelsParam } from "./tabular.js";
import type { TwoTowerModel, TwoTowerParams } from "./two-tower-fit.js";
import { vectorRecommender } from "./vector-recommender.js";

export default defineLearner({
  name: "two-tower",
  task: "recommendation",
  summary:
    "candidates from millions of items: users by what they had and are, items by who they are, in one space",
  source:
    "Yi et al. (2019), Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations, RecSys; Covington, Adams & Sargin (2016), RecSys",
  roles: { user: "required", item: "required", time: "optional" },
  features: "optional",
  params: {
    factors: int({
      default: 64,
      min: 4,
      max: 1024,
      help: "length of the vectors",
      search: [16, 256],
      log: true,
    }),
    width: int({ default: 128, min: 1, max: 8192, help: "units of the hidden layer of the user tower" }),
    length: int({
      default: 50,
      min: 1,
      max: 10_000,
      help: "items of a user that are looked at while training, drawn anew",
    }),
    dropout: real({
      default: 0.2,
      min: 0,
      max: 0.95,
      help: "share of values dropped while training",
      search: [0, 0.6],
    }),
    negatives: int({ default: 256, min: 1, help: "items drawn per step beside those of the batch" }),
    levels: levelsParam,
    batch: int({ default: 256, min: 1, max: 1_000_000, help: "interactions per step of training" }),
    rate: real({
      default: 1e-3,
      min: 0,
      max: 1,
      help: "learning rate of Adam",
      search: [1e-4, 1e-2],
      log: true,
    }),
    decay: real({ default: 0.01, min: 0, max: 10, help: "decoupled weight decay" }),
    epochs: int({ default: 50, min: 1, help: "most passes over the interactions" }),
    patience: int({
      default: 4,
      min: 0,
      help: "stop after so many epochs without a better NDCG@10 of one item of every user; 0 to hold none out",
    }),
  },
  async fit(data, params, run) {
    const { fitTwoTower } = await import("./two-tower-fit.js");
    return fitted(await fitTwoTower(data, params, run));
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    const stored = folder.json<Record<"user" | "item", Omit<SideFeatures, "rows"> | null>>("side");
    const side = (name: "user" | "item", rows: number): SideFeatures | undefined => {
      const about = stored[name];
      if (!about) return undefined;
      const { width, fields } = about.encoding;
      return {
        ...about,
        rows: {
          rows,
          numbers: folder.array(`${name}-numbers`, "f32", [rows * width]),
          codes: folder.array(`${name}-codes`, "i32", [rows * fields]),
        },
      };
    };
    return fitted({
      ...loadWeights(folder),
      catalogue,
      params: folder.card.params as unknown as TwoTowerParams,
      user: side("user", catalogue.users.length),
      item: side("item", catalogue.items.length),
      about: folder.card.about,
    });
  },
});

function fitted(model: TwoTowerModel): Fitted {
  const { catalogue, params, about } = model;
  return vectorRecommender({
    catalogue,
    factors: params.factors,
    about,
    open: async (run) => (await import("./two-tower-fit.js")).openTwoTower(model, run),
    history: ({ items }) => items,
    save(folder) {
      const told = (side: SideFeatures | undefined) =>
        side ? { names: side.names, encoding: side.encoding } : null;
      folder.json("side", { user: told(model.user), item: told(model.item) });
      for (const name of ["user", "item"] as const) {
        const side = model[name];
        if (!side) continue;
        folder.array(`${name}-numbers`, side.rows.numbers);
        folder.array(`${name}-codes`, side.rows.codes);
      }
      saveWeights(folder, model);
    },
  });
}
