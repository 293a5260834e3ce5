import type { Rng } from "../../core/rng.js";
import type { Run } from "../../engine/run.js";
import type { Column } from "../../engine/frame.js";
import { relationOf } from "../../table/relation.js";
import type { Engine } from "../../engine/engine.js";
import { scoped } from "../../engine/scope.js";
import { ident } from "../../engine/sql.js";
import gbdt from "../../learners/gbdt/gbdt.js";
import type { TreeModel } from "../../learners/gbdt/trees.js";
import { checkParams, type ParamValue } from "../../learners/params.js";
import { anchors, type Anchor, type Asked, type Features } from "./features.js";

/** Examples to learn from: features by column, and what was to be forecast as told from every anchor, in units of its series. */
export interface Examples {
  rows: number;
  columns: Float32Array[];
  targets: Record<Anchor, Float32Array>;
}

/** Targets further away, in units of their series, teach no more than one at this distance. */
const farthest = 10;

/** How examples are drawn: so many of every target, each with this probability. */
export interface Draw {
  share: number;
  draws: number;
  rng: Rng;
}

/**
 * Examples from the values of many series: a target at index t, forecast some steps ahead, as if all after
 * t - steps were unknown.
 *
 * @param series  with the first index of targets, and the one after the last
 * @param horizon most steps
 * @param most    examples
 * @param draw    steps drawn from 1 to `horizon`; without it all targets are forecast from just before the first one, or, with a
 *                horizon of 1, each from the value before
 */
export function examplesOf(
  series: Iterable<{ asked: Asked; from: number; to: number }>,
  features: Features,
  horizon: number,
  most: number,
  draw?: Draw,
): Examples {
  const columns = features.names.map(() => new Float32Array(most));
  const targets = Object.fromEntries(anchors.map((anchor) => [anchor, new Float32Array(most)])) as Record<
    Anchor,
    Float32Array
  >;
  let rows = 0;
  const add = (asked: Asked, t: number, step: number): void => {
    const known = t - step + 1;
    const measure = features.measure(asked.track, known);
    features.write(columns, rows, asked, known, step, measure);
    for (const anchor of anchors) {
      const from = features.anchor(anchor, asked.track, known, step, measure);
      const away = (asked.track.values[t] - from) / measure.unit;
      targets[anchor][rows] = Math.max(-farthest, Math.min(farthest, away));
    }
    rows++;
  };
  for (const { asked, from, to } of series)
    for (let t = Math.max(1, from); t < to && rows < most; t++) {
      if (!draw) add(asked, t, horizon === 1 ? 1 : t - from + 1);
      for (let i = 0; draw && i < draw.draws && rows < most; i++)
        if (draw.share === 1 || draw.rng.uniform() < draw.share)
          add(asked, t, 1 + draw.rng.integer(Math.min(horizon, t)));
    }
  return {
    rows,
    columns: columns.map((column) => column.subarray(0, rows)),
    targets: Object.fromEntries(
      anchors.map((anchor) => [anchor, targets[anchor].subarray(0, rows)]),
    ) as Examples["targets"],
  };
}

/** The anchor that targets lie nearest to. */
export function nearestAnchor({ targets }: Examples): Anchor {
  const squares = (anchor: Anchor): number => targets[anchor].reduce((sum, away) => sum + away * away, 0);
  return anchors.reduce((best, anchor) => (squares(anchor) < squares(best) ? anchor : best));
}

/** Trees that forecast from features, learned from examples; with `valid`, as many as do best there. */
export async function learn(
  engine: Engine,
  features: Features,
  examples: Examples,
  anchor: Anchor,
  params: Record<string, ParamValue>,
  run: Run,
  valid?: Examples,
): Promise<{ model: TreeModel; about: Record<string, unknown> }> {
  const scope = scoped(engine);
  try {
    const fitted = await gbdt.fit(
      {
        task: "regression",
        relation: await relation(scope.engine, features, examples, anchor),
        rows: examples.rows,
        roles: { target: "target" },
        features: features.names.map((name) => ({ name, type: "FLOAT" })),
        target: { name: "target", type: "FLOAT" },
        valid: valid && (await relation(scope.engine, features, valid, anchor)),
      },
      checkParams("gbdt", gbdt.params, params),
      run,
    );
    return { model: fitted.trees!, about: fitted.about! };
  } finally {
    await scope.drop();
  }
}

async function relation(
  engine: Engine,
  features: Features,
  { rows, columns, targets }: Examples,
  anchor: Anchor,
) {
  const table = engine.fresh("examples");
  await engine.load(table, {
    rows,
    columns: new Map<string, Column>([
      ["row", { kind: "i32", values: Int32Array.from({ length: rows }, (_, r) => r) }],
      ["target", { kind: "f32", values: targets[anchor] }],
      ...features.names.map((name, f): [string, Column] => [name, { kind: "f32", values: columns[f] }]),
    ]),
  });
  return relationOf(engine, `SELECT * FROM ${ident(table)}`, { key: ["row"], name: "examples" });
}
