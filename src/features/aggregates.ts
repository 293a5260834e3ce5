import { ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import { checkPredicate } from "../engine/duckdb.js";
import { ident, literal } from "../engine/sql.js";
import { kindOf, typedInstead, type Relation } from "../table/relation.js";
import { windowOf } from "./naming.js";
import { planColumn, planSql, extended, type Plan } from "./plan.js";
import type { Spec } from "./spec.js";
import { checkAggregate, verbs, windowSteps, type Aggregate, type AsOf, type Verb } from "./windows.js";

/** The moments that features are asked at, as people say it. */
export type Moments =
  | { kind: "dates"; dates: readonly string[] }
  /** A table of (entity, moment) rows, other columns carried along. */
  | { kind: "table"; rows: Relation; column: string }
  /** Every input row at its own time: what was known just before it. */
  | { kind: "row" };

const momentPattern = /^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$/;

/** A moment as SQL reads it: `2011-02-01` or `2011-02-01 12:30`. @throws ShopaiError "usage" */
export function momentText(text: string): string {
  const moment = text.trim().replace("T", " ");
  const time = Date.parse(`${moment.replace(" ", "T")}${moment.length <= 10 ? "T00:00" : ""}Z`);
  const real = Number.isFinite(time) && new Date(time).toISOString().slice(0, 10) === moment.slice(0, 10);
  if (!momentPattern.test(text.trim()) || !real)
    throw new ShopaiError("usage", `"${text}" is not a date or a time`, {
      try: "--as-of 2011-02-01, or 2011-02-01T12:00, or a table with a column as_of",
    });
  return moment;
}

/**
 * The moments of a call: those asked for, else those of the spec, else the midnight after the last event.
 * The last depends on the data: name the moment where features must not.
 */
export async function momentsOf(plan: Plan, spec: Spec, asked: Moments | undefined): Promise<Moments> {
  if (asked) return asked;
  if (spec.as_of?.length === 1 && spec.as_of[0] === "row") return { kind: "row" };
  if (spec.as_of) return { kind: "dates", dates: spec.as_of.map(momentText) };
  const time = planColumn(plan, spec.time!, "--time");
  checkTime(plan, time);
  const [{ at }] = await plan.engine.rows<{ at: string | null }>(
    `SELECT CAST(CAST(max(CAST(${ident(time.name)} AS TIMESTAMP)) AS DATE) + 1 AS VARCHAR) AS at FROM (${planSql(plan)})`,
  );
  if (at === null)
    throw new ShopaiError(
      "data",
      `the column ${time.name} holds no time, so there is no moment for features`,
      {
        where: plan.source.name,
        try: "--time <another column>",
      },
    );
  return { kind: "dates", dates: [at.slice(0, 10)] };
}

function checkTime(plan: Plan, time: Field): void {
  if (!["date", "timestamp"].includes(kindOf(time.type)))
    throw new ShopaiError("data", `windows need a date or a time, and ${time.name} is ${time.type}`, {
      where: plan.source.name,
      try: typedInstead(time, plan.source.name, "--time <another column>"),
    });
}

/** One row per entity and moment with the aggregates of the spec. */
export async function withAggregates(plan: Plan, spec: Spec, moments: Moments): Promise<Plan> {
  const time = planColumn(plan, spec.time!, "--time");
  checkTime(plan, time);
  const entity = spec.entity!.map((name) => planColumn(plan, name).name);
  const aggregates = aggregatesOf(plan, spec);
  for (const aggregate of aggregates) {
    if (aggregate.where !== undefined) await checkPredicate(plan.engine, aggregate.where, "where");
    checkAggregate(aggregate, plan.columns, plan.source.name);
  }
  const { asOf, before } = await asOfStep(plan, entity, time.name, moments);
  const events = plan.steps.at(-1)!.name;
  const { steps, key } = windowSteps({
    events,
    schema: plan.columns,
    entity,
    time: time.name,
    aggregates,
    asOf,
  });
  const source =
    moments.kind === "table"
      ? { ...plan.source, inputs: [...plan.source.inputs, ...moments.rows.inputs] }
      : plan.source;
  return extended({ ...plan, source, steps: [...plan.steps, ...before] }, steps, key);
}

async function asOfStep(
  plan: Plan,
  entity: readonly string[],
  time: string,
  moments: Moments,
): Promise<{ asOf: AsOf; before: Plan["steps"] }> {
  if (moments.kind === "dates") {
    const dates = [...new Set(moments.dates)].sort();
    return { asOf: { kind: "dates", dates }, before: [] };
  }
  if (moments.kind === "row") {
    const step = plan.steps.at(-1)!.name;
    return { asOf: { kind: "table", step, schema: plan.columns, column: time, key: plan.key }, before: [] };
  }
  const rows = moments.rows;
  const schema = await plan.engine.describe(rows.sql);
  for (const name of [...entity, moments.column])
    if (!schema.some((field) => field.name === name))
      throw new ShopaiError("data", `the table of moments has no column ${name}`, {
        where: rows.name,
        try: `a table with the columns ${[...entity, moments.column].join(", ")}`,
      });
  return {
    asOf: { kind: "table", step: "moments", schema, column: moments.column, key: rows.key },
    before: [{ name: "moments", sql: rows.sql }],
  };
}

const pointVerbs = new Set<Verb>(["recency", "first", "last", "tenure"]);

/** The aggregates of a spec, one per column, with their windows. */
export function aggregatesOf(plan: Plan, spec: Spec): Aggregate[] {
  const usual = (spec.windows ?? ["7d", "30d", "90d"]).map(windowOf);
  const widest = usual.reduce((a, b) => (b.days > a.days ? b : a));
  return spec.aggregates!.flatMap((entry) => {
    const given = typeof entry === "string" ? { [entry]: ["*"] } : entry;
    const verb = verbs.find((name) => (given as Partial<Record<Verb, string[]>>)[name] !== undefined)!;
    const about = typeof entry === "string" ? {} : entry;
    const windows = about.windows?.map(windowOf) ?? (pointVerbs.has(verb) ? [widest] : usual);
    return (given as Record<Verb, string[]>)[verb].map((name) => ({
      verb,
      column: name === "*" ? undefined : planColumn(plan, name).name,
      where: about.where,
      as: about.as,
      windows,
    }));
  });
}

/**
 * Event types of a log, the most frequent first, as seen before the latest moment and by train rows only:
 * a type that only test rows know must not make a column.
 *
 * @param train rows (entity columns and as_of) that may be seen; all before `latest` when absent
 */
export async function eventTypes(
  plan: Plan,
  ask: { event: string; time: string; entity: string; latest: string; train?: string; most: number },
): Promise<string[]> {
  const at = `CAST(e.${ident(ask.time)} AS TIMESTAMP)`;
  const seen = ask.train
    ? `EXISTS (SELECT 1 FROM (${ask.train}) AS r WHERE r.${ident(ask.entity)} = e.${ident(ask.entity)} AND ${at} < r.as_of)`
    : `${at} < TIMESTAMP ${literal(ask.latest)}`;
  const rows = await plan.engine.rows<{ type: string }>(
    `SELECT CAST(e.${ident(ask.event)} AS VARCHAR) AS type FROM (${planSql(plan)}) AS e WHERE e.${ident(ask.event)} IS NOT NULL AND ${seen} GROUP BY ALL ORDER BY count(*) DESC, type LIMIT ${ask.most}`,
  );
  return rows.map((row) => row.type);
}
