import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  levelForCycleService,
  levelForFillRate,
  newsvendor,
  newsvendorCost,
} from "../../src/decide/inventory/base-stock.js";
import {
  discreteDemand,
  normalCdf,
  normalDemand,
  poissonDemand,
  sampledDemand,
} from "../../src/decide/inventory/demand.js";
import {
  allUnitsDiscount,
  backorderedOrder,
  disruptedOrder,
  economicOrder,
  incrementalDiscount,
  jointOrder,
  productionQuantity,
} from "../../src/decide/inventory/economic-order.js";
import { placeSafetyStock, type ServiceNode } from "../../src/decide/inventory/guaranteed-service.js";
import { finiteHorizon, wagnerWhitin } from "../../src/decide/inventory/lot-sizing.js";
import { bestOrderUpTo, orderUpToByPower } from "../../src/decide/inventory/order-up-to.js";
import {
  bestReorder,
  reorderByBackorders,
  reorderByInventoryLevel,
  reorderByLoss,
  reorderCost,
} from "../../src/decide/inventory/reorder-quantity.js";
import { serialBaseStock, serialHeuristic } from "../../src/decide/inventory/serial-system.js";

/** Answers of stockpyl 1.0's documentation (examples of Snyder & Shen 2019, Fundamentals of Supply Chain Theory). */
describe("published answers, to 1e-6", () => {
  const eoq = { order: 8, holding: 0.225, rate: 1300 };
  const unit = { holding: 0.18, penalty: 0.7 };

  test.each<[string, () => object, object]>([
    ["economic order", () => economicOrder(eoq), { quantity: 304.0467800264, cost: 68.4105255059 }],
    [
      "all-units discount",
      () =>
        allUnitsDiscount({ order: 200, rate: 1000 }, 0.2, { breaks: [0, 200, 500], costs: [500, 475, 450] }),
      { quantity: 500, region: 2, cost: 472_900 },
    ],
    [
      "incremental discount",
      () =>
        incrementalDiscount({ order: 150, rate: 2400 }, 0.25, {
          breaks: [0, 300, 600],
          costs: [100, 90, 80],
        }),
      { quantity: 1481.8906842274, region: 2, cost: 222_762.8136845 },
    ],
    [
      "backorders",
      () => backorderedOrder(eoq, 5),
      { quantity: 310.812555159, waiting: 0.043062201, cost: 66.921363551 },
    ],
    ["production", () => productionQuantity(eoq, 1700), { quantity: 626.808494589, cost: 33.1839791253 }],
    [
      "disruptions",
      () => disruptedOrder(eoq, 5, 1.5, 14),
      { quantity: 772.8110739983, cost: 173.9500025973 },
    ],
    [
      "newsvendor, normal",
      () => newsvendor(normalDemand(50, 8), unit),
      { level: 56.6039559274, cost: 1.9976051932 },
    ],
    ["newsvendor, Poisson", () => newsvendor(poissonDemand(50), unit), { level: 56, cost: 1.7972352118 }],
    [
      "power approximation",
      () => orderUpToByPower(normalDemand(50, 8), unit, 2.5),
      { point: 40.1946169565, level: 74.2901701098 },
    ],
    [
      "Wagner-Whitin",
      () => ({ ...wagnerWhitin([90, 120, 80, 70], 500, 2).orders }),
      { 0: 210, 1: 0, 2: 150, 3: 0 },
    ],
  ])("%s", (_, answer, published) => {
    for (const [name, value] of Object.entries(published)) {
      const found = (answer() as Record<string, number>)[name];
      expect(Math.abs(found - value), name).toBeLessThan(1e-8 * (1 + value));
    }
  });

  test("joint replenishment", () => {
    const products = [
      { order: 120, holding: 160, rate: 1 },
      { order: 840, holding: 20, rate: 1 },
      { order: 300, holding: 50, rate: 1 },
    ];
    const { cycle, multiples, cost } = jointOrder(600, products);
    expect([cycle.toFixed(10), multiples, cost.toFixed(10)]).toEqual([
      "3.1031644542",
      [1, 3, 1],
      "837.8544026261",
    ]);
  });

  test("(r, Q): cost, optimum, approximations", () => {
    const demand = normalDemand(1300 / 12, 150 / Math.sqrt(12));
    const costs = { ...eoq, holding: 0.225, penalty: 7.5 };
    expect(reorderCost(demand, costs, { point: 126.8, quantity: 328.5 })).toBeCloseTo(78.0711625093, 9);
    for (const [method, point, quantity] of [
      [reorderByInventoryLevel, 213.97044213, 318.59018108],
      [reorderByBackorders, 128.63781442, 308.57378012],
      [reorderByLoss, 126.86706345, 328.4491422],
      [bestReorder, 126.86706345, 328.4491422],
    ] as const) {
      const found = method(demand, costs);
      expect([found.point, found.quantity], method.name).toEqual([
        expect.closeTo(point, 5),
        expect.closeTo(quantity, 4),
      ]);
    }
  });

  test("(r, Q) of whole units", () => {
    const demand = poissonDemand(3);
    const costs = { holding: 20, penalty: 150, order: 100, rate: 1.5 };
    const best = bestReorder(demand, costs);
    expect(best).toEqual({ point: 3, quantity: 5 });
    expect(reorderCost(demand, costs, best)).toBeCloseTo(107.9235806331, 9);
  });

  test("(s, S)", () => {
    const demand = poissonDemand(6);
    const mass = (units: number): number => demand.cdf(units) - demand.cdf(units - 1);
    const { point, level, cost } = bestOrderUpTo(demand, mass, { holding: 1, penalty: 4 }, 5);
    expect([point, level, cost.toFixed(10)]).toEqual([4, 10, "8.0341115615"]);
  });

  test("finite horizon", () => {
    const costs = { holding: 1, penalty: 20, order: 50, unit: 2, lastHolding: 1, lastPenalty: 20 };
    const { policies, cost } = finiteHorizon(normalDemand(100, 20), costs, 5, 4);
    expect(policies.map(({ point }) => point)).toEqual([110, 110, 110, 110, 111]);
    expect(policies.map(({ level }) => level)).toEqual([133, 133, 133, 133, 126]);
    // The published figure leaves demand beyond four deviations out, as `reach` does here.
    expect(cost).toBeCloseTo(1558.6946467384, 6);
  });

  test("a chain of stocks", () => {
    const system = {
      stages: [
        { holding: 3, leadTime: 1 },
        { holding: 2, leadTime: 1 },
        { holding: 2, leadTime: 2 },
      ],
      penalty: 37.12,
      demand: { mean: 5, deviation: 1 },
    };
    const heuristic = serialHeuristic(system);
    expect(heuristic.map((level) => level.toFixed(4))).toEqual(["6.4909", "12.0274", "22.6340"]);
    const { levels, cost } = serialBaseStock(system);
    // Published on a grid of 0.04 units; this one is finer.
    for (const [i, level] of [6.5144, 12.0123, 22.7002].entries())
      expect(Math.abs(levels[i] - level)).toBeLessThan(0.03);
    expect(Math.abs(cost - 47.6686531271)).toBeLessThan(0.01);
  });

  test("guaranteed service: a chain and a tree", () => {
    const chain: ServiceNode[] = [
      { name: "plant", to: ["depot"], time: 1, holding: 2, supplierTime: 1 },
      { name: "depot", to: ["shop"], time: 0, holding: 4 },
      { name: "shop", to: [], time: 1, holding: 7, customerTime: 1, deviation: 1 },
    ];
    expect(placeSafetyStock(chain, 1).cost).toBeCloseTo(2.8284271247, 9);
    const tree: ServiceNode[] = [
      { name: "1", to: ["3"], time: 2, holding: 1, supplierTime: 1 },
      { name: "3", to: ["2", "4"], time: 1, holding: 2 },
      { name: "2", to: [], time: 1, holding: 3, customerTime: 0, deviation: 1 },
      { name: "4", to: [], time: 1, holding: 3, customerTime: 1, deviation: 1 },
    ];
    const plan = placeSafetyStock(tree, 1);
    expect(plan.cost).toBeCloseTo(8.2779168675, 9);
    expect(Object.fromEntries(plan.promises)).toEqual({ 1: 0, 2: 0, 3: 0, 4: 1 });
    // scipy's normal quantile of 0.95 bounds the demand of this one.
    const assembly = (
      [
        [2, 0.01, "2"],
        [3, 0.03, "3"],
        [2, 0.04, "5"],
        [4, 0.06, "5"],
        [2, 0.12, "6"],
        [3, 0.13, "10"],
        [6, 0.2, "10"],
        [4, 0.08, "10"],
        [3, 0.04, "10"],
      ] as const
    ).map(([time, holding, to], i): ServiceNode => ({ name: `${i + 1}`, to: [to], time, holding }));
    assembly.push({ name: "10", to: [], time: 2, holding: 0.5, customerTime: 2, deviation: 10 });
    expect(placeSafetyStock(assembly, 1.6448536269514722).cost).toBeCloseTo(18.8240044726, 9);
  });
});

describe("distributions", () => {
  test("the normal tails (scipy 1.17 norm.cdf)", () => {
    for (const [z, p] of [
      [-8, 6.220960574271819e-16],
      [-3.5, 2.3262907903552504e-4],
      [-1, 0.15865525393145707],
      [0.3, 0.6179114221889526],
      [2.5, 0.9937903346742238],
    ])
      expect(normalCdf(z) / p).toBeCloseTo(1, 12);
  });

  test("losses are the tails of the distribution, summed up", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: -4, max: 14 }),
        (weights, y) => {
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const demand = discreteDemand(weights.map((weight) => weight / total));
          let [loss, second] = [0, 0];
          for (let d = 0; d < weights.length; d++) {
            const over = Math.max(0, d - y);
            loss += (over * weights[d]) / total;
            second += ((over * (over - 1)) / 2) * (weights[d] / total);
          }
          expect(demand.loss(y)).toBeCloseTo(loss, 9);
          expect(demand.secondLoss(y)).toBeCloseTo(second, 9);
        },
      ),
    );
  });

  test("samples and levels: what is promised is kept", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 5, maxLength: 60 }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        (values, target) => {
          const demand = sampledDemand(Float64Array.from(values));
          const level = levelForCycleService(demand, target);
          expect(values.filter((value) => value <= level).length / values.length).toBeGreaterThanOrEqual(
            target - 1e-9,
          );
          const cycle = demand.mean + 1;
          expect(demand.loss(levelForFillRate(demand, target, cycle))).toBeLessThanOrEqual(
            (1 - target) * cycle + 1e-6,
          );
          const costs = { holding: 1 - target, penalty: target };
          const best = newsvendor(demand, costs);
          for (const other of values)
            expect(best.cost).toBeLessThanOrEqual(newsvendorCost(demand, costs, other) + 1e-9);
        },
      ),
    );
  });
});

test("Wagner and Whitin's plan is the cheapest of all", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 60 }),
      (demand, order) => {
        const costOf = (mask: number): number => {
          let [cost, since] = [0, 0];
          for (let t = 0; t < demand.length; t++) {
            if (t === 0 || (mask >> t) & 1) [cost, since] = [cost + order, t];
            cost += (t - since) * demand[t];
          }
          return cost;
        };
        const all = Array.from({ length: 1 << demand.length }, (_, mask) => costOf(mask));
        const { cost, orders } = wagnerWhitin(demand, order, 1);
        expect(cost).toBe(Math.min(...all));
        expect(orders.reduce((sum, units) => sum + units, 0)).toBe(
          demand.reduce((sum, units) => sum + units, 0),
        );
      },
    ),
  );
});
