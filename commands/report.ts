import { writeFileSync } from "node:fs";
import { ShopaiError } from "../src/core/errors.js";
import { version } from "../src/core/version.js";
import { defineCommand, option } from "../src/pipeline/command.js";
import { markdownOf } from "../src/report/markdown.js";
import { reportOf } from "../src/report/report.js";
import { writeAtomically } from "../src/table/atomic.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "report",
  summary: summaries.report,
  inputs: {
    usage: "<run or files...>",
    min: 1,
    max: Infinity,
    help: "tables, model folders, JSON results of commands, .shopai/results/<pipeline>, or the name of a pipeline that ran here",
  },
  examples: [
    "shopai report orders.parquet -o quality.html",
    "shopai report model/ metrics.json forecast.parquet demand.parquet -o report.html --title 'Week 12'",
    "shopai report quickstart -o report.md",
  ],
  options: {
    out: option.path("page to write: .html or .md, - for Markdown on stdout", { short: "o" }),
    title: option.text("title of the page").default("Report"),
  },
  reads: (o) => o.in,
  writes: (o) => (o.out === "-" ? [] : [o.out]),
  async run(o, run) {
    const html = /\.html?$/i.test(o.out);
    if (!html && o.out !== "-" && !/\.(md|markdown)$/i.test(o.out))
      throw new ShopaiError("usage", "the ending of the output does not name a form", {
        where: o.out,
        try: "a name ending in .html or .md",
      });
    const page = await reportOf(o.in, o.title, run);
    const json = {
      out: o.out,
      title: o.title,
      sections: page.sections.map(({ title, about }) => ({ title, about })),
    };
    if (o.out === "-") return { json, text: markdownOf(page) };
    run.progress.stage("drawing");
    const content = html ? await htmlText(page) : markdownOf(page);
    await writeAtomically(o.out, async (temporary) => writeFileSync(temporary, content));
    run.progress.done(`${Math.ceil(content.length / 1024)} KB`);
    return {
      json,
      blocks: [
        {
          kind: "title",
          text: `${o.out}: ${page.sections.length} section${page.sections.length === 1 ? "" : "s"}`,
        },
        {
          kind: "table",
          head: ["section", "about"],
          rows: page.sections.map(({ title, about }) => [title, about]),
        },
      ],
    };
  },
});

/** The drawing library is loaded only for HTML: it takes a while. */
async function htmlText(page: Parameters<typeof markdownOf>[0]): Promise<string> {
  const [{ htmlOf }, { chartDrawer }] = await Promise.all([
    import("../src/report/html.js"),
    import("../src/report/charts.js"),
  ]);
  return htmlOf(page, chartDrawer(), `shopai ${version}`);
}
