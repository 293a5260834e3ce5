import type { Relation } from "../table/relation.js";
import { kindOf } from "../table/relation.js";
import { ident } from "../engine/sql.js";
import { parseContract, type Contract, type ContractColumn } from "./contract.js";
import { normalisedText } from "./repair.js";
import { conversionOf, promisedType } from "./types.js";

/** Types that are tried on a text column, the narrowest first. A text that keeps none of them stays text. */
const candidates = ["boolean", "integer", "decimal(18,6)", "number", "date", "timestamp"] as const;

/**
 * The contract of a table that came without one: every text column gets the narrowest type that all of its
 * values have, and nothing else is asked. Leading zeros and numbers of more than 15 digits mark a column
 * of names, which stays text.
 */
export async function contractByValues(rows: Relation): Promise<Contract> {
  const named = parseContract(
    JSON.stringify({ columns: Object.fromEntries(rows.schema.map((field) => [field.name, {}])) }),
    rows.name,
  );
  const texts = named.columns.filter(
    (column) => kindOf(rows.schema.find((field) => field.name === column.name)!.type) === "text",
  );
  if (texts.length === 0) return named;
  const tests = texts.flatMap((column, i) => testsOf(named, column, i));
  const layers = [
    texts.map((column, i) => `${normalisedText(column, ident(column.name))} AS _shopai_t${i}`),
    tests.flatMap(({ name, guess }) => (guess === undefined ? [] : [`${guess} AS ${name}_guess`])),
    tests.map(({ name, value }) => `${value} AS ${name}_value`),
  ];
  const sql = layers.reduce((from, layer) => `SELECT *, ${layer.join(", ")} FROM (${from})`, rows.sql);
  const counted = [
    ...texts.flatMap((_, i) => [
      `count(_shopai_t${i}) AS present_${i}`,
      `bool_or(regexp_full_match(_shopai_t${i}, '[+-]?0[0-9]+|[+-]?[0-9]{16,}')) AS names_${i}`,
      `bool_and(lower(_shopai_t${i}) IN ('true', 'false')) AS words_${i}`,
    ]),
    ...tests.map((test) => `count(${test.name}_value) AS ${test.name}`),
  ];
  const [counts] = await rows.engine.rows<Record<string, bigint | boolean | null>>(
    `SELECT ${counted.join(", ")} FROM (${sql})`,
  );
  texts.forEach((column, i) => {
    if (counts[`present_${i}`] === 0n || counts[`names_${i}`] === true) return;
    column.type = candidates.find(
      (type, j) =>
        counts[`_shopai_c${i}_${j}`] === counts[`present_${i}`] &&
        (type !== "boolean" || counts[`words_${i}`] === true),
    );
  });
  return named;
}

function testsOf(contract: Contract, column: ContractColumn, i: number): Test[] {
  return candidates.map((candidate, j) => {
    const name = `_shopai_c${i}_${j}`;
    const type = promisedType(contract.source, { ...column, type: candidate })!;
    return { name, ...conversionOf(type, column, `_shopai_t${i}`, `${name}_guess`) };
  });
}

interface Test {
  name: string;
  guess?: string;
  value: string;
}
