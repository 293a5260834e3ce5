import { basename } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { durationText } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { inputsOf, outputOf, resultOf } from "./inputs.js";
import { lineageSection, stepsOf } from "./lineage.js";
import { catalogues, tags, type Language, type Messages } from "./messages/messages.js";
import { numberText } from "./numbers.js";
import type { Page, Part, Section } from "./page.js";
import type { RunFacts, Spell } from "./run-facts.js";
import { sections } from "./sections/listing.js";
import { table } from "./sections/quality.js";
import type { Found, Making, SectionKind, WeightedFact } from "./sections/section.js";

export interface ReportAsk {
  /** Default: the name of the run, or "Report". */
  title?: string;
  language?: Language;
  /** How a recorded command is typed. */
  spell?: Spell;
}

/** Figures of the summary. */
const mostFacts = 9;
/** Tables by themselves are news only where little else is. */
const fewFacts = 3;

/**
 * Gathers results into a page: every input gets the section of its kind, the summary what matters most of
 * all of them, and at the end stands how it was made.
 *
 * @param given tables, model folders, JSON results, folders of results by their paths, and runs of pipelines
 * @throws ShopaiError "data" for an input of no known kind, or when there is nothing to show
 */
export async function reportOf(
  given: readonly (string | RunFacts)[],
  { title, language = "en", spell }: ReportAsk,
  run: Run,
): Promise<Page> {
  const say = catalogues[language];
  run.progress.stage("reading");
  const { inputs, raw } = await gathered(given, say, run);
  run.progress.done(inputs.length === 1 ? "1 input" : `${inputs.length} inputs`);
  const runs = given.filter((one) => typeof one !== "string");
  if (inputs.length === 0)
    throw new ShopaiError("data", "there is nothing to report", {
      where: given.map((one) => (typeof one === "string" ? one : one.pipeline)).join(" "),
      try: "shopai run, or shopai inspect",
    });
  const of = <T>(kind: SectionKind<T>): Found<T>[] =>
    inputs.filter((input) => input.section === kind) as Found<T>[];
  const making: Making = { run, say, of, raw };
  const sorted = inputs
    .map((input, i) => ({ input, i }))
    .sort((a, b) => sections.indexOf(a.input.section) - sections.indexOf(b.input.section) || a.i - b.i)
    .map(({ input }) => input);
  const facts: (WeightedFact & { from: string })[] = [];
  const made: Section[] = [];
  for (const input of sorted) {
    run.signal.throwIfAborted();
    const { section, name } = input;
    const several = of(section).length > 1 && section !== table;
    for (const fact of (await section.facts?.(input, making)) ?? [])
      facts.push({
        ...fact,
        label: several ? `${fact.label}: ${basename(name)}` : fact.label,
        from: section.name,
      });
    const parts = await section.parts(input, making);
    made.push({ title: say.titles[section.name], about: name, parts });
  }
  const steps = [
    ...runs.flatMap((one) => one.stages),
    ...(await stepsOf(
      inputs.filter(({ name }) => given.includes(name)),
      spell,
    )),
  ];
  const lineage = lineageSection(steps, runs, say);
  return {
    lang: tags[language],
    title: title ?? (runs.length === 1 ? runs[0].pipeline : say.page.title),
    subtitle: runs.map((one) => subtitleOf(one, say)).find((text) => text !== undefined),
    sections: [
      summaryOf(facts, say),
      ...runs.flatMap((one) => runSection(one, say)),
      ...made,
      ...(lineage ? [lineage] : []),
    ],
    sources: inputs.flatMap((input) => input.sources),
  };
}

/** All that was named, and all that the named runs left: of a stage its outputs, and its result where no output says the same. */
async function gathered(
  given: readonly (string | RunFacts)[],
  say: Messages,
  run: Run,
): Promise<{ inputs: Found[]; raw: Map<string, string[]> }> {
  const engine = await run.engine();
  const inputs: Found[] = [];
  const raw = new Map<string, string[]>();
  for (const one of given) {
    if (typeof one === "string") {
      inputs.push(...(await inputsOf(engine, one, say, run.signal)));
      continue;
    }
    for (const stage of one.stages) {
      if (stage.command === "report") continue;
      const outputs: Found[] = [];
      for (const path of stage.writes) {
        const output = await outputOf(engine, path, say, run.signal);
        if (output) outputs.push(output);
        if (stage.raw) raw.set(path, stage.raw);
      }
      const found = stage.result === undefined ? undefined : await resultOf(stage.result, say);
      const says = (other: Found): boolean => other.section === found?.section;
      if (found && found.section.name !== "result" && !outputs.some(says)) inputs.push(found);
      else if (found && outputs.length === 0) inputs.push(found);
      inputs.push(...outputs);
    }
  }
  return { inputs, raw };
}

function summaryOf(facts: readonly (WeightedFact & { from: string })[], say: Messages): Section {
  const sorted = facts
    .map((fact, i) => ({ fact, i }))
    .sort((a, b) => a.fact.weight - b.fact.weight || a.i - b.i);
  const telling = sorted.filter(({ fact }) => fact.from !== "table" && fact.from !== "profile");
  const chosen = (telling.length >= fewFacts ? telling : sorted).slice(0, mostFacts);
  const rows = chosen.map(({ fact: { figure, label, text, tone } }) => ({ figure, label, text, tone }));
  const parts: Part[] =
    rows.length > 0 ? [{ kind: "facts", rows }] : [{ kind: "note", text: say.summary.none }];
  return { title: say.titles.summary, about: "", parts };
}

function subtitleOf({ pipeline, last }: RunFacts, say: Messages): string | undefined {
  if (!last) return undefined;
  const began = last.began.slice(0, 16).replace("T", " ");
  return say.run.subtitle(pipeline, numberText(last.run), began, durationText(last.seconds));
}

/** Which stages ran, which did not, and why. */
function runSection({ pipeline, last, stages }: RunFacts, say: Messages): Section[] {
  const words = say.run;
  const parts: Part[] = [];
  if (!last) parts.push({ kind: "note", tone: "warning", text: words.unfinished });
  else if (last.error !== undefined)
    parts.push({ kind: "note", tone: "warning", text: words.failed(last.error) });
  parts.push({
    kind: "table",
    caption: words.stages,
    head: words.head,
    rows: stages.map(({ name, command, status, seconds, why }) => [
      name,
      command,
      status === undefined ? "" : (words.status[status] ?? status),
      seconds?.toFixed(1) ?? "",
      (why ?? []).slice(0, 3).map(words.why).join("; "),
    ]),
  });
  const params = Object.entries(last?.params ?? {});
  if (params.length > 0)
    parts.push({
      kind: "table",
      caption: words.params,
      head: [words.parameter, say.page.value],
      rows: params.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
    });
  return [{ title: say.titles.run, about: pipeline, parts }];
}
