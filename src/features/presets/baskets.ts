import { ident, literal } from "../../engine/sql.js";
import { finite, sumOf } from "../exact.js";
import { planColumn, extended, tip } from "../plan.js";
import type { Preset } from "./preset.js";

/** Orders as baskets: one row per order with the sorted list of its items, or one row per order and item (`--form long`). */
export const baskets: Preset = {
  name: "baskets",
  summary: "one row per order with its items, or one per order and item",
  roles(roles) {
    roles.need("order");
    roles.need("item");
    roles.may("user");
    roles.may("time");
    roles.may("quantity");
  },
  build(plan, shaping) {
    const { order, item, user, time, quantity } = shaping.roles;
    const o = ident(order!);
    const i = ident(item!);
    const conditions = [`${o} IS NOT NULL`, `${i} IS NOT NULL`];
    if (time && shaping.asOf)
      conditions.push(`CAST(${ident(time)} AS TIMESTAMP) < TIMESTAMP ${literal(shaping.asOf)}`);
    const units = quantity === undefined ? undefined : planColumn(plan, quantity);
    const common = [
      ...(user ? [`min(${ident(user)}) AS ${ident(user)}`] : []),
      ...(time ? [`min(${ident(time)}) AS ${ident(time)}`] : []),
    ];
    const amount = units
      ? [`${sumOf(finite(ident(units.name), units.type), units.type)} AS ${ident(units.name)}`]
      : [];
    const where = `FROM ${tip(plan)}\nWHERE ${conditions.join(" AND ")}`;
    const [sql, key] =
      shaping.form === "long"
        ? [
            `SELECT ${[o, i, ...common, "count(*) AS n_lines", ...amount].join(", ")}\n${where}\nGROUP BY ${o}, ${i}`,
            [order!, item!],
          ]
        : [
            `SELECT ${[o, ...common, `count(DISTINCT ${i}) AS n_items`, ...amount, `list_sort(list(DISTINCT ${i})) AS items`].join(", ")}\n${where}\nGROUP BY ${o}`,
            [order!],
          ];
    return extended(plan, [{ name: "baskets", sql }], key);
  },
};
