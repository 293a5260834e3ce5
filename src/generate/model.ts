import { ShopaiError } from "../core/errors.js";

/** A category of products and how its demand behaves. */
export interface Category {
  name: string;
  nameZh: string;
  /** Share of the assortment. */
  share: number;
  /** Range of reference prices, EUR. */
  price: readonly [number, number];
  /** Range of price elasticities: units change by −e % when the price rises by 1 %. */
  elasticity: readonly [number, number];
  /** Gross margin at the reference price. */
  margin: readonly [number, number];
  /** Day of the year when demand peaks, and how far it swings (0.3: ±30 %). */
  peak: number;
  swing: number;
  /** Factor on Saturday and Sunday. */
  weekend: number;
  /** Share of sold lines that come back. */
  returns: number;
  /** Units of a line: probabilities of 1, 2, 3, 4. */
  units: readonly [number, number, number, number];
}

export const categories: readonly Category[] = [
  {
    name: "electronics",
    nameZh: "电子产品",
    share: 0.14,
    price: [40, 1900],
    elasticity: [1.6, 2.8],
    margin: [0.12, 0.3],
    peak: 340,
    swing: 0.28,
    weekend: 1.05,
    returns: 0.08,
    units: [0.92, 0.06, 0.01, 0.01],
  },
  {
    name: "accessories",
    nameZh: "配件",
    share: 0.12,
    price: [5, 60],
    elasticity: [0.9, 1.8],
    margin: [0.4, 0.7],
    peak: 340,
    swing: 0.15,
    weekend: 1,
    returns: 0.04,
    units: [0.75, 0.18, 0.04, 0.03],
  },
  {
    name: "fashion",
    nameZh: "服装",
    share: 0.16,
    price: [15, 160],
    elasticity: [1.4, 2.6],
    margin: [0.4, 0.6],
    peak: 110,
    swing: 0.22,
    weekend: 1.12,
    returns: 0.22,
    units: [0.8, 0.15, 0.03, 0.02],
  },
  {
    name: "sports",
    nameZh: "运动",
    share: 0.12,
    price: [12, 240],
    elasticity: [1.2, 2.2],
    margin: [0.3, 0.5],
    peak: 165,
    swing: 0.32,
    weekend: 1.15,
    returns: 0.09,
    units: [0.85, 0.11, 0.02, 0.02],
  },
  {
    name: "home",
    nameZh: "家居",
    share: 0.14,
    price: [8, 220],
    elasticity: [1, 2],
    margin: [0.35, 0.55],
    peak: 60,
    swing: 0.12,
    weekend: 1.1,
    returns: 0.07,
    units: [0.7, 0.2, 0.06, 0.04],
  },
  {
    name: "grocery",
    nameZh: "食品",
    share: 0.12,
    price: [2, 25],
    elasticity: [0.8, 1.5],
    margin: [0.15, 0.35],
    peak: 355,
    swing: 0.1,
    weekend: 0.95,
    returns: 0.01,
    units: [0.4, 0.3, 0.18, 0.12],
  },
  {
    name: "toys",
    nameZh: "玩具",
    share: 0.1,
    price: [6, 90],
    elasticity: [1.2, 2.4],
    margin: [0.35, 0.55],
    peak: 345,
    swing: 0.34,
    weekend: 1.12,
    returns: 0.05,
    units: [0.7, 0.22, 0.05, 0.03],
  },
  {
    name: "books",
    nameZh: "图书",
    share: 0.1,
    price: [6, 45],
    elasticity: [0.8, 1.6],
    margin: [0.25, 0.4],
    peak: 335,
    swing: 0.16,
    weekend: 1,
    returns: 0.02,
    units: [0.72, 0.2, 0.05, 0.03],
  },
];

/** A latent group of customers: what they like and how they shop. */
export interface Segment {
  name: string;
  /** Customers of the group among every twenty. */
  ofTwenty: number;
  /** How often they visit, relative to the others. */
  activity: number;
  /** Share of visits that come to buy. */
  intent: number;
  /** Taste: weight of each category, in the order of `categories`. */
  taste: readonly number[];
  /** Factor on the share of lines returned. */
  returns: number;
  /** What a mailing adds to the probability of an order in the two weeks after it. */
  uplift: number;
}

export const segments: readonly Segment[] = [
  {
    name: "bargain",
    ofTwenty: 6,
    activity: 1,
    intent: 0.2,
    taste: [3, 10, 12, 3, 25, 32, 8, 7],
    returns: 1,
    uplift: 0.09,
  },
  {
    name: "family",
    ofTwenty: 5,
    activity: 1.4,
    intent: 0.28,
    taste: [3, 4, 12, 6, 15, 22, 34, 4],
    returns: 0.8,
    uplift: 0.05,
  },
  {
    name: "premium",
    ofTwenty: 3,
    activity: 0.8,
    intent: 0.32,
    taste: [38, 22, 22, 4, 7, 2, 2, 3],
    returns: 1.4,
    uplift: 0.01,
  },
  {
    name: "outdoor",
    ofTwenty: 3,
    activity: 0.9,
    intent: 0.26,
    taste: [7, 9, 22, 46, 5, 6, 2, 3],
    returns: 1.1,
    uplift: 0.03,
  },
  {
    name: "reader",
    ofTwenty: 3,
    activity: 1.1,
    intent: 0.24,
    taste: [6, 8, 5, 3, 14, 12, 6, 46],
    returns: 0.6,
    uplift: -0.02,
  },
];

/** How many of each thing a shop has. */
export interface ShopSize {
  orders: number;
  days: number;
  customers: number;
  products: number;
  /** First day, `YYYY-MM-DD`. */
  start: string;
}

/** Fills in what the user did not say. Small shops get half a year, large ones two years. */
export function shopSize(asked: Partial<ShopSize> & { orders: number }): ShopSize {
  const size = {
    orders: asked.orders,
    days: asked.days ?? (asked.orders <= 5000 ? 180 : 730),
    customers: asked.customers ?? Math.max(100, Math.round(asked.orders / 5)),
    products: asked.products ?? Math.min(5000, Math.max(40, Math.round(asked.orders / 50))),
    start: asked.start ?? "2023-01-02",
  };
  const parsed = Date.parse(`${size.start}T00:00:00Z`);
  // 31 February parses, as 3 March.
  if (Number.isNaN(parsed) || new Date(parsed).toISOString().slice(0, 10) !== size.start)
    throw new ShopaiError("usage", `--start must be a date, got ${size.start}`, {
      try: "--start 2023-01-02",
    });
  return size;
}

/** Products of each category: shares of the assortment, at least one each, summing to the whole. */
export function categorySizes(products: number): number[] {
  const sizes = categories.map(() => 1);
  const free = products - categories.length;
  let reached = 0;
  let given = 0;
  categories.forEach((category, i) => {
    reached += category.share;
    const upTo = i === categories.length - 1 ? free : Math.round(reached * free);
    sizes[i] += upTo - given;
    given = upTo;
  });
  return sizes;
}

/** Levels of the weekly price, as factors of the reference price; the first two are promotions. */
export const priceLevels = [0.75, 0.9, 0.85, 0.92, 1, 1, 1.08, 1.2] as const;
export const promotionLevels = 2;

/** Probability that a look at a product ends in buying it, at the reference price: for visits that came to buy, and others. */
export const buying = { intent: 0.22, idle: 0.02 } as const;

/** Looks at products in one visit: fewest and most, evenly spread. */
export const looks = { intent: [3, 7], idle: [1, 3] } as const;

/** Share of later looks that go to what goes with the first product. */
export const complementShare = 0.3;

/** Share of looks in which a customer stays with the product line of their own style. */
export const styleShare = 0.6;
export const styles = 4;

/** Visits planned for every order; a few more than needed, for the orders are counted and cut to the number asked for. */
export const visitsPerOrder = 4.6;

/** Shares of devices and channels among visits that came to buy and others: what tells the two apart. */
export const devices = {
  names: ["mobile", "desktop", "tablet"],
  idle: [68, 25, 7],
  intent: [42, 50, 8],
} as const;
export const channels = {
  names: ["organic", "direct", "search_ad", "social_ad", "email", "referral"],
  idle: [30, 14, 18, 26, 5, 7],
  intent: [26, 26, 18, 8, 16, 6],
} as const;
