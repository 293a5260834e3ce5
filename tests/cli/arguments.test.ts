import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import { helpText } from "../../src/cli/help.js";
import { callOf, type Listing } from "../../src/cli/main.js";
import { ShopaiError } from "../../src/core/errors.js";
import { defineCommand, option, readingOptions } from "../../src/pipeline/command.js";

const command = defineCommand({
  name: "try",
  summary: "try options",
  inputs: { usage: "<file...>", min: 1, max: Infinity, help: "files" },
  examples: ["shopai try a.csv -o b.csv"],
  options: {
    out: option.path("where it goes", { short: "o" }).optional(),
    k: option.integer("how many", { min: 1, max: 100 }).default(10),
    share: option.real("a share", { min: 0, max: 1 }).optional(),
    features: option.names("columns").optional(),
    level: option.numbers("levels", { min: 0, max: 100 }).optional(),
    failIf: option.repeated("gates").optional(),
    param: option.pairs("parameters").default({}),
    model: option.choice("which", ["naive", "seasonal-naive"]).default("naive"),
    ...readingOptions,
  },
  reads: () => [],
  writes: () => [],
  run: () => Promise.resolve({ json: null }),
});

function parsed(...words: string[]): Record<string, unknown> {
  const result = parseArguments(command, words);
  if ("help" in result) throw new Error("help was asked for");
  return result.options;
}

function refused(...words: string[]): { message: string; try?: string } {
  try {
    parsed(...words);
  } catch (error) {
    expect(error).toBeInstanceOf(ShopaiError);
    const { kind, message, try: advice } = error as ShopaiError;
    expect(kind).toBe("usage");
    return { message, try: advice };
  }
  throw new Error(`accepted: ${words.join(" ")}`);
}

describe("values", () => {
  test.each<[string[], Record<string, unknown>]>([
    [["a"], { in: ["a"], k: 10, model: "naive", seed: 42, json: false, color: true }],
    [["a", "--k", "1e1"], { k: 10 }],
    [["a", "--k=7"], { k: 7 }],
    [["--k", "7", "--k", "8", "a"], { k: 8 }],
    [["a", "-ob"], { out: "b" }],
    [["a", "-o", "-"], { out: "-" }],
    [["-", "--out", "b c"], { in: ["-"], out: "b c" }],
    [["a", "--share", ".5"], { share: 0.5 }],
    [["a", "--features=-x"], { features: ["-x"] }],
    [["a", "--features", "-x,page_*", "--features", "y"], { features: ["-x", "page_*", "y"] }],
    [["a", "--level", "80,95"], { level: [80, 95] }],
    [
      ["a", "--fail-if", "auc < 0.9, or so", "--fail-if", "f1 < 0.5"],
      { failIf: ["auc < 0.9, or so", "f1 < 0.5"] },
    ],
    [
      ["a", "--param", "trees=1e2", "--param", "x=a=b", "--param", "on=true"],
      { param: { trees: 100, x: "a=b", on: true } },
    ],
    [["--", "--k", "-"], { in: ["--k", "-"], k: 10 }],
    [["a", "--no-color", "--json"], { color: false, json: true }],
    [["a", "--where", "--x"], { where: "--x" }],
  ])("%j", (words, expected) => {
    expect(parsed(...words)).toMatchObject(expected);
  });
});

describe("refusals say what to type", () => {
  test.each<[string[], string, string?]>([
    [[], "try takes at least 1 input (<file...>), got 0", "shopai try a.csv -o b.csv"],
    [["a", "--kk", "1"], "try has no option --kk", "--k"],
    [["a", "--fail-fi", "x"], "try has no option --fail-fi", "--fail-if"],
    [["a", "-x"], "try has no option -x", "shopai try --help"],
    [["a", "--k", "0"], "--k must be an integer from 1 to 100, got 0"],
    [["a", "--k", "2.5"], "--k must be an integer from 1 to 100, got 2.5"],
    [["a", "--k", "many"], "--k must be an integer from 1 to 100, got many"],
    [["a", "--k", "Infinity"], "--k must be an integer from 1 to 100, got Infinity"],
    [["a", "--k", ""], '--k must be an integer from 1 to 100, got ""'],
    [["a", "--k"], "--k needs a value: an integer from 1 to 100", "--k <n>"],
    [["a", "-o", "--json"], "-o needs a value: a path", "-o <path>"],
    [["a", "-o=b"], '-o=b: a short option takes its value without "="', "-o b"],
    [["a", "--json=true"], "--json takes no value, got --json=true", "--json"],
    [["a", "--color"], "--color is on by itself", "leaving it out, or --no-color"],
    [["a", "--model", "naiv"], "--model must be one of naive, seasonal-naive, got naiv", "--model naive"],
    [["a", "--threads", "0"], "--threads must be an integer from 1 to 1024, got 0"],
    [["a", "--param", "trees"], "--param takes k=v, got trees", "--param lambda=300"],
    [["a", "--level", "80,x"], "--level must be numbers separated by commas, each from 0 to 100, got 80,x"],
  ])("%j", (words, message, advice) => {
    const refusal = refused(...words);
    expect(refusal.message).toBe(message);
    if (advice !== undefined) expect(refusal.try).toBe(advice);
    else expect(refusal.try).toBeTruthy();
  });
});

test("help fits the width, shows every option once and ends in examples", () => {
  for (const width of [40, 80, 200]) {
    const text = helpText(command, width);
    const [, options] = text.split("Options:\n");
    if (width >= 80)
      for (const line of options.split("\nExamples:")[0].split("\n"))
        expect(line.length).toBeLessThanOrEqual(Math.min(width, 110));
    for (const flag of ["-o, --out <path>", "--fail-if", "--where", "--threads", "--no-color", "-h, --help"])
      expect(text.split(`  ${flag}`)).toHaveLength(2);
    expect(text).toMatch(/Examples:\n {2}\$ shopai try a.csv -o b.csv\n$/);
  }
});

describe("the command among the words", () => {
  const listing = { clean: {}, train: {} } as unknown as Listing;
  test.each<[string[], unknown]>([
    [[], { args: ["--help"] }],
    [["--help"], { args: ["--help"] }],
    [["-V"], { args: ["--version"] }],
    [["clean", "a"], { name: "clean", args: ["a"] }],
    [["--json", "clean", "a"], { name: "clean", args: ["--json", "a"] }],
    [["--threads", "2", "clean", "a"], { name: "clean", args: ["--threads", "2", "a"] }],
    [["help"], { args: ["--help"] }],
    [["help", "clean"], { name: "clean", args: ["--help"] }],
    [["--help", "clean"], { name: "clean", args: ["--help"] }],
    [["claen", "a"], { name: "claen", args: ["a"] }],
  ])("%j", (words, expected) => {
    expect(callOf(words, listing)).toEqual(expected);
  });
  test("options alone are no call", () => {
    expect(() => callOf(["--json"], listing)).toThrow("no command was given, only --json");
  });
});
