import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { logisticLoss, squaredLoss } from "../../tensor/ops.js";
import { tf, type Tf, type Tensor } from "../../tensor/tf.js";
import { train } from "../../tensor/train.js";
import { Weights } from "../../tensor/weights.js";
import { numericStatistics } from "../../features/statistics.js";
import { standOutFrom } from "../anomaly.js";
import type { TrainingData } from "../learner.js";
import { damagedWeights } from "./saved.js";
import type { EncodedRows } from "./encoded-rows.js";
import type { TabularNetwork, TabularNetworkOf, TabularParts, TabularShape } from "./tabular-network.js";
import { stagedRows, type LabelledRows } from "./tabular-rows.js";
import { joined, shapeOf, type TabularModel, type TabularParams } from "./tabular.js";

/** Rows that go through a network at once when nothing is learned: so many, or fewer where a row is large. */
const mostRows = 4096;
const mostBytes = 256e6;

const strideOf = ({ widest }: TabularNetwork): number =>
  Math.max(1, Math.min(mostRows, Math.floor(mostBytes / (4 * widest))));

/** Fits a network over columns. */
export async function fitTabular<P extends TabularParams>(
  name: string,
  { fitEncoding, network: networkOf }: TabularParts<P>,
  data: TrainingData,
  params: P,
  run: Run,
): Promise<TabularModel> {
  const device = await run.device();
  run.progress.stage(`${name}: reading`);
  const encoding = await fitEncoding(data, params, run);
  const scale = data.task === "regression" ? await targetScale(data) : undefined;
  const counts = params.balanced && data.classes ? await classCounts(data) : undefined;
  const source = await stagedRows(
    data,
    encoding,
    run.seed,
    counts && ((truth) => data.rows / (counts.length * counts[truth])),
  );
  const held = params.patience > 0 ? Math.floor(data.rows * params.valid) : 0;
  const shape = shapeOf(encoding, data);
  const network = networkOf(params, shape);
  const weights = new Weights((weight) => run.rng(`${name} ${weight}`));
  network.declare(weights);
  const lossOf = lossFor(data, scale, shape);
  const stride = strideOf(network);
  try {
    const lessons = await train<LabelledRows>(
      {
        learner: name,
        weights,
        batches: (epoch) => source.batches(held, data.rows, params.batch, run.rng(`${name} order ${epoch}`)),
        size: (batch) => batch.rows,
        rows: data.rows - held,
        unit: "rows",
        steps: Math.ceil((data.rows - held) / params.batch),
        loss: (batch, seed) => lossOf(network.forward(weights, batch, seed), batch),
        valid:
          held === 0
            ? undefined
            : {
                name: "valid_loss",
                larger: false,
                async measure() {
                  let sum = 0;
                  let counted = 0;
                  for await (const batch of source.inOrder(0, held, stride)) {
                    const loss = tf.tidy(() => lossOf(network.forward(weights, batch), batch));
                    const weight = batch.weight?.reduce((all, one) => all + one, 0) ?? batch.rows;
                    sum += (await loss.data())[0] * weight;
                    counted += weight;
                    loss.dispose();
                  }
                  return counted > 0 ? sum / counted : 0;
                },
              },
        params: shaping(params),
        batchParam: { name: "batch", value: params.batch, widest: network.widest },
      },
      params,
      device,
      run,
    );
    const found: TabularModel = {
      weights: await weights.joined(),
      manifest: weights.manifest(),
      encoding,
      scale,
      params,
      about: {
        ...lessons,
        device: device.name,
        backend: device.backend,
        weights: weights.size,
        valid_rows: held,
      },
    };
    if (data.task !== "anomaly") return found;
    const scores = new Float64Array(data.rows);
    let filled = 0;
    for await (const batch of source.inOrder(0, data.rows, stride)) {
      const part = await scoredRows(network, weights, shape, batch, finishing(data, shape));
      scores.set(part, filled);
      filled += part.length;
    }
    return { ...found, threshold: standOutFrom(scores, params.contamination!) };
  } finally {
    weights.dispose();
  }
}

/** What a resumed training must share: everything but when to stop. */
function shaping({ epochs: _, patience: __, ...rest }: TabularParams): Record<string, unknown> {
  return rest;
}

/** Mean and deviation of the target, which the network learns in their units. */
async function targetScale({ relation, target }: TrainingData): Promise<{ mean: number; deviation: number }> {
  const [{ mean, std }] = await numericStatistics(relation.engine, relation.sql, [target!], relation.name);
  return { mean, deviation: std > 0 ? std : 1 };
}

async function classCounts({ relation, target, classes }: TrainingData): Promise<number[]> {
  const rows = await relation.engine.rows<{ name: string; rows: bigint }>(
    `SELECT ${ident(target!.name)}::VARCHAR AS name, count(*) AS rows FROM (${relation.sql}) GROUP BY 1`,
  );
  const countOf = new Map(rows.map((row) => [row.name, Number(row.rows)]));
  return classes!.map((name) => countOf.get(name)!);
}

type LossOf = (outputs: Tensor, batch: LabelledRows) => Tf.Scalar;

function lossFor(
  { task, classes, positive }: TrainingData,
  scale: TabularModel["scale"],
  shape: TabularShape,
): LossOf {
  if (task === "anomaly") return (outputs, batch) => rowErrors(outputs, batch, shape).mean();
  if (task === "regression")
    return (outputs, { truth, weight }) =>
      squaredLoss(
        outputs.flatten(),
        tf.tensor1d(truth.map((value) => (value - scale!.mean) / scale!.deviation)),
        weight,
      );
  if (positive !== undefined) {
    const yes = classes!.indexOf(positive);
    return (outputs, { truth, weight }) =>
      logisticLoss(
        outputs.flatten(),
        truth.map((code) => (code === yes ? 1 : 0)),
        weight,
      );
  }
  return (outputs, { truth, weight }) => {
    const hot = tf.oneHot(tf.tensor1d(Int32Array.from(truth), "int32"), classes!.length).toFloat();
    const each = tf.logSoftmax(outputs).mul(hot).sum(1).neg();
    if (!weight) return each.mean();
    const counted = weight.reduce((sum, value) => sum + value, 0) || 1;
    return each.mul(tf.tensor1d(weight)).sum().div(counted);
  };
}

/** What a network gives for rows of any number: values in the target's units, or probabilities. */
export type Scored = (rows: EncodedRows) => Promise<Float64Array>;

/** Opens a saved network on the device of the run. */
export async function openTabular<P extends TabularParams>(
  networkOf: TabularNetworkOf<P>,
  model: TabularModel,
  signature: Pick<TrainingData, "task" | "classes" | "positive">,
  run: Run,
): Promise<{ score: Scored; close(): void }> {
  await run.device();
  const shape = shapeOf(model.encoding, signature);
  const network = networkOf(model.params as P, shape);
  const weights = new Weights();
  network.declare(weights);
  if (weights.size !== model.weights.length) throw damagedWeights();
  weights.assign(model.weights);
  const finish = finishing(signature, shape);
  return {
    async score(rows) {
      const { scale } = model;
      const scores = await scoredRows(network, weights, shape, rows, finish);
      return scale ? scores.map((value) => value * scale.deviation + scale.mean) : scores;
    },
    close: () => weights.dispose(),
  };
}

/** What is made of a network's outputs: values, probabilities, or how badly a row was rebuilt. */
type Finish = (outputs: Tensor, rows: EncodedRows) => Tensor;

function finishing({ task, positive }: Pick<TrainingData, "task" | "positive">, shape: TabularShape): Finish {
  if (task === "anomaly") return (outputs, rows) => rowErrors(outputs, rows, shape);
  if (task === "regression") return (outputs) => outputs;
  return (outputs) => (positive !== undefined ? outputs.sigmoid() : tf.softmax(outputs));
}

async function scoredRows(
  network: TabularNetwork,
  weights: Weights,
  { numbers, fields }: TabularShape,
  rows: EncodedRows,
  finish: Finish,
): Promise<Float64Array> {
  const parts: Float64Array[] = [];
  const stride = strideOf(network);
  for (let from = 0; from < rows.rows; from += stride) {
    const to = Math.min(rows.rows, from + stride);
    const part: EncodedRows = {
      rows: to - from,
      numbers: rows.numbers.subarray(from * numbers, to * numbers),
      codes: rows.codes.subarray(from * fields, to * fields),
    };
    const scores = tf.tidy(() => finish(network.forward(weights, part), part));
    parts.push(Float64Array.from(await scores.data()));
    scores.dispose();
  }
  return joined(parts);
}

/** How far a row is from what was rebuilt of it: squared errors of numbers, logistic losses of levels, per column. */
function rowErrors(outputs: Tensor, rows: EncodedRows, { numbers, fields, levels }: TabularShape): Tensor {
  const count = rows.rows;
  const parts: Tensor[] = [];
  if (numbers > 0) {
    const rebuilt = outputs.slice([0, 0], [count, numbers]);
    parts.push(
      rebuilt
        .sub(tf.tensor2d(rows.numbers, [count, numbers]))
        .square()
        .sum(1),
    );
  }
  if (fields > 0) {
    const hot = new Float32Array(count * levels);
    for (let r = 0; r < count; r++)
      for (let c = 0; c < fields; c++) hot[r * levels + rows.codes[r * fields + c]] = 1;
    const logits = outputs.slice([0, numbers], [count, levels]);
    const each = logits.relu().sub(logits.mul(tf.tensor2d(hot, [count, levels])));
    parts.push(each.add(logits.abs().neg().exp().log1p()).sum(1));
  }
  return (parts.length === 1 ? parts[0] : parts[0].add(parts[1])).div(numbers + fields);
}
