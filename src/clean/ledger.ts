import { ident, literal } from "../engine/sql.js";
import type { Action } from "./contract.js";

/** What is noted of a row: a rule that it broke, or a repair that was done to it. */
export interface Entry {
  /** Name in `by_rule`, such as `price.min`. */
  rule: string;
  /** `repair` for what was mended without a rule (trimming, a default, an imputed value), `duplicate` for a row that another one says already. */
  action: Action | "repair" | "duplicate";
  /** The mask column that holds its bit, and the bit. */
  mask: string;
  bit: number;
}

export interface Masks {
  names: string[];
  columns: string[];
}

/** Bits of a mask that are used: with 50 it is an exact double as well. */
const bitsPerMask = 50;

/**
 * Numbers the rules of a plan. Rows carry one bit a rule in a few BIGINT columns, so that a pass over the
 * table can say which rows broke which rules without building a text for every row.
 */
export class Ledger {
  readonly entries: Entry[] = [];
  #masks = 0;

  /** The mask columns that hold these conditions: their names, and `expression AS name`. */
  noted(conditions: readonly { rule: string; action: Entry["action"]; broken: string }[]): Masks {
    const masks: Masks = { names: [], columns: [] };
    for (let first = 0; first < conditions.length; first += bitsPerMask) {
      const mask = `_shopai_m${this.#masks++}`;
      const terms = conditions.slice(first, first + bitsPerMask).map(({ rule, action, broken }, bit) => {
        this.entries.push({ rule, action, mask, bit });
        return `CASE WHEN ${broken} THEN ${2 ** bit} ELSE 0 END`;
      });
      masks.names.push(mask);
      // Most rows break nothing: they are asked only whether they do.
      const any = conditions.slice(first, first + bitsPerMask).map(({ broken }) => `(${broken})`);
      masks.columns.push(
        `CASE WHEN ${any.join(" OR ")} THEN (${terms.join(" + ")})::BIGINT ELSE 0 END AS ${mask}`,
      );
    }
    return masks;
  }

  /** Whether any of the entries holds, over the mask columns. */
  holds(entries: readonly Entry[]): string {
    const byMask = new Map<string, number>();
    for (const { mask, bit } of entries) byMask.set(mask, (byMask.get(mask) ?? 0) + 2 ** bit);
    const parts = [...byMask].map(([mask, bits]) => `(${ident(mask)} & ${bits}) <> 0`);
    return parts.length > 0 ? `(${parts.join(" OR ")})` : "false";
  }

  /** The entries that mean one thing, so far: rejected, flagged… */
  of(...actions: Entry["action"][]): Entry[] {
    return this.entries.filter((entry) => actions.includes(entry.action));
  }

  /** Whether a row goes on after the steps so far: neither rejected nor a duplicate. */
  goesOn(): string {
    return `NOT ${this.holds(this.of("reject", "duplicate"))}`;
  }

  /** The names of the entries that hold for a row, joined; NULL when none does. */
  names(entries: readonly Entry[]): string {
    if (entries.length === 0) return "NULL::VARCHAR";
    const parts = entries.map(
      ({ rule, mask, bit }) => `CASE WHEN (${ident(mask)} & ${2 ** bit}) <> 0 THEN ${literal(rule)} END`,
    );
    return `nullif(concat_ws('; ', ${parts.join(", ")}), '')`;
  }
}
