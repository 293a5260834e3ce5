import { listed, ShopaiError } from "../../core/errors.js";
import { floats, texts, type Column } from "../../engine/frame.js";
import { ident } from "../../engine/sql.js";
import { normalQuantile } from "../../forecast/intervals.js";
import { columnNamed, findColumn, relationOf, type Relation } from "../../table/relation.js";
import { placeSafetyStock, type ServiceNode } from "./guaranteed-service.js";
import { readProducts } from "./products.js";
import { serialBaseStock } from "./serial-system.js";

/** How stocks that deliver to each other are set. */
export const networkModels = ["guaranteed-service", "serial"] as const;
export type NetworkModel = (typeof networkModels)[number];

export interface NetworkAsk {
  model: NetworkModel;
  /** Share of periods in which demand stays below what stock is set for (guaranteed service). */
  service: number;
  /** Whose forecasts, where the table holds several models'. */
  forecasts?: string;
}

export interface NetworkResult {
  table: Relation;
  nodes: number;
  /** Money per period: of safety stock, or (serial) of stock and waiting customers. */
  cost: number;
  /** Units of safety stock in all nodes; null for serial systems, which know echelon levels alone. */
  safety_stock: number | null;
}

/** A node as its row says. */
interface Place extends ServiceNode {
  mean: number;
  stockoutCost: number;
}

/**
 * Stock levels of places that deliver to each other, from a table of a row per node: `node`, `to` (nodes that it delivers to,
 * separated by `|`), `time` (whole periods), `holding_cost`, and where they are wanted `supplier_time`, `customer_time`, `demand_mean`,
 * `demand_sd`, `stockout_cost`. What customers ask of a node that is a series of the forecast is read there: means and deviations of
 * all its periods, on average.
 *
 * - `guaranteed-service`: where to keep safety stock in a tree (guaranteed-service.ts)
 * - `serial`: echelon base-stock levels of a chain (serial-system.ts)
 *
 * @throws ShopaiError "data" for tables that do not describe such a network
 */
export async function decideNetwork(
  network: Relation,
  forecast: Relation | undefined,
  { model, service, forecasts }: NetworkAsk,
): Promise<NetworkResult> {
  const nodes = await readNodes(network);
  if (forecast) await readDemand(nodes, forecast, forecasts);
  const rows = model === "serial" ? serialRows(nodes, network) : serviceRows(nodes, service, network);
  const { engine } = network;
  const table = engine.fresh("network");
  const f64 = (of: (row: Row) => number): Column => ({
    kind: "f64",
    values: Float64Array.from(rows.list, of),
  });
  await engine.load(table, {
    rows: nodes.length,
    columns: new Map<string, Column>([
      ["row", { kind: "i32", values: Int32Array.from(nodes, (_, i) => i) }],
      ["node", { kind: "text", values: nodes.map(({ name }) => name) }],
      ["service_time", f64(({ serviceTime }) => serviceTime)],
      ["covered_time", f64(({ covered }) => covered)],
      ["demand_mean", f64(({ mean }) => mean)],
      ["demand_sd", f64(({ deviation }) => deviation)],
      ["safety_stock", f64(({ safety }) => safety)],
      ["order_up_to", f64(({ level }) => level)],
      ["echelon_level", f64(({ echelon }) => echelon)],
    ]),
  });
  return {
    table: await relationOf(engine, `SELECT * EXCLUDE (row), row AS _shopai_row FROM ${ident(table)}`, {
      key: ["_shopai_row"],
      inputs: [...network.inputs, ...(forecast?.inputs ?? [])],
      name: "stock levels",
    }),
    nodes: nodes.length,
    cost: rows.cost,
    safety_stock: model === "serial" ? null : rows.list.reduce((sum, { safety }) => sum + safety, 0),
  };
}

/** What is decided for a node; NaN for what its model does not know. */
interface Row {
  serviceTime: number;
  /** Periods of demand that its stock is for. */
  covered: number;
  mean: number;
  deviation: number;
  safety: number;
  level: number;
  echelon: number;
}

async function readNodes(network: Relation): Promise<Place[]> {
  const text = (name: string): string => `${ident(columnNamed(network, name).name)}::VARCHAR AS ${name}`;
  const given = (name: string): string | undefined => findColumn(network.schema, name)?.name;
  const numbers = [
    "time",
    "holding_cost",
    "supplier_time",
    "customer_time",
    "demand_mean",
    "demand_sd",
    "stockout_cost",
  ];
  for (const name of ["time", "holding_cost"]) columnNamed(network, name);
  const there = numbers.filter(given);
  const frame = await network.engine.frame(
    `SELECT ${[text("node"), text("to").replace(" AS to", ' AS "to"'), ...there.map((name) => `${ident(given(name)!)}::DOUBLE AS ${name}`)].join(", ")} FROM (${network.sql}) ORDER BY ${network.key.map(ident).join(", ") || "1"}`,
    [
      { name: "node", as: "text" },
      { name: "to", as: "text" },
      ...there.map((name) => ({ name, as: "f64" }) as const),
    ],
  );
  const value = (name: string, row: number): number =>
    there.includes(name) ? floats(frame, name)[row] : NaN;
  const to = texts(frame, "to");
  const nodes = texts(frame, "node").map((name, row): Place => {
    const optional = (column: string): number | undefined => {
      const found = value(column, row);
      return Number.isNaN(found) ? undefined : found;
    };
    return {
      name: name ?? "",
      to: (to[row] ?? "")
        .split("|")
        .map((one) => one.trim())
        .filter((one) => one !== ""),
      time: value("time", row),
      holding: value("holding_cost", row),
      supplierTime: optional("supplier_time"),
      customerTime: optional("customer_time"),
      deviation: optional("demand_sd"),
      mean: optional("demand_mean") ?? 0,
      stockoutCost: value("stockout_cost", row),
    };
  });
  checkNodes(nodes, network.name);
  return nodes;
}

function checkNodes(nodes: readonly Place[], where: string): void {
  const names = nodes.map(({ name }) => name);
  const wrong = nodes.flatMap((node) => [
    ...(node.name === "" || names.indexOf(node.name) !== names.lastIndexOf(node.name)
      ? [`node "${node.name}" must be named, once`]
      : []),
    ...node.to
      .filter((one) => !names.includes(one))
      .map((one) => `${node.name} delivers to ${one}, which has no row`),
    ...(Number.isInteger(node.time) && node.time >= 0
      ? []
      : [`the time of ${node.name} must be whole periods`]),
    ...(node.holding >= 0 ? [] : [`the holding_cost of ${node.name} must be 0 or more`]),
  ]);
  if (wrong.length > 0)
    throw new ShopaiError("data", listed(wrong.slice(0, 5)), {
      where,
      try: "rows such as depot,shop1|shop2,3,0.5 under node,to,time,holding_cost",
    });
}

/** Sets the demand of nodes that are series of the forecast. */
async function readDemand(nodes: Place[], forecast: Relation, model: string | undefined): Promise<void> {
  const { table, columns, horizon, means, deviations } = await readProducts(
    forecast,
    undefined,
    {},
    model,
    normalQuantile,
  );
  const name =
    columns.series.length > 0 ? columns.series.map((one) => `${ident(one)}::VARCHAR`).join(", ") : "'all'";
  const series = await forecast.engine.rows<{ name: string }>(
    `SELECT concat_ws(' ', ${name}) AS name FROM ${ident(table)} ORDER BY _product`,
  );
  const mean = (values: Float64Array, i: number): number =>
    values.subarray(i * horizon, (i + 1) * horizon).reduce((sum, one) => sum + one / horizon, 0);
  let found = 0;
  series.forEach(({ name: own }, i) => {
    const node = nodes.find((one) => one.name === own);
    if (!node) return;
    found++;
    node.mean = mean(means, i);
    node.deviation = mean(deviations, i);
  });
  if (found === 0)
    throw new ShopaiError("data", "no node of the network is a series of the forecast", {
      where: forecast.name,
      try: `a node called ${series[0]?.name ?? "as a series"}`,
    });
}

function serviceRows(
  nodes: readonly Place[],
  service: number,
  network: Relation,
): { list: Row[]; cost: number } {
  const bound = normalQuantile(service);
  let plan;
  try {
    plan = placeSafetyStock(nodes, bound);
  } catch (cause) {
    throw new ShopaiError("data", (cause as Error).message, {
      where: network.name,
      try: "each node once, joined to the others by one way alone",
    });
  }
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const below = (node: Place, of: (one: Place) => number): number =>
    node.to.reduce((sum, name) => sum + below(byName.get(name)!, of), of(node));
  const list = nodes.map((node): Row => {
    const safety = plan.stocks.get(node.name)!;
    const deviation = Math.sqrt(below(node, (one) => (one.deviation ?? 0) ** 2));
    const mean = below(node, (one) => one.mean);
    const covered = deviation > 0 ? (safety / (bound * deviation)) ** 2 : 0;
    return {
      ...{ serviceTime: plan.promises.get(node.name)!, covered, mean, deviation, safety },
      level: mean * covered + safety,
      echelon: NaN,
    };
  });
  return { list, cost: plan.cost };
}

function serialRows(nodes: readonly Place[], network: Relation): { list: Row[]; cost: number } {
  const fail = (message: string): never => {
    throw new ShopaiError("data", message, {
      where: network.name,
      try: "nodes that deliver to one other each, the last to customers, or --network-model guaranteed-service",
    });
  };
  const ends = nodes.filter(({ to }) => to.length === 0);
  if (ends.length !== 1 || nodes.some(({ to }) => to.length > 1)) fail("a serial network is one chain");
  const chain = [ends[0]];
  for (;;) {
    const before = nodes.filter(({ to }) => to[0] === chain[chain.length - 1].name);
    if (before.length > 1) fail("a serial network is one chain");
    if (before.length === 0) break;
    chain.push(before[0]);
  }
  if (chain.length !== nodes.length) fail("a serial network is one chain");
  const [last] = chain;
  const { mean, deviation = 0, stockoutCost } = last;
  if (!(stockoutCost > 0)) fail(`the stockout_cost of ${last.name}, where customers wait, must be above 0`);
  if (!(deviation > 0)) fail(`the demand_sd of ${last.name} must be above 0`);
  // The paper's costs are what a stage adds to the stage before it.
  const added = chain.map(({ holding }, i) => holding - (chain[i + 1]?.holding ?? 0));
  if (added.some((one) => !(one > 0))) fail("the holding_cost of a chain must rise towards the customers");
  const { levels, cost } = serialBaseStock({
    stages: chain.map(({ time }, i) => ({ holding: added[i], leadTime: time })),
    penalty: stockoutCost,
    demand: { mean, deviation },
  });
  const list = nodes.map((node): Row => {
    const at = chain.indexOf(node);
    return {
      ...{ serviceTime: NaN, covered: node.time, mean, deviation, safety: NaN },
      level: Math.min(...levels.slice(at)) - (at > 0 ? Math.min(...levels.slice(at - 1)) : 0),
      echelon: levels[at],
    };
  });
  return { list, cost };
}
