import type { Axis, Params } from "../../src/learners/tune/space.js";

interface TestFunction {
  axes: Axis[];
  minimum: number;
  at(params: Params): number;
}

const axis = (name: string, low: number, high: number): Axis => ({
  name,
  kind: "real",
  low,
  high,
  log: false,
});

/** Branin & Hoo (1972); three minima of .397887, at (pi, 2.275) among others. */
export const branin: TestFunction = {
  axes: [axis("x1", -5, 10), axis("x2", 0, 15)],
  minimum: 0.397887,
  at({ x1, x2 }) {
    const [x, y] = [x1 as number, x2 as number];
    const square = (y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6) ** 2;
    return square + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
  },
};

const alpha = [1, 1.2, 3, 3.2];
const a = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const p = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];

/** Hartmann's function of six variables (Dixon & Szegö 1978); minimum -3.32237. */
export const hartmann6: TestFunction = {
  axes: Array.from({ length: 6 }, (_, i) => axis(`x${i + 1}`, 0, 1)),
  minimum: -3.32237,
  at(params) {
    const x = Array.from({ length: 6 }, (_, i) => params[`x${i + 1}`] as number);
    return -alpha.reduce(
      (sum, weight, i) =>
        sum + weight * Math.exp(-x.reduce((s, v, j) => s + a[i][j] * (v - p[i][j] / 10_000) ** 2, 0)),
      0,
    );
  },
};
