import { ident, literal } from "../../engine/sql.js";
import { snake } from "../naming.js";
import type { Spec } from "../spec.js";
import { amountOf } from "./rfm.js";
import type { Preset } from "./preset.js";

/**
 * What each user did in the 7, 30 and 90 days before `as_of`: events, events by type, money, distinct
 * items, days since the last event and since the last of each type.
 */
export const behaviour: Preset = {
  name: "behaviour",
  summary: "counts, sums, distinct items and recency per user in windows before as_of",
  spec(roles, options) {
    const user = roles.need("user");
    const time = roles.need("time");
    const item = roles.may("item");
    const event = roles.may("event");
    const amount = amountOf(roles);
    const types = event ? (options.events ?? []) : [];
    const isType = (type: string): string => `${ident(event!.name)} = ${literal(type)}`;
    const aggregates: NonNullable<Spec["aggregates"]> = [
      "count",
      ...types.map((type) => ({ count: ["*"], where: isType(type), as: `n_${snake(type)}` })),
      ...(amount.column ? [{ sum: [amount.column] }] : []),
      ...(item ? [{ distinct: [item.name] }] : []),
      "recency",
      ...types.map((type) => ({ recency: ["*"], where: isType(type), as: `days_since_last_${snake(type)}` })),
    ];
    return {
      entity: [user.name],
      time: time.name,
      derive: amount.derive,
      windows: options.windows ?? ["7d", "30d", "90d"],
      aggregates,
    };
  },
};
