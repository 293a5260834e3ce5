import type { Field } from "../engine/engine.js";
import type { Csr } from "../kernels/csr.js";
import { columnNamed } from "../table/relation.js";
import { itemTotals, type Interactions } from "./interactions.js";
import type { Fitted, TrainingData } from "./learner.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";
import type { ScoreItems, Scorer } from "./scorer.js";
import { loadSegments, saveSegments, type Segments } from "./segments.js";
import { recommend } from "./serving.js";
import { similarItems } from "./similar-items.js";

/** What every recommender knows of its training rows. */
export interface Catalogue {
  /** Name and type of the user and item columns, and of those of ratings and times where it learned from them. */
  user: Field;
  item: Field;
  rating?: Field;
  time?: Field;
  users: string[];
  items: string[];
  /** Interactions of the training rows, users x items. */
  seen: Csr;
  /** What users that were not seen in training get: a weight per item. */
  popularity: Float64Array;
  /** The same by group of users. */
  segments?: Segments;
}

/** The catalogue of what was read; popularity counts interactions unless other weights are given. */
export function catalogueOf(
  data: TrainingData,
  { users, items, matrix, segments }: Interactions,
  popularity = itemTotals(matrix),
): Catalogue {
  const field = (role: "user" | "item" | "rating" | "time"): Field | undefined => {
    if (data.roles[role] === undefined) return undefined;
    const { name, type } = columnNamed(data.relation, data.roles[role]);
    return { name, type };
  };
  return {
    user: field("user")!,
    item: field("item")!,
    rating: field("rating"),
    time: field("time"),
    users,
    items,
    seen: matrix,
    popularity,
    segments,
  };
}

function saveCatalogue(folder: FolderWriter, catalogue: Catalogue): void {
  const { users, items, seen, popularity } = catalogue;
  folder.texts("users", users);
  folder.texts("items", items);
  folder.array("seen-starts", seen.starts);
  folder.array("seen-columns", seen.columns);
  if (seen.values) folder.array("seen-values", seen.values);
  folder.array("popularity", popularity);
  if (catalogue.segments) saveSegments(folder, catalogue.segments);
}

export function loadCatalogue(folder: FolderReader): Catalogue {
  const { roles, role_types, files } = folder.card;
  const field = (role: "user" | "item" | "rating" | "time"): Field | undefined =>
    roles[role] === undefined ? undefined : { name: roles[role], type: role_types[role]! };
  const users = folder.texts("users");
  const items = folder.texts("items");
  const columns = folder.array("seen-columns", "i32");
  return {
    user: field("user")!,
    item: field("item")!,
    rating: field("rating"),
    time: field("time"),
    users,
    items,
    seen: {
      rows: users.length,
      cols: items.length,
      starts: folder.array("seen-starts", "i32", [users.length + 1]),
      columns,
      values: "seen-values.bin" in files ? folder.array("seen-values", "f32", [columns.length]) : undefined,
    },
    popularity: folder.array("popularity", "f64", [items.length]),
    segments: loadSegments(folder, users.length, items.length),
  };
}

/**
 * A fitted recommender: the catalogue, how it scores, and what it stores beside the catalogue.
 *
 * @param score one function for users of training, or all that the learner can do (see `Scorer`)
 */
export function recommender(
  catalogue: Catalogue,
  score: ScoreItems | Scorer,
  saveOwn: (folder: FolderWriter) => void = () => undefined,
): Fitted {
  const scorer: Scorer = typeof score === "function" ? { user: score } : score;
  return {
    about: {
      users: catalogue.users.length,
      items: catalogue.items.length,
      interactions: catalogue.seen.columns.length,
    },
    catalogue,
    scorer,
    predict: (rows, ask, run) => recommend(catalogue, scorer, rows, ask, run),
    similar: (rows, ask, run) => similarItems(catalogue, scorer, rows, ask, run),
    save(folder) {
      saveCatalogue(folder, catalogue);
      saveOwn(folder);
    },
  };
}
