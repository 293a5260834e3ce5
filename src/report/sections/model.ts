import { treeImportance } from "../../learners/gbdt/explain/importance.js";
import { hasTrees, loadTrees } from "../../learners/gbdt/trees.js";
import type { ModelCard } from "../../learners/learner.js";
import {
  isModelFolder,
  readModelCard,
  readModelFolder,
  type FolderReader,
} from "../../learners/model-folder.js";
import { referenceName, type Reference, type Sketch } from "../../learners/reference.js";
import { numberText, shareText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { defineSection, has, isObject, type Making } from "./section.js";

type Card = Partial<ModelCard> & { learner: string; task: string };
interface ModelContent {
  card: Card;
  folder?: FolderReader;
  /** Items that a recommender knows. */
  items?: number;
}

/** Bars of a chart of weights or importance. */
const mostBars = 20;
const mostFeatures = 100;
const mostRows = 20;
const mostBins = 24;

/** A model card: what was learned from what, how, by which seed, and what came of the fit. */
export const model = defineSection<ModelContent>({
  name: "model",
  folder(path) {
    if (!isModelFolder(path)) return undefined;
    const card = readModelCard(path);
    const folder = readModelFolder(path);
    const items =
      card.task === "recommendation" && "items.bin" in card.files ? folder.texts("items").length : undefined;
    return { card, folder, items };
  },
  document: (document) =>
    has(document, "learner", "task", "params") ? { card: document as unknown as Card } : undefined,
  parts({ content: { card, folder, items } }, making) {
    const { say } = making;
    const words = say.model;
    const features = (card.features ?? []) as readonly ({ name: string; type: string } | string)[];
    const optional = (name: string, value: Cell): [string, Cell][] =>
      value === undefined ? [] : [[name, value]];
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.learner, card.learner],
          [words.task, card.task],
          [words.rows, card.rows],
          ...(items === undefined ? [[words.features, features.length] as [string, Cell]] : []),
          [words.seed, card.seed === undefined ? undefined : String(card.seed)],
          ...optional(words.positive, card.positive),
          ...optional(words.madeBy, card.version === undefined ? undefined : `shopai ${card.version}`),
        ],
      },
      ...curveParts(card, making),
      ...(folder ? [...gainParts(folder, making), ...weightParts(folder, making)] : []),
      ...featureParts(card, folder, making),
      {
        kind: "pairs",
        caption: words.params,
        rows: Object.entries(card.params ?? {}).map(([name, value]) => [name, plain(value)]),
      },
      ...decisionParts(card, making),
      ...aboutParts(card, making),
    ];
    if ((card.inputs?.length ?? 0) > 0)
      parts.push({
        kind: "table",
        caption: words.inputs,
        head: [say.page.file, "sha256"],
        rows: card.inputs!.slice(0, mostRows).map(({ path, sha256 }) => [path, sha256.slice(0, 16)]),
      });
    if (card.where !== undefined) parts.push({ kind: "note", text: words.where(card.where) });
    return parts;
  },
});

/** Numbers of the card are settings: 0.1 stays 0.1. */
const plain = (value: unknown): Cell =>
  typeof value === "number"
    ? String(value)
    : typeof value === "object" && value !== null
      ? JSON.stringify(value)
      : (value as Cell);

/** Loss by epoch of a network (`about.curve`). */
function curveParts({ about = {} }: Card, { say }: Making): Part[] {
  const words = say.model;
  type Epoch = { epoch: number; loss: number; valid_loss?: number | null };
  const curve = (Array.isArray(about.curve) ? about.curve : []) as Epoch[];
  if (curve.length < 2 || !curve.every((one) => isObject(one) && typeof one.loss === "number")) return [];
  const valid = curve.some((one) => typeof one.valid_loss === "number");
  const best = curve.find((one) => one.epoch === about.best_epoch);
  const [first, last] = [curve[0], curve[curve.length - 1]];
  return [
    figure({
      caption: words.loss,
      alt: words.lossAlt(numberText(first.loss), numberText(last.loss), numberText(curve.length)),
      chart: {
        kind: "lines",
        x: { name: words.epoch },
        y: { name: words.lossAxis },
        lines: [
          { name: words.train, points: curve.map((one) => [one.epoch, one.loss]) },
          ...(valid
            ? [
                {
                  name: words.valid,
                  points: curve.map((one): [number, number | null] => [one.epoch, one.valid_loss ?? null]),
                  style: "second" as const,
                },
              ]
            : []),
        ],
        mark:
          best && typeof best.valid_loss === "number"
            ? { x: best.epoch, y: best.valid_loss, label: words.best }
            : undefined,
        tips: curve.map((one) =>
          words.lossTip(
            numberText(one.epoch),
            numberText(one.loss),
            typeof one.valid_loss === "number" ? numberText(one.valid_loss) : "",
          ),
        ),
      },
      data: {
        head: [words.epoch, words.train, ...(valid ? [words.valid] : [])],
        rows: curve.map((one) => [one.epoch, one.loss, ...(valid ? [one.valid_loss] : [])]),
      },
    }),
  ];
}

function gainParts(folder: FolderReader, { say }: Making): Part[] {
  const words = say.model;
  if (!hasTrees(folder.card)) return [];
  const shown = treeImportance(loadTrees(folder))
    .filter(({ splits }) => splits > 0)
    .slice(0, mostBars);
  if (shown.length === 0) return [];
  const list = shown.slice(0, 5).map(({ feature, gain }) => `${feature} ${shareText(gain)}`);
  return [
    figure({
      caption: words.gain,
      alt: words.gainAlt(list.join(say.page.comma)),
      chart: {
        kind: "bars",
        axis: words.gainAxis,
        labels: shown.map(({ feature }) => feature),
        values: shown.map(({ gain }) => Number(gain.toPrecision(4))),
        tips: shown.map(({ feature, gain, splits }) =>
          words.gainTip(feature, shareText(gain), numberText(splits)),
        ),
      },
      data: {
        head: [say.curves.feature, words.gainAxis, words.splits],
        rows: shown.map(({ feature, gain, splits }) => [feature, gain, splits]),
      },
    }),
    { kind: "note", text: words.gainNote },
  ];
}

/** The weights of a linear model with one output, whose folder holds them beside the names of its columns. */
function weightParts(folder: FolderReader, { say }: Making): Part[] {
  const words = say.model;
  const files = Object.keys(folder.card.files);
  if (!files.includes("columns.json") || !files.includes("weights.bin")) return [];
  const columns = folder.json<unknown>("columns");
  const values = folder.array("weights", "f64");
  if (!Array.isArray(columns) || values.length !== columns.length + 1) return [];
  const sorted = (columns as string[])
    .map((name, i) => [name, values[i]] as [string, number])
    .sort(([a, x], [b, y]) => Math.abs(y) - Math.abs(x) || (a < b ? -1 : 1))
    .slice(0, mostBars);
  const told = sorted.map(([name, weight]) => `${name} ${numberText(weight)}`);
  return [
    figure({
      caption: words.weights,
      alt: words.weightsAlt(told.slice(0, 5).join(say.page.comma)),
      chart: {
        kind: "bars",
        axis: words.weight,
        labels: sorted.map(([name]) => name),
        values: sorted.map(([, weight]) => weight),
        tips: told,
      },
      data: { head: [words.column, words.weight], rows: sorted },
    }),
  ];
}

/** Roles and features with what training saw of them, from the reference that is stored with the model. */
function featureParts(card: Card, folder: FolderReader | undefined, { say }: Making): Part[] {
  const words = say.model;
  const reference =
    folder && `${referenceName}.json` in folder.card.files
      ? folder.json<Reference>(referenceName)
      : undefined;
  const sketchOf = new Map(reference?.columns.map((sketch) => [sketch.name, sketch]));
  const features = (card.features ?? []).map((field) =>
    typeof field === "string" ? { name: field as string, type: "" } : field,
  );
  const roles = Object.entries(card.roles ?? {});
  const rows = [
    ...roles.map(([role, name]) => ({
      name: String(name),
      role,
      type: card.role_types?.[role as "item"] ?? "",
    })),
    ...features.map(({ name, type }) => ({ name, role: words.isFeature, type })),
  ];
  if (rows.length === 0) return [];
  return [
    {
      kind: "table",
      caption: rows.length > mostFeatures ? words.firstOnly(numberText(mostFeatures)) : words.featureTable,
      head: words.featureHead,
      rows: rows.slice(0, mostFeatures).map(({ name, role, type }): Cell[] => {
        const sketch = sketchOf.get(name);
        return [
          name,
          role,
          type.toLowerCase(),
          sketch && reference!.rows > 0 ? { share: sketch.missing / reference!.rows } : "",
          sketch?.kind === "values" ? sketch.values.length : "",
          sketch ? shapeOf(sketch) : "",
        ];
      }),
    },
  ];
}

/** Counts of values, the most frequent first; of numbers a histogram of equal widths, from their percentiles. */
function shapeOf(sketch: Sketch): Cell {
  if (sketch.kind === "values")
    return sketch.values.length < 2
      ? ""
      : {
          bars: sketch.counts
            .slice(0, -1)
            .sort((a, b) => b - a)
            .slice(0, mostBins),
        };
  const { edges, counts } = sketch;
  if (edges.length < 3) return "";
  const [from, to] = [edges[0], edges[edges.length - 1]];
  const bars = new Array<number>(Math.min(mostBins, edges.length)).fill(0);
  const width = (to - from) / bars.length;
  bars[0] += counts[0];
  bars[bars.length - 1] += counts[counts.length - 1];
  // What lies between two percentiles is spread evenly between them.
  for (let i = 1; i < edges.length; i++)
    bars.forEach((_, bin) => {
      const [low, high] = [from + bin * width, from + (bin + 1) * width];
      const common = Math.min(edges[i], high) - Math.max(edges[i - 1], low);
      if (common > 0) bars[bin] += (counts[i] * common) / (edges[i] - edges[i - 1]);
    });
  return { bars: bars.map((bar) => Math.round(bar)) };
}

function decisionParts({ decision }: Card, { say }: Making): Part[] {
  const words = say.model;
  if (!decision) return [];
  const rows: [string, Cell][] = [
    [words.calibration, decision.calibration?.[0]?.kind],
    [words.threshold, decision.threshold],
    [words.thresholdBy, decision.threshold_by],
    ...Object.entries(decision.groups?.thresholds ?? {}).map(([group, own]): [string, Cell] => [
      words.group(`${decision.groups!.column} = ${group}`),
      own,
    ]),
    ...Object.entries(decision.cost ?? {}).map(([name, value]): [string, Cell] => [words.cost(name), value]),
  ];
  const known = rows.filter(([, value]) => value !== undefined);
  if (known.length === 0) return [];
  return [{ kind: "table", caption: words.decision, head: [words.figure, say.page.value], rows: known }];
}

/** Figures of the fit, and lists of flat records (segments, trials) as tables. */
function aboutParts({ about = {} }: Card, { say }: Making): Part[] {
  const flat = Object.entries(about).filter(([, value]) => typeof value !== "object" || value === null);
  const parts: Part[] = [];
  if (flat.length > 0)
    parts.push({
      kind: "table",
      caption: say.model.fit,
      head: [say.model.figure, say.page.value],
      rows: flat as Cell[][],
    });
  for (const [name, value] of Object.entries(about)) {
    if (name === "curve" || !Array.isArray(value) || value.length === 0 || !value.every(isObject)) continue;
    const head = [...new Set(value.flatMap((row) => Object.keys(row)))]
      .filter((key) => value.every((row) => typeof row[key] !== "object" || row[key] === null))
      .slice(0, 12);
    if (head.length === 0) continue;
    const rows = value.slice(0, mostRows).map((row) => head.map((key) => row[key] as Cell));
    parts.push({ kind: "table", caption: name, head, rows });
    if (value.length > rows.length)
      parts.push({ kind: "note", text: say.page.more(numberText(value.length - rows.length)) });
  }
  return parts;
}
