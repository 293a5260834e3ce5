import { ShopaiError } from "../core/errors.js";
import type { Schema } from "../engine/engine.js";
import { ident, literal } from "../engine/sql.js";
import { isNumeric, kindOf, typedInstead } from "../table/relation.js";
import { deviationOf, filtered, finite, meanOf, sumOf, type Suffix } from "./exact.js";
import { distinctNames, snake, type Window } from "./naming.js";
import type { Step } from "./plan.js";

export const verbs = [
  "count",
  "sum",
  "mean",
  "std",
  "min",
  "max",
  "distinct",
  "recency",
  "frequency",
  "monetary",
  "trend",
  "entropy",
  "share",
  "first",
  "last",
  "tenure",
] as const;
export type Verb = (typeof verbs)[number];

/** One aggregate over the events of an entity in windows before `as_of`. */
export interface Aggregate {
  verb: Verb;
  /** The column it is over; absent where the verb counts events. */
  column?: string;
  /** Only events that satisfy this SQL predicate (checked by the caller). */
  where?: string;
  /** First part of the feature's name. */
  as?: string;
  windows: readonly Window[];
}

/** The moments at which features are worked out. Events at or after a moment are never seen by it. */
export type AsOf =
  | { kind: "dates"; dates: readonly string[] }
  /** A step with one row per (entity, moment), its other columns carried along; `key` orders its rows uniquely. */
  | { kind: "table"; step: string; schema: Schema; column: string; key: readonly string[] };

export interface WindowsAsk {
  /** The step that holds the events. */
  events: string;
  schema: Schema;
  entity: readonly string[];
  time: string;
  aggregates: readonly Aggregate[];
  asOf: AsOf;
}

/**
 * Point-in-time aggregates as SQL steps: for every (entity, as_of), events with
 * `as_of - window <= time < as_of`.
 *
 * One moment: a plain GROUP BY. Many: the range join of entity and time, then `FILTER` per window,
 * which measured fastest and smallest of five exact shapes (docs/features.md).
 */
export function windowSteps(ask: WindowsAsk): { steps: Step[]; key: string[] } {
  const shape = shapeOf(ask);
  const centres = ask.aggregates.filter((aggregate) => aggregate.verb === "std");
  const asides = ask.aggregates.filter((aggregate) => standsAside(shape, aggregate));
  const steps = [eventsStep(ask, shape)];
  const begin = beginOf(shape);
  if (begin) steps.push(earlierStep(ask, begin));
  if (!shape.single) steps.push(spineStep(ask));
  if (centres.length > 0) steps.push(centresStep(shape, centres));

  const features = ask.aggregates.flatMap((aggregate) => columnsOf(shape, aggregate));
  const names = features.map((feature) => feature.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice)
    throw new ShopaiError("usage", `two aggregates make the feature ${twice}`, { try: "as: another name" });

  const plain = features.filter((feature) => !asides.includes(feature.aggregate));
  steps.push({
    name: "aggregated",
    sql: `SELECT ${[...shape.group, `${shape.asOf} AS as_of`, ...plain.map((feature) => `${feature.sql} AS ${ident(feature.name)}`)].join(", ")}\nFROM ${shape.from(centres.length > 0)}\nGROUP BY ${shape.groupBy}`,
  });
  asides.forEach((aggregate, i) =>
    steps.push(
      (aggregate.verb === "entropy" ? entropyStep : distinctStep)(shape, aggregate, `aside_${i + 1}`),
    ),
  );
  steps.push(outputStep(ask, shape, features, asides));
  const key = ask.asOf.kind === "table" ? ask.asOf.key : shape.single ? ask.entity : [...ask.entity, "as_of"];
  return { steps, key: [...key] };
}

interface Shape {
  single: boolean;
  entity: readonly string[];
  /** Entity columns as they are selected and grouped. */
  group: string[];
  groupBy: string;
  /** The moment, as SQL. */
  asOf: string;
  time: string;
  widest: Window;
  typeOf: ReadonlyMap<string, string>;
  /** Name of the boolean column that holds a predicate. */
  flag: ReadonlyMap<string, string>;
  from(withCentres: boolean): string;
}

function shapeOf(ask: WindowsAsk): Shape {
  const needsCentres = ask.aggregates.some((aggregate) => aggregate.verb === "std");
  const single = ask.asOf.kind === "dates" && ask.asOf.dates.length === 1 && !needsCentres;
  const windows = ask.aggregates.flatMap((aggregate) => aggregate.windows);
  const widest = windows.reduce((a, b) => (b.days > a.days ? b : a));
  const predicates = [...new Set(ask.aggregates.flatMap((a) => (a.where === undefined ? [] : [a.where])))];
  const flags = distinctNames(
    predicates.map((_, i) => `where_${i + 1}`),
    ask.schema.map((field) => field.name),
  );
  const side = single ? "e" : "s";
  const asOf = single ? timestamp((ask.asOf as { dates: readonly string[] }).dates[0]) : "s.as_of";
  const time = `e.${ident(ask.time)}`;
  const spineTypes = ask.asOf.kind === "table" ? typesOf(ask.asOf.schema) : typesOf(ask.schema);
  const eventTypes = typesOf(ask.schema);
  const same = ask.entity.map((name) =>
    spineTypes.get(name) === eventTypes.get(name)
      ? `e.${ident(name)} = s.${ident(name)}`
      : `CAST(e.${ident(name)} AS VARCHAR) = CAST(s.${ident(name)} AS VARCHAR)`,
  );
  const bounds = [`${time} < s.as_of`];
  if (widest.interval) bounds.push(`${time} >= s.as_of - ${widest.interval}`);
  const group = ask.entity.map((name) => `${side}.${ident(name)}`);
  return {
    single,
    entity: ask.entity,
    group,
    groupBy: single ? group.join(", ") : [...group, "s.as_of"].join(", "),
    asOf,
    time,
    widest,
    typeOf: eventTypes,
    flag: new Map(predicates.map((predicate, i) => [predicate, flags[i]])),
    from: (withCentres) =>
      single
        ? "events AS e"
        : `${withCentres ? "centres" : "spine"} AS s\nLEFT JOIN events AS e ON ${[...same, ...bounds].join(" AND ")}`,
  };
}

const typesOf = (schema: Schema): Map<string, string> =>
  new Map(schema.map((field) => [field.name, field.type]));

const timestamp = (text: string): string => `TIMESTAMP ${literal(text)}`;

/** Where the widest window of a single moment begins, as SQL; nothing where all events before the moment count. */
const beginOf = (shape: Shape): string | undefined =>
  shape.single && shape.widest.interval ? `${shape.asOf} - ${shape.widest.interval}` : undefined;

const entityKnown = (ask: WindowsAsk): string[] => ask.entity.map((name) => `${ident(name)} IS NOT NULL`);

const momentOf = (ask: WindowsAsk): string => `CAST(${ident(ask.time)} AS TIMESTAMP)`;

/** The columns that the aggregates need, finite, with predicates worked out once, of the rows that a window may hold. */
function eventsStep(ask: WindowsAsk, shape: Shape): Step {
  const used = new Set(ask.aggregates.flatMap((a) => (a.column === undefined ? [] : [a.column])));
  for (const name of [...ask.entity, ask.time]) used.delete(name);
  const at = momentOf(ask);
  const list = [
    ...ask.entity.map(ident),
    `${at} AS ${ident(ask.time)}`,
    ...[...used].map((name) => {
      const cleaned = finite(ident(name), shape.typeOf.get(name)!);
      return cleaned === ident(name) ? cleaned : `${cleaned} AS ${ident(name)}`;
    }),
    ...[...shape.flag].map(([predicate, flag]) => `coalesce((${predicate}\n), false) AS ${ident(flag)}`),
  ];
  const dates = ask.asOf.kind === "dates" ? [...ask.asOf.dates].sort() : [];
  const begin = beginOf(shape);
  const conditions = [
    ...entityKnown(ask),
    ...dates.slice(-1).map((latest) => `${at} < ${timestamp(latest)}`),
    ...(begin ? [`${at} >= ${begin}`] : []),
  ];
  return {
    name: "events",
    sql: `SELECT ${list.join(", ")}\nFROM ${ident(ask.events)}\nWHERE ${conditions.join(" AND ")}`,
  };
}

/** Entities with events before the widest window: those without a later one get their zeros, at the cost of one column. */
const earlierStep = (ask: WindowsAsk, begin: string): Step => ({
  name: "earlier",
  sql: `SELECT DISTINCT ${ask.entity.map(ident).join(", ")}\nFROM ${ident(ask.events)}\nWHERE ${[...entityKnown(ask), `${momentOf(ask)} < ${begin}`].join(" AND ")}`,
});

/** One row per (entity, moment): every entity that had an event before the moment, or the pairs of a table. */
function spineStep(ask: WindowsAsk): Step {
  const entity = ask.entity.map(ident).join(", ");
  if (ask.asOf.kind === "table")
    return {
      name: "spine",
      sql: `SELECT DISTINCT ${entity}, CAST(${ident(ask.asOf.column)} AS TIMESTAMP) AS as_of\nFROM ${ident(ask.asOf.step)}`,
    };
  const moments = ask.asOf.dates.map((date) => `(${timestamp(date)})`).join(", ");
  return {
    name: "spine",
    sql: `SELECT ${ask.entity.map((name) => `f.${ident(name)}`).join(", ")}, d.as_of\nFROM (SELECT ${entity}, min(e.${ident(ask.time)}) AS first_at FROM events AS e GROUP BY ${entity}) AS f\nJOIN (VALUES ${moments}) AS d(as_of) ON f.first_at < d.as_of`,
  };
}

/** The mean of each value over the widest window, for deviations to be taken from. */
function centresStep(shape: Shape, aggregates: readonly Aggregate[]): Step {
  const columns = [...new Set(aggregates.map((aggregate) => aggregate.column!))];
  const list = columns.map(
    (name) =>
      `coalesce(${meanOf(`e.${ident(name)}`, shape.typeOf.get(name)!)}, 0) AS ${ident(centreName(name))}`,
  );
  return {
    name: "centres",
    sql: `SELECT ${[...shape.group, "s.as_of", ...list].join(", ")}\nFROM ${shape.from(false)}\nGROUP BY ${shape.groupBy}`,
  };
}

const centreName = (column: string): string => `centre of ${column}`;

interface Feature {
  name: string;
  sql: string;
  aggregate: Aggregate;
  window: Window;
}

const pointVerbs = new Set<Verb>(["recency", "first", "last", "tenure"]);

function columnsOf(shape: Shape, aggregate: Aggregate): Feature[] {
  return aggregate.windows.map((window) => ({
    name: featureName(aggregate, window),
    sql: aggregateSql(shape, aggregate, window),
    aggregate,
    window,
  }));
}

/** `n_events_30d`, `amount_sum_90d`, `days_since_last`: what, how, over which window. */
export function featureName(aggregate: Aggregate, window: Window): string {
  const { verb, column, as } = aggregate;
  const of = column === undefined ? "events" : snake(column);
  const base: Record<Verb, string> = {
    count: `n_${of}`,
    sum: `${of}_sum`,
    mean: `${of}_mean`,
    std: `${of}_std`,
    min: `${of}_min`,
    max: `${of}_max`,
    distinct: `${of}_distinct`,
    recency: "days_since_last",
    frequency: "frequency",
    monetary: "monetary",
    trend: `${of}_trend`,
    entropy: `${of}_entropy`,
    share: `${of}_share`,
    first: "first_at",
    last: "last_at",
    tenure: "tenure_days",
  };
  const name = as ?? base[verb];
  const one = pointVerbs.has(verb) && aggregate.windows.length === 1;
  return window.label === "" || one ? name : `${name}_${window.label}`;
}

function aggregateSql(shape: Shape, aggregate: Aggregate, window: Window): string {
  const where = filtered(filterOf(shape, aggregate.where, window));
  const value = aggregate.column === undefined ? shape.time : `e.${ident(aggregate.column)}`;
  const type = aggregate.column === undefined ? "TIMESTAMP" : shape.typeOf.get(aggregate.column)!;
  switch (aggregate.verb) {
    case "count":
      return `count(${value})${where}`;
    case "distinct":
      return `count(DISTINCT ${value})${where}`;
    case "frequency":
      return aggregate.column === undefined
        ? `count(DISTINCT CAST(${shape.time} AS DATE))${where}`
        : `count(DISTINCT ${value})${where}`;
    case "sum":
    case "monetary":
      return sumOf(value, type, where);
    case "mean":
      return meanOf(value, type, where);
    case "std":
      return deviationOf(value, `s.${ident(centreName(aggregate.column!))}`, where);
    case "min":
    case "max":
      return `${aggregate.verb}(${value})${where}`;
    case "recency":
      return days(`max(${shape.time})${where}`, shape.asOf);
    case "tenure":
      return days(`min(${shape.time})${where}`, shape.asOf);
    case "first":
      return `min(${shape.time})${where}`;
    case "last":
      return `max(${shape.time})${where}`;
    case "trend":
      return trendSql(shape, aggregate.column === undefined ? undefined : { value, type }, window, where);
    case "share":
      return shareSql(shape, aggregate, window, value, type);
    case "entropy":
      return "";
  }
}

/** Complete days between two moments. */
const days = (from: string, to: string): string => `(epoch_us(${to}) - epoch_us(${from})) // 86400000000`;

function filterOf(shape: Shape, predicate: string | undefined, window: Window): string | undefined {
  const parts = predicate === undefined ? [] : [`e.${ident(shape.flag.get(predicate)!)}`];
  // No event outside the widest window comes this far.
  if (window.interval && window.days < shape.widest.days)
    parts.push(`${shape.time} >= ${shape.asOf} - ${window.interval}`);
  return parts.length > 0 ? parts.join(" AND ") : undefined;
}

/**
 * Least-squares slope of the daily totals over the days of the window, days without events counting as 0:
 * units per day, per day. With day d of W (0 is the oldest), Σ(d - (W-1)/2)·y_d / (W(W²-1)/12); the sum
 * over days is a sum over events, so no daily table is needed.
 */
function trendSql(
  shape: Shape,
  of: { value: string; type: string } | undefined,
  window: Window,
  where: Suffix,
): string {
  const width = window.days;
  const age = `((epoch_us(${shape.asOf}) - epoch_us(${shape.time}) - 1) // 86400000000)`;
  const lever = `(${(width - 1) / 2}::DOUBLE - ${age})`;
  const amount = of ? ` * CAST(${of.value} AS DOUBLE)` : "";
  return `${sumOf(`${lever}${amount}`, "DOUBLE", where)} / ${(width * (width * width - 1)) / 12}::DOUBLE`;
}

function shareSql(shape: Shape, aggregate: Aggregate, window: Window, value: string, type: string): string {
  const part = filtered(filterOf(shape, aggregate.where, window));
  const whole = filtered(filterOf(shape, undefined, window));
  const total = (where: Suffix): string =>
    aggregate.column === undefined ? `count(${value})${where}` : sumOf(value, type, where);
  return `CAST(${total(part)} AS DOUBLE) / nullif(${total(whole)}, 0)`;
}

/** Shannon entropy in bits of the categories in each window: log2 N - Σ n log2 n / N, on a grid of 2^-40. */
function entropyStep(shape: Shape, aggregate: Aggregate, name: string): Step {
  const category = `e.${ident(aggregate.column!)}`;
  const counts = aggregate.windows.map((window, i) => {
    const where = filtered(filterOf(shape, aggregate.where, window));
    return `count(${category})${where} AS n${i + 1}`;
  });
  const bits = aggregate.windows.map((window, i) => {
    const n = `n${i + 1}`;
    const total = `sum(${n})::DOUBLE`;
    const weighted = `sum(CAST(CASE WHEN ${n} > 0 THEN ${n} * log2(${n}) ELSE 0 END * pow(2, 40) AS HUGEINT))::DOUBLE / pow(2, 40)`;
    return `CASE WHEN sum(${n}) > 0 THEN greatest(0, round(log2(${total}) - ${weighted} / ${total}, 10)) END AS ${ident(featureName(aggregate, window))}`;
  });
  const entity = shape.entity.map(ident).join(", ");
  return {
    name,
    sql: `SELECT ${entity}, as_of, ${bits.join(", ")}\nFROM (SELECT ${[...shape.group, `${shape.asOf} AS as_of`, ...counts].join(", ")}\nFROM ${shape.from(false)}\nGROUP BY ${shape.groupBy}, ${category})\nGROUP BY ${entity}, as_of`,
  };
}

/**
 * Aggregates that are worked out beside the others: entropy, which counts per category first, and
 * different values over several windows of one moment. A value falls into a window when its last event
 * does, so one grouping by value serves all windows, where COUNT(DISTINCT) would need one each.
 */
function standsAside(shape: Shape, { verb, column, windows }: Aggregate): boolean {
  if (verb === "entropy") return true;
  return (
    shape.single &&
    windows.length > 1 &&
    column !== undefined &&
    (verb === "distinct" || verb === "frequency")
  );
}

function distinctStep(shape: Shape, aggregate: Aggregate, name: string): Step {
  const value = `e.${ident(aggregate.column!)}`;
  const entity = shape.entity.map(ident).join(", ");
  const chosen = [`${value} IS NOT NULL`];
  if (aggregate.where !== undefined) chosen.push(`e.${ident(shape.flag.get(aggregate.where)!)}`);
  const counts = aggregate.windows.map((window) => {
    const inside = window.interval ? filtered(`last_at >= ${shape.asOf} - ${window.interval}`) : "";
    return `count(*)${inside} AS ${ident(featureName(aggregate, window))}`;
  });
  return {
    name,
    sql: `SELECT ${entity}, ${shape.asOf} AS as_of, ${counts.join(", ")}\nFROM (SELECT ${shape.group.join(", ")}, max(${shape.time}) AS last_at\nFROM events AS e\nWHERE ${chosen.join(" AND ")}\nGROUP BY ${shape.groupBy}, ${value})\nGROUP BY ${entity}`,
  };
}

/** What is 0, not unknown, for an entity without an event in the window. */
const zeroOfNothing = new Set<Verb>(["count", "sum", "distinct", "frequency", "monetary", "trend"]);

/** Features in the order they were asked for, beside the columns of the table of moments if there is one. */
function outputStep(
  ask: WindowsAsk,
  shape: Shape,
  features: readonly Feature[],
  asides: readonly Aggregate[],
): Step {
  const joined = (side: string, other: string): string =>
    [
      ...shape.entity.map((name) => `${side}.${ident(name)} = ${other}.${ident(name)}`),
      `${side}.as_of = ${other}.as_of`,
    ].join(" AND ");
  const joins = asides.map((_, i) => `LEFT JOIN aside_${i + 1} AS h${i + 1} ON ${joined(`h${i + 1}`, "a")}`);
  const list = features.map((feature) => {
    const at = asides.indexOf(feature.aggregate);
    const name = ident(feature.name);
    const value = at < 0 ? `a.${name}` : `h${at + 1}.${name}`;
    const mayMiss = at >= 0 || beginOf(shape) !== undefined;
    return mayMiss && zeroOfNothing.has(feature.aggregate.verb) ? `coalesce(${value}, 0) AS ${name}` : value;
  });
  if (ask.asOf.kind === "dates") {
    const names = shape.entity.map(ident);
    const early = beginOf(shape) !== undefined;
    const own = early
      ? [...names.map((name) => `coalesce(a.${name}, o.${name}) AS ${name}`), `${shape.asOf} AS as_of`]
      : [...names.map((name) => `a.${name}`), "a.as_of"];
    const others = early
      ? [`FULL JOIN earlier AS o ON ${names.map((name) => `o.${name} = a.${name}`).join(" AND ")}`]
      : [];
    return {
      name: "features",
      sql: `SELECT ${[...own, ...list].join(", ")}\nFROM ${["aggregated AS a", ...joins, ...others].join("\n")}`,
    };
  }
  const { step, schema, column } = ask.asOf;
  const own = schema.map((field) => `m.${ident(field.name)}`);
  const same = [
    ...shape.entity.map((name) => `a.${ident(name)} = m.${ident(name)}`),
    `a.as_of = CAST(m.${ident(column)} AS TIMESTAMP)`,
  ].join(" AND ");
  return {
    name: "features",
    sql: `SELECT ${[...own, ...list].join(", ")}\nFROM ${[`${ident(step)} AS m`, `LEFT JOIN aggregated AS a ON ${same}`, ...joins].join("\n")}`,
  };
}

/** Checks that an aggregate can be worked out over its column. @throws ShopaiError "usage" */
export function checkAggregate(aggregate: Aggregate, schema: Schema, source: string): void {
  const { verb, column } = aggregate;
  const field = schema.find((one) => one.name === column);
  const needsNumber = ["sum", "mean", "std", "monetary", "trend", "share"].includes(verb);
  if (
    column === undefined &&
    ["sum", "mean", "std", "min", "max", "distinct", "monetary", "entropy"].includes(verb)
  )
    throw new ShopaiError("usage", `${verb} needs a column`, { try: `${verb}: <column>` });
  if (needsNumber && field && !isNumeric(field.type) && kindOf(field.type) !== "boolean")
    throw new ShopaiError("data", `${verb} needs a number, and ${column} is ${field.type}`, {
      where: source,
      try: typedInstead(field, source, `distinct: ${column}, or another column`),
    });
  if (verb === "trend")
    for (const window of aggregate.windows)
      if (!Number.isInteger(window.days) || window.days < 2)
        throw new ShopaiError("usage", "a trend needs a window of at least two whole days", {
          try: "windows: [30d]",
        });
}
