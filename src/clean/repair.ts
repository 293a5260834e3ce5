import { literal } from "../engine/sql.js";
import type { ContractColumn } from "./contract.js";

/** Space, tab, line end, no-break space, the wide space of Chinese and Japanese texts. */
const spaces = [" ", "\t", "\n", "\u00a0", "\u3000"];

/** Words that people and programs write where they know nothing. */
export const wordsForNothing: readonly string[] = [
  ...["n/a", "na", "n.a.", "#n/a", "null", "none", "nan", "nil", "missing", "unknown", "-", "--", "?"],
];

/**
 * A text as a contract wants it, before it is given a type: Unicode form, outer spaces, replacements, words
 * that mean "nothing", case; in this order.
 *
 * @param plain SQL that is true where the text is plain ASCII, not empty, without outer spaces
 */
export function normalisedText(column: ContractColumn, text: string, plain?: string): string {
  let sql = text;
  if (column.unicode === "nfc") sql = `nfc_normalize(${sql})`;
  if (column.unicode === "nfkc") sql = compatibleForm(sql);
  if (column.trim === "collapse") sql = `regexp_replace(${sql}, '[\\s\u00a0\u202f\u3000]+', ' ', 'g')`;
  if (column.trim !== false) sql = trimmed(sql);
  if (plain !== undefined && column.trim !== "collapse") {
    if (isLeftAlone(column))
      return `CASE WHEN ${plain} THEN ${text} ELSE ${withoutNullWords(sql, column.nullWords)} END`;
    sql = `CASE WHEN ${plain} THEN ${text} ELSE ${sql} END`;
  }
  if (column.replace) {
    const pairs = Object.entries(column.replace).map(
      ([from, to]) => ` WHEN ${literal(from)} THEN ${literal(to)}`,
    );
    if (pairs.length > 0) sql = `CASE ${sql}${pairs.join("")} ELSE ${sql} END`;
  }
  sql = withoutNullWords(sql, column.nullWords);
  if (column.case) sql = `${column.case}(${sql})`;
  return sql;
}

/** Whether a contract does nothing to the text of a column but to normalise and trim it. */
export const isLeftAlone = (column: ContractColumn): boolean =>
  column.trim !== "collapse" &&
  column.replace === undefined &&
  column.case === undefined &&
  column.nullWords.every((word) => word === "");

/** Trimming costs ten times a look at both ends, so it looks first. */
function trimmed(text: string): string {
  const ends = spaces.map((space) => `suffix(${text}, ${literal(space)})`);
  return `CASE WHEN ${text} < '!' OR ${text} >= '\u0080' OR ${ends.join(" OR ")} THEN trim(${text}, ${literal(spaces.join(""))}) ELSE ${text} END`;
}

function withoutNullWords(text: string, words: readonly string[]): string {
  const wordy = words.filter((word) => word !== "");
  const sql = words.includes("") ? `nullif(${text}, '')` : text;
  if (wordy.length === 0) return sql;
  return `CASE WHEN lower(${text}) IN (${wordy.map((word) => literal(word.toLowerCase())).join(", ")}) THEN NULL ELSE ${sql} END`;
}

/** NFKC, which DuckDB lacks; ASCII texts have it already and never leave the engine. */
const compatibleForm = (text: string): string =>
  `CASE WHEN strlen(${text}) = length(${text}) THEN ${text} ELSE shopai_nfkc(${text}) END`;
