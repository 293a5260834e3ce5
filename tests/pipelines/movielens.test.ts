import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sharedData } from "../support/shared-data.js";
import { shipped, statuses } from "./shipped.js";

const data = sharedData("movielens-100k/interactions-split75.csv");

// EASE with lambda 300 on binary interactions: worked out with NumPy beside the data set.
test.skipIf(!data)(
  "movielens (needs ../shared/data): EASE's published figures",
  { timeout: 180_000 },
  async () => {
    const it = shipped("movielens");
    const param = ["--param", `data=${data}`];
    expect(statuses(await it.states(...param))).toEqual(["ran"]);

    const { metrics, rows } = it.result<{ metrics: Record<string, number>; rows: number }>("metrics");
    expect(rows).toBe(24934);
    expect(Math.abs(metrics["ndcg@10"] - 0.4842)).toBeLessThan(0.0005);
    expect(metrics["precision@10"]).toBeCloseTo(0.4221, 4);
    expect(metrics["recall@10"]).toBeCloseTo(0.2296, 4);
    expect(metrics["map@10"]).toBeCloseTo(0.1499, 4);
    expect(it.result<{ rows: number }>("recommendations").rows).toBe(9430);
    expect(it.file("work/movielens/report.html")).toContain("MovieLens recommendations");

    const yaml = join(it.folder, "pipelines/movielens.yaml");
    writeFileSync(yaml, `# another comment\n${readFileSync(yaml, "utf8")}`);
    expect(statuses(await it.states(...param, "--frozen"))).toEqual(["fresh"]);
  },
);
