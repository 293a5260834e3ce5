import { listed, nearest, ShopaiError } from "../core/errors.js";

const operators = {
  "<=": (value: number, bound: number) => value <= bound,
  ">=": (value: number, bound: number) => value >= bound,
  "<": (value: number, bound: number) => value < bound,
  ">": (value: number, bound: number) => value > bound,
} as const;

/** A condition under which a result is refused: `auc < 0.9`. */
export interface Gate {
  text: string;
  metric: string;
  operator: keyof typeof operators;
  bound: number;
}

/** Reads `metric op number`, where op is one of `<`, `<=`, `>`, `>=`. @throws ShopaiError "usage" */
export function parseGate(text: string): Gate {
  const match = /^\s*([A-Za-z_][\w@]*)\s*(<=|>=|<|>)\s*(\S+)\s*$/.exec(text);
  const bound = match ? Number(match[3]) : NaN;
  if (!match || !Number.isFinite(bound))
    throw new ShopaiError("usage", `--fail-if takes a metric, one of < <= > >= and a number, got ${text}`, {
      try: '--fail-if "auc < 0.9"',
    });
  return { text: text.trim(), metric: match[1], operator: match[2] as Gate["operator"], bound };
}

/** A gate with what it met. */
export interface GateResult {
  gate: Gate;
  value: number | null;
  /** Why it says no; undefined when it lets pass. */
  broken?: string;
}

/**
 * Holds gates against metrics (`of`: whose value each is, where that needs saying). A metric that is undefined breaks its gate: what cannot be shown does not pass.
 *
 * @throws ShopaiError "usage" for a metric that was not measured
 */
export function gateResults(
  gates: readonly Gate[],
  metrics: Readonly<Record<string, number | null>>,
  of: Readonly<Record<string, string>> = {},
): GateResult[] {
  return gates.map((gate) => {
    if (!Object.hasOwn(metrics, gate.metric))
      throw unknownMetric(gate.metric, Object.keys(metrics), "--fail-if");
    const value = metrics[gate.metric];
    if (value === null)
      return { gate, value, broken: `${gate.metric} is undefined, and the gate is ${gate.text}` };
    if (!operators[gate.operator](value, gate.bound)) return { gate, value };
    return {
      gate,
      value,
      broken: `${gate.metric} is ${Number(value.toPrecision(6))}${gate.metric in of ? ` (${of[gate.metric]})` : ""}, and the gate is ${gate.text}`,
    };
  });
}

/**
 * @param advice what to try
 * @throws ShopaiError "gate" naming metric, value and bound of every gate that is broken
 */
export function checkGates(
  results: readonly GateResult[],
  where: string,
  advice = "a better model, or another bound",
): void {
  const broken = results.flatMap((result) => result.broken ?? []);
  if (broken.length > 0) throw new ShopaiError("gate", broken.join("; "), { where, try: advice });
}

export function unknownMetric(name: string, known: readonly string[], option: string): ShopaiError {
  const near = nearest(name, known);
  return new ShopaiError("usage", `"${name}" is not measured here (${listed([...new Set(known)], 40)} are)`, {
    where: option,
    try: near ? `${option} ${near}` : undefined,
  });
}
