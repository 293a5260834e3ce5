import { goldenSection } from "../../kernels/golden-section.js";
import { real } from "../../learners/params.js";
import { deviationOf, grown, type ForecastFit } from "../model.js";

export const crostonParams = {
  alpha: real({
    default: 0.1,
    min: 0,
    max: 1,
    help: "weight of the newest demand and interval; 0 finds the best for every series",
  }),
};

/**
 * Croston's demand rate: size and interval smoothed apart, at demands only, times a correction of its bias.
 *
 * @param correction by alpha: 1 for Croston (1972), 1 - alpha/2 for Syntetos & Boylan (2005)
 */
export function crostonFit(
  values: Float64Array,
  given: number,
  correction: (alpha: number) => number,
): ForecastFit {
  const squaresOf = (alpha: number): number => crostonRun(values, alpha, correction(alpha)).squares;
  const alpha = given > 0 ? given : goldenSection(squaresOf, 0.01, 0.99, 1e-3);
  const { rate, squares } = crostonRun(values, alpha, correction(alpha));
  return {
    mean: (horizon) => new Float64Array(horizon).fill(rate),
    spread: grown(deviationOf(squares, values.length, 1), () => 1),
    about: { alpha },
  };
}

function crostonRun(
  values: Float64Array,
  alpha: number,
  correction: number,
): { rate: number; squares: number } {
  let size = 0;
  let interval = 0;
  let since = 0;
  let rate = 0;
  let squares = 0;
  for (let t = 0; t < values.length; t++) {
    const value = values[t];
    const error = value - rate;
    squares += error * error;
    since++;
    if (value === 0) continue;
    if (interval === 0) {
      size = value;
      interval = since;
    } else {
      size += alpha * (value - size);
      interval += alpha * (since - interval);
    }
    since = 0;
    rate = (correction * size) / interval;
  }
  return { rate, squares };
}
