import type { Run } from "../engine/run.js";
import { placeOf, transposed, type Csr } from "../kernels/csr.js";
import { topK } from "../kernels/top-k.js";
import { breathe } from "./breathe.js";
import { readInteractions } from "./interactions.js";
import { choice, defineLearner, int, real, type Fitted } from "./learner.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import { fromProfiles } from "./scorer.js";

/**
 * Items like those that the user had: a score is the sum of the similarities between an item and the
 * user's items, over the item's `k` nearest.
 *
 * Deshpande & Karypis (2004), section 4; with the shrinkage of Bell & Koren (2007), as in Dacrema et
 * al. (2021): cosine x·y / (|x| |y| + shrink), Jaccard x·y / (|x|² + |y|² - x·y + shrink).
 */
export default defineLearner({
  name: "item-knn",
  task: "recommendation",
  summary: "items like those a user had, by who had both; any number of items, easy to explain",
  source:
    "Deshpande & Karypis (2004), Item-Based Top-N Recommendation Algorithms, ACM TOIS 22(1):143-177; shrinkage: Dacrema et al. (2021), ACM TOIS 39(2)",
  roles: { user: "required", item: "required", rating: "optional" },
  features: false,
  params: {
    similarity: choice({
      default: "cosine",
      choices: ["cosine", "jaccard"],
      help: "cosine of the items' users, or the share of users in common",
      search: ["cosine", "jaccard"],
    }),
    k: int({ default: 200, min: 1, help: "neighbours kept for every item", search: [5, 1000], log: true }),
    shrink: real({
      default: 10,
      min: 0,
      help: "added to the denominator: larger trusts pairs with few users in common less",
      search: [0, 1000],
    }),
  },
  async fit(data, params, run) {
    const interactions = await readInteractions(data, run);
    const neighbours = await nearestItems(interactions.matrix, params, run);
    return fitted(catalogueOf(data, interactions), neighbours);
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    const items = catalogue.items.length;
    const columns = folder.array("neighbour-columns", "i32");
    return fitted(catalogue, {
      rows: items,
      cols: items,
      starts: folder.array("neighbour-starts", "i32", [items + 1]),
      columns,
      values: folder.array("neighbour-values", "f32", [columns.length]),
    });
  },
});

/** @param neighbours row j holds the items that have j among their nearest, and how similar they are */
function fitted(catalogue: Catalogue, neighbours: Csr): Fitted {
  const { starts, columns } = neighbours;
  const similarity = neighbours.values!;
  let byItem: Csr | undefined;
  const scorer = fromProfiles(catalogue, {
    profile({ items, values }, into) {
      into.fill(0);
      for (let p = 0; p < items.length; p++) {
        const value = values ? values[p] : 1;
        for (let q = starts[items[p]]; q < starts[items[p] + 1]; q++)
          into[columns[q]] += value * similarity[q];
      }
    },
    similar(item, into) {
      byItem ??= transposed(neighbours);
      into.fill(0);
      for (let q = byItem.starts[item]; q < byItem.starts[item + 1]; q++)
        into[byItem.columns[q]] = byItem.values![q];
    },
    shares({ items, values }, item, into) {
      for (let p = 0; p < items.length; p++) {
        const q = placeOf(columns, item, starts[items[p]], starts[items[p] + 1]);
        into[p] = q < 0 ? 0 : (values ? values[p] : 1) * similarity[q];
      }
    },
  });
  return recommender(catalogue, scorer, (folder) => {
    folder.array("neighbour-starts", neighbours.starts);
    folder.array("neighbour-columns", neighbours.columns);
    folder.array("neighbour-values", similarity);
  });
}

interface Nearness {
  similarity: "cosine" | "jaccard";
  k: number;
  shrink: number;
}

/** The k nearest of every item, by item they are near to: transposed, as scoring reads them. */
async function nearestItems(byUser: Csr, { similarity, k, shrink }: Nearness, run: Run): Promise<Csr> {
  const byItem = transposed(byUser);
  const items = byItem.rows;
  const squares = squaredLengths(byItem);
  const products = new Float64Array(items);
  const touched = new Int32Array(items);
  const scores = new Float64Array(items);
  const best = new Int32Array(Math.min(k, items));
  const starts = new Int32Array(items + 1);
  let columns = new Int32Array(items);
  let values = new Float32Array(items);
  let filled = 0;
  run.progress.stage("item-knn: similarities");
  for (let item = 0; item < items; item++) {
    if (item % 64 === 0) {
      run.progress.update(item, items, "items");
      await breathe(run);
    }
    const others = touched.subarray(0, addProducts(byItem, byUser, item, products, touched));
    for (let i = 0; i < others.length; i++) {
      const other = others[i];
      const product = products[other];
      products[other] = 0;
      scores[i] =
        other === item
          ? -Infinity
          : similarity === "cosine"
            ? product / (Math.sqrt(squares[item] * squares[other]) + shrink)
            : product / (squares[item] + squares[other] - product + shrink);
    }
    const found = topK(scores.subarray(0, others.length), others, best);
    if (filled + found > columns.length) {
      columns = grown(Int32Array, columns, filled + found);
      values = grown(Float32Array, values, filled + found);
    }
    for (const near of best.subarray(0, found)) {
      columns[filled] = others[near];
      values[filled++] = scores[near];
    }
    starts[item + 1] = filled;
  }
  run.progress.done();
  return transposed({
    rows: items,
    cols: items,
    starts,
    columns: columns.subarray(0, filled),
    values: values.subarray(0, filled),
  });
}

function grown<A extends Int32Array | Float32Array>(
  arrayClass: new (length: number) => A,
  array: A,
  needed: number,
): A {
  const larger = new arrayClass(Math.max(needed, 2 * array.length));
  larger.set(array);
  return larger;
}

/**
 * Adds the products of one item's column with every other's.
 *
 * @param touched receives the items with a product
 * @returns how many they are
 */
function addProducts(
  byItem: Csr,
  byUser: Csr,
  item: number,
  into: Float64Array,
  touched: Int32Array,
): number {
  let count = 0;
  for (let p = byItem.starts[item]; p < byItem.starts[item + 1]; p++) {
    const user = byItem.columns[p];
    const value = byItem.values ? byItem.values[p] : 1;
    if (value === 0) continue;
    for (let q = byUser.starts[user]; q < byUser.starts[user + 1]; q++) {
      const product = value * (byUser.values ? byUser.values[q] : 1);
      if (product === 0) continue;
      const other = byUser.columns[q];
      if (into[other] === 0) touched[count++] = other;
      into[other] += product;
    }
  }
  return count;
}

function squaredLengths({ rows, starts, values }: Csr): Float64Array {
  const squares = new Float64Array(rows);
  for (let r = 0; r < rows; r++)
    if (!values) squares[r] = starts[r + 1] - starts[r];
    else for (let p = starts[r]; p < starts[r + 1]; p++) squares[r] += values[p] * values[p];
  return squares;
}
