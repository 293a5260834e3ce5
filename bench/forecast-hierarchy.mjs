// Hierarchies of `shopai forecast` through the program: accuracy and interval coverage by level, whether sums add up, time and memory.
// The data are made here, so that every level has a truth and many origins can be drawn: a single test part says little of the
// few nodes at the top, whose errors go together.
// Usage: node bench/forecast-hierarchy.mjs [tourism|shops|states|large ...] [--seeds 6] [--model ets] [--reconcile mint,bottom-up]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "6" },
    model: { type: "string", default: "ets" },
    reconcile: { type: "string", default: "mint" },
  },
});

/** A stream of numbers (Park & Miller 1988) with normal, Poisson and random-walk draws. */
function random(seed) {
  let state = (seed * 7919 + 1) % 2147483647;
  const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < 10; i++) uniform();
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const poisson = (mean) => {
    if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
    let count = -1;
    for (let left = Math.exp(-mean), product = 1; product > left; count++) product *= uniform();
    return count;
  };
  /** A random walk with a slope that wanders. */
  const walk = (periods, size, drift = 0) => {
    let [level, slope] = [0, 0];
    return Array.from({ length: periods }, () => {
      slope = 0.9 * slope + 0.1 * size * normal();
      level += slope + size * normal() + drift;
      return level;
    });
  };
  return { uniform, normal, poisson, walk, among: (low, high) => low + Math.floor(uniform() * (high - low)) };
}

const quarter = (t) => `${1998 + Math.floor(t / 4)} Q${(t % 4) + 1}`;
const month = (t) => `${2000 + Math.floor(t / 12)}-${String((t % 12) + 1).padStart(2, "0")}`;

/** Quarterly trips: eight states, 76 regions crossed with four purposes; how strong shocks are differs from seed to seed. */
function tourism(seed) {
  const draw = random(seed);
  const periods = 80;
  const [national, ofState, ofRegion, ofPurpose, noise] = [0.02, 0.03, 0.03, 0.04, 0.15].map(
    (size) => size * Math.exp(0.5 * draw.normal()),
  );
  const all = draw.walk(periods, national, 0.003);
  const seasons = Array.from({ length: 4 }, () => Array.from({ length: 4 }, () => 0.12 * draw.normal()));
  const leaves = [1, 13, 7, 12, 12, 5, 21, 5].flatMap((regions, s) => {
    const state = draw.walk(periods, ofState);
    return Array.from({ length: regions }, (_, r) => {
      const region = draw.walk(periods, ofRegion, 0.004 * (draw.uniform() - 0.5));
      const size = Math.exp(4 + draw.normal());
      return [0.25, 0.4, 0.08, 0.3].map((share, p) => {
        const level = size * share * Math.exp(0.4 * draw.normal());
        const own = draw.walk(periods, ofPurpose);
        const season = seasons[p].map((value) => value + 0.15 * draw.normal());
        return {
          path: [`S${s}`, `S${s}R${r}`, `P${p}`],
          values: own.map((value, t) => {
            const chance = (noise + 0.8 / Math.sqrt(level + 1)) * draw.normal();
            return level * Math.exp(all[t] + state[t] + region[t] + value + season[t % 4] + chance);
          }),
        };
      });
    }).flat();
  });
  return {
    leaves,
    columns: ["state", "region", "purpose"],
    hierarchy: "state/region,purpose",
    time: quarter,
    freq: "Q",
    season: 4,
    horizon: 8,
  };
}

/** Monthly units of twelve products in some twenty shops of four regions. */
function shops(seed) {
  const draw = random(1000 + seed);
  const periods = 72;
  const all = draw.walk(periods, 0.015, 0.002);
  const products = Array.from({ length: 12 }, () => draw.walk(periods, 0.06));
  const phase = 6 * draw.uniform();
  const leaves = Array.from({ length: 4 }, (_, r) => {
    const region = draw.walk(periods, 0.02);
    return Array.from({ length: draw.among(3, 8) }, (_, s) => {
      const shop = draw.walk(periods, 0.03);
      const size = Math.exp(1.5 + 0.8 * draw.normal());
      return products.map((product, k) => {
        const level = size * Math.exp(0.8 * draw.normal());
        return {
          path: [`R${r}`, `R${r}S${s}`, `K${k}`],
          values: product.map((value, t) => {
            const season = 0.25 * Math.sin((2 * Math.PI * t) / 12 + phase);
            return draw.poisson(
              level * Math.exp(all[t] + region[t] + shop[t] + value + season + 0.4 * draw.normal()),
            );
          }),
        };
      });
    }).flat();
  }).flat();
  return {
    leaves,
    columns: ["region", "shop", "product"],
    hierarchy: "region/shop/product",
    time: month,
    freq: "M",
    season: 12,
    horizon: 6,
  };
}

/** Quarterly sales of six states whose shocks are larger than those of their towns. */
function states(seed) {
  const draw = random(2000 + seed);
  const periods = 60;
  const leaves = Array.from({ length: 6 }, (_, s) => {
    const state = draw.walk(periods, 0.06);
    return Array.from({ length: draw.among(4, 12) }, (_, l) => {
      const [level, own] = [Math.exp(3 + draw.normal()), draw.walk(periods, 0.02)];
      return {
        path: [`S${s}`, `S${s}L${l}`],
        values: own.map(
          (value, t) =>
            level * Math.exp(value + state[t] + 0.2 * Math.sin((t * Math.PI) / 2) + 0.04 * draw.normal()),
        ),
      };
    });
  }).flat();
  return {
    leaves,
    columns: ["state", "town"],
    hierarchy: "state/town",
    time: quarter,
    freq: "Q",
    season: 4,
    horizon: 8,
  };
}

/** Ten regions of ten shops with thirty products: 3,111 nodes of 60 months. */
function large(seed) {
  const draw = random(3000 + seed);
  const leaves = Array.from({ length: 3000 }, (_, i) => {
    const [level, own] = [Math.exp(2 + draw.normal()), draw.walk(60, 0.05)];
    const shop = Math.floor(i / 30);
    return {
      path: [`R${Math.floor(shop / 10)}`, `R${Math.floor(shop / 10)}S${shop}`, `K${i % 30}`],
      values: own.map((value) => draw.poisson(level * Math.exp(value))),
    };
  });
  return {
    leaves,
    columns: ["region", "shop", "product"],
    hierarchy: "region/shop/product",
    time: month,
    freq: "M",
    season: 12,
    horizon: 6,
  };
}

/** The columns that every level keeps, by the paths of a hierarchy. */
function levelsOf({ columns, hierarchy }) {
  return hierarchy
    .split(",")
    .reduce(
      (known, path) => {
        const names = path.split("/");
        return known.flatMap((kept) =>
          [...Array(names.length + 1).keys()].map((d) => [...kept, ...names.slice(0, d)]),
        );
      },
      [[]],
    )
    .map((kept) => columns.map((name) => kept.includes(name)));
}

function measured(made, model, rule) {
  const { leaves, columns, hierarchy, time, freq, season, horizon } = made;
  const periods = leaves[0].values.length;
  const [file, out] = [join(folder, "in.csv"), join(folder, "out.csv")];
  const rows = leaves.flatMap(({ path, values }) =>
    values.slice(0, -horizon).map((value, t) => `${time(t)},${path.join(",")},${value}`),
  );
  writeFileSync(file, `time,${columns.join(",")},value\n${rows.join("\n")}\n`);
  const options = [
    "--time",
    "time",
    "--value",
    "value",
    "--freq",
    freq,
    "--horizon",
    `${horizon}`,
    "--model",
    model,
  ];
  const done = spawnSync(
    process.execPath,
    [
      binary,
      "forecast",
      file,
      "-o",
      out,
      "--hierarchy",
      hierarchy,
      "--reconcile",
      rule,
      "--threads",
      "1",
      "--json",
      "--quiet",
      ...options,
    ],
    { encoding: "utf8", maxBuffer: 1e9 },
  );
  if (done.status !== 0) throw new Error(done.stderr);
  const [head, ...lines] = readFileSync(out, "utf8").trim().split("\n");
  const names = head.split(",");
  const found = new Map();
  for (const line of lines) {
    const row = Object.fromEntries(line.split(",").map((value, i) => [names[i], value]));
    const id = columns.map((name) => row[name]).join();
    found.set(id, [...(found.get(id) ?? []), row]);
  }
  let apart = 0;
  const levels = levelsOf(made).map((kept) => {
    const nodes = new Map();
    for (const { path, values } of leaves) {
      const id = path.map((part, i) => (kept[i] ? part : "")).join();
      const own = nodes.get(id) ?? new Float64Array(periods);
      nodes.set(id, own);
      values.forEach((value, t) => (own[t] += value));
    }
    const sums = { nodes: nodes.size, mase: 0, in80: 0, in95: 0, scored: 0 };
    const totals = new Float64Array(horizon);
    for (const [id, y] of nodes) {
      const past = y.subarray(0, periods - horizon);
      const scale =
        past.slice(season).reduce((sum, value, t) => sum + Math.abs(value - past[t]), 0) /
        (past.length - season);
      found.get(id).forEach((row, h) => {
        const truth = y[periods - horizon + h];
        totals[h] += Number(row.mean);
        if (!(scale > 0)) return;
        sums.mase += Math.abs(truth - row.mean) / scale;
        sums.in80 += truth >= row.lo_80 && truth <= row.hi_80 ? 1 : 0;
        sums.in95 += truth >= row.lo_95 && truth <= row.hi_95 ? 1 : 0;
        sums.scored++;
      });
    }
    const top = found.get(columns.map(() => "").join());
    totals.forEach((total, h) => (apart = Math.max(apart, Math.abs(total / top[h].mean - 1))));
    return { name: columns.filter((_, i) => kept[i]).join(" ") || "total", ...sums };
  });
  return { levels, apart };
}

const makers = { tourism, shops, states, large };
try {
  for (const name of positionals.length > 0 ? positionals : ["tourism", "shops", "states"])
    for (const rule of flags.reconcile.split(",")) {
      const seeds = name === "large" ? 1 : Number(flags.seeds);
      const began = performance.now();
      const runs = Array.from({ length: seeds }, (_, i) => measured(makers[name](i + 1), flags.model, rule));
      const seconds = (performance.now() - began) / 1000 / seeds;
      const apart = Math.max(...runs.map((run) => run.apart));
      console.log(
        `\n${name}, ${flags.model}, ${rule}: ${seeds} made, ${seconds.toFixed(1)} s each, sums add up to ${apart.toExponential(0)}`,
      );
      console.log("level                   nodes    MASE  in 80 %  in 95 %");
      runs[0].levels.forEach(({ name: level }, l) => {
        const sum = (key) => runs.reduce((total, run) => total + run.levels[l][key], 0);
        const share = (key) => sum(key) / sum("scored");
        console.log(
          level.padEnd(22),
          (sum("nodes") / seeds).toFixed(0).padStart(6),
          share("mase").toFixed(3).padStart(7),
          (100 * share("in80")).toFixed(1).padStart(8),
          (100 * share("in95")).toFixed(1).padStart(8),
        );
      });
    }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
