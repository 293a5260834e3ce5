import { ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import type { TrainingData } from "../learner.js";
import { rowFloats } from "./boost.js";
import type { Params } from "./gbdt-params.js";
import { mostRelevant, type Queries } from "./lambdarank.js";
import type { Chosen, Labelled } from "./objectives.js";
import type { Reading, ReadRows } from "./reading.js";

/** Labels with the weights of rows and classes together. */
export function labelled(
  { kernel }: Reading,
  rows: ReadRows,
  { classes, positive }: TrainingData,
  { balanced, scale_pos_weight: scale, class_weights: named }: Params,
): Labelled {
  const { labels, labelsAt, queries } = rows;
  const plain = { kernel, rows: rows.rows, labels, labelsAt, queries };
  const given = rows.weightsAt ? kernel.f32(rows.weightsAt, rows.rows) : undefined;
  const count = classes?.length ?? 0;
  const factors = classWeights(named, classes);
  if ((!balanced && scale === 1 && !factors) || count === 0)
    return { ...plain, weights: given, weightsAt: rows.weightsAt };
  const weightsAt = rowFloats(kernel, rows.rows);
  const weights = kernel.f32(weightsAt, rows.rows);
  // Of two classes the positive one is 1, whatever their order.
  const numberOf = (label: number): number => {
    if (positive === undefined) return label;
    const at = classes!.indexOf(positive);
    return label === 1 ? at : 1 - at;
  };
  const sizes = new Float64Array(count);
  for (const label of rows.labels) sizes[label]++;
  for (let r = 0; r < rows.rows; r++) {
    const label = rows.labels[r];
    weights[r] = given ? given[r] : 1;
    if (balanced) weights[r] *= rows.rows / (count * sizes[label]);
    if (positive !== undefined && label === 1) weights[r] *= scale;
    if (factors) weights[r] *= factors[numberOf(label)];
  }
  return { ...plain, weights, weightsAt };
}

/** Weights by number of the class. @throws ShopaiError "usage" for what is no weight, or a class that is not there */
function classWeights(wanted: string, classes: readonly string[] | undefined): Float64Array | undefined {
  if (wanted.trim() === "") return undefined;
  if (!classes)
    throw new ShopaiError("usage", "class_weights are for classification", {
      where: "--param class_weights of gbdt",
      try: "--weight <column>, which weighs rows",
    });
  const weights = new Float64Array(classes.length).fill(1);
  for (const part of wanted.split(",")) {
    const [, name, value] = /^(.*):([^:]*)$/.exec(part) ?? [];
    const weight = Number(value);
    if (name === undefined || value.trim() === "" || !(weight >= 0 && weight < Infinity))
      throw new ShopaiError(
        "usage",
        `class_weights must be classes with weights, such as yes:5, got "${part}"`,
        {
          where: "--param class_weights of gbdt",
        },
      );
    const at = classes.indexOf(name.trim());
    if (at < 0)
      throw new ShopaiError("usage", `class_weights names ${name.trim()}, which is no class`, {
        where: "--param class_weights of gbdt",
        try: `one of ${classes.slice(0, 5).join(", ")}`,
      });
    weights[at] = weight;
  }
  return weights;
}

/** The values that the targets of an objective may have, both ends included. */
const targets: Partial<Record<Chosen, { least: number; most: number; words: string; sql: string }>> = {
  poisson: { least: 0, most: Infinity, words: "of 0 or more", sql: ">= 0" },
  tweedie: { least: 0, most: Infinity, words: "of 0 or more", sql: ">= 0" },
  gamma: { least: Number.MIN_VALUE, most: Infinity, words: "above 0", sql: "> 0" },
  lambdarank: {
    least: 0,
    most: mostRelevant,
    words: `of 0 to ${mostRelevant}`,
    sql: `BETWEEN 0 AND ${mostRelevant}`,
  },
};

export function checkLabels(
  { labels, queries }: ReadRows,
  objective: Chosen,
  { target, relation, roles }: TrainingData,
): void {
  const allowed = targets[objective];
  if (!allowed) return;
  const bad = labels.find((label) => label < allowed.least || label > allowed.most);
  if (bad !== undefined)
    throw new ShopaiError(
      "data",
      `objective=${objective} is for values ${allowed.words}, and ${target!.name} holds ${bad}`,
      {
        where: relation.name,
        try: `--where '"${target!.name}" ${allowed.sql}'${queries ? "" : ", or --param objective=squared"}`,
      },
    );
  if (queries && !someOrder(queries, labels))
    throw new ShopaiError(
      "data",
      `all rows of every ${roles.query} have the same ${target!.name}: there is no order to learn`,
      { where: relation.name, try: "rows that were not chosen beside those that were" },
    );
}

/** Whether the rows of some query differ in relevance. */
function someOrder({ starts, rows }: Queries, labels: Float32Array): boolean {
  for (let q = 0; q + 1 < starts.length; q++)
    for (let i = starts[q] + 1; i < starts[q + 1]; i++)
      if (labels[rows[i]] !== labels[rows[starts[q]]]) return true;
  return false;
}

/** Deals rows to parts at random: evenly within every class, or whole queries. */
export function dealt({ rows, labels, queries }: Labelled, parts: number, run: Run): Uint8Array {
  const rng = run.rng("gbdt folds");
  const shuffled = (count: number): Uint32Array =>
    rng.shuffle(Uint32Array.from({ length: count }, (_, i) => i));
  const part = new Uint8Array(rows);
  if (queries) {
    const { starts, rows: rowsOf } = queries;
    shuffled(starts.length - 1).forEach((q, i) => {
      for (const r of rowsOf.subarray(starts[q], starts[q + 1])) part[r] = i % parts;
    });
    return part;
  }
  const next = new Map<number, number>();
  for (const r of shuffled(rows)) {
    const own = Number.isInteger(labels[r]) ? labels[r] : -1;
    const at = next.get(own) ?? 0;
    part[r] = at % parts;
    next.set(own, at + 1);
  }
  return part;
}
