import { ShopaiError } from "../../core/errors.js";
import { breathe } from "../breathe.js";
import { readInteractions } from "../interactions.js";
import { choice, defineLearner, int, real, type Fitted } from "../learner.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "../recommendations.js";
import { fromProfiles } from "../scorer.js";
import { featureNames, recaller, standingOf, type Standing } from "./candidates.js";
import { cutsOf, cutVoices, fittedMembers } from "./hybrid.js";
import type { FolderReader } from "../model-folder.js";
import { loadMembers, preparing, saveMembers, type Member } from "./parts.js";
import { rankerScore, type Query } from "./ranker.js";
import { candidateScores, fitRanking, loadRanking, saveRanking, type Ranking } from "./ranking.js";
import { voiceOf } from "./voices.js";

/**
 * Recall, then ranking. Every part recalls its best items; a ranker that was learned orders their union by
 * what the parts say of an item, how popular it is and how active the user is: linear, or LambdaMART trees that see the
 * linear ranker's score beside.
 *
 * The ranker learns on validation cuts: the parts are fitted without the held-out pairs, so what they say of
 * those is what they will say of what users do next. Then the parts are fitted on all rows.
 */
export default defineLearner({
  name: "two-stage",
  task: "recommendation",
  summary: "several recommenders recall candidates, a learned ranker orders them",
  source:
    "Covington, Adams & Sargin (2016), Deep Neural Networks for YouTube Recommendations, RecSys (recall, ranking); Cao et al. (2007), Learning to Rank, ICML (the linear ranker's loss, eq. 3 of its top-one case); Burges (2010), From RankNet to LambdaRank to LambdaMART, MSR-TR-2010-82 (trees)",
  roles: { user: "required", item: "required", rating: "optional", time: "optional", segment: "optional" },
  features: false,
  parts: ["ease", "als", "item-knn", "popularity"],
  moreParts: { time: ["sequence"], items: ["content"] },
  items: true,
  params: {
    recall: int({
      default: 100,
      min: 1,
      max: 10_000,
      help: "items that every part recalls",
      search: [50, 500],
    }),
    ranker: choice({
      default: "trees",
      choices: ["linear", "trees"],
      help: "what orders the candidates: a linear ranker, or its score and that of boosted trees (LambdaMART)",
      search: ["linear", "trees"],
    }),
    trees: int({
      default: 100,
      min: 1,
      max: 10_000,
      help: "trees of ranker=trees",
      search: [20, 300],
      log: true,
    }),
    depth: int({ default: 3, min: 1, max: 16, help: "most levels of splits of a tree", search: [2, 6] }),
    eta: real({
      default: 0.05,
      min: 0.001,
      max: 1,
      help: "learning rate of the trees",
      search: [0.01, 0.2],
      log: true,
    }),
    lambda: real({
      default: 1,
      min: 1e-9,
      help: "L2 penalty of the linear ranker's weights",
      search: [0.01, 100],
      log: true,
    }),
    cut: choice({
      default: "random",
      choices: ["random", "time"],
      help: "the validation cut: pairs by chance, or the last of every user (needs --time)",
    }),
    share: real({ default: 0.25, min: 0.01, max: 0.5, help: "share of the pairs in the cut" }),
    users: int({ default: 5000, min: 1, help: "lists of the cut that the ranker learns from" }),
    cuts: int({
      default: 5,
      min: 1,
      max: 20,
      help: "most cuts by chance: further ones are made while there are fewer lists than users",
    }),
  },
  async fit(data, params, run) {
    const parts = data.parts!;
    const catalogue = catalogueOf(data, await readInteractions(data, run));
    const queries: Query[] = [];
    let cuts = 0;
    for await (const cut of cutsOf(data, catalogue, params, () => queries.length, run)) {
      cuts++;
      const voices = await cutVoices(parts, catalogue, cut, run);
      const known = await standingOf(cut.rows, data.roles, catalogue.items);
      const recall = recaller(catalogue.popularity, known, voices, params.recall);
      run.progress.stage("two-stage: candidates");
      for (const user of cut.users.subarray(0, params.users - queries.length)) {
        if (queries.length % 64 === 0) await breathe(run);
        const { items, features } = recall(cut.profile(user));
        const held = new Set(cut.held(user));
        queries.push({ features, relevant: Uint8Array.from(items, (item) => (held.has(item) ? 1 : 0)) });
      }
      run.progress.done();
    }
    const standing = await standingOf(data.relation, data.roles, catalogue.items);
    const names = featureNames(
      parts.map(({ name }) => name),
      standing,
    );
    const usable = queries.filter(({ relevant }) => relevant.includes(1));
    if (usable.length === 0)
      throw new ShopaiError(
        "data",
        "the parts recall nothing of what was held out: there is nothing to learn a ranker from",
        {
          try: "train hybrid --param tune=false, more rows, or a larger --param recall",
        },
      );
    run.progress.stage("two-stage: ranker");
    const { trees, depth, eta } = params;
    const boosting =
      params.ranker === "trees"
        ? { trees, depth, eta, top: 30, lambda: 10, child_weight: 0.1, rows: 0.7, columns: 0.5 }
        : undefined;
    const ranking = await fitRanking(usable, names, params.lambda, boosting, run);
    run.progress.done();
    const members = await fittedMembers(parts, data, run);
    return fitted(catalogue, standing, members, ranking, params.recall, {
      "lists learned from": usable.length,
      "validation cuts": cuts,
      "recall of the candidates": recallOf(queries),
      "ranker loss": ranking.linear.loss,
      weights: Object.fromEntries(names.linear.map((name, f) => [name, ranking.linear.weights[f]])),
    });
  },
  async load(folder) {
    const catalogue = loadCatalogue(folder);
    const members = await loadMembers(folder);
    const standing = loadStanding(folder, catalogue);
    const names = members.map(({ name }) => name);
    return fitted(
      catalogue,
      standing,
      members,
      loadRanking(folder, featureNames(names, standing).linear.length),
      folder.card.params.recall as number,
      folder.card.about,
    );
  },
});

/** Share of lists with a held-out item among the candidates. */
const recallOf = (queries: readonly Query[]): number =>
  queries.filter(({ relevant }) => relevant.includes(1)).length / Math.max(1, queries.length);

function loadStanding(folder: FolderReader, { items, time }: Catalogue): Standing {
  const array = (name: string): Float64Array => folder.array(name, "f64", [items.length]);
  return { popularity: array("item-popularity"), trend: time && array("item-trend") };
}

function fitted(
  catalogue: Catalogue,
  standing: Standing,
  members: readonly Member[],
  ranking: Ranking,
  depth: number,
  about: Record<string, unknown>,
): Fitted {
  const voices = members.map((member) => voiceOf(catalogue, member));
  const recall = recaller(catalogue.popularity, standing, voices, depth);
  const row = new Float32Array(ranking.linear.weights.length);
  const scorer = fromProfiles(catalogue, {
    profile(profile, into) {
      const { items, features, plain } = recall(profile);
      const scores = candidateScores(ranking, features, items.length);
      // What no part recalls comes after what one does, in the order of the linear score.
      let most = -Infinity;
      for (let item = 0; item < into.length; item++) {
        plain(item, row);
        into[item] = rankerScore(ranking.linear, row, 0);
        most = Math.max(most, into[item]);
      }
      const below = scores.reduce((least, score) => Math.min(least, score), most) - most - 1;
      for (let item = 0; item < into.length; item++) into[item] += below;
      items.forEach((item, c) => (into[item] = scores[c]));
    },
    similar(item, into) {
      into.fill(0);
      const buffer = new Float64Array(into.length);
      for (const voice of voices) {
        if (!voice.similar) continue;
        voice.similar(item, buffer);
        buffer[item] = NaN;
        const most = buffer.reduce((top, value) => (value > top ? value : top), 0);
        for (let i = 0; i < into.length; i++) if (buffer[i] > 0) into[i] += buffer[i] / most;
      }
    },
    shares(profile, item, into) {
      const count = profile.items.length;
      const parts = new Float64Array(count);
      into.fill(0, 0, count);
      voices.forEach((voice, v) => {
        const weight = Math.max(0, ranking.linear.weights[v]);
        if (!voice.shares || weight === 0) return;
        voice.shares(profile, item, parts);
        const most = parts.reduce((sum, part) => sum + Math.abs(part), 0);
        if (most > 0) for (let p = 0; p < count; p++) into[p] += (weight * parts[p]) / most;
      });
    },
  });
  const whole = voices.some((voice) => voice.folds) ? scorer : { ...scorer, profile: undefined };
  const result = recommender(catalogue, whole, (folder) => {
    saveRanking(folder, ranking);
    folder.array("item-popularity", standing.popularity);
    if (standing.trend) folder.array("item-trend", standing.trend);
    saveMembers(folder, members, catalogue);
  });
  return { ...result, ...preparing(result, members), about: { ...result.about, ...about } };
}
