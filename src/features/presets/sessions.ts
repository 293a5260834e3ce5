import { ident, literal, literalList } from "../../engine/sql.js";
import { kindOf } from "../../table/relation.js";
import { finite, sumOf } from "../exact.js";
import { planColumn, extended, tip } from "../plan.js";
import type { Preset } from "./preset.js";

/** Event types that count as a conversion unless others are named. */
const usualConversions = ["purchase", "order", "buy", "transaction", "checkout", "payment"];

/**
 * Sessions of each user: a new one begins after more than `gap` minutes without an event. One row per
 * session: number, begin, end, duration, events, distinct pages and items, money, whether it converted.
 */
export const sessions: Preset = {
  name: "sessions",
  summary: "events cut into sessions by a gap: duration, pages, conversion",
  roles(roles) {
    roles.need("user");
    roles.need("time");
    roles.may("event");
    roles.may("item");
    roles.may("page");
    roles.may("value");
  },
  build(plan, shaping) {
    const { user, time, event, item, page, value } = shaping.roles;
    const u = ident(user!);
    const at = `CAST(${ident(time!)} AS TIMESTAMP)`;
    const keys = plan.key.map(ident).join(", ");
    const order = [`moment`, ...(keys ? [keys] : [])].join(", ");
    const carried = [...new Set([event, item, page, value, ...plan.key].filter((name) => name !== undefined))]
      .filter((name) => name !== user)
      .map(ident);
    const conditions = [`${u} IS NOT NULL`, `${ident(time!)} IS NOT NULL`];
    if (shaping.asOf) conditions.push(`${at} < TIMESTAMP ${literal(shaping.asOf)}`);
    const converted =
      event &&
      `coalesce(bool_or(list_contains(${literalList(shaping.conversion ?? usualConversions)}, lower(CAST(${ident(event)} AS VARCHAR)))), false)`;
    const money = value === undefined ? undefined : planColumn(plan, value);
    const list = [
      u,
      "session",
      "min(moment) AS started_at",
      "max(moment) AS ended_at",
      "(epoch_us(max(moment)) - epoch_us(min(moment))) / 60000000.0::DOUBLE AS duration_minutes",
      "count(*) AS n_events",
      ...(page ? [`count(DISTINCT ${ident(page)}) AS n_pages`] : []),
      ...(item ? [`count(DISTINCT ${ident(item)}) AS n_items`] : []),
      ...(money && kindOf(money.type) !== "text"
        ? [`${sumOf(finite(ident(money.name), money.type), money.type)} AS value`]
        : []),
      ...(converted ? [`${converted} AS converted`] : []),
    ];
    return extended(
      plan,
      [
        {
          name: "moments",
          sql: `SELECT ${[u, `${at} AS moment`, ...carried].join(", ")}\nFROM ${tip(plan)}\nWHERE ${conditions.join(" AND ")}`,
        },
        {
          name: "gaps",
          sql: `SELECT *, lag(moment) OVER (PARTITION BY ${u} ORDER BY ${order}) AS before\nFROM moments`,
        },
        {
          name: "numbered",
          sql: `SELECT *, CAST(count(*) FILTER (WHERE before IS NULL OR epoch_us(moment) - epoch_us(before) > ${Math.round(shaping.gap * 60_000_000)}) OVER (PARTITION BY ${u} ORDER BY ${order} ROWS UNBOUNDED PRECEDING) AS INTEGER) AS session\nFROM gaps`,
        },
        { name: "sessions", sql: `SELECT ${list.join(", ")}\nFROM numbered\nGROUP BY ${u}, session` },
      ],
      [user!, "session"],
    );
  },
};
