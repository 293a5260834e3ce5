import { grouped } from "../core/quantity.js";

/** A column of an inferred contract. */
export interface InferredColumn {
  name: string;
  rules: {
    type?: string;
    formats?: string[];
    null_words?: string[];
    required?: boolean;
    unique?: boolean;
    min?: number;
    max?: number;
    pattern?: string;
    values?: string[];
  };
  /** What somebody should decide. */
  note?: string;
}

/** An inferred contract as YAML, a line for each column. */
export function writtenContract(
  columns: readonly InferredColumn[],
  about: { name: string; rows: number },
): string {
  return [
    `# Inferred by shopai inspect from ${about.name.replace(/\s+/g, " ")} (${grouped(about.rows)} rows).`,
    "# Every row of it passes. Tighten what you know better: docs/data-contracts.md explains the keys.",
    "columns:",
    ...columns.map(columnLine),
    "# duplicates: { exact: true }   # leave out rows that repeat an earlier one",
    "",
  ].join("\n");
}

function columnLine({ name, rules, note }: InferredColumn): string {
  const parts = Object.entries(rules).map(([key, value]) => `${key}: ${flow(value)}`);
  const body = parts.length > 0 ? `{ ${parts.join(", ")} }` : "{}";
  return `  ${scalarText(name)}: ${body}${note ? ` # ${note}` : ""}`;
}

function flow(value: string | number | boolean | string[]): string {
  return Array.isArray(value) ? `[${value.map(scalarText).join(", ")}]` : scalarText(value);
}

const wordsThatMeanMore = /^(true|false|null|yes|no|on|off|y|n|nan|inf)$/i;

/** A scalar that YAML 1.1 and 1.2 both read back as it is: bare where that is safe, else in double quotes. */
function scalarText(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  const isSafe =
    /^[\p{L}_]([\p{L}\p{N}_.()/&' -]*[\p{L}\p{N}_.()])?$/u.test(value) && !wordsThatMeanMore.test(value);
  return isSafe ? value : JSON.stringify(value);
}
