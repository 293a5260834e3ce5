import { grouped } from "../core/quantity.js";
import type { TreeImportance } from "../learners/gbdt/explain/importance.js";
import type { ModelCard } from "../learners/learner.js";
import type { Block, Cell } from "../pipeline/command.js";

/** A model's card as people read it: what it is, what it needs, what it was fitted on. */
export function cardBlocks(
  path: string,
  card: ModelCard,
  importance: readonly TreeImportance[] = [],
): Block[] {
  const facts: [string, Cell][] = [
    ["task", card.task],
    ...Object.entries(card.roles).map(([role, column]): [string, Cell] => [role, column]),
    ["classes", card.classes?.join(", ")],
    ["positive class", card.positive],
    ["rows", card.rows],
    ["where", card.where],
    ["seed", String(card.seed)],
    ["made by", `shopai ${card.version}`],
    ...card.inputs.map(({ path: input, sha256 }): [string, Cell] => [
      "from",
      `${input} (sha256 ${sha256.slice(0, 12)}…)`,
    ]),
    ...Object.entries(card.params).map(([name, value]): [string, Cell] => [`--param ${name}`, value]),
    ...Object.entries(card.about).map(([name, value]): [string, Cell] => [name, cellOf(value)]),
  ];
  const blocks: Block[] = [
    {
      kind: "title",
      text: `${path}: ${card.learner}, fitted on ${grouped(card.rows)} rows; every file is as it was written`,
    },
    { kind: "pairs", rows: facts.filter(([, value]) => value !== undefined) },
  ];
  const share = new Map(importance.map((own) => [own.feature, own]));
  if (importance.length > 0)
    blocks.push({
      kind: "table",
      head: ["feature", "type", "gain", "cover", "splits"],
      rows: [...card.features]
        .sort((a, b) => (share.get(b.name)?.gain ?? 0) - (share.get(a.name)?.gain ?? 0))
        .map(({ name, type }) => {
          const own = share.get(name);
          return [name, type, own?.gain ?? 0, own?.cover ?? 0, own?.splits ?? 0];
        }),
    });
  else if (card.features.length > 0)
    blocks.push({
      kind: "table",
      head: ["feature", "type"],
      rows: card.features.map(({ name, type }) => [name, type]),
    });
  return blocks;
}

function cellOf(value: unknown): Cell {
  return value !== null && typeof value === "object" ? JSON.stringify(value) : (value as Cell);
}
