import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { listing } from "../../commands/listing.js";
import { completionScript, shells } from "../../src/cli/completion.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const installed = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

beforeAll(async () => {
  const commands = await Promise.all(Object.values(listing).map(async ({ load }) => (await load()).default));
  for (const shell of shells)
    writeFileSync(join(folder, `shopai.${shell}`), completionScript(shell, commands));
});

describe("bash", () => {
  /** What bash offers for the last of some words, by its own completion function. */
  const offered = (...words: string[]): string[] =>
    execFileSync(
      "bash",
      [
        "-c",
        `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shopai; printf '%s\\n' "\${COMPREPLY[@]}"`,
        join(folder, "shopai.bash"),
        ...words,
      ],
      { encoding: "utf8" },
    )
      .split("\n")
      .filter(Boolean);

  test("commands, also after options and for help", () => {
    expect(offered("shopai", "in")).toEqual(["inspect"]);
    expect(offered("shopai", "")).toEqual(expect.arrayContaining(["clean", "train", "run", "help"]));
    expect(offered("shopai", "--threads", "2", "trai")).toEqual(["train"]);
    expect(offered("shopai", "help", "fore")).toEqual(["forecast"]);
  });

  test("options of the command that was typed", () => {
    expect(offered("shopai", "inspect", "--cont")).toEqual(["--contract"]);
    expect(offered("shopai", "train", "--cont")).toEqual([]);
    expect(offered("shopai", "inspect", "--no")).toEqual(["--no-color"]);
  });

  test("choices of an option, with a space or with =", () => {
    expect(offered("shopai", "train", "--device", "c")).toEqual(["cpu", "cuda"]);
    expect(offered("shopai", "train", "--device", "=", "web")).toEqual(["webgpu"]);
    expect(offered("shopai", "train", "--device", "=")).toEqual(["auto", "cpu", "webgpu", "cuda"]);
  });

  test("learners where one is expected, and only there", () => {
    expect(offered("shopai", "train", "pop")).toEqual(["popularity"]);
    expect(offered("shopai", "train", "-o", "model", "pop")).toEqual(["popularity"]);
    expect(offered("shopai", "train", "popularity", "pop")).toEqual([]);
  });

  test("shells for completion itself", () => {
    expect(offered("shopai", "completion", "")).toEqual([...shells]);
  });

  test("nothing but files where a file or a number goes", () => {
    expect(offered("shopai", "train", "-o", "po")).toEqual([]);
  });
});

test.skipIf(!installed("zsh"))("zsh takes the script (skips where zsh is not installed)", () => {
  const path = join(folder, "shopai.zsh");
  expect(spawnSync("zsh", ["-n", path], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  const loaded = spawnSync(
    "zsh",
    ["-f", "-c", `autoload -U compinit; compinit -D -u; source ${path}; print -r -- $_comps[shopai]`],
    { encoding: "utf8" },
  );
  expect(loaded.stdout.trim()).toBe("_shopai");
});

test.skipIf(!installed("fish"))("fish completes (skips where fish is not installed)", () => {
  const complete = (line: string): string[] =>
    execFileSync(
      "fish",
      ["--no-config", "-c", `source ${join(folder, "shopai.fish")}; complete -C "${line}"`],
      {
        encoding: "utf8",
      },
    )
      .split("\n")
      .filter(Boolean)
      .map((offer) => offer.split("\t")[0]);
  expect(complete("shopai insp")).toEqual(["inspect"]);
  expect(complete("shopai train pop")).toContain("popularity");
  expect(complete("shopai train --device c")).toEqual(["cpu", "cuda"]);
  expect(complete("shopai inspect --cont")).toEqual(["--contract"]);
});
