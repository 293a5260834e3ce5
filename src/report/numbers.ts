import { grouped } from "../core/quantity.js";
import type { Messages } from "./messages/messages.js";
import { isBars, isShare, type Cell } from "./page.js";

/** A number as people read it: integers grouped, others to about four telling digits. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value))
    return Math.abs(value) < 1e15 ? grouped(value).replace("-", "−") : value.toExponential(3);
  const size = Math.abs(value);
  const digits =
    size >= 1e5 ? 0 : size >= 1000 ? 1 : size >= 10 ? 2 : size >= 1e-3 ? 4 : size >= 1e-4 ? 6 : -1;
  if (digits < 0) return value.toExponential(2).replace("-", "−");
  const [whole, fraction] = value.toFixed(digits).split(".");
  return `${grouped(whole as unknown as bigint)}${fraction ? `.${fraction}` : ""}`.replace("-", "−");
}

const blocks = "▁▂▃▄▅▆▇█";

/** A cell as one line of text. */
export function cellText(cell: Cell, say: Pick<Messages, "page">): string {
  if (cell === null || cell === undefined || cell === "") return "–";
  if (typeof cell === "number") return numberText(cell);
  if (typeof cell === "bigint") return grouped(cell);
  if (typeof cell === "boolean") return cell ? say.page.yes : say.page.no;
  if (isShare(cell)) return shareText(cell.share);
  if (isBars(cell)) {
    const most = Math.max(...cell.bars, 1);
    return cell.bars
      .map((bar) => (bar === 0 ? " " : blocks[Math.min(7, Math.floor((bar / most) * 8))]))
      .join("")
      .trimEnd();
  }
  return cell;
}

/** A share in percent: small ones do not round to nothing, nor large ones to all. */
export function shareText(share: number): string {
  if (share === 0) return "0 %";
  if (share === 1) return "100 %";
  if (share < 0.001) return "< 0.1 %";
  if (share > 0.999) return "> 99.9 %";
  return `${(100 * share).toFixed(1)} %`;
}

/** Settings and factors: three digits at most, no zeros behind them. */
export function briefText(value: number): string {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** Money in whole units above a hundred, else in hundredths; no currency, because the files name none. */
export function moneyText(value: number | null): string {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size >= 100) return numberText(Math.round(value));
  return size >= 0.1 ? value.toFixed(2).replace("-", "−") : numberText(Number(value.toPrecision(3)));
}
