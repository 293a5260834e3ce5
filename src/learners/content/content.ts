import { ShopaiError } from "../../core/errors.js";
import { grouped } from "../../core/quantity.js";
import type { Csr } from "../../kernels/csr.js";
import { readInteractions } from "../interactions.js";
import { defineLearner, int, real, type Fitted } from "../learner.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "../recommendations.js";
import { fromProfiles } from "../scorer.js";
import { readItemsTable } from "./items-table.js";
import { itemVectors, type ItemVectors } from "./vectors.js";

/**
 * Items like those a user had, by what they are: words of titles and descriptions, categories, bands of
 * prices. It needs no other users, so it also answers for items that nobody has had yet.
 *
 * Lops, de Gemmis & Semeraro (2011), section 3.3.1: items and profiles in one vector space, compared by the
 * cosine; a profile is the sum of its items (Rocchio without negatives).
 */
export default defineLearner({
  name: "content",
  task: "recommendation",
  summary: "items like those a user had, by words, categories and price; also items that nobody had yet",
  source:
    "Lops, de Gemmis & Semeraro (2011), Content-based Recommender Systems, Recommender Systems Handbook, section 3.3.1; Salton & Buckley (1988), Information Processing & Management 24(5)",
  roles: { user: "required", item: "required", rating: "optional", segment: "optional" },
  features: false,
  items: true,
  params: {
    terms: int({
      default: 50_000,
      min: 1,
      help: "most words, categories and bands kept, those of most items",
    }),
    text: real({ default: 1, min: 0, help: "weight of words", search: [0, 2] }),
    category: real({ default: 1, min: 0, help: "weight of categories and flags", search: [0, 2] }),
    number: real({ default: 0.5, min: 0, help: "weight of bands of numbers", search: [0, 2] }),
  },
  async fit(data, { terms, ...weights }, run) {
    if (!data.items)
      throw new ShopaiError("usage", "content needs the table of items: titles, categories, prices", {
        try: "--items items.parquet",
      });
    const catalogue = catalogueOf(data, await readInteractions(data, run));
    const table = await readItemsTable(data.items, data.roles.item!, data.itemFeatures, run);
    const codes = new Map(catalogue.items.map((item, code) => [item, code]));
    const vectors = await itemVectors(data.items.engine, table, codes, weights, terms, run);
    const { starts } = vectors.matrix;
    const unknown = catalogue.items.filter((_, i) => starts[i] === starts[i + 1]).length;
    if (unknown > 0)
      run.warn(
        `content knows nothing of ${grouped(unknown)} of ${grouped(catalogue.items.length)} items: they are not in the table of items, or have no term in common with another`,
      );
    return fitted(catalogue, vectors, {
      terms: vectors.terms.length,
      "items without interactions": catalogue.popularity.reduce((sum, had) => sum + (had === 0 ? 1 : 0), 0),
      columns: Object.fromEntries(table.columns.map(({ name, kind }) => [name, kind])),
      ...(vectors.chinese && { chinese: vectors.chinese }),
    });
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    const terms = folder.texts("terms");
    const columns = folder.array("vector-columns", "i32");
    const matrix: Csr = {
      rows: catalogue.items.length,
      cols: terms.length,
      starts: folder.array("vector-starts", "i32", [catalogue.items.length + 1]),
      columns,
      values: folder.array("vector-values", "f32", [columns.length]),
    };
    return fitted(catalogue, { terms, matrix }, folder.card.about);
  },
});

/** Terms of a reason: the strongest few. */
const mostTerms = 3;

function fitted(
  catalogue: Catalogue,
  { terms, matrix }: Pick<ItemVectors, "terms" | "matrix">,
  about: Record<string, unknown>,
): Fitted {
  const { starts, columns } = matrix;
  const values = matrix.values!;
  const wanted = new Float64Array(terms.length);
  const gather = (item: number, weight: number): void => {
    for (let p = starts[item]; p < starts[item + 1]; p++) wanted[columns[p]] += weight * values[p];
  };
  const against = (item: number): number => {
    let sum = 0;
    for (let p = starts[item]; p < starts[item + 1]; p++) sum += wanted[columns[p]] * values[p];
    return sum;
  };
  const scorer = fromProfiles(catalogue, {
    profile(profile, into) {
      wanted.fill(0);
      for (let p = 0; p < profile.items.length; p++)
        gather(profile.items[p], profile.values ? profile.values[p] : 1);
      for (let item = 0; item < into.length; item++) into[item] = against(item);
    },
    similar(item, into) {
      wanted.fill(0);
      gather(item, 1);
      for (let other = 0; other < into.length; other++) into[other] = against(other);
    },
    shares(profile, item, into) {
      wanted.fill(0);
      gather(item, 1);
      for (let p = 0; p < profile.items.length; p++)
        into[p] = (profile.values ? profile.values[p] : 1) * against(profile.items[p]);
    },
    because(profile, item) {
      wanted.fill(0);
      for (let p = 0; p < profile.items.length; p++)
        gather(profile.items[p], profile.values ? profile.values[p] : 1);
      const places = Array.from({ length: starts[item + 1] - starts[item] }, (_, i) => starts[item] + i);
      const strength = (p: number): number => wanted[columns[p]] * values[p];
      const strongest = places
        .filter((p) => strength(p) > 0)
        .sort((a, b) => strength(b) - strength(a) || a - b)
        .slice(0, mostTerms);
      return strongest.length > 0 ? strongest.map((p) => terms[columns[p]]).join(", ") : undefined;
    },
  });
  const result = recommender(catalogue, scorer, (folder) => {
    folder.texts("terms", terms);
    folder.array("vector-starts", starts);
    folder.array("vector-columns", columns);
    folder.array("vector-values", values);
  });
  return { ...result, about: { ...result.about, ...about } };
}
