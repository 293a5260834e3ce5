import { createHash } from "node:crypto";
import { legendOf } from "./charts/chart.js";
import type { Draw, Drawn } from "./charts/draw.js";
import { drawGraph } from "./charts/graph.js";
import { text as escaped, together } from "./escape.js";
import type { Messages } from "./messages/messages.js";
import { cellText } from "./numbers.js";
import {
  isBars,
  isNumericColumn,
  isShare,
  type Cell,
  type Fact,
  type Figure,
  type Lineage,
  type Page,
  type Part,
  type Section,
} from "./page.js";
import { script } from "./script.js";
import { style } from "./style.js";

const text = (words: string): string => escaped(together(words));

/** Widths that charts are drawn for: across the page, beside another one, on a telephone. */
const widths = { wide: 800, half: 400, narrow: 350 };

/** Everything that is written to a page with. */
interface Pen {
  draw: Draw;
  say: Messages;
  /** Counts the charts, for names that other elements refer to. */
  next(): string;
}

/**
 * A report as one page of HTML that needs nothing else: styles, charts and the script of the tooltips are
 * inside, and its policy lets nothing else run or load.
 */
export function htmlOf(page: Page, draw: Draw, createdBy: string, say: Messages): string {
  let charts = 0;
  const pen: Pen = { draw, say, next: () => `c${++charts}` };
  const ids = page.sections.map((_, i) => `s${i + 1}`);
  const contents = page.sections
    .map(({ title, about }, i) => {
      const again = i > 0 && page.sections[i - 1].title === title;
      const small = about === "" ? "" : ` <small>${text(about)}</small>`;
      return `<li${again ? ' class="again"' : ""}><a href="#${ids[i]}"><span>${text(title)}</span>${small}</a></li>`;
    })
    .join("");
  return `<!doctype html>
<html lang="${text(page.lang)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${text(createdBy)}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'">
<meta name="color-scheme" content="light dark">
<title>${text(page.title)}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#content">${text(say.page.skip)}</a>
<nav aria-label="${text(say.page.contents)}"><ol>${contents}<li><a href="#sources">${text(say.page.sources)}</a></li></ol></nav>
<main id="content">
<header><h1>${text(page.title)}</h1>${page.subtitle ? `<p class="sub">${text(page.subtitle)}</p>` : ""}</header>
${page.sections.map((section, i) => sectionHtml(section, ids[i], pen)).join("\n")}
<section id="sources"><h2>${text(say.page.sources)}</h2>
${tableHtml(
  say.page.sourcesCaption,
  [say.page.file, say.page.kind, "sha256"],
  page.sources.map(({ path, kind, sha256 }) => [path, kind, sha256.slice(0, 16)]),
  pen,
)}
</section>
<footer>${text(createdBy)}</footer>
</main>
<script>${script}</script>
</body>
</html>
`;
}

const hashOf = (inline: string): string => `sha256-${createHash("sha256").update(inline).digest("base64")}`;

function sectionHtml({ title, about, parts }: Section, id: string, pen: Pen): string {
  return `<section id="${id}"><h2>${text(title)}</h2>${about === "" ? "" : `<p class="about">${text(about)}</p>`}
${parts.map((part) => partHtml(part, pen)).join("\n")}
</section>`;
}

function partHtml(part: Part, pen: Pen): string {
  switch (part.kind) {
    case "facts":
      return `<ul class="facts">${part.rows.map(factHtml).join("")}</ul>`;
    case "heading":
      return `<h3>${text(part.text)}</h3>`;
    case "note":
      return `<p class="note ${part.tone === "warning" ? "warning" : "plain"}">${text(part.text)}</p>`;
    case "pairs":
      return `${part.caption === undefined ? "<dl>" : `<p class="lead">${text(part.caption)}</p><dl class="small">`}${part.rows.map(([name, value]) => `<div><dt>${text(name)}</dt><dd>${text(cellText(value, pen.say))}</dd></div>`).join("")}</dl>`;
    case "table":
      return tableHtml(part.caption, part.head, part.rows, pen);
    case "code":
      return `<p class="lead">${text(part.caption)}</p><pre tabindex="0" aria-label="${text(part.caption)}"><code>${part.lines
        .map(
          (line) =>
            `<span>${line
              .split(" ")
              .map((word) => `<b>${text(word)}</b>`)
              .join(" ")}</span>`,
        )
        .join("")}</code></pre>`;
    case "figures": {
      const half = part.figures.length > 1;
      return `<div class="figures${half ? "" : " one"}">${part.figures.map((one) => figureHtml(one, half, pen)).join("\n")}</div>`;
    }
    case "lineage":
      return lineageHtml(part, pen);
  }
}

function factHtml({ figure, label, text: words, tone }: Fact): string {
  return `<li${tone ? ` class="${tone}"` : ""}><strong>${text(label)}</strong><b>${text(figure)}</b><p>${text(words)}</p></li>`;
}

function figureHtml({ caption, alt, chart, data }: Figure, half: boolean, pen: Pen): string {
  const legend = legendOf(chart);
  const drawn = half
    ? [{ kind: "", ...pen.draw(chart, widths.half) }]
    : [
        { kind: "wide-only", ...pen.draw(chart, widths.wide) },
        { kind: "narrow-only", ...pen.draw(chart, widths.narrow) },
      ];
  return `<figure><figcaption>${text(caption)}</figcaption>${legend.length > 1 ? `<p class="legend" aria-hidden="true">${legend.map(({ look, name }) => `<span><i class="k-${look}"></i>${text(name)}</span>`).join("")}</p>` : ""}${chartHtml(caption, alt, drawn, chart.tips, half, pen)}
<details><summary>${text(pen.say.page.numbers)}</summary>${tableHtml(caption, data.head, data.rows, pen)}</details></figure>`;
}

function lineageHtml({ caption, alt, graph, data }: Lineage, pen: Pen): string {
  const drawn = [
    { kind: "wide-only", ...drawGraph(graph, widths.wide) },
    { kind: "narrow-only", ...drawGraph(graph, widths.narrow) },
  ];
  const tips = graph.nodes.map(({ tip }) => tip);
  return `<div class="figures one"><figure><figcaption>${text(caption)}</figcaption>${chartHtml(caption, alt, drawn, tips, false, pen)}
<details><summary>${text(pen.say.page.numbers)}</summary>${tableHtml(caption, data.head, data.rows, pen)}</details></figure></div>`;
}

/** Drawings of one chart for different widths, of which one is shown, in a box that takes the keyboard. */
function chartHtml(
  caption: string,
  alt: string,
  drawn: readonly (Drawn & { kind: string })[],
  tips: readonly string[],
  half: boolean,
  { say, next }: Pen,
): string {
  const pictures = drawn.map(({ kind, svg, width, height, at }) => {
    const id = next();
    const places = at.map((place) => (place ? place.join(",") : "NaN,NaN")).join(" ");
    return `<svg${kind ? ` class="${kind}"` : ""} viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}t ${id}d" data-at="${places}"><title id="${id}t">${text(caption)}</title><desc id="${id}d">${text(alt)}</desc>${svg}</svg>`;
  });
  return `<div class="chart${half ? " half" : ""}" tabindex="0" role="group" aria-label="${text(`${caption}. ${say.page.arrows}`)}" data-along="${drawn[0].along}" data-tips="${text(JSON.stringify(tips))}">${pictures.join("")}</div>`;
}

function tableHtml(caption: string, head: readonly string[], rows: readonly Cell[][], { say }: Pen): string {
  if (rows.length === 0) return `<p class="note plain">${text(say.page.noRows(caption))}</p>`;
  const right = head.map((_, i) => isNumericColumn(rows, i));
  const cell = (value: Cell, i: number): string =>
    `<td${right[i] ? ' class="n"' : isShort(value) ? ' class="s"' : ""}>${cellHtml(value, say)}</td>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="${text(caption)}"><table${head.length <= 2 ? ' class="narrow"' : ""}><caption>${text(caption)}</caption>
<thead><tr>${head.map((name, i) => `<th scope="col"${right[i] ? ' class="n"' : ""}>${text(name)}</th>`).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}</tbody></table></div>`;
}

/** Dates and short names are not broken over two lines. */
function isShort(cell: Cell): boolean {
  return typeof cell === "string" && cell.length <= 24;
}

function cellHtml(cell: Cell, say: Messages): string {
  if (isBars(cell)) return barsHtml(cell.bars, say);
  if (isShare(cell) && cell.share > 0) {
    const part = Math.min(100, Math.max(1, Math.round(100 * cell.share)));
    return `${text(cellText(cell, say))}<svg class="part" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><path d="M0 2h${part}" stroke="currentColor" stroke-width="4"/></svg>`;
  }
  return text(cellText(cell, say));
}

/** A histogram as small as a word. */
function barsHtml(bars: readonly number[], say: Messages): string {
  const most = Math.max(...bars, 1e-12);
  const width = 96 / bars.length;
  const shapes = bars
    .map((bar, i) => {
      const height = bar <= 0 ? 0 : Math.max(1, Math.round((bar / most) * 22));
      return height === 0
        ? ""
        : `M${(i * width).toFixed(1)} 24v-${height}h${(width * 0.85).toFixed(1)}v${height}z`;
    })
    .join("");
  return `<svg class="bars" viewBox="0 0 96 24" width="96" height="24" role="img" aria-label="${text(say.page.histogram)}"><path d="${shapes}" fill="currentColor"/></svg>`;
}
