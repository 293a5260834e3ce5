import { ShopaiError, nearest } from "../core/errors.js";

/** Days since 1970-01-01. */
export type Day = number;

const dayOf = (year: number, month: number, day: number): Day => Date.UTC(year, month - 1, day) / 86_400_000;
/** Sunday is 0. */
const weekdayOf = (day: Day): number => (((day + 4) % 7) + 7) % 7;

type Rule = (year: number) => Day[];
const fixed =
  (month: number, day: number): Rule =>
  (year) => [dayOf(year, month, day)];
/** The nth weekday of a month, and some days later. */
const nth =
  (n: number, weekday: number, month: number, later = 0): Rule =>
  (year) => {
    const first = dayOf(year, month, 1);
    return [first + ((weekday - weekdayOf(first) + 7) % 7) + 7 * (n - 1) + later];
  };
/** The last weekday of a month, or the last one before a day of the next. */
const last =
  (weekday: number, month: number, before = 1): Rule =>
  (year) => {
    const end = dayOf(year, month + 1, before) - 1;
    return [end - ((weekdayOf(end) - weekday + 7) % 7)];
  };
const fromEaster =
  (days: number): Rule =>
  (year) => [easter(year) + days];

/** Easter Sunday of the Gregorian calendar (Meeus 1991, Astronomical Algorithms, ch. 8; Butcher's rule). */
export function easter(year: number): Day {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const moon =
    (19 * a + b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3) + 15) % 30;
  const sunday = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - moon - (c % 4)) % 7;
  const late = Math.floor((a + 11 * moon + 22 * sunday) / 451);
  const sum = moon + sunday - 7 * late + 114;
  return dayOf(year, Math.floor(sum / 31), (sum % 31) + 1);
}

/** Days of a year on which another calendar shows a month and day; Node carries those calendars. */
const inCalendar = (calendar: string, month: string, day: string): Rule => {
  const format = new Intl.DateTimeFormat(`en-u-ca-${calendar}`, {
    month: "numeric",
    day: "numeric",
    timeZone: "UTC",
  });
  const known = new Map<number, Day[]>();
  return (year) => {
    const found = known.get(year) ?? [];
    if (known.has(year)) return found;
    for (let at = dayOf(year, 1, 1); at < dayOf(year + 1, 1, 1); at++) {
      const parts = format.formatToParts(at * 86_400_000);
      const part = (type: string): string | undefined => parts.find((one) => one.type === type)?.value;
      if (part("month") === month && part("day") === day) found.push(at);
    }
    known.set(year, found);
    return found;
  };
};

const newYear = { "new year": fixed(1, 1) };
const christmas = { christmas: fixed(12, 25) };
const easterDays = { easter: fromEaster(0) };
const thanksgiving = nth(4, 4, 11);
const blackFriday = { "black friday": nth(4, 4, 11, 1), "cyber monday": nth(4, 4, 11, 4) };
const western = { ...newYear, ...easterDays, ...christmas, ...blackFriday, "valentine's day": fixed(2, 14) };

/** National holidays that shops notice, and days that shops made. By country code; `shopping` for the latter alone. */
const calendars: Readonly<Record<string, () => Record<string, Rule>>> = {
  US: () => ({
    ...western,
    "super bowl": (year) => (year < 2022 ? nth(1, 0, 2) : nth(2, 0, 2))(year),
    "presidents' day": nth(3, 1, 2),
    "mother's day": nth(2, 0, 5),
    "memorial day": last(1, 5),
    "father's day": nth(3, 0, 6),
    "independence day": fixed(7, 4),
    "labor day": nth(1, 1, 9),
    halloween: fixed(10, 31),
    thanksgiving,
  }),
  CA: () => ({
    ...western,
    "victoria day": last(1, 5, -6),
    "canada day": fixed(7, 1),
    "labour day": nth(1, 1, 9),
    "canadian thanksgiving": nth(2, 1, 10),
  }),
  GB: () => ({
    ...western,
    "mothering sunday": fromEaster(-21),
    "early may": nth(1, 1, 5),
    "spring bank holiday": last(1, 5),
    "summer bank holiday": last(1, 8),
    "boxing day": fixed(12, 26),
  }),
  DE: () => ({
    ...western,
    "good friday": fromEaster(-2),
    "may day": fixed(5, 1),
    ascension: fromEaster(39),
    pentecost: fromEaster(49),
    "unity day": fixed(10, 3),
    "second christmas day": fixed(12, 26),
  }),
  FR: () => ({
    ...western,
    "may day": fixed(5, 1),
    ascension: fromEaster(39),
    pentecost: fromEaster(49),
    "national day": fixed(7, 14),
    assumption: fixed(8, 15),
    "all saints": fixed(11, 1),
  }),
  IT: () => ({
    ...western,
    epiphany: fixed(1, 6),
    liberation: fixed(4, 25),
    "may day": fixed(5, 1),
    assumption: fixed(8, 15),
    "all saints": fixed(11, 1),
  }),
  ES: () => ({
    ...western,
    epiphany: fixed(1, 6),
    "good friday": fromEaster(-2),
    "may day": fixed(5, 1),
    assumption: fixed(8, 15),
    "national day": fixed(10, 12),
  }),
  NL: () => ({
    ...western,
    "king's day": fixed(4, 27),
    ascension: fromEaster(39),
    pentecost: fromEaster(49),
    "saint nicholas": fixed(12, 5),
  }),
  BR: () => ({
    ...western,
    carnival: fromEaster(-47),
    "mother's day": nth(2, 0, 5),
    "dia dos namorados": fixed(6, 12),
    "children's day": fixed(10, 12),
  }),
  CN: () => ({
    "chinese new year": inCalendar("chinese", "1", "1"),
    "dragon boat": inCalendar("chinese", "5", "5"),
    "mid-autumn": inCalendar("chinese", "8", "15"),
    "labour day": fixed(5, 1),
    "national day": fixed(10, 1),
    "6.18": fixed(6, 18),
    "11.11": fixed(11, 11),
    "12.12": fixed(12, 12),
  }),
  shopping: () => ({
    ...blackFriday,
    "6.18": fixed(6, 18),
    "11.11": fixed(11, 11),
    "12.12": fixed(12, 12),
    "chinese new year": inCalendar("chinese", "1", "1"),
    christmas: fixed(12, 25),
  }),
};
export const calendarNames = Object.keys(calendars);

/** Days of shopping before a holiday that count for it where periods are longer than a day. */
const leadDays = 7;

/**
 * Holidays as regressors: for days and hours 1 on the day; for weeks, months and quarters the share of the seven
 * days up to the holiday that lie in the period.
 *
 * @param codes     countries, or `shopping` for 11.11, 6.18, 12.12, Black Friday, Chinese New Year
 * @param firstDays first day of every period, and of the one after the last
 * @throws ShopaiError "usage" for an unknown calendar
 */
export function holidayColumns(
  codes: readonly string[],
  firstDays: Float64Array,
): { name: string; values: Float64Array }[] {
  const rules = new Map<string, Rule>();
  for (const code of codes) {
    const key = calendarNames.find((name) => name.toLowerCase() === code.toLowerCase());
    if (!key)
      throw new ShopaiError("usage", `there is no holiday calendar "${code}"`, {
        try: `--holidays ${nearest(code, calendarNames) ?? calendarNames.join(", ")}, or a column of your own with --regressors`,
      });
    for (const [name, rule] of Object.entries(calendars[key]())) rules.set(name, rule);
  }
  const count = firstDays.length - 1;
  const yearOf = (day: Day): number => new Date(day * 86_400_000).getUTCFullYear();
  const from = yearOf(firstDays[0]);
  const to = yearOf(firstDays[count]) + 1;
  const daily = firstDays[count] - firstDays[0] <= count;
  return [...rules].map(([name, rule]) => {
    const values = new Float64Array(count);
    for (let year = from; year <= to; year++)
      for (const day of rule(year))
        for (let back = daily ? 0 : leadDays - 1; back >= 0; back--) {
          let period = lastAtOrBefore(firstDays, day - back);
          if (period < 0 || period >= count) continue;
          if (!daily) values[period] += 1 / leadDays;
          // All hours of the day.
          else for (; period >= 0 && firstDays[period] === day; period--) values[period] = 1;
        }
    return { name, values };
  });
}

/** The last place of an ascending list whose value is at most `value`; -1 where none is. */
function lastAtOrBefore(list: Float64Array, value: number): number {
  let low = -1;
  let high = list.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}
