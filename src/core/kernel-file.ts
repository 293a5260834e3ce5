import { existsSync, readFileSync } from "node:fs";

/** Where the build leaves kernels, seen from the bundles in dist/ and from the sources. */
const places = ["../wasm/", "../../dist/wasm/"];

/** The WebAssembly of a kernel (`scan-csv` for `scan-csv.as.ts`), or undefined where it was not built. */
export function kernelFile(name: string): Uint8Array<ArrayBuffer> | undefined {
  const found = places
    .map((place) => new URL(`${place}${name}.wasm`, import.meta.url))
    .find((url) => existsSync(url));
  return found && new Uint8Array(readFileSync(found));
}
