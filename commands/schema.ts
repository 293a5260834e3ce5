import { ShopaiError, nearest } from "../src/core/errors.js";
import { commandSchema, fileSchema, pipelineSchema } from "../src/cli/editor-schema.js";
import { referenceText } from "../src/cli/reference.js";
import { jsonText } from "../src/cli/terminal.js";
import { defineCommand, option, type Command, type JsonSchema } from "../src/pipeline/command.js";
import { writeAtomically } from "../src/table/atomic.js";
import { writeFile } from "node:fs/promises";
import { listing } from "./listing.js";
import { summaries } from "./summaries.js";

/** Files that people write, each with its schema. */
const files: Record<string, (commands: readonly Command[]) => Promise<JsonSchema>> = {
  contract: async () =>
    fileSchema("shopai data contract", (await import("../src/clean/contract.js")).contractSchema),
  features: async () =>
    fileSchema("shopai feature spec", (await import("../src/features/spec.js")).specSchema),
  pipeline: async (commands) => {
    const [{ documentSchema }, { runnable, stageKinds, stageOptions }] = await Promise.all([
      import("../src/pipeline/document.js"),
      import("../src/pipeline/plan.js"),
    ]);
    const names = runnable(listing);
    const stages = commands.filter(({ name }) => names.includes(name));
    return pipelineSchema(documentSchema, [...stages, ...Object.values(stageKinds)], stageOptions);
  },
};
const choices = ["commands", ...Object.keys(files), ...Object.keys(summaries)];

export default defineCommand({
  name: "schema",
  summary: summaries.schema,
  inputs: {
    usage: "<what>",
    min: 1,
    max: 1,
    help: `a file (${Object.keys(files).join(", ")}), a command's name, or commands: the reference in Markdown`,
    choices,
  },
  examples: ["shopai schema train", "shopai schema commands -o docs/commands.md"],
  options: {
    out: option.path("write to this file instead of stdout", { short: "o" }).optional(),
  },
  reads: () => [],
  writes: (o) => (o.out ? [o.out] : []),
  async run(o) {
    const [what] = o.in;
    const commands = await Promise.all(
      Object.values(listing).map(async ({ load }) => (await load()).default),
    );
    const schema = what === "commands" ? undefined : await schemaOf(what, commands);
    const text = schema === undefined ? referenceText(commands) : `${jsonText(schema)}\n`;
    if (o.out === undefined) return { json: schema ?? { markdown: text }, text };
    await writeAtomically(o.out, (temporary) => writeFile(temporary, text));
    return { json: { what, out: o.out }, blocks: [{ kind: "line", text: `${what} → ${o.out}` }] };
  },
});

async function schemaOf(what: string, commands: readonly Command[]): Promise<JsonSchema> {
  if (Object.hasOwn(files, what)) return files[what](commands);
  const command = commands.find(({ name }) => name === what);
  if (command) return commandSchema(command, []);
  const near = nearest(what, choices);
  throw new ShopaiError("usage", `there is no schema of "${what}"`, {
    try: near ? `shopai schema ${near}` : `one of ${choices.join(", ")}`,
  });
}
