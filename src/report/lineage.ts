import { dirname } from "node:path";
import type { ModelCard } from "../learners/learner.js";
import type { InputRecord, Provenance } from "../table/provenance.js";
import type { Relation } from "../table/relation.js";
import type { Graph, GraphNode } from "./charts/graph.js";
import type { Messages } from "./messages/messages.js";
import { numberText } from "./numbers.js";
import type { Part, Section } from "./page.js";
import { provenanceIn } from "./provenance.js";
import type { Made, RunFacts, Spell, Step } from "./run-facts.js";
import { isObject, type Found } from "./sections/section.js";

/** Stages of a graph that people can follow; beyond, the table alone says it. */
const mostNodes = 60;
const mostListed = 6;

/** What was made from what, as a graph, and the commands that do it again. */
export function lineageSection(
  steps: readonly Step[],
  runs: readonly RunFacts[],
  say: Messages,
): Section | undefined {
  const words = say.lineage;
  if (steps.length === 0) return undefined;
  // What a page reads is no news on that page.
  const graph = graphOf(
    steps.filter(({ command }) => command !== "report"),
    words,
  );
  const parts: Part[] = [];
  const files = graph.nodes.filter(({ kind }) => kind === "file").length;
  if (graph.edges.length > 0 && graph.nodes.length <= mostNodes)
    parts.push({
      kind: "lineage",
      caption: words.caption,
      alt: words.alt(numberText(steps.length), numberText(files)),
      graph,
      data: { head: words.head, rows: rowsOf(steps, say) },
    });
  else parts.push({ kind: "table", caption: words.caption, head: words.head, rows: rowsOf(steps, say) });
  for (const { again } of runs)
    if (again.length > 0) parts.push({ kind: "code", caption: words.again, lines: again });
  const typed = steps.flatMap((step) => (step.typed === undefined ? [] : [step.typed]));
  if (typed.length > 0)
    parts.push({ kind: "code", caption: runs.length > 0 ? words.steps : words.again, lines: typed });
  return { title: say.titles.lineage, about: "", parts };
}

function rowsOf(steps: readonly Step[], say: Messages): string[][] {
  const list = (paths: readonly string[]): string =>
    paths.length > mostListed
      ? `${paths.slice(0, mostListed).join(say.page.comma)}… (${paths.length})`
      : paths.join(say.page.comma);
  return steps.map(({ name, command, reads, writes }) => [name, command, list(reads), list(writes)]);
}

function graphOf(steps: readonly Step[], words: Messages["lineage"]): Graph {
  const maker = new Map<string, string>();
  steps.forEach(({ writes }, i) => writes.forEach((path) => maker.set(path, `s${i}`)));
  const nodes: GraphNode[] = [];
  const edges: [string, string][] = [];
  const files = new Map<string, string>();
  // Contracts and specs are rules, not data: the table has them.
  const isData = (path: string): boolean => !/\.ya?ml$/i.test(path);
  steps.forEach(({ name, command, reads, writes }, i) => {
    const id = `s${i}`;
    const sources = new Set<string>();
    for (const path of reads) {
      const from = maker.get(path) ?? [...maker].find(([made]) => path.startsWith(`${made}/`))?.[1];
      if (from === id || (from === undefined && !isData(path))) continue;
      if (from !== undefined) sources.add(from);
      else {
        const at = path.replace(/\/(?=[^/]*\.)[^/]+$/, (file) => (manyBeside(path, reads) ? "/…" : file));
        if (!files.has(at)) {
          files.set(at, `f${files.size}`);
          nodes.unshift({
            id: files.get(at)!,
            label: at,
            detail: words.input,
            kind: "file",
            tip: words.raw(at),
          });
        }
        sources.add(files.get(at)!);
      }
    }
    for (const from of sources) edges.push([from, id]);
    const tip = words.made(name, command, reads.slice(0, mostListed).join("\n"));
    nodes.push({
      id,
      label: name,
      detail: command,
      kind: "stage",
      tip: writes.length > 0 ? `${tip}\n→ ${writes[0]}` : tip,
    });
  });
  return { nodes, edges };
}

/** Files of one folder that are read together stand as one. */
function manyBeside(path: string, reads: readonly string[]): boolean {
  return reads.filter((other) => dirname(other) === dirname(path)).length > 2;
}

/** What the given files say of their making: tables by their metadata, models by their cards, metrics by their own. */
export async function stepsOf(inputs: readonly Found[], spell: Spell | undefined): Promise<Step[]> {
  const steps: Step[] = [];
  const paths = new Map<string, string>();
  for (const { name, sources } of inputs) for (const { sha256 } of sources) paths.set(sha256, name);
  const known = ({ path, sha256 }: InputRecord): string =>
    paths.get(sha256) ?? path.replace(/\/model\.json$/, "");
  for (const found of inputs) {
    const made = await madeBy(found, known);
    if (!made || steps.some(({ writes }) => writes.includes(made.out))) continue;
    steps.push({
      name: made.out.replace(/^.*\//, ""),
      command: made.command,
      reads: made.reads,
      writes: [made.out],
      typed: await spell?.(made),
    });
  }
  return inOrder(steps);
}

/** Each after what it was made from. */
function inOrder(steps: readonly Step[]): Step[] {
  const done: Step[] = [];
  const left = [...steps];
  while (left.length > 0) {
    const waits = ({ reads }: Step, self: Step): boolean =>
      left.some((other) => other !== self && other.writes.some((path) => reads.includes(path)));
    const next = left.findIndex((step) => !waits(step, step));
    done.push(...left.splice(Math.max(0, next), 1));
  }
  return done;
}

async function madeBy(found: Found, known: (input: InputRecord) => string): Promise<Made | undefined> {
  const { content, document, name } = found;
  const relation = relationIn(content);
  if (relation) {
    const made = await provenanceIn(relation);
    return made && fromProvenance(made, name, known, []);
  }
  if (isObject(document?.provenance)) {
    const model = (document.model as { path?: string } | undefined)?.path;
    return fromProvenance(
      document.provenance as unknown as Provenance,
      name,
      known,
      model === undefined ? [] : [model],
    );
  }
  const card =
    isObject(content) && isObject(content.card) ? (content.card as unknown as ModelCard) : undefined;
  return card?.inputs && card.format === "shopai-model" ? fromCard(card, name, known) : undefined;
}

function relationIn(content: unknown): Relation | undefined {
  const inner = isObject(content) && "relation" in content ? content.relation : content;
  return isObject(inner) && "engine" in inner && "sql" in inner ? (inner as unknown as Relation) : undefined;
}

function fromProvenance(
  { command, options, seed, inputs }: Provenance,
  out: string,
  known: (input: InputRecord) => string,
  first: readonly string[],
): Made {
  const reads = [...new Set([...first, ...inputs.map(known)])];
  const asOptions = Object.values(options).flat();
  return { command, options, seed, reads, out, in: reads.filter((path) => !asOptions.includes(path)) };
}

/** The card has roles, features, parameters and rows, but not how a decision was found. */
function fromCard(card: ModelCard, out: string, known: (input: InputRecord) => string): Made {
  const reads = [...new Set(card.inputs.map(known))];
  const sure = !card.decision && !card.parts && card.about.tune === undefined && card.about.cv === undefined;
  return {
    command: "train",
    options: {
      ...card.roles,
      ...(card.where !== undefined && { where: card.where }),
      ...(card.features.length > 0 && { features: card.features.map(({ name }) => name) }),
      ...(card.positive !== undefined && { positive: card.positive }),
      param: card.params,
    },
    seed: card.seed,
    reads,
    out,
    in: sure ? [card.learner, ...reads] : undefined,
  };
}
