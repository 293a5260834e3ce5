import type { Run } from "../../engine/run.js";
import { foldInPairs } from "../../kernels/bpr.js";
import { withoutZeros, type Csr } from "../../kernels/csr.js";
import { plainFm, sharedFm, sharedFmBytes, type FmProblem } from "../../kernels/fm.js";
import { breathe } from "../breathe.js";
import { readItemsTable } from "../content/items-table.js";
import { itemVectors } from "../content/vectors.js";
import { patienceParam, stoppedEarly, type Look } from "../early-stopping.js";
import { factorModel, loadFactors, withIndexes, type Factors } from "../factor-model.js";
import { readInteractions, type Interactions } from "../interactions.js";
import { defineLearner, int, real, type Fitted, type TrainingData } from "../learner.js";
import { encodedSide, sideFeatures, type SideFeatures } from "../neural/side-features.js";
import { levelsParam } from "../neural/tabular.js";
import { indexParam } from "../near-index.js";
import type { ParamsOf } from "../params.js";
import { catalogueOf, type Catalogue } from "../recommendations.js";
import { beside, ownTerms, termsOfColumns, type Terms } from "./terms.js";

const params = {
  factors: int({
    default: 32,
    min: 1,
    max: 1024,
    help: "length of the vector of every term",
    search: [8, 128],
    log: true,
  }),
  eta: real({
    default: 0.05,
    min: 1e-6,
    max: 10,
    help: "length of a first step; steps of frequent terms shrink",
    search: [0.01, 0.5],
    log: true,
  }),
  lambda: real({
    default: 0.01,
    min: 0,
    max: 10,
    help: "L2 penalty of every step",
    search: [1e-5, 0.1],
    log: true,
  }),
  epochs: int({
    default: 30,
    min: 0,
    help: "times as many steps as there are interactions",
    search: [10, 200],
    log: true,
  }),
  levels: levelsParam,
  terms: int({
    default: 5000,
    min: 1,
    help: "most words, categories and bands of the table of items kept, those of most items",
  }),
  patience: patienceParam,
  index: indexParam,
} as const;

/**
 * Factorisation machine over users, items and what is known of them: `--features` columns of the interactions, dealt to
 * users or items, and the table of `--items`. Newcomers are answered from their features, and new items from theirs.
 *
 * Rendle (2010), eq. 1 with d = 2, learned by BPR-Opt (`FmProblem`).
 */
export default defineLearner({
  name: "fm",
  task: "recommendation",
  summary:
    "factors of users, items and what is known of them: new users and new items by their features from the first day",
  source:
    "Rendle (2010), Factorization Machines, ICDM; by pairs: Rendle, Freudenthaler, Gantner & Schmidt-Thieme (2009), BPR, UAI",
  roles: { user: "required", item: "required", rating: "optional" },
  features: "optional",
  items: true,
  params,
  async fit(data, params, run) {
    const interactions = await readInteractions(data, run);
    const { users, items } = interactions;
    const catalogue = catalogueOf(data, interactions);
    const matrix = withoutZeros(interactions.matrix);
    const sides = await sideFeatures(data, users, items, params.levels, run);
    const terms: FmTerms = {
      userTerms: beside([ownTerms(users.length), ...columnTerms(sides.user)]),
      itemTerms: beside([
        ownTerms(items.length),
        ...columnTerms(sides.item),
        ...(await tableTerms(data, interactions, params.terms, run)),
      ]),
    };
    const stopped = await stoppedEarly(
      catalogue,
      matrix,
      params,
      (rest, look) => stepped(rest, terms, params, run, look),
      run,
    );
    const epochs = stopped?.epochs ?? params.epochs;
    const { factors, right, userTerms } = await stepped(matrix, terms, { ...params, epochs }, run);
    const newcomers = sides.user && {
      names: sides.user.names,
      encoding: sides.user.encoding,
      // Those of the users themselves come first.
      factors: userTerms.slice(users.length * params.factors),
    };
    const found = await withIndexes(catalogue, factors, params.index, run);
    const about = {
      ...stopped?.about,
      ...(Number.isNaN(right) ? {} : { pairs_right: right }),
      ...found.about,
    };
    return fitted(catalogue, found.factors, newcomers, params, about);
  },
  load(folder) {
    const { catalogue, factors } = loadFactors(folder);
    const stored = folder.json<Omit<Newcomers, "factors"> | null>("newcomers");
    const newcomers = stored && { ...stored, factors: folder.array("newcomer-factors", "f32") };
    const { eta, lambda } = folder.card.params as unknown as Steps;
    return fitted(catalogue, factors, newcomers ?? undefined, { eta, lambda }, {});
  },
});

type FmTerms = Pick<FmProblem, "userTerms" | "itemTerms">;

async function stepped(
  matrix: Csr,
  terms: FmTerms,
  { factors, eta, lambda, epochs }: ParamsOf<typeof params>,
  run: Run,
  look?: Look,
): Promise<{ factors: Factors; right: number; userTerms: Float32Array }> {
  const problem: FmProblem = {
    ...terms,
    matrix,
    factors,
    rate: eta,
    penalty: lambda,
    rng: run.rng("fm"),
  };
  const kernel = await run.pool.kernel("fm", sharedFmBytes(problem));
  const trainer = kernel ? sharedFm(kernel, problem) : plainFm(problem);
  run.progress.stage(`fm: ${factors} factors`);
  const found = (): Factors => ({ width: factors, ...trainer.vectors() });
  let right = NaN;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    right = trainer.epoch();
    run.progress.update(epoch, epochs, "epochs");
    await breathe(run);
    if (look && !(await look(epoch, found))) break;
  }
  run.progress.done();
  const last = { factors: found(), right, userTerms: trainer.userTerms() };
  trainer.close();
  return last;
}

const columnTerms = (side: SideFeatures | undefined): Terms[] =>
  side ? [termsOfColumns(side.rows, side.encoding)] : [];

/** Words, categories and bands of the table of items. */
async function tableTerms(
  { items, itemFeatures, roles }: TrainingData,
  { items: levels }: Interactions,
  most: number,
  run: Run,
): Promise<Terms[]> {
  if (!items) return [];
  const table = await readItemsTable(items, roles.item!, itemFeatures, run);
  const codes = new Map(levels.map((item, code) => [item, code]));
  const { matrix } = await itemVectors(
    items.engine,
    table,
    codes,
    { text: 1, category: 1, number: 1 },
    most,
    run,
  );
  return [{ ...matrix, values: matrix.values! }];
}

/** What is needed to answer users by their features alone. */
interface Newcomers extends Omit<SideFeatures, "rows"> {
  /** Factors of the terms of users beside themselves. */
  factors: Float32Array;
}

interface Steps {
  eta: number;
  lambda: number;
}

function fitted(
  catalogue: Catalogue,
  factors: Factors,
  newcomers: Newcomers | undefined,
  { eta, lambda }: Steps,
  about: Record<string, unknown>,
): Fitted {
  const { width } = factors;
  return factorModel(catalogue, factors, {
    about,
    foldIn: ({ items, features }) => foldInPairs(factors, items, { rate: eta, penalty: lambda }, features),
    describe:
      newcomers &&
      (async (rows, users) => {
        const { names, encoding } = newcomers;
        const side = await encodedSide(rows, catalogue.user, users, names, encoding);
        if (!side) return undefined;
        const { starts, columns, values } = termsOfColumns(side, encoding);
        return (row) => {
          const own = new Float32Array(width);
          for (let p = starts[row]; p < starts[row + 1]; p++)
            for (let f = 0, at = columns[p] * width; f < width; f++)
              own[f] += values[p] * newcomers.factors[at + f];
          return own;
        };
      }),
    saveOwn(folder) {
      folder.json("newcomers", newcomers ? { names: newcomers.names, encoding: newcomers.encoding } : null);
      if (newcomers) folder.array("newcomer-factors", newcomers.factors);
    },
  });
}
