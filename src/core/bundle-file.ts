import { existsSync } from "node:fs";

/** A bundle beside the program's entry (`pool.worker`), also when this file runs from its source. */
export function bundleFile(name: string): URL {
  const place = import.meta.url.endsWith(".ts") ? "../../dist/bin/" : "../bin/";
  const url = new URL(`${place}${name}.js`, import.meta.url);
  if (!existsSync(url)) throw new Error(`${name}.js was not built`);
  return url;
}
