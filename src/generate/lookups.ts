import type { Column } from "../engine/frame.js";
import type { Engine } from "../engine/engine.js";
import { secondsOfShare } from "./calendar.js";
import { visitorSlots } from "./customers.js";
import { slotted } from "./draws.js";
import { categories, categorySizes, channels, devices, segments, type ShopSize } from "./model.js";

/** Small tables that turn an even number of a slot into a weighted choice; joined, for long constant lists are copied for every row. */
export interface Lookups {
  /** slot of `visitorShares` → place in a block of twenty customers */
  visitor: string;
  /** 100 × segment + slot → category, with its first product and its size */
  taste: string;
  /** 100 × category + slot → units of a line */
  units: string;
  /** share of `clockShares` → seconds after midnight, and how long the share lasts */
  clock: string;
  /** 100 × intent + slot → name */
  device: string;
  channel: string;
}

export const visitorShares = visitorSlots.length;
export const clockShares = 480;

export async function createLookups(engine: Engine, size: ShopSize): Promise<Lookups> {
  const create = async (
    name: string,
    numbers: Record<string, readonly number[]>,
    words: Record<string, string[]> = {},
  ): Promise<string> => {
    const table = engine.fresh(`shop_${name}`);
    const rows = Object.values({ ...numbers, ...words })[0].length;
    const columns = new Map<string, Column>();
    const slots = Array.from({ length: rows }, (_, i) => i);
    for (const [column, values] of Object.entries({ slot: slots, ...numbers }))
      columns.set(column, { kind: "i32", values: Int32Array.from(values) });
    for (const [column, values] of Object.entries(words)) columns.set(column, { kind: "text", values });
    await engine.load(table, { rows, columns });
    return table;
  };
  const sizes = categorySizes(size.products);
  const firsts = sizes.map((_, c) => sizes.slice(0, c).reduce((sum, n) => sum + n, 0));
  const tastes = segments.flatMap(({ taste }) => slotted(taste, 100));
  const seconds = secondsOfShare(clockShares);
  const named = (feature: {
    names: readonly string[];
    idle: readonly number[];
    intent: readonly number[];
  }): string[] =>
    [feature.idle, feature.intent].flatMap((weights) => slotted(weights, 100).map((i) => feature.names[i]));
  return {
    visitor: await create("visitor", { place: visitorSlots }),
    taste: await create("taste", {
      category: tastes,
      first: tastes.map((c) => firsts[c]),
      n: tastes.map((c) => sizes[c]),
    }),
    units: await create("units", {
      units: categories.flatMap(({ units }) => slotted(units, 100).map((i) => i + 1)),
    }),
    clock: await create("clock", {
      opens: seconds.slice(0, -1),
      lasts: seconds.slice(1).map((second, i) => second - seconds[i]),
    }),
    device: await create("device", {}, { device: named(devices) }),
    channel: await create("channel", {}, { channel: named(channels) }),
  };
}
