import { expect, test } from "vitest";
import { sharedData } from "../support/shared-data.js";
import { shipped, statuses } from "./shipped.js";

const data = sharedData("online-shoppers/online_shoppers_intention.csv");

test.skipIf(!data)(
  "online-shoppers (needs ../shared/data): auc above 0.87 on visits that were held out",
  { timeout: 180_000 },
  async () => {
    const it = shipped("online-shoppers");
    const param = ["--param", `data=${data}`];
    expect(statuses(await it.states(...param))).toEqual(["ran"]);

    expect(it.result("sessions")).toMatchObject({
      rows_in: 12_330,
      rows_out: 12_330,
      rejected: 0,
      duplicates: 0,
    });
    const { split } = it.result<{ split: Record<string, number> }>("features");
    expect(split.train + split.test).toBe(12_330);
    expect(split.test / 12_330).toBeCloseTo(0.2, 2);
    const { metrics, rows } = it.result<{ metrics: Record<string, number>; rows: number }>("metrics");
    expect(rows).toBe(split.test);
    expect(metrics.auc).toBeGreaterThan(0.87);
    expect(it.result<{ rows: number }>("scores").rows).toBe(split.test);
    expect(statuses(await it.states(...param, "--frozen"))).toEqual(["fresh"]);
  },
);
