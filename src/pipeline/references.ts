import { listed, nearest } from "../core/errors.js";
import { yamlError, type YamlPath } from "../core/yaml-source.js";
import type { PipelineDocument, StageText } from "./document.js";
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
  const turns = turnsByGroup(document);

  /** One option of a stage; an option that is being worked out may not be needed for itself. */
  const optionOf = (name: string, key: string, references: StageReference[]): unknown => {
    const stage = document.stages[name];
    const id = `stages.${name}.${key}`;
    const at = [...stage.at, "with", key];
    if (open.includes(id))
      throw yamlError(stage.source, at, `\${${id}} refers to itself: ${[...open, id].join(" → ")}`, {
        try: "a path, or another reference",
      });
    open.push(id);
    const value = interpolated(stage.with[key], at, (reference, place) =>
      valueOf(reference, { stage, at: place }, references),
    );
    open.pop();
    return value;
  };

  const valueOf = (reference: string, here: Here, references: StageReference[]): unknown => {
    if (Object.hasOwn(here.stage.loop, reference)) return here.stage.loop[reference];
    const param = /^params\.([^.]+)$/.exec(reference);
    if (param) return paramOf(document, param[1], here);
    // A turn of a loop may hold dots in its name: train@0.1.
    const other = /^stages\.(.+)\.([^.]+)$/.exec(reference);
    if (!other) throw unknownReference(document, reference, here);
    const [, name, key] = other;
    const members = turns.get(name) ?? (Object.hasOwn(document.stages, name) ? [name] : []);
    checkStageReference(document, members, name, key, here);
    const values = members.map((member) => {
      const value = key === "result" ? resultPath(document.name, member) : optionOf(member, key, []);
      references.push({ stage: member, value });
      return value;
    });
    return turns.has(name) ? values.flat() : values[0];
  };

  return new Map(
    Object.entries(document.stages).map(([name, { with: options }]) => {
      const references: StageReference[] = [];
      const values = Object.keys(options).map((key) => [key, optionOf(name, key, references)]);
      return [name, { with: Object.fromEntries(values) as Record<string, unknown>, references }];
    }),
  );
}

/** Where a reference stands. */
interface Here {
  stage: StageText;
  at: YamlPath;
}

/** The turns of every loop, in their order. */
function turnsByGroup({ stages }: PipelineDocument): Map<string, string[]> {
  const turns = new Map<string, string[]>();
  for (const [name, { group }] of Object.entries(stages))
    if (name !== group) turns.set(group, [...(turns.get(group) ?? []), name]);
  return turns;
}

const paramNames = ({ params }: PipelineDocument): string[] =>
  Object.keys(params).map((name) => `params.${name}`);

const braced = (names: readonly string[]): string => listed(names.map((name) => `\${${name}}`));

function paramOf(document: PipelineDocument, name: string, { stage, at }: Here): unknown {
  if (Object.hasOwn(document.params, name)) return document.params[name];
  const known = paramNames(document);
  const near = nearest(`params.${name}`, known);
  throw yamlError(stage.source, at, `unknown parameter \${params.${name}}`, {
    try: near ? `\${${near}}` : known.length > 0 ? `one of ${braced(known)}` : `params: { ${name}: … }`,
  });
}

function checkStageReference(
  document: PipelineDocument,
  members: readonly string[],
  name: string,
  key: string,
  { stage, at }: Here,
): void {
  const suggestion = (near: string | undefined, choices: readonly string[]): string =>
    near === undefined ? `one of ${braced(choices)}` : `\${${near}}`;
  if (members.length === 0) {
    const stages = [...new Set(Object.entries(document.stages).flatMap(([one, { group }]) => [group, one]))];
    const near = nearest(name, stages);
    throw yamlError(stage.source, at, `unknown stage in \${stages.${name}.${key}}`, {
      try: suggestion(
        near && `stages.${near}.${key}`,
        stages.map((one) => `stages.${one}.${key}`),
      ),
    });
  }
  const keys = [...Object.keys(document.stages[members[0]].with), "result"];
  if (keys.includes(key)) return;
  const near = nearest(key, keys);
  throw yamlError(
    stage.source,
    at,
    `stage ${name} has no "${key}", so \${stages.${name}.${key}} is nothing`,
    {
      try: suggestion(
        near && `stages.${name}.${near}`,
        keys.map((one) => `stages.${name}.${one}`),
      ),
    },
  );
}

/** What is neither a parameter nor a part of a stage: a misspelling, a shell variable, or a brace that is not closed. */
function unknownReference(document: PipelineDocument, reference: string, { stage, at }: Here): Error {
  const known = [...paramNames(document), ...Object.keys(stage.loop)];
  const choices = [...known, "stages.<stage>.out"];
  if (reference.startsWith("${"))
    return yamlError(stage.source, at, "a reference is not closed", { try: `one of ${braced(choices)}` });
  if (/^env\./.test(reference))
    return yamlError(stage.source, at, `\${${reference}}: values of the environment are never written here`, {
      try: `env: [${reference.slice(4)}] in a shell or script stage, which then has it as $${reference.slice(4)}`,
    });
  const near = nearest(reference, known) ?? nearest(`params.${reference}`, known);
  return yamlError(stage.source, at, `unknown reference \${${reference}} (a plain \${ is written $\${)`, {
    try: near ? `\${${near}}` : `one of ${braced(choices)}`,
  });
}
