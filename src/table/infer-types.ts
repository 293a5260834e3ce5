import type { Engine } from "../engine/engine.js";
import { ident } from "../engine/sql.js";

/** The types that a column of text can turn out to be. */
export type TextType = "BIGINT" | "DOUBLE" | "BOOLEAN" | "DATE" | "TIMESTAMP" | "TIMESTAMP WITH TIME ZONE";

/** Every type, the narrower before the wider: a column gets the first that fits all its values. */
export const textTypes: readonly TextType[] = [
  "BIGINT",
  "DOUBLE",
  "BOOLEAN",
  "DATE",
  "TIMESTAMP",
  "TIMESTAMP WITH TIME ZONE",
];

/** A number as people write it: no leading zero, at most 15 digits before the point, an exponent only with a sign or after a point. */
const number =
  "-?(((0|[1-9][0-9]{0,14})(\\.[0-9]*)?|\\.[0-9]+)([eE][+-][0-9]{1,3})?|[0-9]\\.[0-9]+[eE][0-9]{1,3})";
const notFinite = "[+-]?([nN]a[nN]|[iI]nf(inity)?)";
const day = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const clock = "[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6}0{0,3})?)?";
const offset = "(Z|[+-][0-9]{2}(:?[0-9]{2})?)";

/**
 * What a text must satisfy to be read as a type without loss. Plain casts would also take `0x1F`,
 * `1_000`, ` 12 `, `12.7` as an integer, `infinity` as a date, and drop the offset of a time.
 */
const tests: Record<TextType, (column: string) => string> = {
  BIGINT: (c) => `${c} = TRY_CAST(${c} AS BIGINT)::VARCHAR`,
  DOUBLE: (c) => `regexp_full_match(${c}, '${number}|${notFinite}')`,
  BOOLEAN: (c) => `${c} IN ('true', 'false', 'True', 'False', 'TRUE', 'FALSE')`,
  DATE: (c) => `length(${c}) = 10 AND ${c} = TRY_CAST(${c} AS DATE)::VARCHAR`,
  TIMESTAMP: (c) =>
    `regexp_full_match(${c}, '${day}([ T]${clock})?') AND TRY_CAST(${c} AS TIMESTAMP) IS NOT NULL`,
  "TIMESTAMP WITH TIME ZONE": (c) =>
    `regexp_full_match(${c}, '${day}[ T]${clock} ?${offset}') AND TRY_CAST(${c} AS TIMESTAMPTZ) IS NOT NULL`,
};

/** Rows that rule types out cheaply before all rows are looked at. */
const sampledRows = 20_000;

/**
 * The type of each column of text, from every one of its values: the narrowest that all of them can be
 * read as without loss. A column without a value, or with one that fits nothing, has none and stays text.
 * Empty texts count as absent. `nan` and `inf` count as numbers where at least one number stands beside them.
 *
 * @param sql        a SELECT whose columns are VARCHAR
 * @param candidates the types to think of, by column
 */
export async function inferTypes(
  engine: Engine,
  sql: string,
  candidates: ReadonlyMap<string, readonly TextType[]>,
): Promise<Map<string, TextType>> {
  const left = await fitting(engine, `SELECT * FROM (${sql}) LIMIT ${sampledRows}`, candidates, "sample");
  const proven = await fitting(engine, sql, left, "whole");
  const typed = [...proven].filter(([, types]) => types.length > 0);
  return new Map(typed.map(([name, types]) => [name, types[0]]));
}

/** Columns that one query looks at: the time to plan it grows faster than their number. */
const columnsAtOnce = 250;

/** The candidates that no row contradicts; on the whole table at least one value must speak for them, too. */
async function fitting(
  engine: Engine,
  sql: string,
  candidates: ReadonlyMap<string, readonly TextType[]>,
  extent: "sample" | "whole",
): Promise<Map<string, TextType[]>> {
  const asked = [...candidates].filter(([, types]) => types.length > 0);
  const result = new Map<string, TextType[]>();
  for (let at = 0; at < asked.length; at += columnsAtOnce) {
    const some = asked.slice(at, at + columnsAtOnce);
    const filled = some.map(([name]) => `nullif(${ident(name)}, '') AS ${ident(name)}`);
    const verdicts = some.map(([name, types]) => verdictSql(ident(name), types, extent));
    const [row] = await engine.rows<{ verdicts: (number | null)[] }>(
      `SELECT [${verdicts.join(", ")}] AS verdicts FROM (SELECT ${filled.join(", ")} FROM (${sql}))`,
    );
    some.forEach(([name, types], i) => {
      const bits = row.verdicts[i] ?? (extent === "sample" ? ~0 : 0);
      result.set(
        name,
        types.filter((type) => bits & bitOf(type)),
      );
    });
  }
  return result;
}

const bitOf = (type: TextType): number => 1 << textTypes.indexOf(type);

/** The types that fit all values of a column, as bits of one aggregate: six of them would take ten times as long to plan. */
function verdictSql(column: string, types: readonly TextType[], extent: "sample" | "whole"): string {
  const bits = types.map((type) => `CASE WHEN ${tests[type](column)} THEN ${bitOf(type)} ELSE 0 END`);
  const fits = `bit_and(CASE WHEN ${column} IS NOT NULL THEN ${bits.join(" | ")} END)`;
  if (extent === "sample" || !types.includes("DOUBLE")) return fits;
  const hasDigits = `bool_or(regexp_matches(${column}, '[0-9]'))`;
  return `CASE WHEN ${hasDigits} THEN ${fits} ELSE ${fits} & ${~bitOf("DOUBLE")} END`;
}
