import { listed, nearest } from "../core/errors.js";
import { yamlError, type YamlPath } from "../core/yaml-source.js";
import type { PipelineDocument } from "./document.js";
import { interpolated } from "./interpolate.js";
import { resultPath } from "./state.js";

/** What a reference to another stage named. */
export interface StageReference {
  stage: string;
  value: unknown;
}

export interface StageValues {
  /** The `with` of a stage, references replaced. */
  with: Record<string, unknown>;
  /** The references to other stages that stood in it. */
  references: StageReference[];
}

/**
 * The options of every stage with their references replaced, wherever the stages stand in the file.
 * @throws ShopaiError "usage" with the place of a reference that names nothing, or itself
 */
export function stageValues(document: PipelineDocument): Map<string, StageValues> {
  const open: string[] = [];

  /** One option of a stage; an option that is being worked out may not be needed for itself. */
  const optionOf = (stage: string, key: string, references: StageReference[]): unknown => {
    const id = `stages.${stage}.${key}`;
    const at = ["stages", stage, "with", key];
    if (open.includes(id))
      throw yamlError(document.source, at, `\${${id}} refers to itself: ${[...open, id].join(" → ")}`, {
        try: "a path, or another reference",
      });
    open.push(id);
    const value = interpolated(document.stages[stage].with[key], at, (reference, place) =>
      valueOf(reference, place, references),
    );
    open.pop();
    return value;
  };

  const valueOf = (reference: string, at: YamlPath, references: StageReference[]): unknown => {
    const [kind, name, key, ...more] = reference.split(".");
    if (kind === "params" && name !== undefined && key === undefined) return paramOf(document, name, at);
    if (kind !== "stages" || key === undefined || more.length > 0)
      throw unknownReference(document, reference, at);
    checkStageReference(document, name, key, at);
    const value = key === "result" ? resultPath(document.name, name) : optionOf(name, key, []);
    references.push({ stage: name, value });
    return value;
  };

  return new Map(
    Object.entries(document.stages).map(([stage, { with: options }]) => {
      const references: StageReference[] = [];
      const values = Object.keys(options).map((key) => [key, optionOf(stage, key, references)]);
      return [stage, { with: Object.fromEntries(values) as Record<string, unknown>, references }];
    }),
  );
}

const paramNames = ({ params }: PipelineDocument): string[] =>
  Object.keys(params).map((name) => `params.${name}`);

const braced = (names: readonly string[]): string => listed(names.map((name) => `\${${name}}`));

function paramOf(document: PipelineDocument, name: string, at: YamlPath): unknown {
  if (Object.hasOwn(document.params, name)) return document.params[name];
  const known = paramNames(document);
  const near = nearest(`params.${name}`, known);
  throw yamlError(document.source, at, `unknown parameter \${params.${name}}`, {
    try: near ? `\${${near}}` : known.length > 0 ? `one of ${braced(known)}` : `params: { ${name}: … }`,
  });
}

function checkStageReference(document: PipelineDocument, stage: string, key: string, at: YamlPath): void {
  const stages = Object.keys(document.stages);
  const suggestion = (near: string | undefined, choices: readonly string[]): string =>
    near === undefined ? `one of ${braced(choices)}` : `\${${near}}`;
  if (!stages.includes(stage)) {
    const near = nearest(stage, stages);
    throw yamlError(document.source, at, `unknown stage in \${stages.${stage}.${key}}`, {
      try: suggestion(
        near && `stages.${near}.${key}`,
        stages.map((one) => `stages.${one}.${key}`),
      ),
    });
  }
  const keys = [...Object.keys(document.stages[stage].with), "result"];
  if (keys.includes(key)) return;
  const near = nearest(key, keys);
  throw yamlError(
    document.source,
    at,
    `stage ${stage} has no "${key}", so \${stages.${stage}.${key}} is nothing`,
    {
      try: suggestion(
        near && `stages.${stage}.${near}`,
        keys.map((one) => `stages.${stage}.${one}`),
      ),
    },
  );
}

/** What is neither a parameter nor a part of a stage: a misspelling, a shell variable, or a brace that is not closed. */
function unknownReference(document: PipelineDocument, reference: string, at: YamlPath): Error {
  const choices = [...paramNames(document), "stages.<stage>.out"];
  if (reference.startsWith("${"))
    return yamlError(document.source, at, "a reference is not closed", { try: `one of ${braced(choices)}` });
  const known = paramNames(document);
  const near = nearest(reference, known) ?? nearest(`params.${reference}`, known);
  return yamlError(document.source, at, `unknown reference \${${reference}} (a plain \${ is written $\${)`, {
    try: near ? `\${${near}}` : `one of ${braced(choices)}`,
  });
}
