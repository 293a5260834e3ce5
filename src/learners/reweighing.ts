import { ShopaiError } from "../core/errors.js";
import { codes, floats } from "../engine/frame.js";
import { ident, literal, numeric } from "../engine/sql.js";
import { columnNamed, frameOf, withExpression, type Relation } from "../table/relation.js";
import type { Roles } from "./learner.js";

/** The column of weights that reweighing adds. */
const weightColumn = "fair_weight";

/** What reweighing did: shares of the positive class, weighted, before and after. */
export interface Reweighing {
  group: string;
  factors: { group: string; class: string; rows: number; factor: number }[];
}

/**
 * Weights under which group and class are independent: every row of group g and class y gets
 * P(g) P(y) / P(g, y), times its own weight.
 *
 * Kamiran & Calders (2012), Data preprocessing techniques for classification without discrimination,
 * Knowledge and Information Systems 33, algorithm 3.
 *
 * @param group a column or an SQL expression
 * @returns the rows with the column of weights, and the roles that name it
 */
export async function reweighed(
  relation: Relation,
  roles: Roles,
  group: string,
): Promise<{ relation: Relation; roles: Roles; about: Reweighing }> {
  const grouped = await withExpression(relation, group, "--group");
  const target = columnNamed(relation, roles.target!, "--target").name;
  const { weight } = roles;
  if (relation.schema.some(({ name }) => name.toLowerCase() === weightColumn))
    throw new ShopaiError("data", `reweighing adds a column ${weightColumn}, and the table has one`, {
      where: relation.name,
      try: "renaming it",
    });
  const frame = await frameOf(grouped.relation, [
    { name: grouped.column, as: "code" },
    { name: target, as: "code" },
    ...(weight === undefined ? [] : [{ name: weight, as: "f64" } as const]),
  ]);
  const groups = codes(frame, grouped.column);
  const classes = codes(frame, target);
  const weights = weight === undefined ? undefined : floats(frame, weight);
  const [byGroup, byClass] = [groups, classes].map(({ levels }) => new Float64Array(levels.length));
  const both = new Float64Array(groups.levels.length * classes.levels.length);
  const rows = new Float64Array(both.length);
  let total = 0;
  for (let r = 0; r < frame.rows; r++) {
    const [g, y] = [groups.values[r], classes.values[r]];
    if (g < 0 || y < 0) continue;
    const own = weights ? weights[r] : 1;
    total += own;
    byGroup[g] += own;
    byClass[y] += own;
    both[g * classes.levels.length + y] += own;
    rows[g * classes.levels.length + y]++;
  }
  const factors = groups.levels.flatMap((name, g) =>
    classes.levels.flatMap((level, y) => {
      const at = g * classes.levels.length + y;
      const factor = (byGroup[g] * byClass[y]) / (total * both[at]);
      return both[at] > 0 ? [{ group: name, class: level, rows: rows[at], factor }] : [];
    }),
  );
  const cases = factors.map(
    (one) =>
      `WHEN ${ident(grouped.column)}::VARCHAR = ${literal(one.group)} AND ${ident(target)}::VARCHAR = ${literal(one.class)} THEN ${numeric(one.factor)}`,
  );
  const own = weight === undefined ? "1.0" : `${ident(weight)}::DOUBLE`;
  const sql = `SELECT *, (CASE ${cases.join(" ")} ELSE 1.0 END)::DOUBLE * ${own} AS ${weightColumn} FROM (${grouped.relation.sql})`;
  // The old weights and a group worked out by an expression are no features.
  const schema = relation.schema.filter(({ name }) => name !== weight);
  return {
    relation: { ...relation, sql, schema: [...schema, { name: weightColumn, type: "DOUBLE" }] },
    roles: { ...roles, weight: weightColumn },
    about: { group, factors },
  };
}
