import { power } from "../../core/power.js";
import type { Rng } from "../../core/rng.js";
import type { ParamValue } from "../params.js";
import { drawn, placeOf, valueAt, type Axis, type Params } from "./space.js";

/** Points drawn at random before there is anything to learn from. */
const startup = 10;
/** Points drawn from the good ones, of which the most promising is taken. */
const candidates = 24;
/** Most points that count as good. */
const mostGood = 25;

/** Width of the windows of many points, as a share of the axis, before it shrinks with their number. */
const magnitude = 0.2;

/**
 * The next point to try by the tree-structured Parzen estimator: joint densities l of the good points and
 * g of the others; of some draws from l the one with the largest l/g.
 *
 * Bergstra, Bardenet, Bengio & Kégl (2011), Algorithms for Hyper-Parameter Optimization, NIPS, section 4.
 * Densities are joint over the axes, with windows as wide as Falkner, Klein & Hutter (2018, BOHB) and
 * Optuna (Akiba et al. 2019) have them: 0.2 n^(-1 / (d + 4)) of an axis for n points and d axes.
 *
 * @param tried points, best first
 */
export function proposed(axes: readonly Axis[], tried: readonly Params[], rng: Rng): Params {
  if (tried.length < startup) return drawn(axes, rng);
  const good = Math.min(mostGood, Math.ceil(0.1 * tried.length));
  const l = parzen(axes, tried.slice(0, good));
  const g = parzen(axes, tried.slice(good));
  let found: Float64Array | undefined;
  let most = -Infinity;
  for (let i = 0; i < candidates; i++) {
    const place = drawFrom(l, axes, rng);
    const gain = logDensity(l, axes, place) - logDensity(g, axes, place);
    if (!found || gain > most) [found, most] = [place, gain];
  }
  return Object.fromEntries(
    axes.map((axis, a): [string, ParamValue] => [
      axis.name,
      axis.kind === "choice" ? axis.choices[found![a]] : valueAt(axis, found![a]),
    ]),
  );
}

/** Windows of equal weight: one at every point, and a wide one over the whole space as prior, the last. */
interface Parzen {
  /** By window: the place on every axis, 0 to 1, or the number of the choice. */
  centers: Float64Array[];
  /** Of the windows at points, as a share of an axis. */
  width: number;
}

function parzen(axes: readonly Axis[], points: readonly Params[]): Parzen {
  const centers = points.map((params) =>
    Float64Array.from(axes, (axis) =>
      axis.kind === "choice"
        ? axis.choices.indexOf(params[axis.name])
        : placeOf(axis, params[axis.name] as number),
    ),
  );
  const narrowest = 1 / Math.min(100, 2 + points.length);
  const width = magnitude * power(Math.max(1, points.length), -1 / (axes.length + 4));
  return {
    centers: [...centers, new Float64Array(axes.length).fill(0.5)],
    width: Math.max(narrowest, width),
  };
}

function drawFrom({ centers, width }: Parzen, axes: readonly Axis[], rng: Rng): Float64Array {
  const window = rng.integer(centers.length);
  const prior = window === centers.length - 1;
  return Float64Array.from(axes, (axis, a) => {
    const center = centers[window][a];
    if (axis.kind === "choice") {
      const count = axis.choices.length;
      return prior || rng.uniform() < share(centers.length) ? rng.integer(count) : center;
    }
    for (;;) {
      const place = center + (prior ? 1 : width) * rng.normal();
      if (place >= 0 && place <= 1) return place;
    }
  });
}

/** Of a window at a choice: how much of it is spread over all choices. */
const share = (windows: number): number => 1 / (1 + windows);

function logDensity({ centers, width }: Parzen, axes: readonly Axis[], place: Float64Array): number {
  const logs = centers.map((center, window) => {
    const prior = window === centers.length - 1;
    return axes.reduce((sum, axis, a) => {
      if (axis.kind === "choice") {
        const even = 1 / axis.choices.length;
        const spread = share(centers.length);
        return sum + Math.log(prior ? even : spread * even + (center[a] === place[a] ? 1 - spread : 0));
      }
      const wide = prior ? 1 : width;
      const z = (place[a] - center[a]) / wide;
      const mass = normalCdf((1 - center[a]) / wide) - normalCdf(-center[a] / wide);
      return sum - 0.5 * z * z - Math.log(wide * mass);
    }, 0);
  });
  const most = Math.max(...logs);
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0) / logs.length);
}

/** Abramowitz & Stegun (1964), 7.1.26: error below 1.5e-7. */
function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
    Math.exp(-x * x);
  return z >= 0 ? 1 - tail / 2 : tail / 2;
}
