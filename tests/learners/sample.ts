import { seededRng } from "../../src/core/rng.js";
import type { Engine } from "../../src/engine/engine.js";
import { rolesOf, type Learner, type RoleName, type Roles, type Task } from "../../src/learners/learner.js";
import type { TrainingAsk } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { relationFrom, type Values } from "./rows.js";

/** Columns for every role and task, with missing values, odd texts and repeated pairs: tiny, seeded. */
function sampleColumns(rows: number): Record<string, Values> {
  const rng = seededRng(11, "sample");
  const draw = <T>(value: () => T): T[] => Array.from({ length: rows }, value);
  const price = draw(() => (rng.uniform() < 0.1 ? null : Math.round(rng.uniform() * 1000) / 10));
  const visits = draw(() => rng.integer(9));
  const country = draw(() => (rng.uniform() < 0.1 ? null : ["NO", "DE", "中国", "it's"][rng.integer(4)]));
  const noise = draw(() => rng.normal());
  const lift = visits.map((count, r) => count / 4 + (country[r] === "NO" ? 1 : 0) + noise[r] / 2);
  return {
    customer: draw(() => 1000 + rng.integer(25)),
    product: draw(() => `P${Math.floor(rng.uniform() ** 2 * 30)}`),
    stars: draw(() => 1 + rng.integer(5)),
    at: draw(() => 1_700_000_000 + rng.integer(86400 * 90)),
    price,
    visits,
    country,
    member: draw(() => rng.uniform() < 0.5),
    importance: draw(() => 0.5 + rng.uniform()),
    bought: lift.map((value) => value > 1.4),
    spent: lift.map((value, r) => 10 + 5 * value + noise[(r + 1) % rows]),
  };
}

const types = { customer: "BIGINT", visits: "INTEGER", member: "BOOLEAN", bought: "BOOLEAN", at: "BIGINT" };

export function sampleTable(engine: Engine, rows = 150): Promise<Relation> {
  return relationFrom(engine, sampleColumns(rows), types);
}

const columnOf: Record<Exclude<RoleName, "target">, string> = {
  user: "customer",
  item: "product",
  rating: "stars",
  time: "at",
  weight: "importance",
  query: "customer",
  segment: "country",
};

/** What the products of the sample are like, in words of two scripts, and two that nobody bought. */
export function sampleItems(engine: Engine): Promise<Relation> {
  const kinds = ["wool coat", "cotton shirt", "红色羊毛外套", "rain jacket, red"];
  const numbers = Array.from({ length: 32 }, (_, i) => i);
  return relationFrom(engine, {
    product: numbers.map((i) => `P${i}`),
    title: numbers.map((i) => `${kinds[i % 4]} for ${i % 3 ? "women" : "men"} no ${i}`),
    group: numbers.map((i) => (i % 7 ? `clothes > ${i % 2 ? "coats" : "shirts"}` : null)),
    price: numbers.map((i) => (i % 5 ? 10 + i : null)),
  });
}

/** What a learner is asked on the sample: its required roles, or all of them. */
export function sampleAsk(
  learner: Learner,
  all = false,
  items?: Relation,
  task: Task = learner.task,
): TrainingAsk {
  const roles: Roles = Object.fromEntries(
    Object.entries(rolesOf(learner))
      .filter(([role, need]) => (role === "query" ? task === "ranking" : all || need === "required"))
      .map(([role]) => [
        role,
        role === "target"
          ? task === "regression"
            ? "spent"
            : "bought"
          : columnOf[role as keyof typeof columnOf],
      ]),
  );
  return {
    roles,
    items: learner.items ? items : undefined,
    features: learner.features === true ? featuresOf(learner.name) : undefined,
    params: tinyParams(learner),
  };
}

/** A pixel is a number, and an image is square. */
function featuresOf(learner: string): string[] {
  return learner === "cnn"
    ? ["price", "visits", "stars", "customer"]
    : ["price", "visits", "country", "member"];
}

/** Networks that are trained in a moment. */
const tiny: Record<string, number> = { epochs: 1, width: 8, factors: 16, length: 6, batch: 64, patience: 1 };

function tinyParams({ params }: Learner): Record<string, number> | undefined {
  if (!("epochs" in params)) return undefined;
  return Object.fromEntries(Object.entries(tiny).filter(([name]) => name in params));
}
