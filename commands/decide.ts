import { ShopaiError, nearest } from "../src/core/errors.js";
import { grouped } from "../src/core/quantity.js";
import { attributes } from "../src/decide/inventory/products.js";
import { decideInventory, type InventoryResult } from "../src/decide/inventory/decide-inventory.js";
import { discountKinds } from "../src/decide/inventory/discounts.js";
import { decideNetwork, networkModels, type NetworkResult } from "../src/decide/inventory/network.js";
import { policyNames } from "../src/decide/inventory/policy.js";
import {
  defineCommand,
  option,
  readingOptions,
  telling,
  type Block,
  type Cell,
} from "../src/pipeline/command.js";
import { openTable } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import { selectOrdered, type Relation } from "../src/table/relation.js";
import { writeTable } from "../src/table/write.js";
import { summaries } from "./summaries.js";

const topics = ["inventory"] as const;

const decide = defineCommand({
  name: "decide",
  summary: summaries.decide,
  inputs: {
    usage: "inventory <forecast> [stock]",
    min: 1,
    max: 3,
    help: "what to decide; a table of forecasts; a table of one row per product (stock, lead time, costs)",
    choices: topics,
  },
  examples: [
    "shopai decide inventory forecast.parquet stock.csv -o orders.csv --service 0.95",
    "shopai decide inventory forecast.parquet stock.csv -o orders.parquet --budget 20000 --order-days 1,4",
    "shopai decide inventory forecast.parquet --network places.csv -o levels.csv --service 0.95",
    "shopai decide inventory forecast.parquet -o orders.csv --param lead_time=7 --param unit_cost=4 --param price=9",
  ],
  options: {
    out: option.path("table of orders to write", { short: "o", table: true }),
    policy: option
      .choice("how orders are placed: up to a level, Q units at a point, (s, S), or once", policyNames)
      .default("base-stock"),
    service: option
      .real("share of order cycles without a stock-out (default: what costs least)", {
        min: 0.01,
        max: 0.9999,
      })
      .optional(),
    fillRate: option.real("share of demand to meet at once", { min: 0.01, max: 0.9999 }).optional(),
    holdingRate: option
      .real("money per year for money in stock, where holding_cost is not given", { min: 0, max: 10 })
      .default(0.2),
    orderDays: option
      .numbers("days on which orders can be placed, 1 (Monday) to 7", { min: 1, max: 7, arg: "<1,4>" })
      .optional(),
    budget: option.real("money for all orders together", { min: 0 }).optional(),
    capacity: option.real("room for all orders together, in units of volume", { min: 0 }).optional(),
    model: option.text("whose forecasts, where the table holds several", { arg: "<name>" }).optional(),
    paths: option.integer("sample paths of the simulation", { min: 20, max: 100_000 }).default(200),
    demandPaths: option
      .path("possible futures (`forecast --paths-out`) that the simulation plays on instead of its own")
      .optional(),
    discounts: option
      .path("table of prices that fall with the quantity: series columns, from_units, unit_cost")
      .optional(),
    discountKind: option
      .choice("what a lower price holds for: all units of an order, or those beyond the break", discountKinds)
      .default("all-units"),
    network: option
      .path(
        "table of places that deliver to each other (node, to, time, holding_cost, …): decides their stock levels",
      )
      .optional(),
    networkModel: option
      .choice("a tree of promised service times, or a chain of echelon base-stock levels", networkModels)
      .default("guaranteed-service"),
    param: option.pairs("value for products whose row has none, repeatable: lead_time=7").default({}),
    ...readingOptions,
  },
  moreHelp: async () => attributesText(),
  reads: (o) =>
    [...o.in.slice(1), o.demandPaths, o.discounts, o.network].filter((path) => path !== undefined),
  writes: (o) => [o.out],
  async run(o, run) {
    const [topic, ...tables] = o.in;
    if (!topics.includes(topic as (typeof topics)[number])) {
      const near = nearest(topic, topics);
      throw new ShopaiError("usage", `"${topic}" is nothing that can be decided (${topics.join(", ")})`, {
        try: near ? `shopai decide ${near}` : decide.examples[0],
      });
    }
    if (o.service !== undefined && o.fillRate !== undefined)
      throw new ShopaiError("usage", "--service and --fill-rate are two goals", { try: "one of the two" });
    const engine = await run.engine();
    if (tables.length === 0 && o.network === undefined)
      throw new ShopaiError("usage", "there is no forecast to decide on", { try: decide.examples[0] });
    const opened = (path: string): Promise<Relation> =>
      openTable(engine, [path], { ...o, where: undefined, signal: run.signal });
    const forecast =
      tables.length === 0 ? undefined : await openTable(engine, [tables[0]], { ...o, signal: run.signal });
    if (o.network !== undefined || !forecast) {
      const result = await decideNetwork(await opened(o.network!), forecast, {
        ...{ model: o.networkModel, service: o.service ?? 0.95, forecasts: o.model },
      });
      const provenance = provenanceOf("decide", telling(decide, o), o.seed, result.table.inputs);
      await writeTable(result.table, o.out, provenance, o);
      const { table: _, ...json } = result;
      return {
        json: { out: o.out, ...json },
        blocks: networkBlocks(result, o.out),
        wroteStdout: o.out === "-",
      };
    }
    const stock = tables[1] === undefined ? undefined : await opened(tables[1]);
    const futures = o.demandPaths === undefined ? undefined : await opened(o.demandPaths);
    const breaks = o.discounts === undefined ? undefined : await opened(o.discounts);
    const result = await decideInventory(
      forecast,
      stock,
      { ...o, params: o.param, futures, discounts: breaks && { breaks, kind: o.discountKind } },
      run,
    );
    const inputs = [forecast, stock, futures, breaks].flatMap((table) => table?.inputs ?? []);
    await writeTable(result.table, o.out, provenanceOf("decide", telling(decide, o), o.seed, inputs), o);
    const top = await engine.rows<Record<string, Cell>>(
      `SELECT * EXCLUDE (demand_sd, cost_lo_95, cost_hi_95, position, turnover, unit_gain, safety_stock, reorder_point) FROM (${selectOrdered(result.table)}) ORDER BY order_value DESC NULLS LAST, order_units DESC LIMIT 5`,
    );
    const { table: _, ...json } = result;
    return {
      json: { out: o.out, ...json },
      blocks: blocksOf(result, o.out, top),
      wroteStdout: o.out === "-",
    };
  },
});
export default decide;

function networkBlocks({ nodes, cost, safety_stock: safety }: NetworkResult, out: string): Block[] {
  return [
    { kind: "title", text: `stock levels of ${grouped(nodes)} places → ${out}` },
    {
      kind: "pairs",
      rows: [
        ["cost per period", cost],
        ...(safety === null ? [] : [["safety stock", safety] as [string, Cell]]),
      ],
    },
  ];
}

function blocksOf(result: InventoryResult, out: string, top: readonly Record<string, Cell>[]): Block[] {
  const { cost_interval: interval, unmatched } = result;
  const money = (value: number | null): Cell => (value === null ? "not known" : grouped(Math.round(value)));
  const bound = Object.entries(result.bound).map(([name, products]) => `${name} ${products}`);
  return [
    {
      kind: "title",
      text: `${grouped(result.orders)} of ${grouped(result.products)} products to order → ${out}`,
    },
    {
      kind: "pairs",
      rows: [
        ["units", grouped(Math.round(result.units))],
        ["spend", money(result.spend)],
        [
          "expected cost",
          `${money(result.expected_cost)}${interval ? ` (95 %: ${money(interval[0])} to ${money(interval[1])}); without orders ${money(result.cost_without_orders)}` : ""}`,
        ],
        ["fill rate", result.fill_rate],
        ["bound by", bound.length > 0 ? bound.join(", ") : "nothing"],
      ],
    },
    ...(result.expected_cost === null
      ? [
          {
            kind: "line" as const,
            text: "what it costs is not known: unit_cost and price (columns of the stock table, or --param unit_cost=3)",
          },
        ]
      : []),
    ...(result.late > 0
      ? [
          {
            kind: "line" as const,
            text: `${grouped(result.late)} products have less in stock than is asked for before an order of today arrives: it cannot be met`,
          },
        ]
      : []),
    ...(unmatched.noStock > 0
      ? [
          {
            kind: "line" as const,
            text: `${grouped(unmatched.noStock)} products have no stock row: taken for 0 in stock`,
          },
        ]
      : []),
    ...(result.early > 0
      ? [
          {
            kind: "line" as const,
            text: `${grouped(result.early)} products have a forecast that begins earlier than the others': they go on from an early end (shopai forecast --fill zero: nothing was sold since)`,
          },
        ]
      : []),
    ...(unmatched.noForecast > 0
      ? [
          {
            kind: "line" as const,
            text: `${grouped(unmatched.noForecast)} stock rows have no forecast: nothing is decided on them`,
          },
        ]
      : []),
    ...(top.length > 0
      ? [{ kind: "table" as const, head: Object.keys(top[0]), rows: top.map((row) => Object.values(row)) }]
      : []),
  ];
}

function attributesText(): string {
  const rows = Object.entries(attributes).map(
    ([name, { help, fallback }]) =>
      `  ${name.padEnd(14)}${help}${Number.isNaN(fallback) ? "" : ` (default: ${fallback === Infinity ? "none" : fallback})`}`,
  );
  return ["", "Columns of the stock table, each also as --param name=value:", ...rows, ""].join("\n");
}
