import { existsSync, writeFileSync } from "node:fs";
import { ShopaiError } from "../src/core/errors.js";
import { version } from "../src/core/version.js";
import { defineCommand, option, type Block } from "../src/pipeline/command.js";
import { knownPipelines, runFacts, speller } from "../src/pipeline/reported.js";
import { stateFolder } from "../src/pipeline/state.js";
import { catalogues, languages, type Language } from "../src/report/messages/messages.js";
import type { Page } from "../src/report/page.js";
import { reportOf } from "../src/report/report.js";
import type { RunFacts } from "../src/report/run-facts.js";
import { writeAtomically } from "../src/table/atomic.js";
import { listing } from "./listing.js";
import { summaries } from "./summaries.js";

const forms = ["html", "md", "json"] as const;
type Form = (typeof forms)[number];
/** What mail and chat programs take without asking. */
const largestPage = 2_000_000;

export default defineCommand({
  name: "report",
  summary: summaries.report,
  inputs: {
    usage: "<run or files...>",
    min: 1,
    max: Infinity,
    help: "the name of a pipeline that ran here, .shopai/ for all of them; tables, model folders, JSON results of commands",
  },
  examples: [
    "shopai report quickstart -o report.html",
    "shopai report model/ metrics.json forecast.parquet demand.parquet -o report.html --title 'Week 12'",
    "shopai report orders.parquet -o quality.html --lang zh",
    "shopai report quickstart -o - --format md",
  ],
  options: {
    out: option.path("page to write: .html, .md or .json, - for stdout", { short: "o" }),
    format: option.choice("form of the page (default: by the ending; md on stdout)", forms).optional(),
    lang: option.choice("language of the page", languages).default("en"),
    title: option.text("title of the page (default: the pipeline's name)").optional(),
  },
  reads: (o) => o.in.filter((path) => existsSync(path) || !isName(path)),
  writes: (o) => (o.out === "-" ? [] : [o.out]),
  async run(o, run) {
    const form = o.format ?? formOf(o.out);
    const language = o.lang as Language;
    const given = (await Promise.all(o.in.map(inputOf))).flat();
    const page = await reportOf(given, { title: o.title, language, spell: speller(listing) }, run);
    const json = {
      out: o.out,
      title: page.title,
      lang: page.lang,
      sections: page.sections.map(({ title, about }) => ({ title, about })),
    };
    run.progress.stage("drawing");
    const content = await textOf(page, form, language);
    const size = Buffer.byteLength(content);
    run.progress.done(`${Math.ceil(size / 1024)} KB`);
    if (size > largestPage)
      run.warn(`the page has ${(size / 1e6).toFixed(1)} MB: fewer inputs make one that opens faster`);
    if (o.out === "-") return { json, text: content };
    await writeAtomically(o.out, async (temporary) => writeFileSync(temporary, content));
    return { json, blocks: blocksOf(page, o.out) };
  },
});

const isName = (path: string): boolean => /^[\w.-]+$/.test(path) && !/\.\w+$/.test(path);

/** Files as they are; names of pipelines, and the state folder for all of them, as what their last runs left. */
async function inputOf(path: string): Promise<(string | RunFacts)[]> {
  const plain = path.replace(/\/+$/, "");
  const pipelines =
    plain === stateFolder ? knownPipelines() : !existsSync(path) && isName(path) ? [path] : undefined;
  if (!pipelines) return [path];
  const found = await Promise.all(pipelines.map((name) => runFacts(name, listing)));
  const runs = found.filter((one) => one !== undefined);
  if (runs.length > 0) return runs;
  if (plain !== stateFolder && knownPipelines().length === 0) return [path];
  const what = plain === stateFolder ? "no pipeline ran here" : "no pipeline of that name ran here";
  throw new ShopaiError("data", what, {
    where: path,
    try: knownPipelines().length > 0 ? `shopai report ${knownPipelines()[0]}` : "shopai run",
  });
}

function formOf(out: string): Form {
  if (out === "-" || /\.(md|markdown)$/i.test(out)) return "md";
  if (/\.html?$/i.test(out)) return "html";
  if (/\.json$/i.test(out)) return "json";
  throw new ShopaiError("usage", "the ending of the output does not name a form", {
    where: out,
    try: "a name ending in .html, .md or .json, or --format",
  });
}

/** The drawing library is loaded only for HTML: it takes a while. */
async function textOf(page: Page, form: Form, language: Language): Promise<string> {
  const say = catalogues[language];
  const createdBy = `shopai ${version}`;
  if (form === "md") return (await import("../src/report/markdown.js")).markdownOf(page, say);
  if (form === "json") return (await import("../src/report/document.js")).documentOf(page, createdBy);
  const [{ htmlOf }, { chartDrawer }] = await Promise.all([
    import("../src/report/html.js"),
    import("../src/report/charts/draw.js"),
  ]);
  return htmlOf(page, chartDrawer(), createdBy, say);
}

/** What matters most, and what the page has. */
function blocksOf({ sections }: Page, out: string): Block[] {
  const facts = sections.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.kind === "facts" ? part.rows : [])),
  );
  const counts = new Map<string, number>();
  for (const { title } of sections) counts.set(title, (counts.get(title) ?? 0) + 1);
  return [
    { kind: "title", text: `${out}: ${sections.length} section${sections.length === 1 ? "" : "s"}` },
    {
      kind: "line",
      text: `  ${[...counts].map(([title, n]) => (n > 1 ? `${title} (${n})` : title)).join(" · ")}`,
    },
    ...(facts.length > 0
      ? [
          {
            kind: "pairs" as const,
            rows: facts.map(({ label, figure }): [string, string] => [label, figure]),
          },
        ]
      : []),
  ];
}
