import { ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import { topK } from "../../kernels/top-k.js";
import { breathe } from "../breathe.js";
import { readInteractions } from "../interactions.js";
import { choice, defineLearner, flag, int, real, type Fitted, type TrainingData } from "../learner.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "../recommendations.js";
import { fromProfiles, popularityRanks, type Profile } from "../scorer.js";
import { validationCut, type Cut, type CutAsk } from "./cut.js";
import { loadMembers, preparing, saveMembers, type Member, type Part } from "./parts.js";
import { fuse, voiceOf, type Fusion, type Voice } from "./voices.js";
import { tunedWeights, type Ballot } from "./weights.js";

/**
 * Several recommenders speak, one list comes out: weighted sums of their scores, each standardised over
 * the items that are new to the user, or of their reciprocal ranks.
 *
 * The weights are those that give the best nDCG@10 on a validation cut of the training rows: the parts
 * are fitted without it to find the weights, then again on all rows.
 */
export default defineLearner({
  name: "hybrid",
  task: "recommendation",
  summary: "several recommenders as one: blended scores or fused ranks, weights found on held-out rows",
  source:
    "Burke (2002), Hybrid Recommender Systems, UMUAI 12:331-370 (weighted); Cormack, Clarke & Büttcher (2009), Reciprocal Rank Fusion, SIGIR",
  roles: { user: "required", item: "required", rating: "optional", time: "optional", segment: "optional" },
  features: false,
  parts: ["ease", "item-knn"],
  items: true,
  params: {
    fusion: choice({
      default: "blend",
      choices: ["blend", "rrf"],
      help: "weighted sum of standardised scores, or of reciprocal ranks",
      search: ["blend", "rrf"],
    }),
    tune: flag({ default: true, help: "find the weights on a validation cut; false: all alike" }),
    cut: choice({
      default: "random",
      choices: ["random", "time"],
      help: "the cut: pairs by chance, or the last of every user (needs --time)",
    }),
    share: real({ default: 0.1, min: 0.01, max: 0.5, help: "share of the pairs in the cut" }),
    users: int({
      default: 5000,
      min: 1,
      help: "lists of the cut that are looked at, of users drawn by the seed",
    }),
    cuts: int({
      default: 5,
      min: 1,
      max: 20,
      help: "most cuts by chance: further ones are made while there are fewer lists than users",
    }),
    depth: int({ default: 100, min: 1, max: 1000, help: "items of every part that are looked at per user" }),
  },
  async fit(data, params, run) {
    const parts = data.parts!;
    if (parts.length < 2)
      throw new ShopaiError("usage", `hybrid needs two parts or more, and has ${parts.length}`, {
        try: "--parts ease,item-knn",
      });
    const catalogue = catalogueOf(data, await readInteractions(data, run));
    const found = params.tune ? await weightsOf(data, catalogue, params, run) : undefined;
    const members = await fittedMembers(parts, data, run);
    const weights = found?.weights ?? new Float64Array(parts.length).fill(1 / parts.length);
    return fitted(catalogue, members, weights, params.fusion, {
      weights: Object.fromEntries(members.map(({ name }, i) => [name, weights[i]])),
      ...(found && {
        "validation ndcg@10": found.ndcg,
        "validation lists": found.lists,
        "validation cuts": found.cuts,
      }),
    });
  },
  async load(folder) {
    const catalogue = loadCatalogue(folder);
    const members = await loadMembers(folder);
    const weights = folder.array("weights", "f64", [members.length]);
    return fitted(catalogue, members, weights, folder.card.params.fusion as Fusion, folder.card.about);
  },
});

/** Every part on all rows of the training; models that were trained before stay as they are. */
export async function fittedMembers(
  parts: readonly Part[],
  { relation }: TrainingData,
  run: Run,
): Promise<Member[]> {
  const members: Member[] = [];
  for (const { name, fit, trained } of parts)
    members.push({ name, model: trained ?? (await fit(relation, run)) });
  return members;
}

/** Every part fitted without what the cut holds. */
export async function cutVoices(
  parts: readonly Part[],
  catalogue: Catalogue,
  cut: Cut,
  run: Run,
): Promise<Voice[]> {
  const silent: Run = { ...run, warn: () => undefined };
  const voices: Voice[] = [];
  for (const { name, fit } of parts) {
    const model = await fit(cut.rows, silent);
    await model.prepare?.(silent);
    voices.push(voiceOf(catalogue, { name, model }));
  }
  return voices;
}

interface Tuning extends Omit<CutAsk, "number"> {
  fusion: Fusion;
  users: number;
  cuts: number;
  depth: number;
}

async function weightsOf(
  data: TrainingData,
  catalogue: Catalogue,
  params: Tuning,
  run: Run,
): Promise<{ weights: Float64Array; ndcg: number; lists: number; cuts: number } | undefined> {
  const ballots: Ballot[] = [];
  let cuts = 0;
  for await (const cut of cutsOf(data, catalogue, params, () => ballots.length, run)) {
    cuts++;
    const ballot = balloter(catalogue, await cutVoices(data.parts!, catalogue, cut, run), params);
    run.progress.stage("hybrid: what the parts say");
    for (const user of cut.users.subarray(0, params.users - ballots.length)) {
      if (ballots.length % 64 === 0) await breathe(run);
      ballots.push(ballot(cut.profile(user), cut.held(user)));
    }
    run.progress.done();
  }
  if (ballots.length === 0) {
    run.warn("hybrid: no user has enough items for a validation cut; all parts weigh alike");
    return undefined;
  }
  run.progress.stage("hybrid: weights");
  await breathe(run);
  const found = tunedWeights(ballots, data.parts!.length, run.rng("hybrid weights"));
  run.progress.done();
  return { ...found, lists: ballots.length, cuts };
}

/**
 * Validation cuts, one after the other, until enough lists were collected: of few users one cut alone tells
 * more of its chance than of the parts. By time there is one cut only.
 */
export async function* cutsOf(
  data: TrainingData,
  catalogue: Catalogue,
  ask: Omit<CutAsk, "number"> & { users: number; cuts: number },
  collected: () => number,
  run: Run,
): AsyncGenerator<Cut> {
  const most = ask.cut === "time" ? 1 : ask.cuts;
  for (let number = 0; number < most && collected() < ask.users; number++) {
    const cut = await validationCut(data, catalogue, { ...ask, number }, run);
    try {
      if (cut.users.length === 0) return;
      yield cut;
    } finally {
      await cut.drop();
    }
  }
}

/** Collects what the parts say of the best of each. */
function balloter(
  catalogue: Catalogue,
  voices: readonly Voice[],
  { fusion, depth }: Tuning,
): (profile: Profile, held: Int32Array) => Ballot {
  const size = catalogue.items.length;
  const ties = popularityRanks(catalogue);
  const said = voices.map(() => new Float64Array(size));
  const best = new Int32Array(Math.min(depth, size));
  return (profile, held) => {
    const chosen = new Set<number>();
    for (const [v, voice] of voices.entries()) {
      if (!voice.scores(profile, said[v])) said[v].fill(NaN);
      fuse(fusion, said[v], profile, ties);
      const open = said[v].slice();
      for (const item of profile.items) open[item] = -Infinity;
      for (const item of best.subarray(0, topK(open, ties, best))) chosen.add(item);
    }
    const items = Int32Array.from(chosen).sort();
    const relevant = new Set(held);
    return {
      said: Float32Array.from(
        { length: items.length * voices.length },
        (_, i) => said[i % voices.length][items[Math.floor(i / voices.length)]],
      ),
      relevant: Uint8Array.from(items, (item) => (relevant.has(item) ? 1 : 0)),
      tie: items.map((item) => ties[item]),
      held: held.length,
    };
  };
}

function fitted(
  catalogue: Catalogue,
  members: readonly Member[],
  weights: Float64Array,
  fusion: Fusion,
  about: Record<string, unknown>,
): Fitted {
  const voices = members.map((member) => voiceOf(catalogue, member));
  const ties = popularityRanks(catalogue);
  const buffer = new Float64Array(catalogue.items.length);
  const scratch = new Float64Array(catalogue.items.length);
  /** Divisors of the parts' scores for the profile that was scored last. */
  const divisors = new Float64Array(voices.length);
  let last: Profile | undefined;

  function profile(profile: Profile, into: Float64Array): void {
    into.fill(0);
    voices.forEach((voice, v) => {
      divisors[v] = Infinity;
      if (weights[v] === 0 || !voice.scores(profile, buffer)) return;
      divisors[v] = fuse(fusion, buffer, profile, ties);
      for (let i = 0; i < into.length; i++) into[i] += weights[v] * buffer[i];
    });
    last = profile;
  }

  const scorer = fromProfiles(catalogue, {
    profile,
    similar(item, into) {
      into.fill(0);
      voices.forEach((voice, v) => {
        if (weights[v] === 0 || !voice.similar) return;
        voice.similar(item, buffer);
        buffer[item] = NaN;
        const most = buffer.reduce((top, value) => (value > top ? value : top), 0);
        if (most > 0)
          for (let i = 0; i < into.length; i++) if (buffer[i] > 0) into[i] += (weights[v] * buffer[i]) / most;
      });
    },
    shares(own, item, into) {
      if (last !== own) profile(own, scratch);
      into.fill(0, 0, own.items.length);
      const parts = new Float64Array(own.items.length);
      voices.forEach((voice, v) => {
        if (!voice.shares || divisors[v] === Infinity) return;
        voice.shares(own, item, parts);
        for (let p = 0; p < parts.length; p++) into[p] += (weights[v] * parts[p]) / divisors[v];
      });
    },
  });
  const whole = voices.some((voice) => voice.folds) ? scorer : { ...scorer, profile: undefined };
  const result = recommender(catalogue, whole, (folder) => {
    folder.array("weights", weights);
    saveMembers(folder, members, catalogue);
  });
  return { ...result, ...preparing(result, members), about: { ...result.about, ...about } };
}
