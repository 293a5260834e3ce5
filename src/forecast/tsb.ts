import { real } from "../learners/params.js";
import { defineForecastModel, deviationOf, grown } from "./model.js";

/** What `beta: 0` and `alpha: 0` search. */
const grid = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5];

/** Size of demands and probability of a demand, smoothed apart; the probability in every period, so that it falls when demand ends. */
export default defineForecastModel({
  name: "tsb",
  summary: "demand size times demand probability; follows items that die out",
  source:
    "Teunter, Syntetos & Babai (2011), Intermittent demand: linking forecasting to inventory obsolescence, European J. Operational Research 214:606-615",
  params: {
    alpha: real({
      default: 0.1,
      min: 0,
      max: 1,
      help: "weight of the newest size; 0 finds the best for every series",
    }),
    beta: real({
      default: 0.1,
      min: 0,
      max: 1,
      help: "weight of the newest period in the probability; 0 finds the best for every series",
    }),
  },
  seasonal: false,
  needs: () => 2,
  fit({ values }, { alpha, beta }) {
    let best = { alpha: 0, beta: 0, rate: 0, squares: Infinity };
    for (const a of alpha > 0 ? [alpha] : grid)
      for (const b of beta > 0 ? [beta] : grid) {
        const { rate, squares } = tsbRun(values, a, b);
        if (squares < best.squares) best = { alpha: a, beta: b, rate, squares };
      }
    return {
      mean: (horizon) => new Float64Array(horizon).fill(best.rate),
      spread: grown(deviationOf(best.squares, values.length, 2), () => 1),
      about: { alpha: best.alpha, beta: best.beta },
    };
  },
});

function tsbRun(values: Float64Array, alpha: number, beta: number): { rate: number; squares: number } {
  let demands = 0;
  let first = 0;
  for (const value of values) {
    if (value === 0) continue;
    if (demands === 0) first = value;
    demands++;
  }
  let size = first;
  let probability = demands / values.length;
  let squares = 0;
  for (let t = 0; t < values.length; t++) {
    const error = values[t] - probability * size;
    squares += error * error;
    if (values[t] === 0) probability -= beta * probability;
    else {
      size += alpha * (values[t] - size);
      probability += beta * (1 - probability);
    }
  }
  return { rate: probability * size, squares };
}
