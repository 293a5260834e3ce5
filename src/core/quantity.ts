import { ShopaiError } from "./errors.js";

const byteUnits: Record<string, number> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/** Bytes meant by a text such as `1GB`, `512 MiB` or `1048576`. */
export function parseBytes(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  const unit = match ? byteUnits[match[2].toLowerCase()] : undefined;
  if (!match || unit === undefined)
    throw new ShopaiError("usage", `"${text}" is not a size`, {
      try: "a number with KB, MB, GB, KiB, MiB or GiB, such as 2GB",
    });
  return Math.round(Number(match[1]) * unit);
}

/** A count with thousands separators: 1234567 → "1,234,567". */
export function grouped(count: number | bigint): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A count with its noun: "1 row", "1,234 rows". */
export const counted = (count: number | bigint, noun: string): string =>
  `${grouped(count)} ${noun}${count === 1 || count === 1n ? "" : "s"}`;

const durationUnits: Record<string, number> = { s: 1, min: 60, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds meant by a text such as `26h`, `90 min`, `2d`. */
export function parseDuration(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  const unit = match ? durationUnits[match[2].toLowerCase()] : undefined;
  if (!match || unit === undefined)
    throw new ShopaiError("usage", `"${text}" is not a duration`, {
      try: "a number with s, min, h, d or w, such as 26h",
    });
  return Number(match[1]) * unit;
}

/** A duration as people say it: 93600 → "26 h". */
export function durationText(seconds: number): string {
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 259_200) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
