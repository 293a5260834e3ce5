/** What scikit-learn, XGBoost, LightGBM, CatBoost, implicit, Surprise, RecBole and Keras call what is a parameter here. */
export const otherNames: Readonly<Record<string, readonly string[]>> = {
  n_estimators: ["trees"],
  num_boost_round: ["trees"],
  num_iterations: ["trees", "iterations", "epochs"],
  iterations: ["trees", "epochs"],
  rounds: ["trees"],
  n_iter: ["iterations", "epochs"],
  n_epochs: ["epochs"],
  max_iter: ["iterations", "epochs"],
  learning_rate: ["eta", "rate"],
  lr: ["rate", "eta"],
  lr_all: ["eta", "rate"],
  shrinkage: ["eta", "shrink"],
  max_depth: ["depth"],
  num_leaves: ["leaves"],
  max_leaves: ["leaves"],
  max_leaf_nodes: ["leaves"],
  grow_policy: ["grow"],
  subsample: ["rows"],
  bagging_fraction: ["rows"],
  colsample_bytree: ["columns"],
  feature_fraction: ["columns"],
  max_features: ["node_columns", "columns"],
  colsample_bynode: ["node_columns"],
  reg_lambda: ["lambda"],
  lambda_l2: ["lambda"],
  l2_regularization: ["lambda"],
  l2_leaf_reg: ["lambda"],
  regularization: ["lambda"],
  reg: ["lambda"],
  reg_all: ["lambda"],
  l2: ["lambda"],
  weight_decay: ["decay"],
  reg_alpha: ["alpha"],
  lambda_l1: ["alpha"],
  min_split_loss: ["gamma"],
  min_split_gain: ["gamma"],
  min_child_weight: ["child_weight"],
  min_sum_hessian_in_leaf: ["child_weight"],
  min_samples_leaf: ["child_weight", "leaf_rows"],
  max_delta_step: ["max_step"],
  max_bin: ["bins"],
  max_bins: ["bins"],
  n_factors: ["factors"],
  n_components: ["factors", "k"],
  num_factors: ["factors"],
  embedding_size: ["factors"],
  hidden_units: ["width", "factors"],
  n_clusters: ["k"],
  n_init: ["starts"],
  early_stopping_rounds: ["stop", "patience"],
  n_neighbors: ["k"],
  neighbors: ["k"],
  topk: ["k"],
  batch_size: ["batch"],
  num_layers: ["layers", "blocks"],
  tol: ["tolerance"],
  num_epochs: ["epochs"],
  dropout_rate: ["dropout"],
};

/** The parameter of a table that another tool calls so. */
export function ownNameOf(name: string, table: object): string | undefined {
  return otherNames[name.toLowerCase()]?.find((own) => Object.hasOwn(table, own));
}

/** What other tools take as a parameter and every command here takes as an option. */
const asOptions: Readonly<Record<string, string>> = {
  seed: "seed",
  random_state: "seed",
  random_seed: "seed",
  n_jobs: "threads",
  nthread: "threads",
  num_threads: "threads",
  thread_count: "threads",
  device: "device",
};

/** The option that does what another tool has a parameter for. */
export const optionOf = (name: string): string | undefined =>
  Object.hasOwn(asOptions, name.toLowerCase()) ? asOptions[name.toLowerCase()] : undefined;
