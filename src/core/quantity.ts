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
