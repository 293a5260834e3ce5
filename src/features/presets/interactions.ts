import { ShopaiError } from "../../core/errors.js";
import { ident, literal, numeric } from "../../engine/sql.js";
import { sumOf } from "../exact.js";
import { planSql, extended, tip, type Plan } from "../plan.js";
import type { Preset, Shaping } from "./preset.js";

/**
 * One row per user and item: how often, when last, and a rating. The rating is the weighted mean of the
 * rating column where there is one, else the sum of the weights; a weight is that of the event's type
 * times 0.5^(age / half-life).
 */
export const interactions: Preset = {
  name: "interactions",
  summary: "one row per user and item: count, last time, weighted rating",
  roles(roles) {
    roles.need("user");
    roles.need("item");
    roles.may("time");
    roles.may("rating");
    roles.may("event");
  },
  async build(plan, shaping) {
    const user = shaping.roles.user!;
    const item = shaping.roles.item!;
    if (shaping.weights && !shaping.roles.event)
      throw new ShopaiError(
        "usage",
        "--weights needs the column of event types, and no name tells which it is",
        {
          where: plan.source.name,
          try: "--event <column>",
        },
      );
    const pairs = await extended(plan, interactionSteps(tip(plan), shaping), [user, item]);
    return cored(pairs, user, item, shaping.minUser ?? 0, shaping.minItem ?? 0);
  },
};

function interactionSteps(from: string, shaping: Shaping): { name: string; sql: string }[] {
  const { user, item, time, rating, event } = shaping.roles;
  const u = `t.${ident(user!)}`;
  const i = `t.${ident(item!)}`;
  const at = time && `CAST(t.${ident(time)} AS TIMESTAMP)`;
  const conditions = [`${u} IS NOT NULL`, `${i} IS NOT NULL`];
  if (at && shaping.asOf) conditions.push(`${at} < TIMESTAMP ${literal(shaping.asOf)}`);
  const types = event ? Object.entries(shaping.weights ?? {}) : [];
  const factors: string[] = [];
  if (types.length > 0) {
    conditions.push(`t.${ident(event!)} IN (${types.map(([type]) => literal(type)).join(", ")})`);
    factors.push(
      `CASE t.${ident(event!)} ${types.map(([type, weight]) => `WHEN ${literal(type)} THEN ${numeric(weight)}::DOUBLE`).join(" ")} END`,
    );
  }
  const decays = at !== undefined && shaping.halfLife !== undefined;
  if (decays) {
    const end = shaping.asOf ? `TIMESTAMP ${literal(shaping.asOf)}` : "latest.moment";
    factors.push(
      `pow(0.5, (epoch_us(${end}) - epoch_us(${at})) / (${numeric(shaping.halfLife!)} * 86400000000.0::DOUBLE))`,
    );
  }
  const weight = factors.length > 0 ? factors.join(" * ") : "1::DOUBLE";
  const stars = rating && `CAST(t.${ident(rating)} AS DOUBLE)`;
  const usable = rating && `${stars} IS NOT NULL AND isfinite(${stars})`;
  const value = stars
    ? `${sumOf(`${weight} * ${stars}`, "DOUBLE", ` FILTER (WHERE ${usable})`)} / nullif(${sumOf(weight, "DOUBLE", ` FILTER (WHERE ${usable})`)}, 0)`
    : sumOf(weight, "DOUBLE");
  const list = [u, i, "count(*) AS n", ...(at ? [`max(${at}) AS last_time`] : []), `${value} AS rating`];
  const latest = decays && !shaping.asOf;
  return [
    ...(latest
      ? [{ name: "latest", sql: `SELECT max(CAST(${ident(time!)} AS TIMESTAMP)) AS moment FROM ${from}` }]
      : []),
    {
      name: "pairs",
      sql: `SELECT ${list.join(", ")}\nFROM ${from} AS t${latest ? " CROSS JOIN latest" : ""}\nWHERE ${conditions.join(" AND ")}\nGROUP BY ${u}, ${i}`,
    },
  ];
}

/**
 * The k-core: users with fewer than `minUser` items and items with fewer than `minItem` users go, again
 * and again until none is left to go. What remains does not depend on the order of going.
 */
async function cored(
  plan: Plan,
  user: string,
  item: string,
  minUser: number,
  minItem: number,
): Promise<Plan> {
  if (minUser <= 1 && minItem <= 1) return plan;
  const { engine } = plan;
  const table = engine.fresh("pairs");
  await engine.run(`CREATE TABLE ${ident(table)} AS ${planSql(plan)}`);
  const rows = async (): Promise<bigint> =>
    (await engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${ident(table)}`))[0].n;
  const thin = (column: string, least: number): Promise<void> =>
    engine.run(
      `DELETE FROM ${ident(table)} WHERE ${ident(column)} IN (SELECT ${ident(column)} FROM ${ident(table)} GROUP BY ${ident(column)} HAVING count(*) < ${least})`,
    );
  for (let before = -1n, now = await rows(); now !== before;) {
    before = now;
    await thin(user, minUser);
    await thin(item, minItem);
    now = await rows();
  }
  const sql = `SELECT * FROM ${ident(table)}`;
  return { ...plan, steps: [{ name: "core", sql }], sketch: sql };
}
