import type { ModelCard } from "../../learners/learner.js";
import { readModelFolder } from "../../learners/model-folder.js";
import { cellText } from "../numbers.js";
import type { Cell, Part } from "../page.js";

/** Weights shown of a linear model, largest first. */
const mostWeights = 20;
const mostFeatures = 100;

/** A model card: what was learned from what, how, and by which seed. */
export function modelParts(
  card: Partial<ModelCard> & { learner: string; task: string },
  folder?: string,
): Part[] {
  const features = (card.features ?? []) as readonly ({ name: string; type: string } | string)[];
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [
        ["learner", card.learner],
        ["task", card.task],
        ["rows learned from", card.rows],
        ["features", features.length],
        ["seed", card.seed],
        ...(card.positive === undefined ? [] : [["positive class", card.positive] as [string, Cell]]),
        ...(card.version === undefined ? [] : [["made by", `shopai ${card.version}`] as [string, Cell]]),
      ],
    },
  ];
  const roles = Object.entries(card.roles ?? {});
  if (roles.length > 0)
    parts.push({ kind: "table", caption: "Roles", head: ["role", "column"], rows: roles });
  parts.push({
    kind: "table",
    caption: "Parameters",
    head: ["parameter", "value"],
    rows: Object.entries(card.params ?? {}).map(([name, value]) => [name, value as Cell]),
  });
  const about = Object.entries(card.about ?? {}).filter(
    ([, value]) => typeof value !== "object" || value === null,
  );
  if (about.length > 0)
    parts.push({ kind: "table", caption: "The fit", head: ["figure", "value"], rows: about as Cell[][] });
  if (folder !== undefined) parts.push(...weightParts(folder, card));
  if (features.length > 0)
    parts.push({
      kind: "table",
      caption: features.length > mostFeatures ? `Features, the first ${mostFeatures}` : "Features",
      head: ["feature", "type"],
      rows: features
        .slice(0, mostFeatures)
        .map((field) => (typeof field === "string" ? [field, ""] : [field.name, field.type.toLowerCase()])),
    });
  if ((card.inputs?.length ?? 0) > 0)
    parts.push({
      kind: "table",
      caption: "Learned from",
      head: ["file", "sha256"],
      rows: card.inputs!.map(({ path, sha256 }) => [path, sha256.slice(0, 16)]),
    });
  if (card.where !== undefined) parts.push({ kind: "note", text: `Only rows where ${card.where}` });
  return parts;
}

/** The weights of a linear model with one output, whose folder holds them beside the names of its columns. */
function weightParts(path: string, card: Partial<ModelCard>): Part[] {
  const files = Object.keys(card.files ?? {});
  if (!files.includes("columns.json") || !files.includes("weights.bin")) return [];
  const folder = readModelFolder(path);
  const columns = folder.json<unknown>("columns");
  const weights = folder.array("weights", "f64");
  if (!Array.isArray(columns) || weights.length !== columns.length + 1) return [];
  const sorted = (columns as string[])
    .map((name, i) => [name, weights[i]] as [string, number])
    .sort(([a, x], [b, y]) => Math.abs(y) - Math.abs(x) || (a < b ? -1 : 1))
    .slice(0, mostWeights);
  return [
    {
      kind: "figure",
      caption: "Largest weights, on scaled columns",
      alt: `Largest weights: ${sorted
        .slice(0, 5)
        .map(([name, weight]) => `${name} ${cellText(weight)}`)
        .join(", ")}`,
      chart: {
        kind: "bars",
        labels: sorted.map(([name]) => name),
        values: sorted.map(([, weight]) => weight),
      },
      data: { head: ["column", "weight"], rows: sorted },
    },
  ];
}
