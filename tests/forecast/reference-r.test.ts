import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differencesNeeded } from "../../src/forecast/arima/differences.js";
import { fitArima } from "../../src/forecast/arima/fit.js";
import { autocovariances, Innovations } from "../../src/forecast/arima/innovations.js";
import { searchArima } from "../../src/forecast/arima/search.js";
import { fitEts } from "../../src/forecast/ets/fit.js";
import { etsForms } from "../../src/forecast/ets/forms.js";
import { etsMean, etsSpread } from "../../src/forecast/ets/outlook.js";
import { Smoother } from "../../src/forecast/ets/smoother.js";
import { seededRng } from "../../src/core/rng.js";
import { stl } from "../../src/forecast/mstl/stl.js";
import { readyModels } from "../../src/forecast/registry.js";
import { root } from "../support/run-cli.js";

// R 4.2 and its forecast package (versions stand in the fixture), by tests/parity/scripts/forecast_r.R.
const known = JSON.parse(readFileSync(join(root, "tests/parity/fixtures/forecast-r.json"), "utf8")) as {
  series: Record<string, { season: number; values: number[] }>;
  ets: Record<string, { form: string; loglik: number; aicc: number; alpha: number; mean: number[] }[]>;
  arima: Record<
    string,
    { order: number[]; loglik: number; aic: number; coef: number[]; mean: number[]; upper: number[] }[]
  >;
  auto: Record<string, string>;
  theta: Record<string, number[]>;
  stl: { seasonal: number[]; trend: number[] };
  croston: number[];
  ndiffs: Record<string, number>;
};
const seriesOf = (name: string) => ({
  values: Float64Array.from(known.series[name].values),
  season: known.series[name].season,
});
const cases = <T>(of: Record<string, T[]>): [string, T][] =>
  Object.entries(of).flatMap(([name, list]) => list.map((one): [string, T] => [name, one]));

describe("ets", () => {
  test.each(cases(known.ets).map(([name, one]) => [`${one.form} of ${name}`, name, one] as const))(
    "%s: likelihood no worse than R's, the same where there is no season",
    (_, name, one) => {
      const { values, season } = seriesOf(name);
      const form = etsForms.find((candidate) => candidate.name === one.form)!;
      const fit = fitEts(values, form, season)!;
      // R searches starting states by a simplex that stops early where there is a season to find.
      expect(fit.logLikelihood).toBeGreaterThan(one.loglik - 0.1);
      // The penalty for parameters is counted alike.
      expect(fit.aicc + 2 * fit.logLikelihood).toBeCloseTo(one.aicc + 2 * one.loglik, 4);
      if (form.season !== "N") return;
      expect(fit.logLikelihood).toBeLessThan(one.loglik + 1);
      if (form.trend !== "N") return;
      expect(fit.params.alpha).toBeCloseTo(one.alpha, 2);
      etsMean(fit, 6).forEach((value, h) => expect(Math.abs(value / one.mean[h] - 1)).toBeLessThan(0.01));
    },
  );

  test("the gradient is that of differences, for every form", () => {
    const rng = seededRng(1, "ets");
    const values = Float64Array.from(
      { length: 40 },
      (_, t) => 100 + t + 10 * Math.sin((t * Math.PI) / 2) + rng.normal(),
    );
    for (const form of etsForms) {
      const smoother = new Smoother(values, form, 4);
      const params = { alpha: 0.3, beta: 0.05, gamma: 0.2, phi: 0.95 };
      const first = form.season === "M" ? [0.95, 1.1, 1.02, 0.93] : [-5, 9, 1, -5];
      const value = (change: Partial<typeof params & { level: number; slope: number; first: number }>) => {
        smoother.level = 101 + (change.level ?? 0);
        smoother.slope = 0.7 + (change.slope ?? 0);
        if (form.season !== "N")
          smoother.start.set(first.map((s, i) => s + (i === 1 ? (change.first ?? 0) : 0)));
        const own = { ...params };
        for (const name of ["alpha", "beta", "gamma", "phi"] as const) own[name] += change[name] ?? 0;
        if (form.trend === "N") own.beta = 0;
        return smoother.run(own);
      };
      value({});
      smoother.back();
      const exact = { ...smoother.by, first: form.season === "N" ? 0 : smoother.byStart[1] };
      const step = 1e-6;
      const names = [
        ...(["alpha", "level"] as const),
        ...(form.trend === "N" ? [] : (["beta", "phi", "slope"] as const)),
        ...(form.season === "N" ? [] : (["gamma", "first"] as const)),
      ];
      for (const name of names) {
        const slope = (value({ [name]: step }) - value({ [name]: -step })) / (2 * step);
        expect(Math.abs(exact[name] - slope), `${form.name} by ${name}`).toBeLessThan(
          1e-4 * (1 + Math.abs(slope)),
        );
      }
    }
  });

  test("deviations are those of simulated futures", () => {
    const { values, season } = seriesOf("deaths");
    for (const name of ["AAdA", "MNN", "MAN"]) {
      const form = etsForms.find((one) => one.name === name)!;
      const fit = fitEts(values, form, season)!;
      const rng = seededRng(2, name);
      const deviation = Math.sqrt(fit.variance);
      const horizon = 14;
      const draws = 4000;
      const squares = new Float64Array(horizon);
      const mean = etsMean(fit, horizon);
      for (let i = 0; i < draws; i++) {
        let { level, slope } = fit.last;
        const s = fit.last.season.slice();
        for (let h = 0; h < horizon; h++) {
          const q = level + (form.trend === "N" ? 0 : fit.params.phi * slope);
          const f = q + (form.season === "A" ? s[h % season] : 0);
          const e = rng.normal() * deviation * (form.error === "M" ? f : 1);
          squares[h] += (f + e - mean[h]) ** 2 / draws;
          level = q + fit.params.alpha * e;
          if (form.trend !== "N") slope = fit.params.phi * slope + fit.params.beta * e;
          if (form.season === "A") s[h % season] += fit.params.gamma * e;
        }
      }
      etsSpread(fit, horizon).forEach((spread, h) =>
        expect(Math.abs(Math.sqrt(squares[h]) / spread - 1)).toBeLessThan(0.06),
      );
    }
  });
});

describe("arima", () => {
  test.each(
    cases(known.arima).map(([name, one]) => [`(${one.order.join(",")}) of ${name}`, name, one] as const),
  )("%s: coefficients, likelihood, forecasts and intervals are R's", (_, name, one) => {
    const { values, season } = seriesOf(name);
    const [p, d, q, P, D, Q] = one.order;
    const fit = fitArima(values, { p, d, q, P, D, Q, constant: d + D === 0 }, season)!;
    // R treats differences by a vague prior, which moves its likelihood by a few thousandths.
    expect(Math.abs(fit.logLikelihood - one.loglik)).toBeLessThan(0.01);
    expect(Math.abs(fit.aic - one.aic)).toBeLessThan(0.02);
    const own = [...fit.phi, ...fit.theta, ...fit.seasonalPhi, ...fit.seasonalTheta, ...fit.beta];
    own.forEach((value, i) =>
      expect(Math.abs(value - one.coef[i])).toBeLessThan(2e-3 * Math.max(1, Math.abs(one.coef[i]))),
    );
    const mean = fit.mean(6);
    const spread = fit.spread(6);
    mean.forEach((value, h) => {
      expect(Math.abs(value / one.mean[h] - 1)).toBeLessThan(2e-3);
      const width = one.upper[h] - one.mean[h];
      expect(Math.abs((1.959964 * spread[h]) / width - 1)).toBeLessThan(0.03);
    });
  });

  test("the airline model has the figures of Box and Jenkins", () => {
    const { values } = seriesOf("logair");
    const fit = fitArima(values, { p: 0, d: 1, q: 1, P: 0, D: 1, Q: 1, constant: false }, 12)!;
    expect(fit.theta[0]).toBeCloseTo(-0.4018, 3);
    expect(fit.seasonalTheta[0]).toBeCloseTo(-0.5569, 3);
    expect(fit.sigma2).toBeCloseTo(0.001348, 5);
    expect(fit.aic).toBeCloseTo(-483.4, 1);
  });

  test("the search finds R's order for the airline data, and differences as often as R", () => {
    const { order } = searchArima(seriesOf("logair").values, 12)!;
    expect(`ARIMA(${order.p},${order.d},${order.q})(${order.P},${order.D},${order.Q})[12]`).toBe(
      known.auto.logair,
    );
    for (const [name, times] of Object.entries(known.ndiffs))
      expect(differencesNeeded(seriesOf(name).values)).toBe(times);
  });

  test("the likelihood is the Gaussian density of the covariance matrix", () => {
    const part = fc.double({ min: -0.6, max: 0.6, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(part, part, part, part),
        fc.integer({ min: 1, max: 1e6 }),
        ([a, b, c, d], seed) => {
          const ar = Float64Array.of(a, 0.3 * b);
          const ma = Float64Array.of(c, 0, d);
          const n = 25;
          const rng = seededRng(seed, "arma");
          const y = Float64Array.from({ length: n }, () => rng.normal());
          const filter = new Innovations(ar, ma, n);
          const errors = new Float64Array(n);
          filter.errors(y, errors);
          const gamma = autocovariances(ar, ma, n)!;
          // Cholesky of the whole matrix, by rows.
          const rows: number[][] = [];
          let logs = 0;
          let squares = 0;
          const white: number[] = [];
          for (let i = 0; i < n; i++) {
            rows.push([]);
            for (let j = 0; j <= i; j++) {
              let sum = gamma[i - j];
              for (let k = 0; k < j; k++) sum -= rows[i][k] * rows[j][k];
              rows[i].push(i === j ? Math.sqrt(sum) : sum / rows[j][j]);
            }
            let rest = y[i];
            for (let k = 0; k < i; k++) rest -= rows[i][k] * white[k];
            white.push(rest / rows[i][i]);
            squares += white[i] ** 2;
            logs += 2 * Math.log(rows[i][i]);
          }
          expect(filter.logs).toBeCloseTo(logs, 6);
          expect(errors.reduce((sum, e) => sum + e * e, 0)).toBeCloseTo(squares, 5);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("a regressor's coefficient is found through autocorrelated errors", () => {
    const rng = seededRng(3, "regression");
    const promo = Float64Array.from({ length: 130 }, () => (rng.uniform() < 0.2 ? 1 : 0));
    let noise = 0;
    const values = Float64Array.from({ length: 120 }, (_, t) => {
      noise = 0.7 * noise + rng.normal();
      return 50 + 8 * promo[t] + noise;
    });
    const fit = fitArima(values, { p: 1, d: 0, q: 0, P: 0, D: 0, Q: 0, constant: true }, 1, [promo])!;
    expect(fit.phi[0]).toBeCloseTo(0.7, 0);
    expect(fit.beta[0]).toBeCloseTo(8, 0);
    const mean = fit.mean(10);
    const lift = [...mean].map((value, h) => value - 8 * promo[120 + h]);
    expect(Math.max(...lift) - Math.min(...lift)).toBeLessThan(4);
  });
});

test.each(Object.keys(known.theta))("theta of %s is R's thetaf", (name) => {
  const [model] = readyModels(["theta"], {});
  model
    .fit(seriesOf(name))
    .mean(6)
    .forEach((value, h) => expect(Math.abs(value / known.theta[name][h] - 1)).toBeLessThan(1e-3));
});

test("stl is R's", () => {
  const { seasonal, trend } = stl(seriesOf("logair").values, 12, 11);
  seasonal.forEach((value, t) => expect(value).toBeCloseTo(known.stl.seasonal[t], 6));
  trend.forEach((value, t) => expect(value).toBeCloseTo(known.stl.trend[t], 6));
});

test("croston is R's", () => {
  const [model] = readyModels(["croston"], {});
  const values = Float64Array.of(0, 0, 3, 0, 5, 0, 0, 0, 2, 0, 0, 4, 1, 0);
  expect(model.fit({ values, season: 1 }).mean(1)[0]).toBeCloseTo(known.croston[0], 8);
});
