import { power } from "../core/power.js";
import type { Rng } from "../core/rng.js";
import type { Day } from "./calendar.js";
import type { ShopFolder } from "./shop-folder.js";

/** A campaign: clicks grow with spend to the power `power`, so that more money buys ever dearer clicks. */
interface Campaign {
  name: string;
  channel: string;
  /** Ordinary spend a day, EUR, and the clicks that it buys. */
  spend: number;
  clicks: number;
  power: number;
  /** Clicks per impression, orders per click, EUR per order. */
  clickRate: number;
  orderRate: number;
  orderValue: number;
}

const campaigns: readonly Campaign[] = [
  {
    name: "brand",
    channel: "search_ad",
    spend: 20,
    clicks: 90,
    power: 0.45,
    clickRate: 0.08,
    orderRate: 0.07,
    orderValue: 72,
  },
  {
    name: "generic",
    channel: "search_ad",
    spend: 60,
    clicks: 85,
    power: 0.8,
    clickRate: 0.03,
    orderRate: 0.035,
    orderValue: 68,
  },
  {
    name: "video",
    channel: "social_ad",
    spend: 45,
    clicks: 130,
    power: 0.65,
    clickRate: 0.011,
    orderRate: 0.012,
    orderValue: 54,
  },
  {
    name: "retargeting",
    channel: "social_ad",
    spend: 25,
    clicks: 60,
    power: 0.55,
    clickRate: 0.02,
    orderRate: 0.05,
    orderValue: 61,
  },
];

/** Writes `ads.csv`, one row per day and campaign, and `truth/ads.csv`. Budgets change at random every week, so that the response can be told. */
export function writeAds(folder: ShopFolder, days: readonly Day[], rng: Rng): void {
  const rows: string[] = [];
  const levels = campaigns.map(() => 1);
  const poisson = (mean: number): number => Math.max(0, Math.round(mean + Math.sqrt(mean) * rng.normal()));
  for (const { day, date, level } of days)
    campaigns.forEach((campaign, i) => {
      if (day % 7 === 0) levels[i] = 0.4 + 1.6 * rng.uniform();
      const spend = campaign.spend * levels[i] * (0.95 + 0.1 * rng.uniform());
      const clicks = poisson(campaign.clicks * level * power(spend / campaign.spend, campaign.power));
      const impressions = Math.max(clicks, poisson(clicks / campaign.clickRate));
      const orders = Math.min(clicks, poisson(clicks * campaign.orderRate));
      const revenue = orders * campaign.orderValue * (0.8 + 0.4 * rng.uniform());
      rows.push(
        [
          date,
          campaign.name,
          campaign.channel,
          spend.toFixed(2),
          impressions,
          clicks,
          orders,
          revenue.toFixed(2),
        ].join(","),
      );
    });
  folder.append(
    "ads.csv",
    `day,campaign,channel,spend_eur,impressions,clicks,conversions,revenue_eur\n${rows.join("\n")}\n`,
    rows.length,
  );
  const truth = campaigns.map((c) =>
    [c.name, c.channel, c.spend, c.clicks, c.power, c.clickRate, c.orderRate, c.orderValue].join(","),
  );
  folder.append(
    "truth/ads.csv",
    `campaign,channel,reference_spend_eur,reference_clicks,spend_elasticity,click_rate,order_rate,order_value_eur\n${truth.join("\n")}\n`,
    truth.length,
  );
}
