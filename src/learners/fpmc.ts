import type { Run } from "../engine/run.js";
import { placeOf } from "../kernels/csr.js";
import { breathe } from "./breathe.js";
import type { Interactions } from "./interactions.js";
import { defineLearner, int, real, type Fitted } from "./learner.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import type { Profile } from "./scorer.js";
import {
  eventsOf,
  lastEvents,
  loadSequences,
  readSequences,
  saveSequences,
  type Sequences,
} from "./sequences.js";

/** The four factor matrices of the paper, f32, `factors` to a row: users and items (UI, IU), next and last items (IL, LI). */
interface Factors {
  factors: number;
  userItem: Float32Array;
  itemUser: Float32Array;
  nextLast: Float32Array;
  lastNext: Float32Array;
}
const names = ["userItem", "itemUser", "nextLast", "lastNext"] as const;

/**
 * Factorised personalised Markov chain: what a user likes and what follows the last item, together.
 *
 * Rendle et al. (2010): the score of item i for user u after item l is v_u·v_i + v_i·v_l (eq. 17, baskets
 * of one item), learned by S-BPR (algorithm 1): a drawn event ranks above a drawn item that the user never had.
 */
export default defineLearner({
  name: "fpmc",
  task: "recommendation",
  summary: "the next item by the user's taste and the last item, both in factors; for sparse sequences",
  source:
    "Rendle, Freudenthaler & Schmidt-Thieme (2010), Factorizing Personalized Markov Chains for Next-Basket Recommendation, WWW",
  roles: { user: "required", item: "required", time: "optional" },
  features: false,
  params: {
    factors: int({
      default: 32,
      min: 1,
      max: 1024,
      help: "length of each vector",
      search: [16, 128],
      log: true,
    }),
    eta: real({
      default: 0.05,
      min: 1e-6,
      max: 10,
      help: "length of a step",
      search: [0.01, 0.2],
      log: true,
    }),
    lambda: real({
      default: 0.01,
      min: 0,
      max: 10,
      help: "L2 penalty of every step",
      search: [1e-4, 0.1],
      log: true,
    }),
    epochs: int({
      default: 50,
      min: 0,
      help: "times as many steps as there are events",
      search: [10, 200],
      log: true,
    }),
  },
  async fit(data, params, run) {
    const { interactions, sequences } = await readSequences(data, run);
    const learned = await learnedFactors(interactions, sequences, params, run);
    return fitted(catalogueOf(data, interactions), learned, lastEvents(sequences));
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    const factors = folder.card.params.factors as number;
    const read = (name: (typeof names)[number]): Float32Array =>
      folder.array(name, "f32", [
        name === "userItem" ? catalogue.users.length : catalogue.items.length,
        factors,
      ]);
    const [userItem, itemUser, nextLast, lastNext] = names.map(read);
    return fitted(
      catalogue,
      { factors, userItem, itemUser, nextLast, lastNext },
      loadSequences(folder, catalogue.users.length),
    );
  },
});

async function learnedFactors(
  { users, items, matrix }: Interactions,
  { starts, items: events }: Sequences,
  { factors, eta, lambda, epochs }: { factors: number; eta: number; lambda: number; epochs: number },
  run: Run,
): Promise<Factors> {
  const rng = run.rng("fpmc");
  const matrixOf = (rows: number): Float32Array =>
    Float32Array.from({ length: rows * factors }, () => (0.1 / Math.sqrt(factors)) * rng.normal());
  const model: Factors = {
    factors,
    userItem: matrixOf(users.length),
    itemUser: matrixOf(items.length),
    nextLast: matrixOf(items.length),
    lastNext: matrixOf(items.length),
  };
  const userOf = new Int32Array(events.length);
  for (let u = 0; u < users.length; u++) userOf.fill(u, starts[u], starts[u + 1]);
  const step = stepOf(model, eta, lambda);
  run.progress.stage(`fpmc: ${factors} factors`);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let n = 0; n < events.length; n++) {
      if (n % 65536 === 0) await breathe(run);
      const place = rng.integer(events.length);
      const other = rng.integer(items.length);
      const user = userOf[place];
      if (placeOf(matrix.columns, other, matrix.starts[user], matrix.starts[user + 1]) >= 0) continue;
      step(user, place > starts[user] ? events[place - 1] : -1, events[place], other);
    }
    run.progress.update(epoch + 1, epochs, "epochs");
  }
  run.progress.done();
  return model;
}

/** One step of S-BPR: user, last item (-1 for none), the item that came and one that did not. */
function stepOf({ factors, userItem, itemUser, nextLast, lastNext }: Factors, eta: number, lambda: number) {
  const keep = 1 - eta * lambda;
  return (user: number, last: number, came: number, other: number): void => {
    const u = user * factors;
    const l = last * factors;
    const c = came * factors;
    const o = other * factors;
    let difference = 0;
    for (let f = 0; f < factors; f++) difference += userItem[u + f] * (itemUser[c + f] - itemUser[o + f]);
    if (last >= 0)
      for (let f = 0; f < factors; f++) difference += lastNext[l + f] * (nextLast[c + f] - nextLast[o + f]);
    const push = eta / (1 + Math.exp(difference));
    for (let f = 0; f < factors; f++) {
      const x = userItem[u + f];
      const p = itemUser[c + f];
      const n = itemUser[o + f];
      userItem[u + f] = keep * x + push * (p - n);
      itemUser[c + f] = keep * p + push * x;
      itemUser[o + f] = keep * n - push * x;
    }
    if (last >= 0)
      for (let f = 0; f < factors; f++) {
        const x = lastNext[l + f];
        const p = nextLast[c + f];
        const n = nextLast[o + f];
        lastNext[l + f] = keep * x + push * (p - n);
        nextLast[c + f] = keep * p + push * x;
        nextLast[o + f] = keep * n - push * x;
      }
  };
}

function fitted(catalogue: Catalogue, model: Factors, sequences: Sequences): Fitted {
  const { factors, userItem, itemUser, nextLast, lastNext } = model;
  const count = catalogue.items.length;
  /** Scores of a user (-1: the taste of nobody) after the last of some events. */
  const score = (user: number, events: Int32Array, into: Float64Array): void => {
    const last = events.length > 0 ? events[events.length - 1] : -1;
    for (let item = 0, at = 0; item < count; item++, at += factors) {
      let sum = 0;
      if (user >= 0) for (let f = 0; f < factors; f++) sum += userItem[user * factors + f] * itemUser[at + f];
      if (last >= 0) for (let f = 0; f < factors; f++) sum += lastNext[last * factors + f] * nextLast[at + f];
      into[item] = sum;
    }
  };
  return recommender(
    catalogue,
    {
      user: (user, into) =>
        score(user, sequences.items.subarray(sequences.starts[user], sequences.starts[user + 1]), into),
      profile: (profile: Profile, into) => score(profile.user, eventsOf(sequences, profile), into),
      similar(item, into) {
        for (let other = 0, at = 0; other < count; other++, at += factors) {
          let sum = 0;
          for (let f = 0; f < factors; f++) sum += lastNext[item * factors + f] * nextLast[at + f];
          into[other] = sum;
        }
      },
    },
    (folder) => {
      for (const name of names)
        folder.array(name, model[name], [name === "userItem" ? catalogue.users.length : count, factors]);
      saveSequences(folder, sequences);
    },
  );
}
