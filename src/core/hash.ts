import { createHash } from "node:crypto";
import { fileChunks } from "./file-chunks.js";

/** sha256 of a text or bytes, as lower-case hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** sha256 of a file's bytes, read as a stream. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of fileChunks(path, signal)) hash.update(chunk);
  return hash.digest("hex");
}

/** JSON with sorted keys and without undefined: equal values give equal bytes. */
export function stableJson(value: unknown, indent?: number): string {
  return JSON.stringify(sorted(value), undefined, indent);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return typeof value === "bigint" ? String(value) : value;
  const entries = Object.entries(value as Record<string, unknown>)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
