import { ShopaiError } from "../core/errors.js";
import type { Engine } from "./engine.js";
import { literal } from "./sql.js";

/**
 * Checks that a user's text is one SQL predicate over the columns at hand: no second statement, no
 * subquery, no table, no function that reads anything but its arguments, so that it can depend on
 * nothing but the row it is given.
 *
 * @param columns that are at hand for sure: one may be called `user`
 * @throws ShopaiError "usage" naming what stands in the text and may not
 */
export async function checkPredicate(
  engine: Engine,
  predicate: string,
  option = "--where",
  columns: readonly string[] = [],
): Promise<void> {
  await checkExpression(engine, predicate, { option, columns }, (text) => `SELECT 1 WHERE (${text}\n)`);
}

/** As `checkPredicate`, for a scalar expression (a derived column, a rule of a contract). */
export async function checkScalar(
  engine: Engine,
  expression: string,
  option: string,
  columns: readonly string[] = [],
): Promise<void> {
  await checkExpression(engine, expression, { option, columns }, (text) => `SELECT (${text}\n) AS value`);
}

type SqlNode = Record<string, unknown> & { type?: string; class?: string };

interface Parsed {
  error: boolean;
  error_message?: string;
  statements?: { node: SqlNode }[];
}

async function checkExpression(
  engine: Engine,
  text: string,
  { option, columns }: { option: string; columns: readonly string[] },
  wrap: (text: string) => string,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new ShopaiError("usage", `${option} is not one SQL expression: ${why}`, {
      where: text,
      try: "a plain expression such as \"price > 0 and country = 'NO'\"",
    });
  };
  if (text.trim() === "") refuse("it is empty");
  const parsed = await parse(engine, wrap(text));
  if (parsed.error) refuse(parsed.error_message?.split("\n")[0] ?? "it does not parse");
  if (parsed.statements?.length !== 1) refuse("it holds more than one statement");
  const { node } = parsed.statements![0];
  const [plain] = (await parse(engine, wrap("1 = 1"))).statements!;
  if (frameOf(node) !== frameOf(plain.node)) refuse("it holds more than an expression");
  for (const inner of nodesOf(node)) {
    const why = faultOf(inner, columns);
    if (why) refuse(why);
  }
}

async function parse(engine: Engine, sql: string): Promise<Parsed> {
  const [{ tree }] = await engine.rows<{ tree: string }>(
    `SELECT json_serialize_sql(${literal(sql)}) AS tree`,
  );
  return JSON.parse(tree) as Parsed;
}

/** A statement without the expression in it: two texts that were wrapped alike differ there alone, or one broke out. */
function frameOf(node: SqlNode): string {
  const list = node.select_list as SqlNode[] | undefined;
  return JSON.stringify({
    ...node,
    where_clause: Boolean(node.where_clause),
    select_list: list?.map((item) => item.alias),
  });
}

/** Kinds of expression that look beyond the row. */
const farSighted: Record<string, string> = {
  SUBQUERY: "a subquery may not stand here",
  WINDOW: "a window over other rows may not stand here",
  PARAMETER: "a parameter may not stand here",
  STAR: "* may not stand here",
};

/** Functions whose value is not made of their arguments alone: clock, chance, session, catalog, effects. */
const farSightedFunctions =
  /^(ago|current_.*|get_current_.*|getenv|getvariable|today|now|transaction_timestamp|random|setseed|uuid(v4|v7)?|gen_random_uuid|nextval|currval|stats|sleep_ms|write_log|error|query|query_table|txid_current|in_search_path|user|session_user|version|has_.*privilege|pg_.*|inet_.*|col_description|obj_description|shobj_description)$/i;

/** Names that the engine takes for functions of the clock or the session where no column is called so. */
const farSightedNames =
  /^(current_date|current_time|current_timestamp|localtime|localtimestamp|user|current_user|session_user|current_role|current_catalog|current_schema)$/i;

function faultOf(node: SqlNode, columns: readonly string[]): string | undefined {
  if (node.class && farSighted[node.class]) return farSighted[node.class];
  if (node.type === "TABLE_FUNCTION" || node.type === "BASE_TABLE" || node.type === "JOIN")
    return "it reads a table or a file";
  if (node.class === "FUNCTION" && farSightedFunctions.test(String(node.function_name)))
    return `${String(node.function_name)}() may not stand here`;
  const names = node.class === "COLUMN_REF" ? (node.column_names as string[]) : [];
  const known = (name: string): boolean =>
    columns.some((column) => column.toLowerCase() === name.toLowerCase());
  if (names.length === 1 && farSightedNames.test(names[0]) && !known(names[0]))
    return `${names[0]} may not stand here`;
  return undefined;
}

function* nodesOf(node: unknown): Generator<SqlNode> {
  if (Array.isArray(node)) for (const inner of node) yield* nodesOf(inner);
  else if (node !== null && typeof node === "object") {
    yield node as SqlNode;
    for (const inner of Object.values(node)) yield* nodesOf(inner);
  }
}
