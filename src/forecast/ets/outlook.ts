import { power } from "../../core/power.js";
import type { EtsFit } from "./fit.js";

/** Phi + phi^2 + ... + phi^h: how far a damped slope has carried after h periods. */
function carried(phi: number, h: number): number {
  return phi === 1 ? h : (phi * (1 - power(phi, h))) / (1 - phi);
}

/** Point forecasts (Hyndman, Koehler, Ord & Snyder 2008, table 2.1): what the states give without errors. */
export function etsMean(fit: EtsFit, horizon: number): Float64Array {
  const { form, season, params, last } = fit;
  return Float64Array.from({ length: horizon }, (_, h) => {
    const level = last.level + (form.trend === "N" ? 0 : carried(params.phi, h + 1) * last.slope);
    if (form.season === "N") return level;
    const s = last.season[h % season];
    return form.season === "A" ? level + s : level * s;
  });
}

/**
 * Standard deviations of the forecast errors (ibid., 6.3): exact for additive forms (class 1) and for multiplicative
 * errors without a multiplicative season (class 2); for a multiplicative season the level's variance is scaled by
 * the season, which leaves out its own movement.
 */
export function etsSpread(fit: EtsFit, horizon: number): Float64Array {
  const { form, season, params, last, variance } = fit;
  const response = (j: number): number =>
    params.alpha +
    (form.trend === "N" ? 0 : params.beta * carried(params.phi, j)) +
    (form.season === "A" && j % season === 0 ? params.gamma : 0);
  const spread = new Float64Array(horizon);
  if (form.error === "A") {
    let sum = 1;
    for (let h = 0; h < horizon; h++) {
      spread[h] = Math.sqrt(variance * sum);
      sum += response(h + 1) ** 2;
    }
    return spread;
  }
  const mean = etsMean(fit, horizon);
  const plain = form.season === "M" ? mean.map((value, h) => value / last.season[h % season]) : mean;
  const theta = new Float64Array(horizon);
  for (let h = 0; h < horizon; h++) {
    theta[h] = plain[h] * plain[h];
    for (let j = 1; j <= h; j++) theta[h] += variance * response(j) ** 2 * theta[h - j];
    const scale = form.season === "M" ? last.season[h % season] : 1;
    spread[h] = scale * Math.sqrt(Math.max(0, (1 + variance) * theta[h] - plain[h] ** 2));
  }
  return spread;
}
