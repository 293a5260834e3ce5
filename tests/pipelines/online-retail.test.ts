import { expect, test } from "vitest";
import { sharedData } from "../support/shared-data.js";
import { shipped, statuses } from "./shipped.js";

const data = sharedData("online-retail-raw/by-day");

test.skipIf(!data)(
  "online-retail (needs ../shared/data): the counts of the data set's README come out",
  { timeout: 180_000 },
  async () => {
    const it = shipped("online-retail");
    const param = ["--param", `data=${data}`];
    expect(statuses(await it.states(...param))).toEqual(["ran"]);

    expect(it.result("orders")).toMatchObject({
      rows_in: 77_628,
      rows_out: 76_881,
      rejected: 0,
      duplicates: 747,
      by_rule: {
        "duplicate(exact)": 747,
        "customer.required": 28_866,
        "quantity.min": 1_595,
        "invoice.pattern": 1_429,
        "price_gbp.above": 413,
        "description.required": 239,
      },
    });
    const { rows, series, horizon } = it.result<{ rows: number; series: number; horizon: number }>(
      "forecast",
    );
    expect([series, rows]).toEqual([2975, series * horizon]);
    expect(it.file("work/online-retail/report.html")).toContain("Online retail");
    expect(statuses(await it.states(...param, "--frozen"))).toEqual(["fresh"]);
  },
);
