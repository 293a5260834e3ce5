/** Error, trend and season of an exponential smoothing model: `AAdM` is additive error, damped trend, multiplicative season. */
export interface EtsForm {
  name: string;
  error: "A" | "M";
  trend: "N" | "A" | "Ad";
  season: "N" | "A" | "M";
}

const formOf = (error: EtsForm["error"], trend: EtsForm["trend"], season: EtsForm["season"]): EtsForm => ({
  name: `${error}${trend}${season}`,
  error,
  trend,
  season,
});

/**
 * The fifteen admissible forms: without those of infinite forecast variance (additive errors with a multiplicative season)
 * and without multiplicative trends, as in Hyndman & Athanasopoulos (2021), 8.6.
 */
export const etsForms: readonly EtsForm[] = (["A", "M"] as const).flatMap((error) =>
  (["N", "A", "Ad"] as const).flatMap((trend) =>
    (error === "A" ? (["N", "A"] as const) : (["N", "A", "M"] as const)).map((season) =>
      formOf(error, trend, season),
    ),
  ),
);

/** Eight of them: trends only damped, errors and season both additive or both multiplicative. */
export const shortPool: readonly EtsForm[] = etsForms.filter(
  ({ error, trend, season }) => trend !== "A" && (season === "N" || season === error),
);

/** Smoothing parameters, and starting states, that a form has. */
export function sizeOf(form: EtsForm, season: number): { smoothing: number; states: number } {
  const trend = form.trend === "N" ? 0 : 1;
  const seasonal = form.season === "N" ? 0 : 1;
  return {
    smoothing: 1 + trend + (form.trend === "Ad" ? 1 : 0) + seasonal,
    // The seasonal states sum to nothing new: one follows from the others.
    states: 1 + trend + seasonal * (season - 1),
  };
}
