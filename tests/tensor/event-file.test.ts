import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { crc32c, openEventFile } from "../../src/tensor/event-file.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();

test("CRC-32C is that of RFC 3720, appendix B.4", () => {
  const sumOf = (byte: (place: number) => number): string =>
    crc32c(Uint8Array.from({ length: 32 }, (_, place) => byte(place))).toString(16);
  expect([sumOf(() => 0), sumOf(() => 255), sumOf((place) => place)]).toEqual([
    "8a9136aa",
    "62a8ab43",
    "46dd794e",
  ]);
});

test("events are written byte for byte as TensorBoard writes them", () => {
  const fixture = new URL("../parity/fixtures/event-file-tensorboard.json", import.meta.url);
  const { seconds, steps, records } = JSON.parse(readFileSync(fixture, "utf8")) as {
    seconds: number;
    steps: { step: number; figures: Record<string, number> }[];
    records: string;
  };
  const { path, write } = openEventFile(join(folder, "runs/first"), () => seconds);
  for (const { step, figures } of steps) write(step, figures);
  const content = readFileSync(path);
  // The first record: which version of the format the file is of.
  const first = 16 + Number(content.readBigUInt64LE(0));
  expect(content.subarray(12, first - 4).toString("latin1")).toContain("brain.Event:2");
  expect(content.subarray(first).toString("hex")).toBe(records);
});
