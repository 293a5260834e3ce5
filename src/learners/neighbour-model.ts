import { placeOf, transposed, type Csr } from "../kernels/csr.js";
import type { Fitted } from "./learner.js";
import type { FolderReader } from "./model-folder.js";
import { loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import { fromProfiles } from "./scorer.js";

/**
 * A recommender that is a sparse matrix of items by items: a score is the sum of the rows of the user's
 * items, each times its strength.
 *
 * @param weights row i holds what item i says for others, columns ascending
 */
export function neighbourModel(catalogue: Catalogue, weights: Csr): Fitted {
  const { starts, columns } = weights;
  const values = weights.values!;
  let byTarget: Csr | undefined;
  const scorer = fromProfiles(catalogue, {
    made: { weights },
    profile(profile, into) {
      into.fill(0);
      for (let p = 0; p < profile.items.length; p++) {
        const strength = profile.values ? profile.values[p] : 1;
        const item = profile.items[p];
        for (let q = starts[item]; q < starts[item + 1]; q++) into[columns[q]] += strength * values[q];
      }
    },
    similar(item, into) {
      byTarget ??= transposed(weights);
      into.fill(0);
      for (let q = byTarget.starts[item]; q < byTarget.starts[item + 1]; q++)
        into[byTarget.columns[q]] = byTarget.values![q];
    },
    shares(profile, item, into) {
      for (let p = 0; p < profile.items.length; p++) {
        const from = profile.items[p];
        const q = placeOf(columns, item, starts[from], starts[from + 1]);
        into[p] = q < 0 ? 0 : (profile.values ? profile.values[p] : 1) * values[q];
      }
    },
  });
  return recommender(catalogue, scorer, (folder) => {
    folder.array("neighbour-starts", starts);
    folder.array("neighbour-columns", columns);
    folder.array("neighbour-values", values);
  });
}

export function loadNeighbourModel(folder: FolderReader): Fitted {
  const catalogue = loadCatalogue(folder);
  return neighbourModel(catalogue, loadNeighbours(folder, catalogue.items.length));
}

/** The sparse square matrix of a model folder. */
export function loadNeighbours(folder: FolderReader, size: number): Csr {
  const columns = folder.array("neighbour-columns", "i32");
  return {
    rows: size,
    cols: size,
    starts: folder.array("neighbour-starts", "i32", [size + 1]),
    columns,
    values: folder.array("neighbour-values", "f32", [columns.length]),
  };
}
