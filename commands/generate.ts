import { ShopaiError, nearest } from "../src/core/errors.js";
import { generateShop } from "../src/generate/shop.js";
import { shopSize } from "../src/generate/model.js";
import { defineCommand, option, type Command } from "../src/pipeline/command.js";
import { provenanceOf } from "../src/table/provenance.js";
import { summaries } from "./summaries.js";

const command: Command = defineCommand({
  name: "generate",
  summary: summaries.generate,
  inputs: { usage: "shop", min: 1, max: 1, help: "what to make: shop" },
  examples: [
    "shopai generate shop -o work/shop",
    "shopai generate shop -o work/shop --orders 100000 --days 365 --products 500 --seed 7",
  ],
  options: {
    out: option.path("folder to write the shop into", { short: "o" }),
    orders: option.integer("orders", { min: 10, max: 10_000_000 }).default(1000),
    days: option
      .integer("days of history (default: 180 up to 5000 orders, else 730)", { min: 7, max: 3650 })
      .optional(),
    customers: option
      .integer("customers (default: a fifth of the orders, at least 100)", { min: 20, max: 20_000_000 })
      .optional(),
    products: option
      .integer("products (default: a fiftieth of the orders, from 40 to 5000)", { min: 8, max: 100_000 })
      .optional(),
    start: option.text("first day (default: 2023-01-02)", { arg: "<date>" }).optional(),
    force: option.flag("replace a folder even when it is not a generated shop").default(false),
  },
  reads: () => [],
  writes: (o) => [o.out],
  async run(o, run) {
    if (o.in[0] !== "shop")
      throw new ShopaiError("usage", `"${o.in[0]}" cannot be generated`, {
        try: nearest(o.in[0], ["shop"]) ? "shopai generate shop" : command.examples[0],
      });
    const size = shopSize(o);
    const provenance = provenanceOf(command.name, { ...size }, run.seed, []);
    const { files, faults } = await generateShop(o.out, size, run, provenance, o.force);
    return {
      json: { folder: o.out, seed: run.seed, ...size, files, faults },
      blocks: [
        {
          kind: "title",
          text: `${o.out}: a shop of ${size.orders} orders over ${size.days} days, seed ${run.seed}`,
        },
        {
          kind: "table",
          head: ["file", "rows"],
          rows: Object.entries(files).map(([name, rows]) => [name, rows]),
        },
        {
          kind: "line",
          text: `${Object.values(faults).reduce((sum, n) => sum + n, 0)} faults planted in orders.csv; truth/faults.csv lists them`,
        },
      ],
    };
  },
});

export default command;
