import { codes, floats, type Column, type Frame } from "../engine/frame.js";

/** Values of a feature that a search tries at once. */
const mostSteps = 16;
/** Values that a number is drawn back to at once. */
const mostNearer = 32;
/** What another text costs, beside numbers, where the whole range costs 1. */
const textCost = 0.5;

/**
 * The values that a feature takes in some rows, in order, each with its place; and those of the rows that are
 * to be changed. Numbers lie as far apart as rows lie between them.
 */
export class Ladder {
  private readonly numbers?: Float64Array;
  private readonly levels?: string[];
  /** Share of the reference rows below each place, plus half of those at it. */
  private readonly rank: Float64Array;
  /** Places by falling frequency in the reference rows, missing left out. */
  private readonly frequent: number[];
  /** Place of every row; -1 is missing. */
  private readonly own: Int32Array;
  /** Places of the reference rows. */
  readonly reference: Int32Array;

  constructor(
    readonly name: string,
    frame: Frame,
    reference: Frame,
  ) {
    const column = reference.columns.get(name)!;
    if (column.kind === "code") {
      const [theirs, ours] = [codes(reference, name), codes(frame, name)];
      this.levels = [...new Set([...theirs.levels, ...ours.levels])].sort();
      const placeOf = new Map(this.levels.map((level, place) => [level, place]));
      const place = (of: { values: Int32Array; levels: string[] }): Int32Array =>
        of.values.map((code) => (code < 0 ? -1 : placeOf.get(of.levels[code])!));
      [this.reference, this.own] = [place(theirs), place(ours)];
    } else {
      const [theirs, ours] = [floats(reference, name), floats(frame, name)];
      const present = [...theirs, ...ours].filter((value) => !Number.isNaN(value));
      this.numbers = Float64Array.from(new Set(present)).sort();
      const placeOf = new Map([...this.numbers].map((value, place) => [value, place]));
      const place = (values: Float64Array): Int32Array =>
        Int32Array.from(values, (value) => (Number.isNaN(value) ? -1 : placeOf.get(value)!));
      [this.reference, this.own] = [place(theirs), place(ours)];
    }
    const counts = new Float64Array((this.numbers ?? this.levels!).length);
    for (const place of this.reference) if (place >= 0) counts[place]++;
    const total = counts.reduce((sum, count) => sum + count, 0);
    let below = 0;
    this.rank = counts.map((count) => {
      const rank = total > 0 ? (below + count / 2) / total : 0;
      below += count;
      return rank;
    });
    this.frequent = [...counts.keys()]
      .filter((place) => counts[place] > 0)
      .sort((a, b) => counts[b] - counts[a] || a - b);
  }

  at(row: number): number {
    return this.own[row];
  }

  /** Places that a row may be moved to: spread over the ranks of numbers, the most frequent texts. */
  steps(row: number): number[] {
    const occurring = this.levels
      ? this.frequent.slice(0, mostSteps)
      : spread(
          [...this.frequent].sort((a, b) => a - b),
          mostSteps,
        );
    return occurring.filter((place) => place !== this.own[row]);
  }

  /** Places of numbers that lie between a row's own and another. */
  between(row: number, to: number): number[] {
    const from = this.own[row];
    if (this.levels || from < 0) return [];
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    return spread(
      this.frequent.filter((place) => place > low && place < high).sort((a, b) => a - b),
      mostNearer,
    );
  }

  cost(row: number, to: number): number {
    return this.distance(this.own[row], to);
  }

  /** How far apart two places are: 0 to 1. */
  distance(a: number, b: number): number {
    if (a === b) return 0;
    return this.levels || a < 0 || b < 0 ? textCost : Math.abs(this.rank[a] - this.rank[b]);
  }

  text(place: number): string {
    if (place < 0) return "missing";
    return this.levels ? this.levels[place] : String(Number(this.numbers![place].toPrecision(6)));
  }

  /** A column of the values at some places. */
  column(places: readonly number[]): Column {
    const { numbers, levels } = this;
    return levels
      ? { kind: "code", values: Int32Array.from(places), levels }
      : { kind: "f64", values: Float64Array.from(places, (place) => (place < 0 ? NaN : numbers![place])) };
  }
}

/** At most `most` of some values, evenly, first and last included. */
function spread(values: readonly number[], most: number): number[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))]);
}

/** How far a row lies from its nearest, other than `except`, among the reference rows. */
function nearestDistance(
  ladders: readonly Ladder[],
  places: readonly number[],
  except: readonly number[],
): number {
  let least = Infinity;
  const rows = ladders[0].reference.length;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    let same = true;
    for (let f = 0; f < ladders.length && (sum < least || same); f++) {
      const place = ladders[f].reference[row];
      if (place !== except[f]) same = false;
      sum += ladders[f].distance(place, places[f]);
    }
    if (!same && sum < least) least = sum;
  }
  return least;
}

/** Nearest distances of the reference rows themselves, by their ladders: worked out once. */
const distances = new WeakMap<readonly Ladder[], Float64Array>();

/**
 * The share of the reference rows that lie nearer to another row than a row with the given places does: 0 for a
 * row among its like, 1 for one that is like no other. A row equal to `except` does not count as another.
 */
export function oddness(
  ladders: readonly Ladder[],
  places: readonly number[],
  except: readonly number[],
): number {
  let known = distances.get(ladders);
  if (!known) {
    const count = Math.min(300, ladders[0].reference.length);
    known = Float64Array.from({ length: count }, (_, row) => {
      const own = ladders.map((ladder) => ladder.reference[row]);
      return nearestDistance(ladders, own, own);
    });
    distances.set(ladders, known);
  }
  const own = nearestDistance(ladders, places, except);
  return known.filter((distance) => distance < own).length / known.length;
}
