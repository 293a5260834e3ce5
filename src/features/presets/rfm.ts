import { ident } from "../../engine/sql.js";
import type { RoleFinder } from "../roles.js";
import type { Spec } from "../spec.js";
import type { Preset } from "./preset.js";

/**
 * Recency, frequency, monetary value per customer, scores 1-5 by exact quantiles of the train rows (5 is
 * best; equal values get equal scores), and the segment that recency and frequency scores name.
 *
 * Hughes (1994), Strategic Database Marketing; segment names as in the usual 10-segment map.
 */
export const rfm: Preset = {
  name: "rfm",
  summary: "recency, frequency, monetary value, scores and segment per customer",
  spec(roles) {
    const user = roles.need("user");
    const time = roles.need("time");
    const amount = amountOf(roles);
    const order = roles.may("order");
    return {
      entity: [user.name],
      time: time.name,
      derive: amount.derive,
      windows: ["all"],
      aggregates: [
        { recency: ["*"], as: "recency_days" },
        { frequency: [order?.name ?? "*"], as: "frequency" },
        ...(amount.column ? [{ monetary: [amount.column], as: "monetary" }] : []),
        "first",
        "last",
        "tenure",
      ],
      ratios: amount.column ? [{ of: "monetary", per: "frequency", as: "average_basket" }] : undefined,
      bins: [
        { of: "recency_days", into: 5, descending: true, as: "r_score" },
        { of: "frequency", into: 5, descending: false, as: "f_score" },
        ...(amount.column ? [{ of: "monetary", into: 5, descending: false, as: "m_score" }] : []),
      ],
      then: { segment: segmentSql },
    };
  },
};

/** The column of money: the value, or price times quantity. */
export function amountOf(roles: RoleFinder): { column?: string; derive?: Spec["derive"] } {
  const value = roles.may("value");
  if (value) return { column: value.name };
  const price = roles.may("price");
  const quantity = roles.may("quantity");
  if (!price || !quantity) return {};
  return { column: "amount", derive: { amount: `${ident(price.name)} * ${ident(quantity.name)}` } };
}

/** Recency score, then frequency score, as they are read: the first line that fits. */
const segments: readonly [r: string, f: string, name: string][] = [
  ["IN (1, 2)", "IN (1, 2)", "hibernating"],
  ["IN (1, 2)", "IN (3, 4)", "at_risk"],
  ["IN (1, 2)", "= 5", "cannot_lose"],
  ["= 3", "IN (1, 2)", "about_to_sleep"],
  ["= 3", "= 3", "need_attention"],
  ["IN (3, 4)", "IN (4, 5)", "loyal"],
  ["= 4", "= 1", "promising"],
  ["= 5", "= 1", "new_customers"],
  ["IN (4, 5)", "IN (2, 3)", "potential_loyalists"],
  ["= 5", "IN (4, 5)", "champions"],
];
const segmentSql = `CASE ${segments.map(([r, f, name]) => `WHEN r_score ${r} AND f_score ${f} THEN '${name}'`).join(" ")} END`;
