import { createHash } from "node:crypto";

/**
 * Adds columns of uniform numbers in [0, 1) to a SELECT, each a hash of an integer key: the same seed
 * gives the same numbers whatever the threads, blocks or order of rows.
 *
 * The hash is the 32-bit mixer of two multiplications and three shifted xors of C. Wellons' hash-prospector
 * (constants 21f0aaad, 735a2d97), in plain BIGINT arithmetic: md5 costs ten times as much, and the engine's
 * own hash() may change with its version. Every stream has a multiplier and an offset of its own.
 *
 * @param source a SELECT
 * @param keys   name of the new column → integer expression in [0, 2^32) over `source`
 */
export function withDraws(
  source: string,
  seed: number,
  stream: string,
  keys: Readonly<Record<string, string>>,
): string {
  const names = Object.keys(keys);
  const hidden = names.map((_, i) => `_h${i}`);
  const level = (from: string, expression: (column: string) => string): string =>
    `SELECT * EXCLUDE (${hidden.join(", ")}), ${hidden.map((h) => `${expression(h)} AS ${h}`).join(", ")} FROM (${from})`;
  const start = `SELECT *, ${names
    .map((name, i) => {
      const { factor, offset } = streamOf(seed, `${stream}/${name}`);
      return `((${keys[name]})::BIGINT * ${factor} + ${offset}) & ${mask} AS ${hidden[i]}`;
    })
    .join(", ")} FROM (${source})`;
  const once = level(start, (h) => `(xor(${h}, ${h} >> 16) * ${0x21f0aaad}) & ${mask}`);
  const twice = level(once, (h) => `(xor(${h}, ${h} >> 15) * ${0x735a2d97}) & ${mask}`);
  return `SELECT * EXCLUDE (${hidden.join(", ")}), ${names
    .map((name, i) => `xor(${hidden[i]}, ${hidden[i]} >> 15) / 4294967296.0::DOUBLE AS ${name}`)
    .join(", ")} FROM (${twice})`;
}

const mask = 0xffffffff;

function streamOf(seed: number, name: string): { factor: number; offset: number } {
  const digest = createHash("sha256").update(`shop\u0000${seed}\u0000${name}`).digest();
  // Below 2^31 and odd: a product with a 32-bit key stays inside BIGINT, and no key is lost.
  return { factor: (digest.readUInt32LE(0) >>> 1) | 1, offset: digest.readUInt32LE(4) >>> 1 };
}

/** One of a few texts or numbers, by a uniform expression: a constant list indexed in SQL. */
export function pick(list: readonly (string | number)[], uniform: string): string {
  const items = list.map((item) => (typeof item === "number" ? item : `'${item.replaceAll("'", "''")}'`));
  return `([${items.join(", ")}])[1 + floor(${uniform} * ${list.length})::INTEGER]`;
}

/** A list with every value repeated by its share of `slots`, so that an even pick from it is a weighted one. */
export function slotted(weights: readonly number[], slots: number): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  return weights.flatMap((weight, value) => {
    const from = Math.round((reached / total) * slots);
    reached += weight;
    return new Array<number>(Math.round((reached / total) * slots) - from).fill(value);
  });
}
