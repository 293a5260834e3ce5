import { ShopaiError } from "../core/errors.js";

/** A name as columns are called here: `CustomerID` → customer_id, `New Visitor!` → new_visitor; letters of every script stay. */
export function snake(name: string): string {
  return name
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1_$2")
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, "$1_$2")
    .replace(/[^\p{L}\p{N}]+/gu, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
}

/** Names made different by a number at the end where two are equal (case does not tell names apart in SQL). */
export function distinctNames(names: readonly string[], taken: readonly string[] = []): string[] {
  const used = new Set(taken.map((name) => name.toLowerCase()));
  return names.map((name) => {
    let unique = name;
    for (let i = 2; used.has(unique.toLowerCase()); i++) unique = `${name}_${i}`;
    used.add(unique.toLowerCase());
    return unique;
  });
}

/** A stretch of time before `as_of`. */
export interface Window {
  /** As it stands at the end of a column's name: `30d`; empty for all that came before. */
  label: string;
  /** SQL interval, or undefined for all that came before. */
  interval?: string;
  /** Days it holds, for trends and for finding the widest. */
  days: number;
}

const units: Record<string, { sql: string; days: number }> = {
  h: { sql: "HOUR", days: 1 / 24 },
  d: { sql: "DAY", days: 1 },
  w: { sql: "DAY", days: 7 },
};

/** The window meant by `12h`, `30d`, `4w` or `all`. @throws ShopaiError "usage" */
export function windowOf(text: string): Window {
  if (text === "all") return { label: "", days: Infinity };
  const match = /^([1-9]\d{0,4})([hdw])$/.exec(text);
  if (!match) throw new ShopaiError("usage", `"${text}" is not a window`, { try: "7d, 12h, 4w or all" });
  const count = Number(match[1]);
  const unit = units[match[2]];
  const steps = match[2] === "w" ? count * 7 : count;
  return { label: text, interval: `INTERVAL ${steps} ${unit.sql}`, days: count * unit.days };
}
