import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/run-cli.js";
import { shipped, statuses } from "./shipped.js";

/** Planted faults by class, from the truth beside the shop. */
function planted(): Record<string, number> {
  const [head, ...lines] = readFileSync(join(root, "fixtures/shop/truth/faults.csv"), "utf8")
    .trim()
    .split("\n");
  const at = head.split(",").indexOf("class");
  const counts: Record<string, number> = {};
  for (const line of lines) counts[line.split(",")[at]] = (counts[line.split(",")[at]] ?? 0) + 1;
  return counts;
}

test(
  "quickstart: every planted fault is found, the models learn, and a second run has nothing to do",
  { timeout: 180_000 },
  async () => {
    const it = shipped("quickstart", { shop: true });
    expect(statuses(await it.states("--threads", "2"))).toEqual(["ran"]);

    const faults = planted();
    const orders = it.result<{ rows_in: number; rows_out: number; rejected: number; duplicates: number }>(
      "orders",
    );
    expect(orders.rejected).toBe(faults.structural + faults.value);
    expect(orders.duplicates).toBe(faults.duplicate);
    expect(orders.rows_in).toBe(orders.rows_out + orders.rejected + orders.duplicates);
    type Metrics = { metrics: Record<string, number> };
    expect(it.result<Metrics>("conversion-metrics").metrics.auc).toBeGreaterThan(0.85);
    expect(it.result<Metrics>("recommender-metrics").metrics["ndcg@10"]).toBeGreaterThan(0.6);
    const { metrics, rows } = it.result<{ metrics: Record<string, Record<string, number>>; rows: number }>(
      "forecast",
    );
    expect(rows).toBe(40 * 14);
    expect(metrics.auto.rmsse).toBeLessThan(metrics["seasonal-naive"].rmsse);
    expect(it.file("work/quickstart/report.html")).toMatch(/^<!doctype html>/i);

    expect(statuses(await it.states("--frozen"))).toEqual(["fresh"]);

    // The lock holds the hash of every output: another folder, one thread, stages side by side, and the same bytes.
    const other = shipped("quickstart", { shop: true });
    await other.states("--threads", "1", "--jobs", "2");
    expect(other.lock()).toBe(it.lock());

    const yaml = join(it.folder, "pipelines/quickstart.yaml");
    writeFileSync(yaml, `# another comment\n${readFileSync(yaml, "utf8")}`);
    expect(statuses(await it.states("--dry-run"))).toEqual(["fresh"]);

    const changed = await it.states("--dry-run", "--param", "horizon=7");
    expect(Object.entries(changed).filter(([, status]) => status !== "fresh")).toEqual([
      ["forecast", "would run"],
      ["report", "may run"],
    ]);

    const gate = await it.run("--param", "least-auc=0.99", "conversion-metrics");
    expect(gate.code).toBe(6);
    expect(gate.stderr).toContain("error: stage conversion-metrics: auc is 0.");

    appendFileSync(join(it.folder, "fixtures/shop/orders.csv"), "\n");
    const frozen = await it.run("--frozen");
    expect(frozen.code).toBe(6);
    expect(frozen.stderr).toMatch(/^error: --frozen: orders: input fixtures\/shop\/orders\.csv: 1 row more/);
  },
);
