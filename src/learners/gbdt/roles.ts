import { ShopaiError } from "../../core/errors.js";
import type { Field } from "../../engine/engine.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { kindOf, type Relation } from "../../table/relation.js";
import type { TrainingData } from "../learner.js";
import { codesInOrder, codeSql } from "./columns.js";
import { queriesOf, type Queries } from "./lambdarank.js";
import { inOrder, type Expression } from "./streaming.js";

/** Target and weights alone. */
export async function labelsOf(
  data: TrainingData,
  run: Run,
): Promise<{ labels: Float32Array; weights?: Float32Array }> {
  const labels = new Float32Array(data.rows);
  const weights = data.roles.weight === undefined ? undefined : new Float32Array(data.rows);
  await inOrder(data.relation, roleSql(data, data.relation), run, (columns, from) => {
    labels.set(columns.get("target")!, from);
    weights?.set(columns.get("weight")!, from);
  });
  return { labels, weights };
}

/** Target and weight as numbers, by the names `target` and `weight`. */
export function roleSql(
  { target, classes, positive, roles }: TrainingData,
  { schema }: Relation,
): Map<string, Expression> {
  const named = new Map<string, Expression>();
  if (target) {
    const name = ident(target.name);
    const field = schema.find((own) => own.name === target.name) ?? target;
    if (!classes) named.set("target", { sql: `${name}::DOUBLE` });
    else if (positive === undefined) named.set("target", { sql: codeSql(name, classes) });
    else named.set("target", { sql: positiveSql(field, classes, positive) });
  }
  if (roles.weight !== undefined) named.set("weight", { sql: `${ident(roles.weight)}::DOUBLE` });
  return named;
}

/** SQL for 1 where a row is of the positive class, 0 for another, NULL for what is missing or no class. */
function positiveSql({ name, type }: Field, classes: readonly string[], positive: string): string {
  const isOf = (level: string): string => String(Number(level === positive));
  // Numbers are compared as such: their text is made row by row.
  if (kindOf(type) === "integer" && classes.every((level) => /^-?\d+$/.test(level)))
    return `CASE ${ident(name)} ${classes.map((level) => `WHEN ${level} THEN ${isOf(level)}`).join(" ")} END`;
  const code = codeSql(ident(name), classes);
  return `CASE ${code} ${classes.map((level, i) => `WHEN ${i} THEN ${isOf(level)}`).join(" ")} END`;
}

/** The rows of every query. @throws ShopaiError "data" for rows without one */
export async function queriesIn({ roles }: TrainingData, relation: Relation): Promise<Queries> {
  const name = roles.query!;
  const { codeOf } = await codesInOrder(relation, name);
  const missing = codeOf.reduce((sum, code) => sum + (code < 0 ? 1 : 0), 0);
  if (missing > 0)
    throw new ShopaiError("data", `${missing} rows have no ${name}, and rows are ranked within it`, {
      where: relation.name,
      try: `--where '${ident(name)} IS NOT NULL'`,
    });
  // Numbered as they first appear, so that they depend on the order of the rows alone.
  const numbers = new Map<number, number>();
  return queriesOf(
    codeOf.map((code) => {
      const known = numbers.get(code);
      if (known !== undefined) return known;
      numbers.set(code, numbers.size);
      return numbers.size - 1;
    }),
  );
}
