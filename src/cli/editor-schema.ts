import { z } from "zod";
import { jsonSchemaOf, type Command, type JsonSchema } from "../pipeline/command.js";

const dialect = "https://json-schema.org/draft/2020-12/schema";

/** The JSON Schema of a zod schema of a file that people write. */
export function fileSchema(title: string, schema: z.ZodType): JsonSchema {
  return { title, ...z.toJSONSchema(schema, { io: "input" }) };
}

/** The JSON Schema of one command's options, as `with` in a pipeline takes them. */
export function commandSchema(command: Command, common: readonly string[]): JsonSchema {
  return {
    $schema: dialect,
    title: `shopai ${command.name}`,
    description: command.summary,
    ...jsonSchemaOf(command, common),
  };
}

/**
 * The JSON Schema of a pipeline: the document's own, with `with` of every stage checked against the
 * options of the command that the stage runs.
 *
 * @param document what a pipeline's YAML may hold, stages aside
 * @param commands what `run` may name
 */
export function pipelineSchema(
  document: z.ZodType,
  commands: readonly Command[],
  common: readonly string[],
): JsonSchema {
  const whole = z.toJSONSchema(document, { io: "input" }) as unknown as JsonSchema & {
    properties: { stages: { additionalProperties: JsonSchema & { properties: JsonSchema } } };
  };
  const stage = whole.properties.stages.additionalProperties;
  stage.properties.run = {
    anyOf: commands.map(({ name, summary }) => ({ const: name, description: summary })),
  };
  stage.allOf = commands.map(({ name }) => ({
    if: { properties: { run: { const: name } }, required: ["run"] },
    then: { properties: { with: { $ref: `#/$defs/${name}` } } },
  }));
  return {
    title: "shopai pipeline",
    ...whole,
    $defs: Object.fromEntries(commands.map((command) => [command.name, jsonSchemaOf(command, common)])),
  };
}
