import { expect, test } from "vitest";
import { calendarNames, easter, holidayColumns } from "../../src/forecast/calendar.js";

const day = (text: string): number => Date.parse(text) / 86_400_000;

test.each(["2010-04-04", "2011-04-24", "2012-04-08", "2024-03-31", "2025-04-20", "2038-04-25"])(
  "Easter is on %s",
  (date) => expect(easter(Number(date.slice(0, 4)))).toBe(day(date)),
);

const daysOf = (code: string, name: string, year: number): string[] => {
  const first = day(`${year}-01-01`);
  const days = Float64Array.from({ length: 366 }, (_, i) => first + i);
  const { values } = holidayColumns([code], days).find((column) => column.name === name)!;
  return [...values].flatMap((value, i) =>
    value > 0 ? [new Date((first + i) * 86_400_000).toISOString().slice(0, 10)] : [],
  );
};

test.each([
  ["US", "thanksgiving", "2024-11-28"],
  ["US", "black friday", "2024-11-29"],
  ["US", "cyber monday", "2024-12-02"],
  ["US", "memorial day", "2024-05-27"],
  ["US", "labor day", "2010-09-06"],
  ["US", "super bowl", "2010-02-07"],
  ["US", "super bowl", "2024-02-11"],
  ["CA", "victoria day", "2024-05-20"],
  ["GB", "summer bank holiday", "2024-08-26"],
  ["DE", "ascension", "2024-05-09"],
  ["CN", "chinese new year", "2024-02-10"],
  ["CN", "chinese new year", "2023-01-22"],
  ["CN", "mid-autumn", "2024-09-17"],
  ["CN", "6.18", "2024-06-18"],
  ["shopping", "11.11", "2024-11-11"],
])("%s: %s is on %s", (code, name, date) => {
  expect(daysOf(code, name, Number(date.slice(0, 4)))).toEqual([date]);
});

test("weeks hold their share of the seven days up to a holiday", () => {
  // Weeks from Monday; Christmas 2024 is a Wednesday: four days before the week, three in it.
  const weeks = Float64Array.from({ length: 9 }, (_, i) => day("2024-11-25") + 7 * i);
  const { values } = holidayColumns(["shopping"], weeks).find(({ name }) => name === "christmas")!;
  expect([...values]).toEqual([0, 0, 0, 4 / 7, 3 / 7, 0, 0, 0].map((value) => expect.closeTo(value, 12)));
});

test("hours of a holiday count alike, in every calendar days are 0 or 1", () => {
  const hours = Float64Array.from({ length: 24 * 4 + 1 }, (_, h) => day("2024-12-24") + Math.floor(h / 24));
  const { values } = holidayColumns(["us"], hours).find(({ name }) => name === "christmas")!;
  expect([...values.subarray(24, 48)].every((value) => value === 1)).toBe(true);
  expect(values.reduce((a, b) => a + b)).toBe(24);
  const days = Float64Array.from({ length: 800 }, (_, i) => day("2023-06-01") + i);
  for (const { values: own } of holidayColumns(calendarNames, days))
    expect([...own].every((value) => value === 0 || value === 1)).toBe(true);
});

test("an unknown calendar is refused with the nearest", () => {
  expect(() => holidayColumns(["shoping"], Float64Array.of(0, 1))).toThrow(
    expect.objectContaining({ kind: "usage", try: expect.stringContaining("--holidays shopping") }),
  );
});
