import { ident } from "../../engine/sql.js";
import type { Relation } from "../../table/relation.js";
import { moneyText as money, numberText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { countParts } from "./counts.js";
import { defineSection } from "./section.js";

const listed = 20;
const drawn = 12;

/** The orders of `decide inventory`: the largest, and what bound them. */
export const orders = defineSection<Relation>({
  name: "orders",
  table(relation) {
    const names = relation.schema.map((field) => field.name);
    return ["order_units", "order_value", "constraint", "expected_cost"].every((name) => names.includes(name))
      ? relation
      : undefined;
  },
  async parts({ content: relation }, making) {
    const { engine, sql, schema } = relation;
    const { say } = making;
    const words = say.orders;
    const names = schema.map((field) => field.name);
    const keys = names.slice(
      0,
      names.indexOf("order_on") > 0 ? names.indexOf("order_on") : names.indexOf("order_units"),
    );
    const who =
      keys.length === 0
        ? "''"
        : `concat_ws(', ', ${keys.map((name) => `${ident(name)}::VARCHAR`).join(", ")})`;
    const [counts] = await engine.rows<{ n: bigint; ordered: bigint }>(
      `SELECT count(*) AS n, count(*) FILTER (order_units > 0) AS ordered FROM (${sql})`,
    );
    const shown = [
      ...names.slice(0, keys.length),
      "order_on",
      "order_units",
      "order_value",
      "demand",
      "expected_cost",
      "cost_lo_95",
      "cost_hi_95",
      "fill_rate",
      "constraint",
    ].filter((name) => names.includes(name));
    const texts = shown.map((name) =>
      [
        "order_units",
        "order_value",
        "demand",
        "expected_cost",
        "cost_lo_95",
        "cost_hi_95",
        "fill_rate",
      ].includes(name)
        ? `${ident(name)}::DOUBLE AS ${ident(name)}`
        : `${ident(name)}::VARCHAR AS ${ident(name)}`,
    );
    const rows = await engine.rows<Record<string, Cell> & { _who: string }>(
      `SELECT ${who} AS _who, ${texts.join(", ")} FROM (${sql}) WHERE order_units > 0 ORDER BY order_value DESC NULLS LAST, order_units DESC, _who LIMIT ${listed}`,
    );
    const bound = await engine.rows<{ constraint: string | null; n: bigint }>(
      `SELECT "constraint"::VARCHAR AS "constraint", count(*) AS n FROM (${sql}) WHERE "constraint" <> 'none' GROUP BY ALL ORDER BY n DESC, 1`,
    );
    const priced = rows.some((row) => typeof row.order_value === "number");
    const size = (row: Record<string, Cell>): number =>
      Number((priced ? row.order_value : row.order_units) ?? 0);
    const top = rows.slice(0, drawn);
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.rows, counts.n],
          [words.ordered, counts.ordered],
        ],
      },
    ];
    if (top.length > 0)
      parts.push(
        figure({
          caption: words.largest(numberText(top.length)),
          alt: top
            .slice(0, 5)
            .map((row) => `${row._who} ${money(size(row))}`)
            .join(say.page.comma),
          chart: {
            kind: "bars",
            axis: priced ? words.valueAxis : words.unitsAxis,
            labels: top.map((row) => row._who),
            values: top.map(size),
            tips: top.map((row) =>
              words.worse(
                row._who,
                money(size(row)),
                numberText(Number(row.order_units)),
                String(row.constraint ?? words.none),
              ),
            ),
          },
          data: {
            head: [keys.join(", "), priced ? words.valueAxis : words.unitsAxis],
            rows: top.map((row) => [row._who, size(row)]),
          },
        }),
      );
    parts.push(
      ...countParts(
        words.bound,
        say.decision.constraint,
        Object.fromEntries(bound.map((row) => [row.constraint ?? "", Number(row.n)])),
        making,
      ),
      {
        kind: "table",
        caption: Number(counts.ordered) > listed ? words.largest(numberText(listed)) : words.all,
        head: shown,
        rows: rows.map((row) => shown.map((name) => row[name])),
      },
    );
    return parts;
  },
});
