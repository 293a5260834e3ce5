import { ident } from "../../engine/sql.js";
import { snake } from "../naming.js";
import { changed, planColumn } from "../plan.js";
import type { Preset } from "./preset.js";

/**
 * Measures of a text and its tokens. Tokens are lower-case words of letters and digits; scripts that
 * are written without spaces (Han, Hiragana, Katakana, Thai) give one token per letter. With `--ngrams`
 * tokens are character n-grams of the lower-case text, blanks squeezed to one.
 */
export const text: Preset = {
  name: "text",
  summary: "lengths, shares and tokens of a text column",
  roles(roles) {
    roles.need("text");
  },
  build(plan, shaping) {
    const field = planColumn(plan, shaping.roles.text!);
    const raw = `nfc_normalize(CAST(t.${ident(field.name)} AS VARCHAR))`;
    const name = snake(field.name);
    const words = `regexp_extract_all(lower(${raw}), '${wordPattern}')`;
    const share = (pattern: string): string =>
      `len(regexp_extract_all(${raw}, '${pattern}')) / nullif(CAST(length(${raw}) AS DOUBLE), 0)`;
    return changed(plan, "text", {
      add: [
        [`${name}_n_chars`, `length(${raw})`],
        [`${name}_n_tokens`, `len(${words})`],
        [`${name}_n_distinct_tokens`, `len(list_distinct(${words}))`],
        [`${name}_n_sentences`, `len(regexp_extract_all(${raw}, '[^.!?。！？]+[.!?。！？]*'))`],
        [`${name}_n_exclamations`, `len(regexp_extract_all(${raw}, '[!！]'))`],
        [`${name}_n_questions`, `len(regexp_extract_all(${raw}, '[?？]'))`],
        [`${name}_upper_share`, share("\\p{Lu}")],
        [`${name}_digit_share`, share("\\p{Nd}")],
        [`${name}_han_share`, share("\\p{Han}")],
        [`${name}_tokens`, shaping.ngrams ? ngramSql(raw, shaping.ngrams) : words],
      ],
    });
  },
};

const unspaced = "\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Thai}";
const wordPattern = `[${unspaced}]|[^\\P{L}${unspaced}]+|[\\p{N}]+`;

function ngramSql(raw: string, sizes: readonly number[]): string {
  const squeezed = `trim(regexp_replace(lower(${raw}), '\\s+', ' ', 'g'))`;
  const grams = sizes.map(
    (size) =>
      `list_transform(range(1, length(${squeezed}) - ${size - 2}), lambda i: substr(${squeezed}, i, ${size}))`,
  );
  return grams.length === 1 ? grams[0] : `list_concat(${grams.join(", ")})`;
}
