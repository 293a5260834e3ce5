import { nearest, ShopaiError } from "../core/errors.js";
import type { Learner, Task } from "./learner.js";

interface Entry {
  task: Task;
  load(): Promise<{ default: Learner }>;
}

/** Every learner by name. A module is loaded when it is asked for; heavy parts load inside its `fit` and `load`. */
export const registry: Readonly<Record<string, Entry>> = {
  gbdt: { task: "classification", load: () => import("./gbdt/gbdt.js") },
  forest: { task: "classification", load: () => import("./gbdt/forest.js") },
  logistic: { task: "classification", load: () => import("./logistic.js") },
  stack: { task: "classification", load: () => import("./ensemble/stack.js") },
  scorecard: { task: "classification", load: () => import("./scorecard/scorecard.js") },
  svm: { task: "classification", load: () => import("./svm.js") },
  "naive-bayes": { task: "classification", load: () => import("./naive-bayes.js") },
  knn: { task: "classification", load: () => import("./knn.js") },
  mlp: { task: "classification", load: () => import("./neural/mlp.js") },
  "wide-deep": { task: "classification", load: () => import("./neural/wide-deep.js") },
  deepfm: { task: "classification", load: () => import("./neural/deepfm.js") },
  dcn: { task: "classification", load: () => import("./neural/dcn.js") },
  cnn: { task: "classification", load: () => import("./neural/cnn.js") },
  "text-cnn": { task: "classification", load: () => import("./neural/text-cnn.js") },
  linear: { task: "regression", load: () => import("./linear.js") },
  "isolation-forest": { task: "anomaly", load: () => import("./gbdt/isolation-forest.js") },
  lof: { task: "anomaly", load: () => import("./lof.js") },
  ecod: { task: "anomaly", load: () => import("./ecod.js") },
  autoencoder: { task: "anomaly", load: () => import("./neural/autoencoder.js") },
  kmeans: { task: "clustering", load: () => import("./kmeans.js") },
  popularity: { task: "recommendation", load: () => import("./popularity.js") },
  "item-knn": { task: "recommendation", load: () => import("./item-knn.js") },
  "user-knn": { task: "recommendation", load: () => import("./user-knn.js") },
  ease: { task: "recommendation", load: () => import("./ease.js") },
  slim: { task: "recommendation", load: () => import("./slim.js") },
  rp3beta: { task: "recommendation", load: () => import("./rp3beta.js") },
  als: { task: "recommendation", load: () => import("./als.js") },
  bpr: { task: "recommendation", load: () => import("./bpr.js") },
  fm: { task: "recommendation", load: () => import("./fm/fm.js") },
  sequence: { task: "recommendation", load: () => import("./sequence.js") },
  markov: { task: "recommendation", load: () => import("./markov.js") },
  fpmc: { task: "recommendation", load: () => import("./fpmc.js") },
  content: { task: "recommendation", load: () => import("./content/content.js") },
  sasrec: { task: "recommendation", load: () => import("./neural/sasrec.js") },
  gru4rec: { task: "recommendation", load: () => import("./neural/gru4rec.js") },
  "two-tower": { task: "recommendation", load: () => import("./neural/two-tower.js") },
  baseline: { task: "rating", load: () => import("./rating/baseline.js") },
  "knn-baseline": { task: "rating", load: () => import("./rating/knn-baseline.js") },
  "slope-one": { task: "rating", load: () => import("./rating/slope-one.js") },
  svd: { task: "rating", load: () => import("./rating/svd.js") },
  "svd-pp": { task: "rating", load: () => import("./rating/svd-pp.js") },
  nmf: { task: "rating", load: () => import("./rating/nmf.js") },
  "als-explicit": { task: "rating", load: () => import("./rating/als-explicit.js") },
  hybrid: { task: "recommendation", load: () => import("./ensemble/hybrid.js") },
  "two-stage": { task: "recommendation", load: () => import("./ensemble/two-stage.js") },
};

/** Names of the learners, in the order that listings show. */
export const learnerNames: readonly string[] = Object.keys(registry);

/** @throws ShopaiError "usage" with the nearest name */
export async function learnerNamed(name: string): Promise<Learner> {
  if (!Object.hasOwn(registry, name)) {
    const near = nearest(name, learnerNames);
    throw new ShopaiError("usage", `"${name}" is not a learner`, {
      try: near ? `shopai train ${near}` : "shopai learners",
    });
  }
  return (await registry[name].load()).default;
}
