import { listed, ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import { isNumeric, kindOf, unknownColumn, type Relation } from "../table/relation.js";
import type { Roles } from "./learner.js";

/**
 * The feature columns that names and globs choose, in the order of the table.
 *
 * @throws ShopaiError "data" naming every column that is not there or of a type that cannot be a feature
 */
export function chosenFeatures(
  relation: Relation,
  roles: Roles,
  patterns: readonly string[] | undefined,
  fits: (type: string) => boolean = isFeature,
): Field[] {
  const taken = new Set(Object.values(roles));
  const free = relation.schema.filter((field) => !taken.has(field.name));
  const wanted = (patterns ?? []).filter((pattern) => !pattern.startsWith("-"));
  const unwanted = (patterns ?? [])
    .filter((pattern) => pattern.startsWith("-"))
    .map((pattern) => pattern.slice(1));
  for (const pattern of [...wanted, ...unwanted])
    if (!relation.schema.some((field) => matches(field.name, pattern)))
      throw unknownColumn(pattern, relation, "--features");
  const named = wanted.find((pattern) => taken.has(pattern));
  if (named !== undefined) {
    const role = Object.entries(roles).find(([, name]) => name === named)![0];
    throw new ShopaiError("usage", `${named} is the --${role} and cannot be a feature as well`, {
      try: `--features without ${named}`,
    });
  }
  const chosen = free.filter(
    (field) =>
      (wanted.length > 0 ? wanted.some((pattern) => matches(field.name, pattern)) : field.name !== "split") &&
      !unwanted.some((pattern) => matches(field.name, pattern)),
  );
  if (chosen.length === 0)
    throw new ShopaiError("data", "no feature column is left to learn from", {
      where: relation.name,
      try: "--features with other names",
    });
  const unfit = chosen.filter((field) => !fits(field.type));
  if (unfit.length > 0)
    throw new ShopaiError(
      "data",
      `${unfit.length === 1 ? "a column" : "columns"} of a type that cannot be a feature: ${listed(unfit.map((field) => `${field.name} (${field.type})`))}`,
      {
        where: relation.name,
        try: `--features ${unfit.map((field) => `-${field.name}`).join(",")}`,
      },
    );
  return chosen;
}

/** Numbers, booleans and texts are features as they are. */
export function isFeature(type: string): boolean {
  return isNumeric(type) || kindOf(type) === "boolean" || kindOf(type) === "text";
}

/** Dates and times can be read as features; nested values cannot. */
export function isReadable(type: string): boolean {
  return isFeature(type) || ["date", "timestamp", "time"].includes(kindOf(type));
}

function matches(name: string, pattern: string): boolean {
  if (name === pattern) return true;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(name);
}
