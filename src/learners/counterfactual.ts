import { listed, nearest, ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Field } from "../engine/engine.js";
import { codes, floats, type Column, type Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { columnNamed, frameOf, relationOf, rowColumn, type Relation } from "../table/relation.js";
import { checkFeatures, featureAsks } from "./design-matrix.js";
import { drawn } from "./draw.js";
import type { Model } from "./learner.js";
import { Ladder, oddness } from "./ladder.js";

export interface CounterfactualAsk {
  /** Features that may not change. */
  freeze?: readonly string[];
  /** Rows whose values changes are taken from; the rows themselves by default. */
  background?: Relation;
}

/** Rows that are searched for at once. */
const mostRows = 1000;
/** Features that may change together. */
const mostChanges = 4;
/** Rows that say which values occur, and which go together. */
const mostReference = 1000;

/**
 * Adds to predictions the smallest change found that would turn each decision into another:
 * `counterfactual` ("visits from 2 to 6; price from 80 to 31"; null where none was found),
 * `counterfactual_score` (the score after it) and `counterfactual_plausibility` (share of known rows that lie
 * at least as far from all others as the changed row does; near 0 it is like no row that was ever seen).
 *
 * Values are only such as occur in the table. A change costs the share of rows that lie between the old and
 * the new number (Ustun, Spangher & Liu 2019, Actionable Recourse, FAT*, eq. 4), and a half for texts. Features
 * are changed one after the other, the best first, then numbers are drawn back as far as the decision allows:
 * not always the cheapest change there is (Wachter, Mittelstadt & Russell 2018 search the same way).
 *
 * @throws ShopaiError "usage" for other models than classifiers, and for too many rows
 */
export async function withCounterfactuals(
  model: Model,
  rows: Relation,
  predictions: Relation,
  ask: CounterfactualAsk,
  run: Run,
): Promise<Relation> {
  const { card } = model;
  if (card.task !== "classification")
    throw new ShopaiError(
      "usage",
      `--counterfactual turns a decision, and this is a model for ${card.task}`,
      {
        try: "leaving it out",
      },
    );
  const frame = await frameOf(rows, featureAsks(card.features));
  if (frame.rows > mostRows)
    throw new ShopaiError(
      "usage",
      `--counterfactual is for single rows, ${grouped(mostRows)} at most, and there are ${grouped(frame.rows)}`,
      { where: rows.name, try: "--where, to choose those that matter" },
    );
  const known = ask.background ?? rows;
  checkFeatures(known, card.features);
  const reference = await frameOf(await drawn(known, mostReference, run), featureAsks(card.features));
  const frozen = frozenFeatures(card.features, ask.freeze);
  const search = new Search(model, frame, reference, frozen, rows, run);
  const changes = await search.all();
  const { engine } = predictions;
  const table = engine.fresh("changes");
  await engine.load(table, { rows: frame.rows, columns: columnsOf(changes) });
  const names = [
    ...predictions.schema.map(({ name }) => `p.${ident(name)}`),
    ...added.map((name) => `c.${name}`),
  ];
  return relationOf(
    engine,
    `SELECT ${names.join(", ")}, p.${ident(rowColumn)} FROM (${predictions.sql}) p JOIN ${ident(table)} c USING (${ident(rowColumn)})`,
    predictions,
  );
}

const added = ["counterfactual", "counterfactual_score", "counterfactual_plausibility"];

function frozenFeatures(features: readonly Field[], freeze: readonly string[] = []): Set<string> {
  const known = features.map(({ name }) => name);
  const unknown = freeze.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ShopaiError("data", `${unknown} is no feature of the model (it has ${listed(known)})`, {
      where: "--freeze",
      try: nearest(unknown, known),
    });
  return new Set(freeze);
}

/** A feature's new value: a place on its ladder. */
interface Change {
  feature: number;
  to: number;
}

interface Found {
  text: string | null;
  score: number;
  plausibility: number;
}

function columnsOf(found: readonly Found[]): Map<string, Column> {
  const numbers = (of: (each: Found) => number): Column => ({
    kind: "f64",
    values: Float64Array.from(found, of),
  });
  return new Map<string, Column>([
    [rowColumn, { kind: "i32", values: Int32Array.from(found, (_, row) => row) }],
    ["counterfactual", { kind: "text", values: found.map(({ text }) => text) }],
    ["counterfactual_score", numbers(({ score }) => score)],
    ["counterfactual_plausibility", numbers(({ plausibility }) => plausibility)],
  ]);
}

/** A row with some changes, as it is put to the model. */
interface Candidate {
  row: number;
  changes: readonly Change[];
}

class Search {
  private readonly ladders: Ladder[];
  private readonly free: number[];

  constructor(
    private readonly model: Model,
    private readonly frame: Frame,
    reference: Frame,
    frozen: ReadonlySet<string>,
    private readonly rows: Relation,
    private readonly run: Run,
  ) {
    const { features } = model.card;
    this.ladders = features.map(({ name }) => new Ladder(name, frame, reference));
    this.free = [...features.keys()].filter((f) => !frozen.has(features[f].name));
  }

  async all(): Promise<Found[]> {
    const { frame, run } = this;
    run.progress.stage("searching counterfactuals");
    const rows = Array.from({ length: frame.rows }, (_, row) => row);
    const before = await this.decided(rows.map((row) => ({ row, changes: [] })));
    const found = rows.map((): { changes: Change[]; score: number } | undefined => undefined);
    const paths = rows.map((): Change[] => []);
    for (let step = 0; step < mostChanges; step++) {
      const open = rows.filter((row) => !found[row]);
      const candidates = open.flatMap((row) => this.next(row, paths[row]));
      if (candidates.length === 0) break;
      const after = await this.decided(candidates);
      const moved = new Map<number, { candidate: Candidate; support: number }>();
      candidates.forEach((candidate, i) => {
        const { row, changes } = candidate;
        const own = before[row].decision;
        if (after[i].decision !== own) {
          const held = found[row];
          if (!held || this.cost(row, changes) < this.cost(row, held.changes))
            found[row] = { changes: [...changes], score: after[i].score };
          return;
        }
        // Of changes that do not suffice, the one that leaves the decision least support.
        const support = after[i].support(own);
        const best = moved.get(row);
        if (!best || support < best.support) moved.set(row, { candidate, support });
      });
      for (const [row, { candidate }] of moved) paths[row] = [...candidate.changes];
      run.progress.update(step + 1, mostChanges, "steps");
    }
    for (let change = 0; change < mostChanges; change++) await this.drawBack(before, found, change);
    run.progress.done();
    return rows.map((row) => this.told(row, found[row]));
  }

  /** The path with one more feature at each of its values. */
  private next(row: number, path: readonly Change[]): Candidate[] {
    return this.free
      .filter((feature) => path.every((change) => change.feature !== feature))
      .flatMap((feature) =>
        this.ladders[feature].steps(row).map((to) => ({ row, changes: [...path, { feature, to }] })),
      );
  }

  private cost(row: number, changes: readonly Change[]): number {
    return changes.reduce((sum, { feature, to }) => sum + this.ladders[feature].cost(row, to), 0);
  }

  /** Brings one changed number of every row as near to its old value as the decision allows, or back to it. */
  private async drawBack(
    before: readonly Decided[],
    found: ({ changes: Change[]; score: number } | undefined)[],
    at: number,
  ): Promise<void> {
    const candidates = found.flatMap((held, row): Candidate[] => {
      const change = held?.changes[at];
      if (!held || !change) return [];
      const others = held.changes.filter((_, i) => i !== at);
      const nearer = this.ladders[change.feature]
        .between(row, change.to)
        .map((to) => held.changes.map((each, i) => (i === at ? { feature: change.feature, to } : each)));
      return [...(others.length > 0 ? [others] : []), ...nearer].map((changes) => ({ row, changes }));
    });
    if (candidates.length === 0) return;
    const after = await this.decided(candidates);
    candidates.forEach(({ row, changes }, i) => {
      if (after[i].decision === before[row].decision) return;
      if (this.cost(row, changes) < this.cost(row, found[row]!.changes))
        found[row] = { changes: [...changes], score: after[i].score };
    });
  }

  private told(row: number, held: { changes: Change[]; score: number } | undefined): Found {
    if (!held) return { text: null, score: NaN, plausibility: NaN };
    const places = this.ladders.map((ladder) => ladder.at(row));
    for (const { feature, to } of held.changes) places[feature] = to;
    return {
      text: held.changes
        .map(({ feature, to }) => {
          const ladder = this.ladders[feature];
          return `${ladder.name} from ${ladder.text(ladder.at(row))} to ${ladder.text(to)}`;
        })
        .join("; "),
      score: held.score,
      plausibility:
        1 -
        oddness(
          this.ladders,
          places,
          this.ladders.map((ladder) => ladder.at(row)),
        ),
    };
  }

  /** What the model decides on changed rows. */
  private async decided(candidates: readonly Candidate[]): Promise<Decided[]> {
    const { rows, model } = this;
    const { engine } = rows;
    const { features, classes = [], positive } = model.card;
    const table = engine.fresh("candidates");
    const columns = new Map<string, Column>([
      [rowColumn, { kind: "i32", values: Int32Array.from(candidates, (_, i) => i) }],
    ]);
    this.ladders.forEach((ladder, feature) => {
      const places = candidates.map(
        ({ row, changes }) => changes.find((change) => change.feature === feature)?.to ?? ladder.at(row),
      );
      columns.set(ladder.name, ladder.column(places));
    });
    await engine.load(table, { rows: candidates.length, columns });
    const list = features.map(
      ({ name }) => `${ident(name)}::${columnNamed(rows, name).type} AS ${ident(name)}`,
    );
    const changed = await relationOf(
      engine,
      `SELECT ${ident(rowColumn)}, ${list.join(", ")} FROM ${ident(table)}`,
      { key: [rowColumn], name: rows.name },
    );
    const scores = positive === undefined ? classes.map((name) => `score_${name}`) : ["score"];
    const answers = await frameOf(await model.predict(changed, {}, this.run), [
      { name: "prediction", as: "code" },
      ...scores.map((name) => ({ name, as: "f64" as const })),
    ]);
    await engine.run(`DROP TABLE ${ident(table)}`);
    const { values, levels } = codes(answers, "prediction");
    const given = scores.map((name) => floats(answers, name));
    return candidates.map((_, i) => {
      const decision = levels[values[i]];
      const support = (name: string): number => {
        if (positive === undefined) return given[classes.indexOf(name)][i];
        return name === positive ? given[0][i] : 1 - given[0][i];
      };
      return { decision, support, score: positive === undefined ? support(decision) : given[0][i] };
    });
  }
}

interface Decided {
  decision: string;
  /** Probability of the positive class; of several, of the one decided for. */
  score: number;
  /** Probability of a class. */
  support(name: string): number;
}
