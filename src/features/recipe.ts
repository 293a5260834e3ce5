import { ShopaiError } from "../core/errors.js";
import { ident } from "../engine/sql.js";
import type { Relation } from "../table/relation.js";
import { eventTypes, momentsOf, withAggregates, type Moments } from "./aggregates.js";
import { splitColumns, type Recipe } from "./featurize.js";
import { planOf, planSql, type Plan } from "./plan.js";
import type { Preset, PresetOptions, Shaping } from "./presets/preset.js";
import { RoleFinder, type RoleOptions } from "./roles.js";
import type { Spec } from "./spec.js";
import { splitColumn, withSplit, type SplitAsk, type SplitKind } from "./split.js";

/** Event types that get columns of their own unless they are named. */
const mostEventTypes = 8;

export interface PresetAsk {
  preset: Preset;
  roles: RoleOptions;
  options: PresetOptions;
  /** A spec that adds to the preset; its keys win. */
  spec?: Spec;
  moments?: Moments;
  /** The split to come, as asked for: what a preset learns, it learns from train rows. */
  split?: Omit<SplitAsk, "columns"> & { columns?: readonly string[] };
}

export interface PresetRecipe {
  recipe: Recipe;
  moments?: Moments;
  /** Columns that were found by their names, as the flags that would have named them. */
  guessed: string[];
  roles: RoleOptions;
}

/** The recipe that a preset stands for on a table: columns found, event types listed. */
export async function recipeOfPreset(source: Relation, ask: PresetAsk): Promise<PresetRecipe> {
  const plan = await planOf(source);
  const finder = new RoleFinder(plan, ask.roles, ask.preset.name);
  const { preset } = ask;
  if (!preset.spec) {
    preset.roles!(finder);
    const options: Shaping = { ...ask.options, asOf: oneMoment(preset, ask.moments), roles: finder.found };
    const spec: Spec = { time: finder.found.time, entity: entityOf(finder), ...ask.spec };
    return {
      recipe: { spec, shape: { preset: preset.name, options: { ...options } } },
      guessed: finder.guessed,
      roles: finder.found,
    };
  }
  let moments = ask.moments;
  const options = { ...ask.options };
  if (preset.name === "behaviour" && options.events === undefined && finder.may("event")) {
    const bare: Spec = {
      entity: [finder.need("user").name],
      time: finder.need("time").name,
      aggregates: ["count"],
    };
    moments = await momentsOf(plan, bare, moments);
    options.events = await typesSeen(plan, bare, finder.found.event!, moments, ask.split);
  }
  return {
    recipe: { spec: { ...preset.spec(finder, options, plan), ...ask.spec } },
    moments,
    guessed: finder.guessed,
    roles: finder.found,
  };
}

const entityOf = (finder: RoleFinder): string[] | undefined =>
  finder.found.user === undefined ? undefined : [finder.found.user];

function oneMoment(preset: Preset, moments: Moments | undefined): string | undefined {
  if (!moments) return undefined;
  if (moments.kind === "dates" && moments.dates.length === 1) return moments.dates[0];
  throw new ShopaiError("usage", `the preset ${preset.name} takes one moment for --as-of`, {
    try: "--as-of 2011-02-01, or --preset behaviour for many moments",
  });
}

async function typesSeen(
  plan: Plan,
  bare: Spec,
  event: string,
  moments: Moments,
  split: PresetAsk["split"],
): Promise<string[]> {
  const about = { event, time: bare.time!, entity: bare.entity![0], most: mostEventTypes };
  const dates = moments.kind === "dates" ? [...moments.dates].sort() : [];
  if (!split && moments.kind === "dates") return eventTypes(plan, { ...about, latest: dates.at(-1)! });
  // A table of moments is its own list of rows: no event need be joined to know which are train rows.
  let spine = await (moments.kind === "table" ? planOf(moments.rows) : withAggregates(plan, bare, moments));
  const columns = split?.columns ?? splitColumns((split?.kind ?? "random") as SplitKind, bare);
  if (split) spine = await withSplit(spine, { ...split, columns });
  const entity = ident(about.entity);
  const asOf = moments.kind === "table" ? moments.column : moments.kind === "row" ? about.time : "as_of";
  const isTrain = spine.columns.some((field) => field.name === splitColumn)
    ? ` WHERE ${ident(splitColumn)} = 'train'`
    : "";
  const train = `SELECT ${entity}, max(CAST(${ident(asOf)} AS TIMESTAMP)) AS as_of FROM (${planSql(spine)})${isTrain} GROUP BY ${entity}`;
  return eventTypes(plan, { ...about, latest: dates.at(-1) ?? "", train });
}
