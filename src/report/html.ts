import type { Draw } from "./charts.js";
import { cellText } from "./numbers.js";
import {
  isBars,
  isNumericColumn,
  isShare,
  type Cell,
  type Figure,
  type Page,
  type Part,
  type Section,
} from "./page.js";
import { style } from "./style.js";

/** A report as one page of HTML that needs nothing else: styles and charts are inside, no script runs. */
export function htmlOf(page: Page, draw: Draw, createdBy: string): string {
  const ids = page.sections.map((_, i) => `s${i + 1}`);
  const contents = page.sections
    .map(
      (section, i) =>
        `<li><a href="#${ids[i]}">${text(section.title)} <small>${text(section.about)}</small></a></li>`,
    )
    .join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${text(createdBy)}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${text(page.title)}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<nav aria-label="Contents"><ol>${contents}<li><a href="#sources">Sources</a></li></ol></nav>
<main id="content">
<header><h1>${text(page.title)}</h1></header>
${page.sections.map((section, i) => sectionHtml(section, ids[i], draw)).join("\n")}
<section id="sources"><h2>Sources</h2>
${tableHtml(
  "The files that this page was made from",
  ["file", "what it is", "sha256"],
  page.sources.map(({ path, kind, sha256 }) => [path, kind, sha256.slice(0, 16)]),
)}
</section>
<footer>${text(createdBy)}</footer>
</main>
</body>
</html>
`;
}

function sectionHtml(section: Section, id: string, draw: Draw): string {
  return `<section id="${id}"><h2>${text(section.title)}</h2><p class="about">${text(section.about)}</p>
${section.parts.map((part) => partHtml(part, draw)).join("\n")}
</section>`;
}

function partHtml(part: Part, draw: Draw): string {
  switch (part.kind) {
    case "heading":
      return `<h3>${text(part.text)}</h3>`;
    case "note":
      return `<p class="note ${part.tone === "warning" ? "warning" : "plain"}">${text(part.text)}</p>`;
    case "pairs":
      return `<dl>${part.rows.map(([name, value]) => `<div><dt>${text(name)}</dt><dd>${text(cellText(value))}</dd></div>`).join("")}</dl>`;
    case "table":
      return tableHtml(part.caption, part.head, part.rows);
    case "figure":
      return figureHtml(part, draw);
  }
}

function figureHtml({ caption, alt, chart, data }: Figure, draw: Draw): string {
  return `<figure><figcaption>${text(caption)}</figcaption><div role="img" aria-label="${text(alt)}">${draw(chart)}</div>
<details><summary>Numbers</summary>${tableHtml(caption, data.head, data.rows)}</details></figure>`;
}

function tableHtml(caption: string, head: readonly string[], rows: Cell[][]): string {
  if (rows.length === 0) return `<p class="note plain">${text(caption)}: no rows</p>`;
  const right = head.map((_, i) => isNumericColumn(rows, i));
  const cell = (value: Cell, i: number): string =>
    `<td${right[i] ? ' class="n"' : isShort(value) ? ' class="s"' : ""}>${cellHtml(value)}</td>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="${text(caption)}"><table${head.length <= 2 ? ' class="narrow"' : ""}><caption>${text(caption)}</caption>
<thead><tr>${head.map((name, i) => `<th scope="col"${right[i] ? ' class="n"' : ""}>${text(name)}</th>`).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}</tbody></table></div>`;
}

/** Dates and short names are not broken over two lines. */
function isShort(cell: Cell): boolean {
  return typeof cell === "string" && cell.length <= 24;
}

function cellHtml(cell: Cell): string {
  if (isBars(cell)) return barsHtml(cell.bars);
  if (isShare(cell) && cell.share > 0)
    return `<span class="share" style="--part:${(100 * cell.share).toFixed(1)}%">${text(cellText(cell))}</span>`;
  return text(cellText(cell));
}

/** A histogram as small as a word. */
function barsHtml(bars: readonly number[]): string {
  const most = Math.max(...bars, 1);
  const width = 96 / bars.length;
  const shapes = bars
    .map((bar, i) => {
      const height = bar === 0 ? 0 : Math.max(1, Math.round((bar / most) * 22));
      return height === 0
        ? ""
        : `M${(i * width).toFixed(1)} 24v-${height}h${(width * 0.85).toFixed(1)}v${height}z`;
    })
    .join("");
  return `<svg class="bars" viewBox="0 0 96 24" width="96" height="24" role="img" aria-label="histogram"><path d="${shapes}" fill="currentColor"/></svg>`;
}

/** Text safe between tags and in quoted attributes; control characters, which no page may hold, are shown as such. */
export function text(value: string): string {
  return (
    value
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&#39;")
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "\ufffd")
  );
}
