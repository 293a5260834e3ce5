import type { Rng } from "../../core/rng.js";
import type { Run } from "../../engine/run.js";
import type { Column } from "../../engine/frame.js";
import { relationOf } from "../../table/relation.js";
import type { Engine } from "../../engine/engine.js";
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

/**
 * Draws examples from the values of many series: for a target at index t, a number of steps from 1 to `horizon`, as if all after
 * t - steps were unknown.
 *
 * @param from first index of targets of a series, `to` the one after the last
 */
export function examplesOf(
  series: Iterable<{ asked: Asked; from: number; to: number }>,
  features: Features,
  horizon: number,
  { share, draws, most, steps }: { share: number; draws: number; most: number; steps?: "all" },
  rng: Rng,
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
      if (steps === "all") {
        if (t - from < horizon) add(asked, t, t - from + 1);
        continue;
      }
      for (let draw = 0; draw < draws && rows < most; draw++)
        if (share === 1 || rng.uniform() < share) add(asked, t, 1 + rng.integer(Math.min(horizon, t)));
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
  const train = await relation(engine, features, examples, anchor);
  const fitted = await gbdt.fit(
    {
      task: "regression",
      relation: train,
      rows: examples.rows,
      roles: { target: "target" },
      features: features.names.map((name) => ({ name, type: "FLOAT" })),
      target: { name: "target", type: "FLOAT" },
      valid: valid && (await relation(engine, features, valid, anchor)),
    },
    checkParams("gbdt", gbdt.params, params),
    run,
  );
  return { model: fitted.trees!, about: fitted.about! };
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
  return relationOf(engine, `SELECT * FROM "${table}"`, { key: ["row"], name: "examples" });
}
