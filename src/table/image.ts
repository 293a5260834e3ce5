import type Sharp from "sharp";
import { ShopaiError } from "../core/errors.js";

/** An image that cannot be read: what is wrong with it. */
export class BrokenImage extends Error {}

/** What is read, whatever the name of the file says. */
const kinds = ["jpeg", "png", "webp"];

async function decoder(): Promise<typeof Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new ShopaiError("engine", "images need the package sharp, which is not installed", {
      try: "npm install sharp",
      cause,
    });
  }
}

/** Reads an image to its end. @returns pixels, as they are seen: turned as its camera says @throws BrokenImage */
export async function imageSize(path: string): Promise<{ width: number; height: number }> {
  const sharp = await decoder();
  return reading(async () => {
    const image = sharp(path, { failOn: "warning" });
    const { format, autoOrient } = await image.metadata();
    if (!kinds.includes(format)) throw new BrokenImage(`no ${kinds.join(", ")}, but ${format}`);
    // Small, so that little is made of what is read: all of it is read nevertheless.
    await image.resize(8, 8).raw().toBuffer();
    return autoOrient;
  });
}

/**
 * An image of any size as a square of pixels: turned as its camera says, scaled until it fits, in the middle
 * of white, on white where it is transparent.
 *
 * @param side pixels of a side
 * @returns side x side x 3 (red, green, blue), rows from the top left, 0 to 255
 * @throws BrokenImage for a file that is no image, is cut off or is not there
 */
export async function squarePixels(path: string, side: number): Promise<Uint8Array> {
  const sharp = await decoder();
  return reading(() =>
    sharp(path, { failOn: "warning" })
      .autoOrient()
      .flatten({ background: "#fff" })
      .toColourspace("srgb")
      .resize(side, side, { fit: "contain", background: "#fff" })
      .removeAlpha()
      .raw()
      .toBuffer(),
  );
}

async function reading<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof BrokenImage || cause instanceof ShopaiError) throw cause;
    throw new BrokenImage(reasonOf(String((cause as Error).message)), { cause });
  }
}

/** In words of ours: which of several messages libvips gives for damaged data depends on its threads. */
function reasonOf(message: string): string {
  if (/file is missing/.test(message)) return "no such file";
  if (/unsupported image format/.test(message)) return "no image";
  if (/pixel limit/.test(message)) return "more than 268 million pixels";
  return "damaged or cut off";
}
