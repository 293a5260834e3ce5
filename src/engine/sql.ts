import { ShopaiError } from "../core/errors.js";

/** An identifier as SQL text: any column name, however odd, as one quoted name. */
export function ident(name: string): string {
  if (name.includes("\u0000"))
    throw new ShopaiError("data", `a column name holds a NUL byte: ${JSON.stringify(name)}`);
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal. Values of users are bound instead; this is for texts that end up in a view or a plan. */
export function literal(text: string): string {
  if (text.includes("\u0000"))
    throw new ShopaiError("data", `a text holds a NUL byte: ${JSON.stringify(text)}`);
  return `'${text.replaceAll("'", "''")}'`;
}

/** A list of literals: `['a', 'b']`. */
export function literalList(texts: readonly string[]): string {
  return `[${texts.map(literal).join(", ")}]`;
}

/** A path as a literal for the file readers, where `[`, `*` and `?` would be read as a glob. */
export function pathLiteral(path: string): string {
  return literal(path.replace(/[[*?]/g, "[$&]"));
}

/** A finite number as SQL text that reads back to the same double. */
export function numeric(value: number): string {
  if (!Number.isFinite(value)) throw new ShopaiError("usage", `${value} is not a finite number`);
  return Number.isInteger(value) && Math.abs(value) < 1e15
    ? String(value)
    : `${value.toExponential()}::DOUBLE`;
}

/** An expression summing doubles exactly, whatever the order of rows: fixed point on a grid of 2^k (docs/determinism.md). */
export function exactSum(expression: string, k: string): string {
  return `(sum((${expression} * pow(2, ${k}))::BIGINT)::DOUBLE / pow(2, ${k}))`;
}
