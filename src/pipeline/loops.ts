import { z } from "zod";
import { listed, nearest } from "../core/errors.js";
import { yamlError, type YamlPath, type YamlSource } from "../core/yaml-source.js";
import { interpolated } from "./interpolate.js";
import type { ParamValue } from "./params.js";

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const item = z.union([scalar, z.record(z.string(), scalar)]);
const reference = z.string().regex(/^\$\{[^}]+\}$/, "a list, a mapping, or one ${params.…} that is a list");

/** The keys of a stage that make several of it. */
export const loopSchema = {
  /** One stage for every item of a list (`${item}`), or every entry of a mapping (`${key}`, `${item}`). */
  foreach: z.union([z.array(item), z.record(z.string(), item), reference]).optional(),
  /** One stage for every combination (`${matrix.<name>}`). */
  matrix: z.record(z.string(), z.union([z.array(scalar).min(1), reference])).optional(),
};
interface Loop {
  foreach?: z.output<NonNullable<typeof loopSchema.foreach>>;
  matrix?: z.output<NonNullable<typeof loopSchema.matrix>>;
}
type Scalar = string | number | boolean;
type Item = Scalar | Record<string, Scalar>;

/** What a turn of a loop can be referred to by: `item`, `item.<field>`, `key`, `matrix.<name>`. */
export type LoopValues = Readonly<Record<string, Scalar>>;

interface Turn {
  /** `forecast` for a stage that is no loop, `forecast@north` and `train@0.1-6` for the turns of one. */
  name: string;
  values: LoopValues;
}

interface Place {
  source: YamlSource;
  at: YamlPath;
  params: Readonly<Record<string, ParamValue>>;
}

/**
 * The turns of a stage: itself, or one for every item of `foreach` or combination of `matrix`.
 * @throws ShopaiError "usage" where a list is empty, or two turns would have one name
 */
export function unrolled(group: string, { foreach, matrix }: Loop, place: Place): Turn[] {
  if (foreach !== undefined && matrix !== undefined)
    throw yamlError(place.source, [...place.at, "matrix"], "a stage has foreach or matrix, not both", {
      at: "key",
      try: "matrix alone",
    });
  const turns =
    foreach !== undefined ? itemTurns(foreach, place) : matrix ? matrixTurns(matrix, place) : undefined;
  if (!turns) return [{ name: group, values: {} }];
  const named = turns.map(({ label, values }) => ({ name: `${group}@${plainLabel(label)}`, values }));
  const seen = new Set<string>();
  for (const { name } of named) {
    if (seen.has(name))
      throw yamlError(place.source, place.at, `two turns of the loop would be called ${name}`, {
        at: "key",
        try: "a mapping in foreach, whose keys are the names",
      });
    seen.add(name);
  }
  return named;
}

interface Labelled {
  label: string;
  values: LoopValues;
}

function itemTurns(foreach: NonNullable<Loop["foreach"]>, place: Place): Labelled[] {
  const at = [...place.at, "foreach"];
  const items = typeof foreach === "string" ? listIn(foreach, at, place) : foreach;
  const entries: [string | undefined, Item][] = Array.isArray(items)
    ? items.map((one) => [undefined, one])
    : Object.entries(items);
  if (entries.length === 0)
    throw yamlError(place.source, at, "foreach goes over nothing", { try: "foreach: [a, b]" });
  return entries.map(([key, one], i) => {
    const fields: [string, Scalar][] =
      typeof one === "object"
        ? Object.entries(one).map(([name, value]) => [`item.${name}`, value])
        : [["item", one]];
    return {
      label: key ?? (typeof one === "object" ? String(i + 1) : String(one)),
      values: Object.fromEntries([["key", key ?? i], ...fields]),
    };
  });
}

function matrixTurns(matrix: NonNullable<Loop["matrix"]>, place: Place): Labelled[] {
  if (Object.keys(matrix).length === 0)
    throw yamlError(place.source, [...place.at, "matrix"], "matrix goes over nothing", {
      try: "matrix: { depth: [4, 6] }",
    });
  let turns: Labelled[] = [{ label: "", values: {} }];
  for (const [name, given] of Object.entries(matrix)) {
    const at = [...place.at, "matrix", name];
    const values = typeof given === "string" ? listIn(given, at, place) : given;
    turns = turns.flatMap(({ label, values: before }) =>
      values.map((value) => ({
        label: label === "" ? String(value) : `${label}-${String(value)}`,
        values: { ...before, [`matrix.${name}`]: value },
      })),
    );
  }
  return turns;
}

/** The list that a `${params.…}` stands for. */
function listIn(text: string, at: YamlPath, { source, params }: Place): Scalar[] {
  const value = interpolated(text, at, (name) => {
    const param = name.replace(/^params\./, "");
    if (name.startsWith("params.") && Object.hasOwn(params, param)) return params[param];
    const known = Object.keys(params).map((one) => `params.${one}`);
    throw yamlError(source, at, `unknown reference \${${name}}: a loop goes over parameters`, {
      try: nearest(name, known) ?? (known.length > 0 ? `one of ${listed(known)}` : "foreach: [a, b]"),
    });
  });
  if (Array.isArray(value) && value.length > 0) return value as Scalar[];
  throw yamlError(source, at, `${text} is ${Array.isArray(value) ? "an empty list" : "no list"}`, {
    try: "params with a list: stores: [north, south]",
  });
}

/** A value as a part of a file's name. */
const plainLabel = (label: string): string =>
  label.replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^\.+/, "") || "-";
