import { power } from "../core/power.js";
import type { ForecastFit, History } from "./model.js";

export const transformNames = ["none", "log", "box-cox"] as const;
export type TransformName = (typeof transformNames)[number];

/**
 * Lets a model see transformed values. Forecasts are transformed back as they are, so that they are medians; deviations
 * go back by the delta method.
 *
 * `log` takes log(1 + y) where there are zeros; `box-cox` finds its power for every series (Guerrero 1993, J. Forecasting
 * 12:37-48). A series that either cannot be taken of is left as it is.
 */
export function transformed(
  history: History,
  name: TransformName,
  fit: (history: History) => ForecastFit,
): ForecastFit {
  let low = Infinity;
  for (const value of history.values) low = Math.min(low, value);
  if (name === "none" || low < 0 || (name === "box-cox" && low === 0)) return fit(history);
  const lambda = name === "log" ? 0 : guerrero(history.values, history.season);
  const shift = low === 0 ? 1 : 0;
  const forth = (y: number): number => (lambda === 0 ? Math.log(y + shift) : (power(y, lambda) - 1) / lambda);
  const back = (z: number): number =>
    lambda === 0 ? Math.exp(z) - shift : power(Math.max(0, lambda * z + 1), 1 / lambda);
  const rest = fit({ ...history, values: history.values.map(forth) });
  return {
    mean: (horizon) => rest.mean(horizon).map(back),
    spread: (horizon) => {
      const mean = rest.mean(horizon).map(back);
      // dy/dz = y^(1 - lambda).
      return rest.spread(horizon).map((one, h) => one * power(mean[h] + shift, 1 - lambda));
    },
    again: rest.again,
    residuals: rest.residuals,
    about: { ...rest.about, lambda },
  };
}

/** The power in [-0.5, 1] that makes the deviation within a season least dependent on its mean. */
export function guerrero(values: Float64Array, season: number): number {
  const length = Math.max(2, season);
  const blocks = Math.floor(values.length / length);
  if (blocks < 3) return 1;
  const offset = values.length - blocks * length;
  const means = new Float64Array(blocks);
  const deviations = new Float64Array(blocks);
  for (let b = 0; b < blocks; b++) {
    for (let t = 0; t < length; t++) means[b] += values[offset + b * length + t] / length;
    for (let t = 0; t < length; t++)
      deviations[b] += (values[offset + b * length + t] - means[b]) ** 2 / (length - 1);
    deviations[b] = Math.sqrt(deviations[b]);
  }
  let best = 1;
  let least = Infinity;
  for (let step = 0; step <= 30; step++) {
    const lambda = -0.5 + step * 0.05;
    let sum = 0;
    let squares = 0;
    for (let b = 0; b < blocks; b++) {
      const ratio = deviations[b] / power(means[b], 1 - lambda);
      sum += ratio;
      squares += ratio * ratio;
    }
    const mean = sum / blocks;
    const variation = mean > 0 ? Math.sqrt(Math.max(0, squares / blocks - mean * mean)) / mean : Infinity;
    if (variation < least) {
      least = variation;
      best = Math.abs(lambda) < 1e-9 ? 0 : lambda;
    }
  }
  return best;
}
