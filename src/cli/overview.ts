import { nearest, ShopaiError } from "../core/errors.js";

/** The help of the whole program, from the listing alone. */
export function overview(listing: Record<string, { summary: string }>, version: string): string {
  const width = Math.max(...Object.keys(listing).map((name) => name.length));
  const commands = Object.entries(listing).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  );
  return [
    `shopai ${version}: data science for shops, from raw files to decisions`,
    "",
    "Usage: shopai <command> [inputs...] [options]",
    "",
    "Commands:",
    ...commands,
    "",
    "Every command explains itself: shopai <command> --help",
    "",
    "Examples:",
    "  $ shopai inspect orders.csv",
    "  $ shopai clean orders.csv --contract orders.yaml -o orders.parquet",
    "  $ shopai train ease interactions.parquet --user user --item item -o model/",
    "  $ shopai run pipelines/quickstart.yaml",
    "",
  ].join("\n");
}

export function unknownCommand(name: string, known: readonly string[]): ShopaiError {
  const near = nearest(name, known);
  return new ShopaiError("usage", `"${name}" is not a command`, {
    try: near ? `shopai ${near}` : "shopai --help",
  });
}
