import { listed, nearest, ShopaiError } from "../core/errors.js";
import { optionOf, ownNameOf } from "./other-names.js";

/** A whole number. */
export interface IntParam {
  kind: "int";
  default: number;
  min: number;
  max: number;
  help: string;
  /** Where tuning looks, ends included; absent for parameters that are no matter of quality. */
  search?: readonly [low: number, high: number];
  /** Search evenly in the logarithm. */
  log?: boolean;
}
/** A real number; `min` and `max` belong to the range. */
export interface RealParam extends Omit<IntParam, "kind"> {
  kind: "real";
}
/** One of a few names. */
export interface ChoiceParam<T extends string = string> {
  kind: "choice";
  default: T;
  choices: readonly T[];
  help: string;
  /** The names that tuning tries; absent for none. */
  search?: readonly T[];
}
export interface FlagParam {
  kind: "flag";
  default: boolean;
  help: string;
  search?: boolean;
}
/** Words that the learner reads itself, such as a list of columns. */
export interface TextParam {
  kind: "text";
  default: string;
  help: string;
  search?: undefined;
}
export type Param = IntParam | RealParam | ChoiceParam | FlagParam | TextParam;

/** The only list of a learner's parameters: help, checks, errors, search space and contract tests are made from it. */
export type ParamTable = Readonly<Record<string, Param>>;

/** The values that a table's parameters take. */
export type ParamsOf<T extends ParamTable> = {
  -readonly [K in keyof T]: T[K] extends IntParam | RealParam
    ? number
    : T[K] extends FlagParam
      ? boolean
      : T[K] extends ChoiceParam<infer C>
        ? C
        : T[K] extends TextParam
          ? string
          : never;
};
export type ParamValue = string | number | boolean;

interface NumberAbout {
  default: number;
  min: number;
  max?: number;
  help: string;
  search?: readonly [number, number];
  log?: boolean;
}

export const int = (about: NumberAbout): IntParam => ({
  kind: "int",
  max: Number.MAX_SAFE_INTEGER,
  ...about,
});
export const real = (about: NumberAbout): RealParam => ({ kind: "real", max: Number.MAX_VALUE, ...about });
export const flag = (about: Omit<FlagParam, "kind">): FlagParam => ({ kind: "flag", ...about });
export const text = (about: Omit<TextParam, "kind">): TextParam => ({ kind: "text", ...about });
export const choice = <const T extends string>(about: Omit<ChoiceParam<T>, "kind">): ChoiceParam<T> => ({
  kind: "choice",
  ...about,
});

/**
 * The values to fit with: what was given, checked, and defaults for the rest.
 *
 * @param owner name of the learner, for the errors
 * @throws ShopaiError "usage" naming the parameter, what it must be and what it was
 */
export function checkParams<T extends ParamTable>(
  owner: string,
  table: T,
  given: Readonly<Record<string, ParamValue>>,
): ParamsOf<T> {
  for (const name of Object.keys(given))
    if (!Object.hasOwn(table, name)) throw unknownParam(owner, table, name, given[name]);
  return Object.fromEntries(
    Object.entries(table).map(([name, param]) => [
      name,
      Object.hasOwn(given, name) ? checked(owner, name, param, given[name]) : param.default,
    ]),
  ) as ParamsOf<T>;
}

function unknownParam(owner: string, table: ParamTable, name: string, value: ParamValue): ShopaiError {
  const known = Object.keys(table);
  const option = optionOf(name);
  const near = ownNameOf(name, table) ?? nearest(name, known);
  const ways = option
    ? `--${option} ${String(value)}`
    : near && `--param ${near}=${fitting(table[near], value)}`;
  return new ShopaiError(
    "usage",
    `${owner} has no parameter "${name}" (it has ${known.length > 0 ? listed(known, 30) : "none"})`,
    { try: ways ?? `shopai learners ${owner}` },
  );
}

/** The value that was given where the parameter can take it, else what it is by default. */
const fitting = (param: Param, value: ParamValue): string =>
  String(fits(param, value) ? value : param.default);

function fits(param: Param, value: ParamValue): boolean {
  if (param.kind === "text") return typeof value === "string";
  if (param.kind === "flag") return typeof value === "boolean";
  if (param.kind === "choice") return param.choices.includes(String(value));
  const inRange = typeof value === "number" && value >= param.min && value <= param.max;
  return inRange && (param.kind === "real" || Number.isInteger(value));
}

function checked(owner: string, name: string, param: Param, value: ParamValue): ParamValue {
  if (fits(param, value)) return param.kind === "choice" ? String(value) : value;
  const near = param.kind === "choice" ? nearest(String(value), param.choices) : undefined;
  throw new ShopaiError(
    "usage",
    `${name} must be ${rangeOf(param)}, got ${value === "" ? '""' : String(value)}`,
    {
      where: `--param ${name} of ${owner}`,
      try: `--param ${name}=${near ?? String(param.default)}`,
    },
  );
}

/** What values a parameter takes, in words: "an integer from 1 to 100". */
export function rangeOf(param: Param): string {
  if (param.kind === "flag") return "true or false";
  if (param.kind === "text") return "a text";
  if (param.kind === "choice") return `one of ${param.choices.join(", ")}`;
  const what = param.kind === "int" ? "an integer" : "a number";
  const open = param.max >= (param.kind === "int" ? Number.MAX_SAFE_INTEGER : Number.MAX_VALUE);
  return open ? `${what} >= ${param.min}` : `${what} from ${param.min} to ${param.max}`;
}
