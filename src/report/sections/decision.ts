import { moneyText as money, numberText, shareText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { countParts } from "./counts.js";
import { defineSection, has, weights } from "./section.js";

/** The result of `decide inventory`. */
interface DecisionResult {
  products: number;
  orders: number;
  units: number;
  spend: number | null;
  expected_cost: number | null;
  cost_interval: [number, number] | null;
  cost_without_orders: number | null;
  fill_rate: number;
  stock_outs: number;
  bound: Record<string, number>;
  unmatched?: { noStock: number; noForecast: number };
}

/** What was decided on stock, in money. */
export const decision = defineSection<DecisionResult>({
  name: "decision",
  document: (document) =>
    has(document, "products", "orders", "units", "expected_cost", "fill_rate")
      ? (document as unknown as DecisionResult)
      : undefined,
  parts({ content }, making) {
    const { say } = making;
    const words = say.decision;
    const { expected_cost: cost, cost_without_orders: without, cost_interval: interval, unmatched } = content;
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.products, content.products],
          [words.ordered, content.orders],
          [words.units, money(content.units)],
          [words.spend, money(content.spend)],
          [words.expected, money(cost)],
          [words.without, money(without)],
          [words.fill, shareText(content.fill_rate)],
          [words.stockOuts, content.stock_outs],
        ] as [string, Cell][],
      },
    ];
    if (cost !== null && without !== null) {
      const labels = [words.withOrders, words.noOrders];
      const ends = interval ? say.page.interval(money(interval[0]), money(interval[1])) : "";
      parts.push(
        figure({
          caption: words.costFigure,
          alt: `${words.withOrders} ${money(cost)}${say.page.comma}${words.noOrders} ${money(without)}`,
          chart: {
            kind: "bars",
            axis: words.money,
            labels,
            values: [cost, without],
            intervals: [interval, null],
            tips: [
              `${words.withOrders}\n${money(cost)}${ends === "" ? "" : `\n${ends}`}`,
              `${words.noOrders}\n${money(without)}`,
            ],
          },
          data: {
            head: ["", words.expected, say.page.low, say.page.high],
            rows: [
              [labels[0], cost, ...(interval ?? [null, null])],
              [labels[1], without, null, null],
            ],
          },
        }),
      );
    }
    parts.push(...countParts(words.bound, words.constraint, content.bound, making));
    if (unmatched?.noStock) parts.push({ kind: "note", text: words.noStock(numberText(unmatched.noStock)) });
    if (unmatched?.noForecast)
      parts.push({ kind: "note", text: words.noForecast(numberText(unmatched.noForecast)) });
    return parts;
  },
  facts({ content }, { say }) {
    const words = say.decision;
    const { spend, expected_cost: cost, cost_without_orders: without, cost_interval: interval } = content;
    const ends = interval ? ` (${say.page.interval(money(interval[0]), money(interval[1]))})` : "";
    const held = Object.entries(content.bound).map(([name, n]) => `${name} ${n}`);
    const bound = held.length > 0 ? words.heldBack(held.join(say.page.comma)) : "";
    return [
      {
        weight: weights.money,
        figure: money(spend ?? content.units),
        label: spend === null ? words.units : words.toOrder,
        text:
          words.orderText(money(content.units), numberText(content.orders), numberText(content.products)) +
          bound,
      },
      ...(cost === null
        ? []
        : without !== null && without > cost
          ? [
              {
                weight: weights.money + 1,
                figure: money(without - cost),
                label: words.saved,
                text: words.savedText(money(cost), ends, money(without)),
                tone: "good" as const,
              },
            ]
          : [
              {
                weight: weights.money + 1,
                figure: money(cost),
                label: words.cost,
                text: words.costText(money(cost), ends),
              },
            ]),
    ];
  },
});
