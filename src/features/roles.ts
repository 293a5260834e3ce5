import { ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import { planColumn, visibleColumns, type Plan } from "./plan.js";

export const roleNames = [
  "user",
  "item",
  "time",
  "rating",
  "value",
  "price",
  "quantity",
  "order",
  "event",
  "text",
  "page",
] as const;
export type Role = (typeof roleNames)[number];
export type RoleOptions = Partial<Record<Role, string>>;

/** Names that columns of a role often have, the likeliest first; case, `_` and spaces do not count. */
const usual: Record<Role, readonly string[]> = {
  user: [
    "user",
    "userid",
    "customer",
    "customerid",
    "clientid",
    "client",
    "visitorid",
    "memberid",
    "buyerid",
    "account",
    "accountid",
    "cid",
    "sessionid",
  ],
  item: [
    "item",
    "itemid",
    "product",
    "productid",
    "sku",
    "stockcode",
    "article",
    "articleid",
    "asin",
    "movieid",
    "movie",
  ],
  time: [
    "time",
    "ts",
    "timestamp",
    "eventtime",
    "datetime",
    "at",
    "date",
    "day",
    "orderedat",
    "invoicedate",
    "orderdate",
    "createdat",
    "ordertime",
    "orderts",
    "week",
    "month",
  ],
  rating: ["rating", "stars", "score"],
  value: ["value", "amount", "revenue", "sales", "total", "linetotal", "spend", "turnover"],
  price: ["price", "unitprice", "itemprice", "listprice"],
  quantity: ["quantity", "qty", "units", "count"],
  order: [
    "order",
    "orderid",
    "orderno",
    "invoice",
    "invoiceno",
    "invoiceid",
    "transactionid",
    "basketid",
    "basket",
    "receipt",
    "receiptid",
  ],
  event: [
    "event",
    "eventtype",
    "eventname",
    "action",
    "behaviour",
    "behavior",
    "behaviortype",
    "kind",
    "type",
  ],
  text: [
    "text",
    "review",
    "reviewtext",
    "comment",
    "body",
    "content",
    "message",
    "sentence",
    "description",
    "title",
    "query",
  ],
  page: ["page", "url", "path", "pageurl", "pageid"],
};

/** The column whose name says that it plays a role, if one does; none for a role that has no usual names. */
export function fieldOfRole(role: string, fields: readonly Field[]): Field | undefined {
  for (const name of usual[role as Role] ?? []) {
    const field = fields.find((one) => plainName(one.name) === name);
    if (field) return field;
  }
  return undefined;
}

/** Finds the columns that play a preset's parts: those that were named, else those whose name says it. */
export class RoleFinder {
  /** The columns found, given or guessed, for the fit file. */
  readonly found: RoleOptions = {};
  /** Guesses, in words for stderr. */
  readonly guessed: string[] = [];

  constructor(
    private readonly plan: Plan,
    private readonly given: RoleOptions,
    private readonly preset: string,
  ) {}

  /** The column that was named for a role, without guessing. */
  named(role: Role): Field | undefined {
    return this.given[role] === undefined ? undefined : this.may(role);
  }

  /** The column of a role, or undefined when nothing was named and no name fits. */
  may(role: Role): Field | undefined {
    const named = this.given[role];
    if (named !== undefined) return this.noted(role, planColumn(this.plan, named, `--${role}`));
    const field = fieldOfRole(role, visibleColumns(this.plan));
    if (!field) return undefined;
    if (this.found[role] !== field.name) this.guessed.push(`--${role} ${field.name}`);
    return this.noted(role, field);
  }

  /** The column of a role. @throws ShopaiError "usage" that says what to type */
  need(role: Role): Field {
    const field = this.may(role);
    if (field) return field;
    const known = visibleColumns(this.plan).map((one) => one.name);
    throw new ShopaiError(
      "usage",
      `the preset ${this.preset} needs the ${role} column, and no name tells which it is`,
      {
        where: this.plan.source.name,
        try: `--${role} <one of ${known.slice(0, 12).join(", ")}>`,
      },
    );
  }

  private noted(role: Role, field: Field): Field {
    this.found[role] = field.name;
    return field;
  }
}

const plainName = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
