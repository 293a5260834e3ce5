import { ShopaiError } from "../../core/errors.js";
import { codes, floats, type Column, type ColumnAsk, type Frame } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import type { DesignMatrix } from "../../kernels/design.js";
import { fitGlm, logisticLoss, squaredLoss } from "../../kernels/glm.js";
import { columnNamed, frameOf, relationOf, type Relation } from "../../table/relation.js";
import { classScores } from "../classes.js";
import { outOfFold } from "../cross-validation.js";
import { elasticSoftmax } from "../elastic-net.js";
import {
  defineLearner,
  int,
  real,
  type Ask,
  type Fitted,
  type Signature,
  type TrainingData,
} from "../learner.js";
import { loadMembers, saveMembers, type Member, type Part } from "./parts.js";

/**
 * Stacked generalisation: the parts' predictions of rows that they did not see are the features of a small
 * regression (logistic for classes, least squares for numbers) that weighs them; the parts are then fitted
 * on all rows. Scores enter as log-odds.
 *
 * Wolpert (1992), Neural Networks 5(2):241-259; the weights may be negative.
 */
const stack = defineLearner({
  name: "stack",
  task: "classification",
  tasks: ["classification", "regression"],
  summary: "several learners weighed by a regression on what they say of rows that they did not see",
  source: "Wolpert (1992), Stacked Generalization, Neural Networks 5(2):241-259",
  roles: { target: "required", weight: "optional" },
  features: true,
  parts: ["gbdt", "logistic", "naive-bayes", "linear"],
  params: {
    folds: int({ default: 5, min: 2, max: 100, help: "folds that the parts' predictions come from" }),
    lambda: real({
      default: 1,
      min: 0,
      help: "L2 penalty of the parts' weights",
      search: [1e-3, 1e3],
      log: true,
    }),
  },
  async fit(data, params, run) {
    const parts = data.parts!;
    if (parts.length < 2)
      throw new ShopaiError("usage", `stack needs two parts or more, and has ${parts.length}`, {
        try: "--parts logistic,naive-bayes",
      });
    const { x, frame, alone } = await unseenAnswers(parts, data, params.folds, run);
    const blend = await blended(x, frame, data, params.lambda, run);
    const members: Member[] = [];
    for (const { name, fit } of parts) members.push({ name, model: await fit(data.relation, run) });
    return fitted(data, members, blend, { parts: alone });
  },
  async load(folder) {
    const { card } = folder;
    const members = await loadMembers(folder);
    const blend = folder.array("blend", "f64", [undefined, undefined]);
    return fitted(card, members, blend, card.about);
  },
});
export default stack;

/** Columns of a part's predictions that enter the blend. */
function answerNames({ classes, positive }: Signature): string[] {
  if (!classes) return ["prediction"];
  return positive === undefined ? classes.map((name) => `score_${name}`) : ["score"];
}

/** Scores are kept this far from 0 and 1 before their log-odds are taken. */
const margin = 1e-6;

function entryOf(value: number, probability: boolean): number {
  if (!probability) return value;
  const p = Math.min(1 - margin, Math.max(margin, value));
  return Math.log(p) - Math.log1p(-p);
}

/** What the parts say of rows that they did not see, with the truth, in the order of the rows. */
async function unseenAnswers(
  parts: readonly Part[],
  data: TrainingData,
  folds: number,
  run: Run,
): Promise<{ x: DesignMatrix; frame: Frame; alone: Record<string, unknown> }> {
  const names = answerNames(data);
  const target = data.target!.name;
  const { weight } = data.roles;
  const alone: Record<string, unknown> = {};
  const answers: Frame[] = [];
  for (const part of parts) {
    const ask = {
      roles: data.roles,
      task: data.task,
      features: data.features.map(({ name }) => name),
      positive: data.positive,
    };
    const keep = weight === undefined ? [] : [weight];
    const work = { folds, keep, train: (rows: Relation, within: Run) => part.fit(rows, within) };
    const { outOfFold: told, validation } = await outOfFold(stack, data.relation, ask, work, run);
    alone[part.name] = Object.fromEntries(
      Object.entries(validation.metrics).map(([name, { mean }]) => [name, mean]),
    );
    answers.push(
      await frameOf(told, [
        ...names.map((name): ColumnAsk => ({ name, as: "f64" })),
        { name: target, as: data.classes ? "code" : "f64" },
        ...(weight === undefined ? [] : [{ name: weight, as: "f64" } as const]),
      ]),
    );
  }
  return { x: entries(answers, names, data.classes !== undefined), frame: answers[0], alone };
}

/** Answers side by side as a design matrix: the parts' columns one part after the other. */
function entries(answers: readonly Frame[], names: readonly string[], probability: boolean): DesignMatrix {
  const { rows } = answers[0];
  const width = answers.length * names.length;
  const numbers = new Float64Array(rows * width);
  answers.forEach((frame, p) =>
    names.forEach((name, i) => {
      const values = floats(frame, name);
      for (let r = 0; r < rows; r++)
        numbers[r * width + p * names.length + i] = entryOf(values[r], probability);
    }),
  );
  return {
    rows,
    width,
    numberWidth: width,
    numbers,
    starts: new Int32Array(rows + 1),
    ones: new Int32Array(0),
  };
}

/** Weights of the entries, then the intercept; for several classes one such row per class. */
async function blended(
  x: DesignMatrix,
  frame: Frame,
  data: TrainingData,
  lambda: number,
  run: Run,
): Promise<Float64Array> {
  const target = data.target!.name;
  const weights = data.roles.weight === undefined ? undefined : floats(frame, data.roles.weight);
  const asked = { iterations: 500, tolerance: 1e-10 };
  const start = new Float64Array(x.width + 1);
  if (!data.classes) {
    const fit = await fitGlm(
      x,
      squaredLoss(floats(frame, target)),
      weights,
      { l2: lambda, l1: 0 },
      start,
      asked,
    );
    return fit.weights;
  }
  const { values, levels } = codes(frame, target);
  const numberOf = levels.map((level) => data.classes!.indexOf(level));
  if (data.positive === undefined) {
    const classOf = values.map((code) => numberOf[code]);
    return (await elasticSoftmax(x, classOf, data.classes.length, weights, { ...asked, lambda, l1: 0 }, run))
      .weights;
  }
  const yes = levels.indexOf(data.positive);
  const hits = Uint8Array.from(values, (code) => (code === yes ? 1 : 0));
  return (await fitGlm(x, logisticLoss(hits), weights, { l2: lambda, l1: 0 }, start, asked)).weights;
}

function fitted(
  signature: Signature,
  members: readonly Member[],
  blend: Float64Array,
  about: Record<string, unknown>,
): Fitted {
  const names = answerNames(signature);
  const stride = members.length * names.length + 1;
  return {
    about,
    predict: (rows, ask, run) => predicted(rows!, ask, run),
    save(folder) {
      saveMembers(folder, members);
      folder.array("blend", blend, [blend.length / stride, stride]);
    },
  };

  async function predicted(rows: Relation, ask: Ask, run: Run): Promise<Relation> {
    const told: Relation[] = [];
    for (const { model } of members) told.push(await model.predict(rows, told.length === 0 ? ask : {}, run));
    if (told.every(({ memory }) => memory !== undefined)) {
      const columns = blendedColumns(told.map(({ memory }) => memory!));
      return { ...told[0], memory: { rows: told[0].memory!.rows, columns } };
    }
    const asks = names.map((name): ColumnAsk => ({ name, as: "f64" }));
    const frames: Frame[] = [];
    for (const one of told) frames.push(await frameOf(one, asks));
    return withColumns(told[0], blendedColumns(frames), (ask.keep ?? []).length);
  }

  function blendedColumns(frames: readonly Frame[]): Map<string, Column> {
    const { classes, positive } = signature;
    const x = entries(frames, names, classes !== undefined);
    const outputs = blend.length / stride;
    const values = new Float64Array(x.rows * outputs);
    for (let r = 0; r < x.rows; r++)
      for (let o = 0; o < outputs; o++) {
        let sum = blend[(o + 1) * stride - 1];
        for (let c = 0; c < x.width; c++) sum += x.numbers[r * x.width + c] * blend[o * stride + c];
        values[r * outputs + o] = sum;
      }
    if (!classes) return new Map([["prediction", { kind: "f64", values }]]);
    if (positive !== undefined)
      return classScores(
        values.map((z) => 1 / (1 + Math.exp(-z))),
        classes,
        positive,
      );
    for (let r = 0; r < x.rows; r++) {
      const own = values.subarray(r * outputs, (r + 1) * outputs);
      const most = Math.max(...own);
      const mass = own.reduce((sum, z) => sum + Math.exp(z - most), 0);
      own.forEach((z, o) => (own[o] = Math.exp(z - most) / mass));
    }
    return classScores(values, classes, undefined);
  }

  /** The first part's predictions with the blend's columns in the place of its own. */
  async function withColumns(first: Relation, columns: Map<string, Column>, kept: number): Promise<Relation> {
    const { engine } = first;
    const table = engine.fresh("blended");
    const rows = columns.get("prediction")!.values.length;
    const place: Column = { kind: "i32", values: Int32Array.from({ length: rows }, (_, r) => r) };
    await engine.load(table, { rows, columns: new Map([["shopai_place", place], ...columns]) });
    const order = first.key.map(ident).join(", ");
    const list = first.schema.map(({ name }, i) => {
      if (i < kept) return `a.${ident(name)}`;
      const { type } = columnNamed(first, name);
      return `b.${ident(name)}::${type} AS ${ident(name)}`;
    });
    return relationOf(
      engine,
      `SELECT ${[...list, ...first.key.map((name) => `a.${ident(name)}`)].join(", ")} FROM (SELECT *, row_number() OVER (ORDER BY ${order}) - 1 AS shopai_place FROM (${first.sql})) a JOIN ${ident(table)} b ON a.shopai_place = b.shopai_place`,
      { key: first.key, inputs: first.inputs, name: first.name },
    );
  }
}
