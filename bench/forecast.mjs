// Accuracy and interval coverage of `shopai forecast` on public test parts, through the program, beside published figures.
// Usage: node bench/forecast.mjs [weekly|hourly|carparts|walmart ...]; data in ../shared/data, or where SHOPAI_DATA says.
// With BENCH_CACHE=<json> figures that were measured before are taken from there, so that an interrupted run goes on.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const data = process.env.SHOPAI_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));

const cache = process.env.BENCH_CACHE;
const known = cache !== undefined && existsSync(cache) ? JSON.parse(readFileSync(cache, "utf8")) : {};

/** What is measured, remembered under its name. */
function remembered(name, measure) {
  if (known[name] !== undefined) return known[name];
  known[name] = measure();
  if (cache !== undefined) {
    writeFileSync(`${cache}.new`, JSON.stringify(known, undefined, 1));
    renameSync(`${cache}.new`, cache);
  }
  return known[name];
}

/** Runs the program and reads the table that it wrote as objects. */
function forecast(file, options) {
  const out = join(folder, "out.csv");
  const began = performance.now();
  const done = spawnSync(
    process.execPath,
    [binary, "forecast", file, "-o", out, "--json", "--quiet", ...options],
    { encoding: "utf8", maxBuffer: 1e9 },
  );
  if (done.status !== 0) throw new Error(done.stderr);
  const seconds = (performance.now() - began) / 1000;
  const [head, ...lines] = readFileSync(out, "utf8").trim().split("\n");
  const names = head.split(",");
  const rows = lines.map((line) => Object.fromEntries(line.split(",").map((value, i) => [names[i], value])));
  return { rows, seconds, result: JSON.parse(done.stdout) };
}

/** Rows as arrays of means and bounds by series, for every model. */
function byModel(rows, id) {
  const models = new Map();
  for (const row of rows) {
    const of = models.get(row.model) ?? new Map();
    models.set(row.model, of);
    const list = of.get(row[id]) ?? [];
    of.set(row[id], list);
    list.push(Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])));
  }
  return models;
}

/** MODELS=auto,naive2 in the environment leaves out all runs but those of the models named in it. */
const wanted = (models) => !process.env.MODELS || process.env.MODELS.split(" ").includes(models);

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function m4(part, horizon, period, runs, published) {
  const lines = (text) =>
    text
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => {
        const [id, ...values] = line.replaceAll('"', "").trim().split(",");
        return [id, values.filter((value) => value !== "").map(Number)];
      });
  const train = new Map(lines(gunzipSync(readFileSync(join(data, `m4/${part}-train.csv.gz`))).toString()));
  const future = new Map(lines(readFileSync(join(data, `m4/${part}-test.csv`), "utf8")));
  const file = join(folder, `${part}.csv`);
  writeFileSync(
    file,
    `id,t,v\n${[...train].flatMap(([id, values]) => values.map((v, i) => `${id},${i + 1},${v}`)).join("\n")}\n`,
  );
  const base = { smape: NaN, mase: NaN };
  const score = (of) => {
    const sums = { smape: [], mase: [], in80: [], in95: [], msis: [] };
    for (const [id, list] of of) {
      const x = train.get(id);
      const y = future.get(id);
      const scale = mean(x.slice(period).map((v, t) => Math.abs(v - x[t])));
      sums.smape.push(
        mean(y.map((v, h) => (200 * Math.abs(v - list[h].mean)) / (Math.abs(v) + Math.abs(list[h].mean)))),
      );
      sums.mase.push(mean(y.map((v, h) => Math.abs(v - list[h].mean))) / scale);
      y.forEach((v, h) => {
        const { lo_80, hi_80, lo_95, hi_95 } = list[h];
        sums.in80.push(v >= lo_80 && v <= hi_80 ? 1 : 0);
        sums.in95.push(v >= lo_95 && v <= hi_95 ? 1 : 0);
        sums.msis.push((hi_95 - lo_95 + 40 * Math.max(0, lo_95 - v) + 40 * Math.max(0, v - hi_95)) / scale);
      });
    }
    return Object.fromEntries(Object.entries(sums).map(([name, values]) => [name, mean(values)]));
  };
  console.log(`\nM4 ${part}: ${train.size} series, ${horizon} ahead, published test part`);
  console.log("model            sMAPE    MASE     OWA  in 80 %  in 95 %   MSIS     s");
  for (const options of runs.filter(([, models]) => wanted(models))) {
    const { scores, seconds } = remembered(`${part} ${options.join(" ")}`, () => {
      const { rows, seconds } = forecast(file, [
        ...["--series", "id", "--time", "t", "--value", "v", "--horizon", `${horizon}`],
        ...options,
      ]);
      return { scores: [...byModel(rows, "id")].map(([model, of]) => [model, score(of)]), seconds };
    });
    Object.assign(base, scores.find(([model]) => model === "naive2")?.[1]);
    for (const [model, own] of scores) {
      const owa = (own.smape / base.smape + own.mase / base.mase) / 2;
      const cells = [
        own.smape.toFixed(3).padStart(7),
        own.mase.toFixed(3).padStart(7),
        owa.toFixed(3).padStart(7),
        (100 * own.in80).toFixed(1).padStart(8),
        (100 * own.in95).toFixed(1).padStart(8),
        own.msis.toFixed(2).padStart(6),
        seconds.toFixed(0).padStart(5),
      ];
      console.log(model.padEnd(15), cells.join(" "), " ", options.join(" "));
    }
  }
  console.log(`published OWA: ${published}`);
}

/** Monthly sales of car parts, 39 months in, 12 out; months without an entry are before an item's first or after its last. */
function carparts() {
  const [, ...lines] = readFileSync(join(data, "carparts/carparts.csv"), "utf8").trim().split("\n");
  const series = lines
    .map((line) => line.replaceAll('"', "").split(","))
    .map(([id, ...cells]) => [id, cells.map((cell) => (/^[\d.]+$/.test(cell) ? Number(cell) : NaN))])
    .map(([id, y]) => ({ id, past: y.slice(0, 39), truth: y.slice(39) }));
  const file = join(folder, "carparts.csv");
  const month = (t) => `${1998 + Math.floor(t / 12)}-${String((t % 12) + 1).padStart(2, "0")}-01`;
  const rows = series.flatMap(({ id, past }) =>
    past.flatMap((v, t) => (Number.isNaN(v) ? [] : [`${id},${month(t)},${v}`])),
  );
  writeFileSync(file, `part,month,units\n${rows.join("\n")}\n`);
  const judged = series.filter(({ truth }) => !truth.some(Number.isNaN)).length;
  console.log(`\ncarparts: ${series.length} series, 12 months ahead, which ${judged} have`);
  console.log("model              RMSSE    MASE    bias  total  pinball 95 %  in 80 %  in 95 %     s");
  for (const model of [
    ...["naive", "window-mean", "ses", "croston", "sba", "tsb", "adida", "imapa"],
    ...["global-gbdt", "auto", "auto,global-gbdt"],
  ].filter(wanted)) {
    const figures = remembered(`carparts ${model}`, () => carpartsFigures(series, file, model));
    const { rmsse, mase, bias, total, pinball, in80, in95, seconds } = figures;
    console.log(
      model.padEnd(17),
      rmsse.toFixed(3).padStart(7),
      mase.toFixed(3).padStart(7),
      `${(100 * bias).toFixed(1)} %`.padStart(8),
      total.toFixed(3).padStart(6),
      pinball.toFixed(4).padStart(12),
      (100 * in80).toFixed(1).padStart(8),
      (100 * in95).toFixed(1).padStart(8),
      seconds.toFixed(0).padStart(5),
    );
  }
  console.log(
    "measured before: Croston .812, TSB .726, 12-month mean .712 (RMSSE). MASE rewards forecasting zero.",
  );
}

function carpartsFigures(series, file, model) {
  const { rows: found, seconds } = forecast(file, [
    ...["--series", "part", "--time", "month", "--value", "units", "--horizon", "12", "--freq", "M"],
    // A part without entries at the end is no longer asked for.
    ...["--fill", "zero"],
    ...["--model", model, "--level", "80,90,95"],
  ]);
  const of = byModel(found, "part").get(model.split(",")[0]);
  const sums = { rmsse: [], mase: [], total: 0, truth: 0, signed: 0, pinball: [], in80: [], in95: [] };
  for (const { id, past, truth } of series) {
    const list = of.get(id);
    const known = truth.flatMap((v, h) => (Number.isNaN(v) ? [] : [[v, list[h]]]));
    if (known.length === 0) continue;
    const steps = past.slice(1).flatMap((v, t) => (Number.isNaN(v - past[t]) ? [] : [v - past[t]]));
    const squares = mean(steps.map((v) => v * v));
    if (squares > 0) {
      sums.rmsse.push(Math.sqrt(mean(known.map(([v, row]) => (v - row.mean) ** 2)) / squares));
      sums.mase.push(mean(known.map(([v, row]) => Math.abs(v - row.mean))) / mean(steps.map(Math.abs)));
    }
    const total = known.reduce((a, [v]) => a + v, 0);
    const foreseen = known.reduce((a, [, row]) => a + row.mean, 0);
    sums.total += Math.abs(total - foreseen);
    sums.truth += total;
    sums.signed += foreseen - total;
    for (const [v, row] of known) {
      const q = row.hi_90;
      sums.pinball.push(v >= q ? 0.95 * (v - q) : 0.05 * (q - v));
      sums.in80.push(v >= row.lo_80 && v <= row.hi_80 ? 1 : 0);
      sums.in95.push(v >= row.lo_95 && v <= row.hi_95 ? 1 : 0);
    }
  }
  return {
    rmsse: mean(sums.rmsse),
    mase: mean(sums.mase),
    bias: sums.signed / sums.truth,
    total: sums.total / sums.truth,
    pinball: mean(sums.pinball),
    in80: mean(sums.in80),
    in95: mean(sums.in95),
    seconds,
  };
}

/** Weekly sales of 45 shops, 12 weeks ahead from four origins, holiday weeks weigh five times. */
function walmart() {
  const [, ...lines] = readFileSync(join(data, "walmart-weekly/Walmart_Store_sales.csv"), "utf8")
    .trim()
    .split("\n");
  const rows = lines.map((line) => {
    const [store, date, , , sales, holiday] = line.replaceAll('"', "").split(",");
    const [day, month, year] = date.split("-");
    return { store, week: `${year}-${month}-${day}`, sales: Number(sales), holiday: Number(holiday) };
  });
  const weeks = [...new Set(rows.map((row) => row.week))].sort();
  const truth = new Map(rows.map((row) => [`${row.store} ${row.week}`, row]));
  const files = [0, 1, 2, 3].map((origin) => {
    const past = new Set(weeks.slice(0, weeks.length - 12 * (origin + 1)));
    const file = join(folder, `walmart-${origin}.csv`);
    const known = rows.filter((row) => past.has(row.week));
    writeFileSync(
      file,
      `store,week,sales\n${known.map((row) => `${row.store},${row.week},${row.sales}`).join("\n")}\n`,
    );
    return file;
  });
  const measured = (model) => {
    const sum = { error: 0, weight: 0, in80: [], in95: [], said: [] };
    for (const file of files) {
      const found = forecast(file, [
        ...["--series", "store", "--time", "week", "--value", "sales", "--horizon", "12", "--freq", "W"],
        ...["--model", model, ...(/auto|global/.test(model) ? ["--holidays", "US"] : [])],
      ]);
      sum.said.push(found.result.metrics[model.split(",")[0]].coverage_95);
      for (const row of found.rows) {
        const real = truth.get(`${row.store} ${row.week}`);
        const weight = real.holiday ? 5 : 1;
        sum.error += weight * Math.abs(real.sales - Number(row.mean));
        sum.weight += weight;
        sum.in80.push(real.sales >= Number(row.lo_80) && real.sales <= Number(row.hi_80) ? 1 : 0);
        sum.in95.push(real.sales >= Number(row.lo_95) && real.sales <= Number(row.hi_95) ? 1 : 0);
      }
    }
    return { wmae: sum.error / sum.weight, in80: mean(sum.in80), in95: mean(sum.in95), said: mean(sum.said) };
  };
  console.log("\nWalmart weekly: 45 stores, 12 weeks ahead, 4 origins");
  for (const model of [
    ...["seasonal-naive", "seasonal-growth", "ets"],
    ...["global-gbdt", "auto", "auto,global-gbdt"],
  ].filter(wanted)) {
    const { wmae, in80, in95, said } = remembered(`walmart ${model}`, () => measured(model));
    console.log(
      model.padEnd(18),
      `WMAE ${Math.round(wmae)}`,
      ` in 80 %: ${(100 * in80).toFixed(1)}, in 95 %: ${(100 * in95).toFixed(1)}, the backtest said ${(100 * said).toFixed(1)}`,
    );
  }
  console.log(
    "measured before: seasonal naive 65.8k, times growth 51.8k, R arima with regressors 103k (9 stores)",
  );
}

const parts = {
  weekly: () =>
    m4(
      "Weekly",
      13,
      1,
      [
        ["--model", "naive2,naive,ses", "--season", "1"],
        ["--model", "ets,theta", "--season", "1"],
        ["--model", "dynamic-theta,mstl,ets", "--season", "52"],
        ["--model", "global-gbdt", "--season", "52"],
        ["--model", "auto", "--season", "52"],
        ["--model", "auto,global-gbdt", "--season", "52"],
      ],
      "R ets .931, Theta .971, second place .796, winner .851, best of the field .739",
    ),
  hourly: () =>
    m4(
      "Hourly",
      48,
      24,
      [
        ["--model", "naive2,seasonal-naive,theta", "--season", "24"],
        ["--model", "ets,dynamic-theta,mstl", "--season", "24,168"],
        ["--model", "global-gbdt", "--season", "24,168"],
        ["--model", "auto", "--season", "24,168"],
        ["--model", "auto,global-gbdt", "--season", "24,168"],
      ],
      "seasonal naive .628, R ets .843, winner .440, best of the field .410",
    ),
  carparts,
  walmart,
};

try {
  if (!existsSync(data)) console.log(`skipped: the public data are not in ${data}`);
  else {
    const asked = process.argv.slice(2);
    for (const name of asked.length > 0 ? asked : Object.keys(parts)) parts[name]();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
