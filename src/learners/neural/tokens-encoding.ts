import { ShopaiError } from "../../core/errors.js";
import type { Field } from "../../engine/engine.js";
import { codes, type Frame } from "../../engine/frame.js";
import { ident } from "../../engine/sql.js";
import { kindOf, type Relation } from "../../table/relation.js";
import type { EncodedRows, RowShape } from "./encoded-rows.js";

/** The first tokens of the text columns of a row, one column after the other. */
export interface TokensEncoding extends RowShape {
  kind: "tokens";
  names: string[];
  /** Token i has code 2 + i; 0 is padding, 1 a token that is not here. */
  tokens: string[];
}

/**
 * Words of letters and digits in lower case; every Han, Hiragana or Katakana sign is one of its own,
 * since nothing stands between such words.
 */
export function tokensOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .match(
        /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}])[\p{L}\p{N}])+(?:['’]\p{L}+)?/gu,
      ) ?? []
  );
}

/**
 * Counts the tokens of the training rows and keeps the most frequent that occur twice.
 *
 * @param length tokens of a row that are looked at
 * @param most   tokens that are kept
 */
export async function fitTokens(
  relation: Relation,
  features: readonly Field[],
  length: number,
  most: number,
): Promise<TokensEncoding> {
  const names = features.filter(({ type }) => kindOf(type) === "text").map(({ name }) => name);
  if (names.length === 0)
    throw new ShopaiError("data", "there is no text column to read", {
      where: relation.name,
      try: "--features with the column of texts",
    });
  const counts = new Map<string, number>();
  for (const name of names) {
    const rows = await relation.engine.rows<{ text: string; rows: bigint }>(
      `SELECT ${ident(name)}::VARCHAR AS text, count(*) AS rows FROM (${relation.sql}) WHERE ${ident(name)} IS NOT NULL GROUP BY 1`,
    );
    for (const { text, rows: times } of rows)
      for (const token of tokensOf(text)) counts.set(token, (counts.get(token) ?? 0) + Number(times));
  }
  const tokens = [...counts]
    .filter(([, times]) => times > 1)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([token]) => token);
  return { kind: "tokens", names, tokens, width: 0, fields: length, levels: tokens.length + 2 };
}

export function encodeTokens(frame: Frame, { names, tokens, fields }: TokensEncoding): EncodedRows {
  const codeOf = new Map(tokens.map((token, i) => [token, i + 2]));
  const ids = new Int32Array(frame.rows * fields);
  const filled = new Int32Array(frame.rows);
  for (const name of names) {
    const { values, levels } = codes(frame, name);
    const coded = levels.map((text) =>
      tokensOf(text)
        .slice(0, fields)
        .map((token) => codeOf.get(token) ?? 1),
    );
    for (let r = 0; r < frame.rows; r++) {
      if (values[r] < 0) continue;
      for (const code of coded[values[r]]) {
        if (filled[r] === fields) break;
        ids[r * fields + filled[r]++] = code;
      }
    }
  }
  return { rows: frame.rows, numbers: new Float32Array(), codes: ids };
}
