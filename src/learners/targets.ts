import { listed, nearest, ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Field } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { isNumeric, kindOf, source, type Relation } from "../table/relation.js";

/** The most classes that a target may have. */
const mostClasses = 1000;
/** Different whole numbers up to which a target may be one of classes. */
const fewNumbers = 10;

/** The rows that have a value in a column. */
export function having(rows: Relation, name: string): Relation {
  return { ...rows, sql: `SELECT * FROM ${source(rows)} WHERE ${ident(name)} IS NOT NULL` };
}

/** The rows whose target is known; says how many are not. */
export async function withTarget(relation: Relation, name: string, run: Run): Promise<Relation> {
  const [{ missing, known }] = await relation.engine.rows<{ missing: bigint; known: bigint }>(
    `SELECT count(*) - count(${ident(name)}) AS missing, count(${ident(name)}) AS known FROM (${relation.sql})`,
  );
  if (missing === 0n) return relation;
  if (known === 0n)
    throw new ShopaiError("data", `the target ${name} has no value in any row`, { where: relation.name });
  run.warn(
    `${missing === 1n ? "1 row has" : `${grouped(missing)} rows have`} no ${name} and ${missing === 1n ? "is" : "are"} left out of training`,
  );
  return having(relation, name);
}

export async function checkNumericTarget(relation: Relation, target: Field): Promise<void> {
  if (!isNumeric(target.type))
    throw new ShopaiError(
      "data",
      `the target ${target.name} is ${target.type}, and a regression needs numbers`,
      {
        where: relation.name,
        try: "a learner for classification (shopai learners)",
      },
    );
  const [{ bad }] = await relation.engine.rows<{ bad: bigint }>(
    `SELECT count(*) FILTER (NOT isfinite(${ident(target.name)}::DOUBLE)) AS bad FROM (${relation.sql})`,
  );
  if (bad > 0n)
    throw new ShopaiError("data", `${bad} values of the target ${target.name} are NaN or infinite`, {
      where: relation.name,
      try: `--where 'isfinite(${ident(target.name)})'`,
    });
}

/** Whole numbers of which there are few may well be the numbers of classes. */
export async function warnOfFewNumbers(relation: Relation, { name, type }: Field, run: Run): Promise<void> {
  if (kindOf(type) !== "integer") return;
  const [{ few }] = await relation.engine.rows<{ few: boolean }>(
    `SELECT count(*) <= ${fewNumbers} AS few FROM (SELECT DISTINCT ${ident(name)} FROM (${relation.sql}) LIMIT ${fewNumbers + 1})`,
  );
  if (few)
    run.warn(
      `${name} has few different numbers and is learned as a number; if they are classes: --task classification`,
    );
}

/** A class and how many rows have it. */
export interface ClassCount {
  name: string;
  rows: bigint;
}

export async function classesOf(relation: Relation, target: Field): Promise<ClassCount[]> {
  const kind = kindOf(target.type);
  if (kind === "nested" || kind === "other")
    throw new ShopaiError("data", `the target ${target.name} is ${target.type}, which cannot be a class`, {
      where: relation.name,
    });
  const counts = await relation.engine.rows<ClassCount>(
    `SELECT ${ident(target.name)}::VARCHAR AS name, count(*) AS rows FROM (${relation.sql}) WHERE ${ident(target.name)} IS NOT NULL GROUP BY ${ident(target.name)} ORDER BY ${ident(target.name)} LIMIT ${mostClasses + 1}`,
  );
  if (counts.length === 1)
    throw new ShopaiError("data", `the target ${target.name} has one class only, ${counts[0].name}`, {
      where: relation.name,
      try: "rows of two classes or more",
    });
  if (counts.length > mostClasses)
    throw new ShopaiError("data", `the target ${target.name} has more than ${mostClasses} different values`, {
      where: relation.name,
      try: "a learner for regression (shopai learners), or fewer classes",
    });
  return counts;
}

/** `true`, 1 or yes, else the rarer class, else the latter in order; a name given by the user wins. */
export function positiveClass(
  classes: readonly ClassCount[],
  given: string | undefined,
  relation: Relation,
  target: string,
): string | undefined {
  const names = classes.map(({ name }) => name);
  if (given !== undefined && !names.includes(given)) {
    const near = nearest(given, names);
    throw new ShopaiError("data", `the target ${target} has no class "${given}" (it has ${listed(names)})`, {
      where: relation.name,
      try: `--positive ${near ?? names[names.length - 1]}`,
    });
  }
  if (classes.length > 2) {
    if (given === undefined) return undefined;
    throw new ShopaiError("usage", `--positive is for two classes, and ${target} has ${classes.length}`, {
      try: "leaving --positive out: every class gets a score of its own",
    });
  }
  const plain = names.find((name) => /^(true|1|1\.0|yes)$/i.test(name));
  return given ?? plain ?? (classes[0].rows < classes[1].rows ? names[0] : names[1]);
}
