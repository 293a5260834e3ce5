import { listed, nearest, ShopaiError } from "../core/errors.js";
import { ident, literal, numeric } from "../engine/sql.js";
import { columnNamed, type Relation } from "../table/relation.js";
import type { Roles } from "./learner.js";
import type { ParamValue } from "./params.js";

/** The column of weights that class weights add. */
const weightColumn = "class_weight";
/** Classes that are named in an error. */
const mostNamed = 1000;

/**
 * Rows that count by their class: a row of a class that has a weight counts that much, times its own weight.
 *
 * @param weights by class, above 0; classes that are not there count as they are
 * @returns the rows with the column of weights, and the roles that name it
 * @throws ShopaiError "usage" for a weight that is none, "data" for a class that the target does not have
 */
export async function withClassWeights(
  relation: Relation,
  roles: Roles,
  weights: Readonly<Record<string, ParamValue>>,
): Promise<{ relation: Relation; roles: Roles }> {
  const target = columnNamed(relation, roles.target!, "--target").name;
  const numbers = Object.entries(weights).map(([name, given]): [string, number] => [name, Number(given)]);
  const bad = numbers.find(([, weight]) => !(weight > 0 && Number.isFinite(weight)));
  if (bad)
    throw new ShopaiError(
      "usage",
      `the weight of a class must be above 0, got ${bad[0]}=${String(weights[bad[0]])}`,
      {
        where: "--class-weight",
      },
    );
  const found = await relation.engine.rows<{ name: string }>(
    `SELECT DISTINCT ${ident(target)}::VARCHAR AS name FROM (${relation.sql}) WHERE ${ident(target)} IS NOT NULL ORDER BY name LIMIT ${mostNamed}`,
  );
  const known = found.map(({ name }) => name);
  const unknown = numbers.find(([name]) => !known.includes(name));
  if (unknown)
    throw new ShopaiError(
      "data",
      `the target ${target} has no class "${unknown[0]}" (it has ${listed(known)})`,
      {
        where: "--class-weight",
        try: nearest(unknown[0], known),
      },
    );
  if (relation.schema.some(({ name }) => name.toLowerCase() === weightColumn))
    throw new ShopaiError("data", `class weights add a column ${weightColumn}, and the table has one`, {
      where: relation.name,
      try: "renaming it",
    });
  const cases = numbers.map(
    ([name, weight]) => `WHEN ${ident(target)}::VARCHAR = ${literal(name)} THEN ${numeric(weight)}`,
  );
  const { weight } = roles;
  const own = weight === undefined ? "1.0" : `${ident(weight)}::DOUBLE`;
  return {
    relation: {
      ...relation,
      sql: `SELECT *, (CASE ${cases.join(" ")} ELSE 1.0 END)::DOUBLE * ${own} AS ${weightColumn} FROM (${relation.sql})`,
      schema: [
        ...relation.schema.filter(({ name }) => name !== weight),
        { name: weightColumn, type: "DOUBLE" },
      ],
    },
    roles: { ...roles, weight: weightColumn },
  };
}
