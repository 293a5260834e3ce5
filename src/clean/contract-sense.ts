import { listed, nearest, type ShopaiError } from "../core/errors.js";
import { yamlError, type YamlPath, type YamlSource } from "../core/yaml-source.js";
import { mendable, type Contract, type ContractColumn, type ContractText } from "./contract.js";

/**
 * Refuses what a schema cannot see: rules that contradict each other, actions that cannot be done, names
 * that are not there.
 *
 * @throws ShopaiError "usage" with file, line, column and caret
 */
export function checkSense(contract: Contract, text: ContractText): void {
  checkNames(contract);
  for (const column of contract.columns) {
    checkActions(contract.source, column, text.columns[column.name]?.on);
    checkSteps(contract.source, column, text.columns[column.name]?.from !== undefined);
  }
  checkReferences(contract, text);
  checkRules(contract.source, text);
}

function checkNames({ source, columns }: Contract): void {
  const seen = new Map<string, string>();
  for (const { name } of columns) {
    const before = seen.get(name.toLowerCase());
    if (before !== undefined)
      throw yamlError(
        source,
        ["columns", name],
        `the columns "${before}" and "${name}" differ only in case`,
        {
          at: "key",
          try: "another name for one of them",
        },
      );
    seen.set(name.toLowerCase(), name);
    if (/^_shopai_|^_(flags|reason|source|line|raw)$/i.test(name))
      throw yamlError(source, ["columns", name], `the column name "${name}" is kept for shopai itself`, {
        at: "key",
        try: "another name",
      });
  }
}

function checkActions(
  source: YamlSource,
  { name }: ContractColumn,
  on: NonNullable<ContractText["columns"][string]>["on"],
): void {
  if (typeof on !== "object") return;
  for (const [rule, action] of Object.entries(on)) {
    const impossible =
      (action === "fix" && !mendable.has(rule)) ||
      (action === "null" && (rule === "required" || rule === "unique"));
    if (impossible)
      throw yamlError(
        source,
        ["columns", name, "on", rule],
        `"${rule}" of ${name} cannot be mended by ${action}`,
        {
          try: rule === "required" ? "default or impute, which fill it" : "reject, flag or fail",
        },
      );
  }
}

function checkSteps(source: YamlSource, column: ContractColumn, isRead: boolean): void {
  const { name, derive, impute, outliers } = column;
  const refuse = (key: string, message: string, advice: string): never => {
    throw yamlError(source, ["columns", name, key], message, { at: "key", try: advice });
  };
  if (derive !== undefined && isRead)
    refuse("derive", `${name} cannot be both derived and read`, "one of derive and from");
  if (derive !== undefined && (impute || outliers))
    refuse(
      impute ? "impute" : "outliers",
      `${name} is derived: imputation and outliers belong to the columns it is made of`,
      "moving this to a column that is read",
    );
  if (impute?.method === "constant" && impute.value === undefined)
    refuse("impute", "imputing a constant needs its value", "impute: { method: constant, value: 0 }");
  if (outliers?.method === "quantile" && (outliers.low ?? 0.01) >= (outliers.high ?? 0.99))
    refuse("outliers", "the lower quantile must be below the upper one", "low: 0.01, high: 0.99");
  if (
    column.min_length !== undefined &&
    column.max_length !== undefined &&
    column.min_length > column.max_length
  )
    refuse("max_length", "max_length is below min_length", `max_length: ${column.min_length}`);
  if (typeof column.min === "number" && typeof column.max === "number" && column.min > column.max)
    refuse("max", "max is below min", `max: ${column.min}`);
}

function checkReferences(contract: Contract, text: ContractText): void {
  const { source, columns } = contract;
  const known = columns.map((column) => column.name);
  const wanted = (path: YamlPath, name: string | undefined): void => {
    if (name !== undefined && !known.includes(name)) throw unknownAt(source, path, name, known);
  };
  const all = (path: YamlPath, names: readonly string[] | undefined): void =>
    names?.forEach((name, i) => wanted([...path, i], name));
  const derived = new Set(
    columns.filter((column) => column.derive !== undefined).map((column) => column.name),
  );

  all(["duplicates", "by"], text.duplicates?.by);
  wanted(["duplicates", "order_by"], text.duplicates?.order_by);
  const early = text.duplicates?.by?.findIndex((name) => derived.has(name)) ?? -1;
  if (early >= 0)
    throw yamlError(
      source,
      ["duplicates", "by", early],
      `${text.duplicates!.by![early]} is derived, and duplicates are removed before columns are derived`,
      { try: "keys, which are checked last, or a column that is read" },
    );
  text.keys?.forEach((key, i) => {
    if (typeof key === "string") wanted(["keys", i], key);
    else all(["keys", i, "columns"], key.columns);
  });
  text.foreign_keys?.forEach((key, i) => {
    all(["foreign_keys", i, "columns"], key.columns);
    if ((key.references ?? key.columns).length !== key.columns.length)
      throw yamlError(source, ["foreign_keys", i], "columns and references must be equally many", {
        try: "references: [as many as columns]",
      });
  });
  text.rules?.forEach((rule, i) => {
    all(["rules", i, "columns"], rule.columns);
    for (const name of Object.keys(rule.set ?? {})) wanted(["rules", i, "set", name], name);
  });
  for (const { name, impute, outliers } of columns) {
    all(["columns", name, "impute", "by"], impute?.by);
    wanted(["columns", name, "impute", "order_by"], impute?.order_by);
    all(["columns", name, "outliers", "by"], outliers?.by);
  }
}

function checkRules(source: YamlSource, text: ContractText): void {
  const seen = new Set<string>();
  text.rules?.forEach((rule, i) => {
    if (seen.has(rule.name))
      throw yamlError(source, ["rules", i, "name"], `two rules are called "${rule.name}"`, {
        try: "another name",
      });
    seen.add(rule.name);
    if (rule.on === "fix" && rule.set === undefined)
      throw yamlError(source, ["rules", i], `the rule "${rule.name}" says fix and not how`, {
        try: 'set: { column: "an SQL expression" }',
      });
    if (rule.on === "null" && rule.columns === undefined)
      throw yamlError(source, ["rules", i], `the rule "${rule.name}" says null and not which columns`, {
        try: "columns: [name]",
      });
  });
}

/** The error for a name in a contract that is none of its columns. */
export function unknownAt(
  source: YamlSource,
  path: YamlPath,
  name: string,
  known: readonly string[],
): ShopaiError {
  return yamlError(source, path, `"${name}" is not a column of the contract`, {
    try: nearest(name, known) ?? `one of ${listed(known)}`,
  });
}
