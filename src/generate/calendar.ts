import type { Rng } from "../core/rng.js";
import { categories } from "./model.js";

/** One day of the shop. */
export interface Day {
  day: number;
  /** `YYYY-MM-DD`. */
  date: string;
  /** Expected traffic relative to an ordinary day: trend, week, year, peaks; without noise. */
  level: number;
  /** First visit of the day, and how many. */
  firstVisit: number;
  visits: number;
  /** Factor on the demand of each category. */
  season: number[];
}

/** Traffic from Monday to Sunday. */
export const weekProfile = [0.92, 0.88, 0.9, 0.95, 1.05, 1.18, 1.12] as const;
/** What a year of growth adds. */
export const yearlyGrowth = 0.25;
/** Sale days, month-day → factor on traffic. */
const saleDays: Record<string, number> = { "06-18": 1.5, "11-11": 1.8, "11-24": 1.7, "12-12": 1.4 };

/**
 * The days of a shop: traffic follows trend, week, year and sale days with 5 % noise, and visits are
 * numbered through so that their sum is exact.
 */
export function calendar(start: string, days: number, visits: number, rng: Rng): Day[] {
  const first = Date.parse(`${start}T00:00:00Z`);
  const list: Day[] = Array.from({ length: days }, (_, day) => {
    const date = new Date(first + day * 86_400_000);
    const text = date.toISOString().slice(0, 10);
    const ofYear = Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);
    const weekday = (date.getUTCDay() + 6) % 7;
    const level =
      (1 + (yearlyGrowth * day) / 365) *
      weekProfile[weekday] *
      (1 + 0.12 * Math.cos((2 * Math.PI * (ofYear - 335)) / 365)) *
      (saleDays[text.slice(5)] ?? 1);
    const season = categories.map(
      (category) =>
        (1 + category.swing * Math.cos((2 * Math.PI * (ofYear - category.peak)) / 365)) *
        (weekday >= 5 ? category.weekend : 1),
    );
    return { day, date: text, level, firstVisit: 0, visits: 0, season };
  });
  const weights = list.map((day) => day.level * (1 + 0.05 * Math.max(-3, Math.min(3, rng.normal()))));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  list.forEach((day, i) => {
    day.firstVisit = Math.round((reached / total) * visits);
    reached += weights[i];
    day.visits = (i === days - 1 ? visits : Math.round((reached / total) * visits)) - day.firstVisit;
  });
  return list;
}

/** Relative traffic by hour of the day, from midnight. */
const hourProfile = [
  2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 9, 10, 11, 10, 9, 9, 9, 10, 12, 14, 15, 14, 10, 5,
] as const;

/** Seconds after midnight at the n-th of `slots` equal shares of a day's traffic, ends included: slots + 1 numbers. */
export function secondsOfShare(slots: number): number[] {
  const total = hourProfile.reduce((sum, weight) => sum + weight, 0);
  return Array.from({ length: slots + 1 }, (_, slot) => {
    let left = (slot / slots) * total;
    for (let hour = 0; hour < 24; hour++) {
      if (left <= hourProfile[hour]) return Math.round(3600 * (hour + left / hourProfile[hour]));
      left -= hourProfile[hour];
    }
    return 86_400;
  });
}
