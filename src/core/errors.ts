/** What went wrong, in the user's terms; each kind has one exit code (design 1.1). */
export type ErrorKind = "usage" | "data" | "model" | "engine" | "gate" | "locked" | "interrupted";

const exitCodes: Record<ErrorKind, number> = {
  usage: 2,
  data: 3,
  model: 4,
  engine: 5,
  gate: 6,
  locked: 7,
  interrupted: 130,
};

export interface ErrorDetail {
  /** File, column, line or SQL at fault. */
  where?: string;
  /** What to type or change next. */
  try?: string;
  cause?: unknown;
}

/** An error that is the user's to mend: printed as `error: …`, `in …`, `try …`, without a stack. */
export class ShopaiError extends Error {
  readonly kind: ErrorKind;
  readonly where?: string;
  readonly try?: string;

  constructor(kind: ErrorKind, message: string, detail: ErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.name = "ShopaiError";
    this.kind = kind;
    this.where = detail.where;
    this.try = detail.try;
  }

  get exitCode(): number {
    return exitCodes[this.kind];
  }
}

/** The nearest of `known` to a mistyped `name`, or undefined when none is near (Damerau-Levenshtein, a third of the length). */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const distance = lower.startsWith(wanted) && wanted.length >= 3 ? 1 : editDistance(wanted, lower);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let twoAgo: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(previous[j] + 1, current[j - 1] + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        current[j] = Math.min(current[j], twoAgo[j - 2] + 1);
    }
    twoAgo = previous;
    previous = current;
  }
  return previous[b.length];
}

/** A list for an error message: all of a few, the first dozen of many. */
export function listed(names: readonly string[], most = 12): string {
  return names.length <= most
    ? names.join(", ")
    : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
