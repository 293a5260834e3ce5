import { listed, ShopaiError } from "../../core/errors.js";
import { floats } from "../../engine/frame.js";
import { ident } from "../../engine/sql.js";
import { columnNamed, type Relation } from "../../table/relation.js";
import { allUnitsDiscount, incrementalDiscount, type Discounts } from "./economic-order.js";
import type { Products } from "./products.js";

/** What a lower price holds for: all units of an order, or those beyond the break. */
export const discountKinds = ["all-units", "incremental"] as const;
export type DiscountKind = (typeof discountKinds)[number];

/** Prices of one product that fall with the quantity. */
export interface PriceList extends Discounts {
  kind: DiscountKind;
}

/**
 * Prices by product from a table of breaks: the series columns, `from_units` and `unit_cost`; a product without rows has none.
 *
 * @throws ShopaiError "data" where a product's prices do not begin at 0 units, or do not fall
 */
export async function readDiscounts(
  breaks: Relation,
  { table, columns, count }: Products,
  kind: DiscountKind,
): Promise<(PriceList | undefined)[]> {
  const { engine } = breaks;
  const named = (name: string): string => ident(columnNamed(breaks, name).name);
  const same = columns.series.map((name) => `b.${named(name)} IS NOT DISTINCT FROM p.${ident(name)}`);
  const frame = await engine.frame(
    `SELECT p._product::DOUBLE AS product, b.${named("from_units")}::DOUBLE AS units, b.${named("unit_cost")}::DOUBLE AS cost FROM (${breaks.sql}) b JOIN ${ident(table)} p ON ${same.join(" AND ") || "true"} ORDER BY p._product, b.${named("from_units")}`,
    ["product", "units", "cost"].map((name) => ({ name, as: "f64" as const })),
  );
  const [product, units, cost] = ["product", "units", "cost"].map((name) => floats(frame, name));
  const lists: (PriceList | undefined)[] = new Array<undefined>(count).fill(undefined);
  const wrong: string[] = [];
  for (let row = 0; row < frame.rows;) {
    const from = row;
    while (row < frame.rows && product[row] === product[from]) row++;
    const list = { kind, breaks: [...units.subarray(from, row)], costs: [...cost.subarray(from, row)] };
    const falling = list.costs.every((one, i) => one > 0 && (i === 0 || one < list.costs[i - 1]));
    const rising = list.breaks.every((one, i) => (i === 0 ? one === 0 : one > list.breaks[i - 1]));
    if (!falling || !rising) wrong.push(`${list.breaks.join("/")} at ${list.costs.join("/")}`);
    lists[product[from]] = list;
  }
  if (wrong.length > 0)
    throw new ShopaiError(
      "data",
      `prices must begin at 0 units and fall from break to break: ${listed(wrong.slice(0, 5))}`,
      { where: breaks.name, try: "rows such as 0,5.00 and 100,4.50" },
    );
  return lists;
}

/** What an order of so many units costs. */
export function paidFor(units: number, { kind, breaks, costs }: PriceList): number {
  let paid = 0;
  for (let i = 0; i < costs.length && units > breaks[i]; i++) {
    const end = Math.min(units, breaks[i + 1] ?? Infinity);
    paid += (end - breaks[i]) * costs[i];
  }
  if (kind === "incremental" || units <= 0) return paid;
  return units * costs[costs.length - 1 - [...breaks].reverse().findIndex((one) => units >= one)];
}

/** The quantity of least cost per period where demand is steady (Snyder & Shen 2019, 3.4). */
export function economicQuantity(list: PriceList, order: number, rate: number, holdingRate: number): number {
  const of = list.kind === "all-units" ? allUnitsDiscount : incrementalDiscount;
  return of({ order, rate }, holdingRate, list).quantity;
}

/**
 * Whether an order is worth raising to a later break: what is paid less, now and by buying the added units at the price of the order as
 * it was, against holding them until they are sold.
 *
 * @param rate        units sold per period
 * @param holdingRate money per period for money in stock
 * @returns the order, raised or as it was
 */
export function raisedToBreak(units: number, list: PriceList, rate: number, holdingRate: number): number {
  if (units <= 0 || rate <= 0) return units;
  const paid = paidFor(units, list);
  let best = units;
  let most = 0;
  for (const wanted of list.breaks) {
    if (wanted <= units) continue;
    const added = wanted - units;
    const whole = paidFor(wanted, list);
    const saved = paid + added * (paid / units) - whole;
    // The added units wait until the order is sold, then go one by one.
    const held = holdingRate * (whole / wanted) * added * ((units + added / 2) / rate);
    if (saved - held > most) [best, most] = [wanted, saved - held];
  }
  return best;
}
