import type { Rng } from "../../core/rng.js";
import { codes, floats, type ColumnAsk, type Frame } from "../../engine/frame.js";
import { ident, literal } from "../../engine/sql.js";
import { orderSql, visible } from "../../table/relation.js";
import { featureAsks } from "../design-matrix.js";
import type { TrainingData } from "../learner.js";
import type { EncodedRows, RowShape } from "./encoded-rows.js";
import { encodeRows, type Encoding } from "./encodings.js";
import { foldersOf } from "./images-encoding.js";

/** Inputs with what is to be learned from them. */
export interface LabelledRows extends EncodedRows {
  /** Class of every row, or its value; absent where there is no target. */
  truth: Float32Array;
  weight?: Float32Array;
}

/** Training rows in blocks, read from the engine when needed: only a few hold memory at once. */
export interface RowSource {
  rows: number;
  /** Batches of the rows from..to in a shuffled order: blocks are shuffled, then the rows of each. */
  batches(from: number, to: number, size: number, rng: Rng): AsyncGenerator<LabelledRows>;
  /** The same rows in their order. */
  inOrder(from: number, to: number, size: number): AsyncGenerator<LabelledRows>;
}

/** A block is what is read at once: so many rows, or fewer where they are large. */
const mostRows = 65536;
const blockBytes = 256e6;
/** Bytes of encoded blocks that are kept. */
const keptBytes = 512e6;

const place = ident("_shopai_place");

/**
 * Stages training rows in an order drawn by the seed, so that any stretch of them is a random sample.
 *
 * @param truthOf the truths of a frame that also holds the target
 */
export async function stagedRows(
  data: TrainingData,
  encoding: Encoding,
  seed: number,
  ownWeight: ((truth: number) => number) | undefined,
): Promise<RowSource> {
  const { relation, features, target, classes } = data;
  const { engine } = relation;
  const { weight } = data.roles;
  const order = orderSql(relation);
  const table = engine.fresh("drawn");
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT (row_number() OVER (ORDER BY md5(${literal(`${seed}:`)} || n), n) - 1)::INTEGER AS ${place}, * EXCLUDE (n)
       FROM (SELECT ${visible(relation).join(", ")}, row_number() OVER (${order}) AS n FROM (${relation.sql})) ORDER BY ${place}`,
  );
  const asks: ColumnAsk[] = [
    ...featureAsks(features),
    ...(target ? [{ name: target.name, as: classes ? ("code" as const) : ("f64" as const) }] : []),
    ...(weight ? [{ name: weight, as: "f64" as const }] : []),
  ];
  const kept = new Map<number, LabelledRows>();
  const rowBytes = 4 * (encoding.width + encoding.fields + 2);
  const blockRows = Math.max(64, Math.min(mostRows, Math.floor(blockBytes / rowBytes)));
  const folders = foldersOf(relation);

  async function block(number: number): Promise<LabelledRows> {
    const known = kept.get(number);
    if (known) return known;
    const frame = await engine.frame(
      `SELECT ${asks.map(({ name }) => ident(name)).join(", ")} FROM ${ident(table)} WHERE ${place} >= ${number * blockRows} AND ${place} < ${(number + 1) * blockRows} ORDER BY ${place}`,
      asks,
    );
    const truth = truthOf(frame);
    const given = weight === undefined ? undefined : floats(frame, weight);
    const encoded: LabelledRows = {
      ...(await encodeRows(frame, encoding, folders)),
      truth,
      weight:
        given || ownWeight
          ? Float32Array.from(
              truth,
              (value, r) => (given ? given[r] : 1) * (ownWeight ? ownWeight(value) : 1),
            )
          : undefined,
    };
    if ((kept.size + 1) * blockRows * rowBytes <= keptBytes) kept.set(number, encoded);
    return encoded;
  }

  function truthOf(frame: Frame): Float32Array {
    if (!target) return new Float32Array(frame.rows);
    if (!classes) return Float32Array.from(floats(frame, target.name));
    const { values, levels } = codes(frame, target.name);
    const numberOf = Int32Array.from(levels, (level) => classes.indexOf(level));
    return Float32Array.from(values, (code) => numberOf[code]);
  }

  async function* stretches(
    from: number,
    to: number,
    numbers: ArrayLike<number>,
    size: number,
    rng?: Rng,
  ): AsyncGenerator<LabelledRows> {
    for (let i = 0; i < numbers.length; i++) {
      const first = numbers[i] * blockRows;
      const low = Math.max(0, from - first);
      const high = Math.min(blockRows, to - first);
      const rows = await block(numbers[i]);
      const chosen = Int32Array.from({ length: high - low }, (_, r) => low + r);
      rng?.shuffle(chosen);
      for (let at = 0; at < chosen.length; at += size)
        yield picked(rows, chosen.subarray(at, at + size), encoding);
    }
  }

  const blocks = (from: number, to: number): Int32Array => {
    const first = Math.floor(from / blockRows);
    return Int32Array.from({ length: Math.ceil(to / blockRows) - first }, (_, i) => first + i);
  };
  return {
    rows: data.rows,
    batches: (from, to, size, rng) => stretches(from, to, rng.shuffle(blocks(from, to)), size, rng),
    inOrder: (from, to, size) => stretches(from, to, blocks(from, to), size),
  };
}

/** Some rows of a block, in the order they are named. */
export function picked(from: LabelledRows, chosen: Int32Array, { width, fields }: RowShape): LabelledRows {
  const rows = chosen.length;
  const numbers = new Float32Array(rows * width);
  const ids = new Int32Array(rows * fields);
  const truth = new Float32Array(rows);
  const weight = from.weight && new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = chosen[r];
    for (let c = 0; c < width; c++) numbers[r * width + c] = from.numbers[row * width + c];
    for (let c = 0; c < fields; c++) ids[r * fields + c] = from.codes[row * fields + c];
    truth[r] = from.truth[row];
    if (weight) weight[r] = from.weight![row];
  }
  return { rows, numbers, codes: ids, truth, weight };
}
