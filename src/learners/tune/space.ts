import type { Rng } from "../../core/rng.js";
import type { ParamTable, ParamValue } from "../params.js";

/** One parameter that is searched. */
export type Axis =
  | { name: string; kind: "int" | "real"; low: number; high: number; log: boolean }
  | { name: string; kind: "choice"; choices: readonly ParamValue[] };

export type Params = Record<string, ParamValue>;

/** The parameters of a table that say where to search, without those that are given. */
export function searchSpace(table: ParamTable, given: Readonly<Record<string, unknown>> = {}): Axis[] {
  const axes: Axis[] = [];
  for (const [name, param] of Object.entries(table)) {
    if (!param.search || Object.hasOwn(given, name)) continue;
    if (param.kind === "flag") axes.push({ name, kind: "choice", choices: [false, true] });
    else if (param.kind === "choice") axes.push({ name, kind: "choice", choices: param.search });
    else {
      const [low, high] = param.search;
      axes.push({ name, kind: param.kind, low, high, log: param.log ?? false });
    }
  }
  return axes;
}

/** A point drawn evenly from the space, in the logarithm where the axis says so. */
export function drawn(axes: readonly Axis[], rng: Rng): Params {
  return Object.fromEntries(
    axes.map((axis) => [
      axis.name,
      axis.kind === "choice" ? axis.choices[rng.integer(axis.choices.length)] : valueAt(axis, rng.uniform()),
    ]),
  );
}

type NumberAxis = Extract<Axis, { kind: "int" | "real" }>;

/** Ends of a number's axis in the scale that it is searched in; integers own half a step on either side. */
function ends({ kind, low, high, log }: NumberAxis): [number, number] {
  const half = kind === "int" ? 0.5 : 0;
  return log ? [Math.log(Math.max(low - half, low / 2)), Math.log(high + half)] : [low - half, high + half];
}

/** The value at a place of an axis, 0 to 1. */
export function valueAt(axis: NumberAxis, place: number): number {
  const [from, to] = ends(axis);
  const scaled = from + place * (to - from);
  const value = axis.log ? Math.exp(scaled) : scaled;
  return Math.min(axis.high, Math.max(axis.low, axis.kind === "int" ? Math.round(value) : value));
}

/** The place of a value on an axis, 0 to 1. */
export function placeOf(axis: NumberAxis, value: number): number {
  const [from, to] = ends(axis);
  const scaled = axis.log ? Math.log(value) : value;
  return to > from ? Math.min(1, Math.max(0, (scaled - from) / (to - from))) : 0.5;
}
