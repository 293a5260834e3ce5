import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { cleanRows } from "../../src/clean/clean.js";
import { parseContract } from "../../src/clean/contract.js";
import { seededRng } from "../../src/core/rng.js";
import { loadModel } from "../../src/learners/model.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel } from "../../src/learners/training.js";
import { squarePixels } from "../../src/table/image.js";
import { openRaw, openTable } from "../../src/table/open.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";

const run = testRun();
const folder = temporaryFolder();
const photos = join(folder, "photos");
const rng = seededRng(5, "photos");
const params = { side: 16, filters: 4, width: 16, epochs: 12, patience: 0, batch: 8, rate: 0.01 };

/** Stripes across or upright, of a colour of their own, in files of different sizes and kinds. */
async function photo(upright: boolean, number: number): Promise<void> {
  const [width, height] = [40 + rng.integer(60), 40 + rng.integer(60)];
  const colour = [0, 1, 2].map(() => rng.integer(120));
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const dark = Math.floor(((upright ? x / width : y / height) * 6) % 2) === 0;
      for (let c = 0; c < 3; c++) pixels[(y * width + x) * 3 + c] = dark ? colour[c] : 255 - colour[c];
    }
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  const [kind, bytes] = [
    ["png", await image.clone().png().toBuffer()] as const,
    ["jpg", await image.clone().jpeg().toBuffer()] as const,
    ["webp", await image.clone().webp().toBuffer()] as const,
  ][number % 3];
  writeFileSync(join(photos, upright ? "upright" : "across", `${number}.${kind}`), bytes);
}

beforeAll(async () => {
  for (const label of ["upright", "across"]) mkdirSync(join(photos, label), { recursive: true });
  for (let number = 0; number < 24; number++) await photo(number % 2 === 0, number);
});

describe("a folder of images", () => {
  test("is a table of paths, labels and sizes", async () => {
    const table = await openTable(await run.engine(), [photos]);
    expect(table.schema).toEqual([
      { name: "path", type: "VARCHAR" },
      { name: "label", type: "VARCHAR" },
      { name: "width", type: "BIGINT" },
      { name: "height", type: "BIGINT" },
    ]);
    const rows = await rowsOf<{ path: string; label: string; width: bigint }>(table);
    expect(rows).toHaveLength(24);
    for (const { path, label, width } of rows) {
      expect(path).toContain(join(photos, label));
      expect(Number(width)).toBe((await sharp(path).metadata()).width);
    }
    expect(table.inputs).toMatchObject([{ path: photos, rows: 24 }]);
  });

  test("with a table in it is that table", async () => {
    const shop = join(folder, "shop");
    mkdirSync(shop);
    writeFileSync(join(shop, "products.csv"), "sku,price\nA,3\n");
    writeFileSync(join(shop, "logo.png"), readFileSync(join(photos, "upright/0.png")));
    const table = await openTable(await run.engine(), [shop]);
    expect(table.schema.map(({ name }) => name)).toEqual(["sku", "price"]);
    await expect(
      openTable(await run.engine(), [join(shop, "logo.png"), join(shop, "products.csv")]),
    ).rejects.toMatchObject({ kind: "data", message: "images and csv files cannot be read as one" });
  });

  test("teaches a network, which tells images that it did not see; elsewhere, too", async () => {
    const table = await openTable(await run.engine(), [photos]);
    const cnn = await learnerNamed("cnn");
    const ask = { roles: { target: "label" }, features: ["path"], params };
    const model = await trainModel(cnn, table, ask, run);
    await model.save(join(folder, "model"));
    for (let number = 100; number < 110; number++) await photo(number % 2 === 0, number);
    const rows = await rowsOf(
      await (
        await loadModel(join(folder, "model"))
      ).predict(await openTable(await run.engine(), [photos]), { keep: ["label"] }, run),
    );
    expect(rows).toHaveLength(34);
    for (const { label, prediction } of rows) expect(prediction).toBe(label);

    // A table elsewhere, whose paths start from its own folder.
    const products = join(folder, "products.csv");
    writeFileSync(products, "path,price\nphotos/upright/100.jpg,3\nphotos/across/101.webp,4\n");
    const told = await model.predict(await openTable(await run.engine(), [products]), {}, run);
    expect((await rowsOf(told)).map(({ prediction }) => prediction)).toEqual(["upright", "across"]);
  });

  test("columns beside the paths are refused with what to name", async () => {
    const table = await openTable(await run.engine(), [photos]);
    const cnn = await learnerNamed("cnn");
    await expect(trainModel(cnn, table, { roles: { target: "label" }, params }, run)).rejects.toMatchObject({
      kind: "data",
      try: "--features path",
    });
  });
});

describe("an image that cannot be read", () => {
  const bad = join(folder, "bad");
  const names = ["across/cut.jpg", "upright/empty.png", "upright/words.jpg"];
  beforeAll(() => {
    for (const label of ["upright", "across"]) mkdirSync(join(bad, label), { recursive: true });
    for (const place of ["across/1.jpg", "upright/0.png", "across/7.jpg"])
      writeFileSync(join(bad, place), readFileSync(join(photos, place)));
    renameSync(join(bad, "across/7.jpg"), join(bad, "across/cut.jpg"));
    const whole = readFileSync(join(bad, "across/cut.jpg"));
    writeFileSync(join(bad, "across/cut.jpg"), whole.subarray(0, whole.length / 2));
    writeFileSync(join(bad, "upright/empty.png"), "");
    writeFileSync(join(bad, "upright/words.jpg"), "not an image");
  });

  test("is set aside by clean, with its path and the reason; the others are rows", async () => {
    const engine = await run.engine();
    const raw = (await openRaw(engine, [bad]))!;
    const { table, counts, rejects } = await cleanRows(
      engine,
      { ...raw, rows: raw.relation },
      parseContract("columns: {}", "none"),
    );
    expect(counts).toMatchObject({ rows_in: 5, rows_out: 2, rejected: 3 });
    expect((await rowsOf(table)).map(({ path }) => path)).toEqual(
      ["across/1.jpg", "upright/0.png"].map((place) => join(bad, place)),
    );
    const aside = await rowsOf<{ _source: string; _reason: string }>(rejects);
    expect(aside.map(({ _source }) => _source)).toEqual(names.map((place) => join(bad, place)));
    expect(aside.map(({ _reason }) => _reason)).toEqual(["damaged or cut off", "no image", "no image"]);
  });

  test("stops every other command with its path (exit 3)", async () => {
    const { code, stderr } = await runCli([
      "train",
      "cnn",
      bad,
      "--target",
      "label",
      "-o",
      join(folder, "no"),
    ]);
    expect(code).toBe(3);
    expect(stderr).toContain("3 of 5 images cannot be read");
    expect(stderr).toContain(join(bad, "across/cut.jpg"));
    expect(stderr).toContain("--rejects");
  });

  test("in a table of paths stops training and predicting with its path", async () => {
    const engine = await run.engine();
    const places = [...names, "across/gone.jpg"].map((place) => join(bad, place));
    const table = await relationFrom(engine, {
      photo: [join(bad, "across/1.jpg"), ...places],
      label: ["a", "b", "a", "b", "a"],
    });
    const cnn = await learnerNamed("cnn");
    const ask = { roles: { target: "label" }, features: ["photo"], params };
    await expect(trainModel(cnn, table, ask, run)).rejects.toMatchObject({
      kind: "data",
      message: expect.stringContaining("4 images cannot be read"),
      where: expect.stringContaining("across/gone.jpg"),
    });
  });
});

test("an image becomes a square as it is seen: turned, whole, on white", async () => {
  const path = join(folder, "arrow.jpg");
  // Red on the left half, black on the right; a camera that was held upright.
  const half = (background: string): Promise<Buffer> =>
    sharp({ create: { width: 40, height: 40, channels: 3, background } })
      .png()
      .toBuffer();
  const wide = sharp(await half("#f00")).extend({ right: 40, background: "#000" });
  writeFileSync(path, await wide.withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer());
  const pixels = await squarePixels(path, 8);
  const at = (x: number, y: number): number[] =>
    [...pixels.subarray((y * 8 + x) * 3, (y * 8 + x) * 3 + 3)].map((value) => Math.round(value / 255));
  // 40 x 80 once turned by a quarter: red above, black below, white at both sides.
  expect([at(4, 1), at(4, 6), at(0, 4), at(7, 4)]).toEqual([
    [1, 0, 0],
    [0, 0, 0],
    [1, 1, 1],
    [1, 1, 1],
  ]);
  const clear = join(folder, "clear.png");
  await sharp({ create: { width: 9, height: 5, channels: 4, background: "#0000" } }).toFile(clear);
  expect(new Set(await squarePixels(clear, 8))).toEqual(new Set([255]));
});
