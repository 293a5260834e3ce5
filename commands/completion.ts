import { completionScript, shells, type Shell } from "../src/cli/completion.js";
import { nearest, ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { listing } from "./listing.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "completion",
  summary: summaries.completion,
  inputs: { usage: "<shell>", min: 1, max: 1, help: shells.join(", "), choices: shells },
  examples: [
    "shopai completion bash > ~/.local/share/bash-completion/completions/shopai",
    'shopai completion zsh > "${fpath[1]}/_shopai"',
    "shopai completion fish > ~/.config/fish/completions/shopai.fish",
  ],
  options: {},
  reads: () => [],
  writes: () => [],
  async run(o) {
    const [shell] = o.in;
    if (!(shells as readonly string[]).includes(shell))
      throw new ShopaiError("usage", `"${shell}" is not a shell that completion knows`, {
        try: `shopai completion ${nearest(shell, shells) ?? shells.join("|")}`,
      });
    const commands = await Promise.all(
      Object.values(listing).map(async ({ load }) => (await load()).default),
    );
    const text = completionScript(shell as Shell, commands);
    return { json: { shell, script: text }, text };
  },
});
