import { seasonalDifferencesNeeded, differencesNeeded } from "./differences.js";
import { fitArima, type ArimaFit, type ArimaOrder } from "./fit.js";
import { differencing, filtered } from "./polynomial.js";

/** Above so many values orders are compared by the conditional sum of squares; the start hardly matters then. */
export const longSeries = 200;
const mostOrder = 5;
const mostSeasonal = 2;
/** Orders tried at most. */
const mostTried = 60;

/**
 * The order of least AICc, stepwise from four starting orders.
 *
 * Hyndman & Khandakar (2008), J. Statistical Software 27(3), 3.2, with a season differenced where it is strong (R's
 * `auto.arima` of today). The winner is fitted by exact maximum likelihood.
 *
 * @param season 1 for none
 */
export function searchArima(
  values: Float64Array,
  season: number,
  known: readonly Float64Array[] = [],
): ArimaFit | undefined {
  const n = values.length;
  const seasonal = season > 1 && n >= 2 * season + 5 ? season : 1;
  const level = known.length > 0 ? residualsOn(values, known) : values;
  const D = seasonal > 1 ? seasonalDifferencesNeeded(level, seasonal) : 0;
  const d = differencesNeeded(D > 0 ? filtered(level, differencing(0, D, seasonal)) : level, D > 0 ? 1 : 2);
  const exact = n <= longSeries && seasonal <= 12;
  const mayHaveConstant = d + D <= 1;
  const tried = new Map<string, ArimaFit | undefined>();
  const keyOf = (o: ArimaOrder): string => `${o.p} ${o.q} ${o.P} ${o.Q} ${o.constant ? 1 : 0}`;
  const limit = Math.max(0, Math.min(mostOrder, Math.floor(n / 4)));
  const seasonalLimit = seasonal > 1 ? (seasonal > 12 ? 1 : mostSeasonal) : 0;
  const trial = (o: ArimaOrder): ArimaFit | undefined => {
    const within =
      o.p >= 0 &&
      o.q >= 0 &&
      o.P >= 0 &&
      o.Q >= 0 &&
      o.p <= limit &&
      o.q <= limit &&
      o.P <= seasonalLimit &&
      o.Q <= seasonalLimit;
    if (!within || (o.constant && !mayHaveConstant)) return undefined;
    const key = keyOf(o);
    if (tried.has(key)) return undefined;
    if (tried.size >= mostTried) return undefined;
    const fit = fitArima(values, o, seasonal, known, { exact, gain: 0.02 });
    tried.set(key, fit);
    return fit?.inside ? fit : undefined;
  };
  const order = (p: number, q: number, P: number, Q: number, constant = mayHaveConstant): ArimaOrder => ({
    ...{ p, d, q, D, constant },
    P: seasonalLimit > 0 ? P : 0,
    Q: seasonalLimit > 0 ? Q : 0,
  });
  let best: ArimaFit | undefined;
  const consider = (o: ArimaOrder): boolean => {
    const fit = trial(o);
    if (!fit || (best && !(fit.aicc < best.aicc))) return false;
    best = fit;
    return true;
  };
  for (const start of [order(2, 2, 1, 1), order(0, 0, 0, 0), order(1, 0, 1, 0), order(0, 1, 0, 1)])
    consider(start);
  if (mayHaveConstant) consider(order(0, 0, 0, 0, false));
  const steps: [number, number, number, number][] = [
    [0, 0, -1, 0],
    [0, 0, 0, -1],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
    [0, 0, -1, -1],
    [0, 0, 1, 1],
    [-1, 0, 0, 0],
    [0, -1, 0, 0],
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [-1, -1, 0, 0],
    [1, 1, 0, 0],
  ];
  for (let moved = best !== undefined; moved;) {
    moved = false;
    const at: ArimaOrder = best!.order;
    for (const [p, q, P, Q] of steps) {
      moved = consider({ ...at, p: at.p + p, q: at.q + q, P: at.P + P, Q: at.Q + Q });
      if (moved) break;
    }
    if (!moved) moved = consider({ ...at, constant: !at.constant });
  }
  if (!best) return undefined;
  // The likelihood of the search was loose, or conditional: the winner is fitted exactly, from where it stood. In a long series both
  // have their best at nearly the same place.
  const ranked = [...tried.values()]
    .filter((fit) => fit !== undefined && fit.inside)
    .sort((a, b) => a!.aicc - b!.aicc)
    .slice(0, 3);
  for (const candidate of ranked) {
    const fit = fitArima(values, candidate!.order, seasonal, known, {
      exact: true,
      gain: exact ? 1e-5 : 1e-2,
      start: candidate!.places,
    });
    if (fit?.inside) return fit;
  }
  return best;
}

/** What a regression on the regressors and a mean leaves. */
function residualsOn(values: Float64Array, known: readonly Float64Array[]): Float64Array {
  const fit = fitArima(values, { p: 0, d: 0, q: 0, P: 0, D: 0, Q: 0, constant: true }, 1, known);
  if (!fit) return values;
  return values.map((value, t) => {
    let rest = value;
    known.forEach((column, i) => (rest -= fit.beta[i] * column[t]));
    return rest;
  });
}
