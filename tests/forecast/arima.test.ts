import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { ConditionalErrors } from "../../src/forecast/arima/conditional.js";
import { fromPartials, partialsJacobian, product } from "../../src/forecast/arima/polynomial.js";

const part = fc.double({ min: -0.8, max: 0.8, noNaN: true });
const coefficients = fc.record({
  phi: fc.array(part, { maxLength: 3 }),
  theta: fc.array(part, { maxLength: 3 }),
  seasonalPhi: fc.array(part, { maxLength: 2 }),
  seasonalTheta: fc.array(part, { maxLength: 2 }),
  seed: fc.integer({ min: 1, max: 1e6 }),
});
type Given = typeof coefficients extends fc.Arbitrary<infer T> ? T : never;

const season = 4;
const n = 40;

function partsOf({ phi, theta, seasonalPhi, seasonalTheta, seed }: Given) {
  const rng = seededRng(seed, "arima");
  const at = {
    phi: Float64Array.from(phi),
    theta: Float64Array.from(theta),
    seasonalPhi: Float64Array.from(seasonalPhi),
    seasonalTheta: Float64Array.from(seasonalTheta),
  };
  const order = { p: phi.length, q: theta.length, P: seasonalPhi.length, Q: seasonalTheta.length };
  return {
    at,
    filter: new ConditionalErrors(n, season, order),
    y: Float64Array.from({ length: n }, () => rng.normal()),
  };
}

describe("conditional errors", () => {
  test("are those of the polynomials with the season multiplied in", () => {
    fc.assert(
      fc.property(coefficients, (given) => {
        const { at, filter, y } = partsOf(given);
        const errors = new Float64Array(n);
        filter.errors(at, y, errors);
        const turned = (values: Float64Array): Float64Array => values.map((value) => -value);
        const ar = product(at.phi, at.seasonalPhi, season);
        const ma = turned(product(turned(at.theta), turned(at.seasonalTheta), season));
        const plain = new Float64Array(n);
        for (let t = ar.length; t < n; t++) {
          plain[t] = y[t];
          ar.forEach((value, j) => (plain[t] -= value * y[t - 1 - j]));
          ma.forEach((value, j) => (plain[t] -= t > j ? value * plain[t - 1 - j] : 0));
        }
        errors.forEach((error, t) => expect(error).toBeCloseTo(plain[t], 8));
      }),
      { numRuns: 60 },
    );
  });

  test("have the gradient that differences show", () => {
    fc.assert(
      fc.property(coefficients, (given) => {
        const { at, filter, y } = partsOf(given);
        const errors = new Float64Array(n);
        const squares = (): number => {
          filter.errors(at, y, errors);
          return errors.reduce((sum, error) => sum + error * error, 0);
        };
        const all = [at.phi, at.theta, at.seasonalPhi, at.seasonalTheta];
        const gradient = new Float64Array(all.reduce((sum, { length }) => sum + length, 0));
        const scale = squares();
        filter.gradient(at, y, errors, gradient);
        let place = 0;
        for (const own of all)
          for (let j = 0; j < own.length; j++, place++) {
            const kept = own[j];
            const step = 1e-6;
            own[j] = kept + step;
            const above = squares();
            own[j] = kept - step;
            const below = squares();
            own[j] = kept;
            expect((gradient[place] - (above - below) / (2 * step)) / scale).toBeCloseTo(0, 4);
          }
      }),
      { numRuns: 60 },
    );
  });

  test("the coefficients of partial autocorrelations move as their Jacobian says", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 5 }),
        (given) => {
          const z = Float64Array.from(given);
          const count = z.length;
          const jacobian = partialsJacobian(z, 0, count);
          for (let k = 0; k < count; k++) {
            const moved = (by: number): Float64Array =>
              fromPartials(
                z.map((value, i) => (i === k ? value + by : value)),
                0,
                count,
              );
            const [above, below] = [moved(1e-6), moved(-1e-6)];
            for (let j = 0; j < count; j++)
              expect(jacobian[j * count + k]).toBeCloseTo((above[j] - below[j]) / 2e-6, 6);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
