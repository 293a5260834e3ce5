import { profileOf, type ColumnProfile, type TableProfile } from "../../clean/profile.js";
import { ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import { openTextFiles, isText } from "../../table/open-text.js";
import { openTable } from "../../table/open.js";
import { findColumn, relationOf, type Relation } from "../../table/relation.js";
import { sourceFiles } from "../../table/source.js";
import type { Messages } from "../messages/messages.js";
import { cellText, numberText, shareText } from "../numbers.js";
import type { Cell, Part } from "../page.js";
import { provenanceIn } from "../provenance.js";
import {
  defineSection,
  has,
  isObject,
  weights,
  type Found,
  type Making,
  type WeightedFact,
} from "./section.js";

/** Most columns of a table that are profiled and shown; the rest is counted. */
const mostColumns = 100;
const mostWarnings = 12;
/** Longest value shown from a table. */
const longestValue = 40;

/** How good the data of a table is: every column with its gaps, its values and its shape. */
export const table = defineSection<{ relation: Relation; profile?: TableProfile }>({
  name: "table",
  table: (relation) => ({ relation }),
  async parts(found, making) {
    const profile = await profiled(found, making.run);
    const { relation } = found.content;
    return [
      ...qualityParts(profile, making.say, relation.schema.length),
      ...(await beforeParts(found, profile, making)),
    ];
  },
  facts: async (found, { run, say }) => factsOf(await profiled(found, run), found, say),
});

/** The same of the JSON result of `inspect`. */
export const profile = defineSection<TableProfile>({
  name: "profile",
  document: (document) =>
    has(document, "rows", "columns") &&
    Array.isArray(document.columns) &&
    document.columns.every((column) => isObject(column) && "nulls" in column)
      ? (document as unknown as TableProfile)
      : undefined,
  parts: ({ content }, { say }) => qualityParts(content, say),
  facts: (found, { say }) => factsOf(found.content, found, say),
});

/** Worked out once for a table, whoever asks. */
async function profiled({ content }: Found<{ relation: Relation; profile?: TableProfile }>, run: Run) {
  const { relation } = content;
  return (content.profile ??= await profileOf(
    { ...relation, schema: relation.schema.slice(0, mostColumns) },
    run.progress,
  ));
}

function factsOf({ rows, columns }: TableProfile, { name }: Found, say: Messages): WeightedFact[] {
  const cells = rows * columns.length;
  if (cells === 0) return [];
  const missing = columns.reduce((sum, { nulls }) => sum + nulls, 0);
  const [worst] = [...columns].sort((a, b) => b.nulls - a.nulls);
  return [
    {
      weight: weights.data + 5,
      figure: shareText(1 - missing / cells),
      label: `${name}: ${say.quality.label}`,
      text: say.quality.text(
        numberText(rows),
        numberText(columns.length),
        worst.nulls > 0 ? say.quality.worst(worst.name, shareText(worst.nulls / rows)) : "",
      ),
    },
  ];
}

/** @param total columns of the table, when not all of them were profiled */
function qualityParts(profile: TableProfile, say: Messages, total = profile.columns.length): Part[] {
  const { rows, columns, sampled } = profile;
  const words = say.quality;
  const shown = columns.slice(0, mostColumns);
  const missing = columns.reduce((sum, { nulls }) => sum + nulls, 0);
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [
        [words.rows, rows],
        [words.columns, total],
        [words.gaps, columns.filter((column) => column.nulls > 0).length],
        [words.missing, rows * columns.length === 0 ? "–" : shareText(missing / (rows * columns.length))],
      ],
    },
  ];
  if (rows === 0) parts.push({ kind: "note", text: words.none, tone: "warning" });
  const warnings = shown.flatMap((column) => warningsOf(column, rows, say));
  for (const text of warnings.slice(0, mostWarnings)) parts.push({ kind: "note", text, tone: "warning" });
  if (warnings.length > mostWarnings)
    parts.push({
      kind: "note",
      text: words.moreWarnings(numberText(warnings.length - mostWarnings)),
      tone: "warning",
    });
  parts.push({
    kind: "table",
    caption: words.table,
    head: words.head,
    rows: shown.map((column) => columnRow(column, rows, say)),
  });
  if (total > shown.length)
    parts.push({ kind: "note", text: words.moreColumns(numberText(total - shown.length)) });
  if (sampled)
    parts.push({
      kind: "note",
      text: words.sampled(numberText(sampled.rows), numberText(sampled.of)),
    });
  return parts;
}

function columnRow(column: ColumnProfile, rows: number, say: Messages): Cell[] {
  const text = column.kind === "text";
  const top = column.top?.[0];
  const frequent =
    top && top.count > 1 && rows > 0 ? `${short(top.value, say)} (${shareText(top.count / rows)})` : "";
  return [
    column.name,
    column.type.toLowerCase(),
    { share: rows === 0 ? 0 : column.nulls / rows },
    distinctOf(column, say),
    column.histogram && rows > 0
      ? { bars: column.histogram.counts }
      : column.top && column.top.length > 1
        ? { bars: column.top.map(({ count }) => count) }
        : "",
    text ? "" : short(column.min, say),
    short(column.quantiles?.p50, say),
    text ? "" : short(column.max, say),
    column.mean ?? "",
    frequent,
  ];
}

const distinctOf = (column: ColumnProfile, say: Messages): Cell =>
  column.distinct_exact ? column.distinct : say.quality.about(numberText(column.distinct));

function warningsOf(column: ColumnProfile, rows: number, { quality: words, ...say }: Messages): string[] {
  const found: string[] = [];
  if (rows === 0) return found;
  if (column.nulls === rows) found.push(words.empty(column.name));
  else if (column.distinct_exact && column.distinct === 1 && column.nulls === 0 && rows > 1)
    found.push(words.constant(column.name, short(column.top?.[0]?.value, say)));
  if (column.padded) found.push(words.padded(column.name, numberText(column.padded)));
  if (column.nan || column.infinite)
    found.push(words.unfinite(column.name, numberText((column.nan ?? 0) + (column.infinite ?? 0))));
  return found;
}

function short(value: unknown, say: Pick<Messages, "page">): string {
  if (value === null || value === undefined) return "";
  // Years and codes are no counts: four digits stand as they are.
  const text =
    Number.isInteger(value) && Math.abs(value as number) < 10_000
      ? String(value)
      : cellText(value as Cell, say);
  const letters = [...text];
  return letters.length <= longestValue ? text : `${letters.slice(0, longestValue - 1).join("")}…`;
}

/**
 * The columns before cleaning beside those after it, where the report was given what was cleaned: by the run's
 * record, or as a table whose bytes the clean table's provenance names.
 */
async function beforeParts(
  { name, content: { relation } }: Found<{ relation: Relation }>,
  after: TableProfile,
  making: Making,
): Promise<Part[]> {
  const { say, run } = making;
  const made = await provenanceIn(relation);
  if (made?.command !== "clean") return [];
  const given = making
    .of(table)
    .filter(({ content }) =>
      content.relation.inputs.some(({ sha256 }) => made.inputs.some((input) => input.sha256 === sha256)),
    );
  const before = given[0]
    ? { name: given[0].name, profile: await profiled(given[0], run) }
    : await rawOf(making.raw.get(name), run);
  if (!before) return [];
  const { rows, columns } = before.profile;
  const share = (nulls: number, all: number): Cell => ({ share: all === 0 ? 0 : nulls / all });
  const pairs = after.columns.flatMap((own) => {
    const old = columns.find((column) => column.name === own.name);
    return old ? [{ old, own }] : [];
  });
  if (pairs.length === 0) return [];
  return [
    {
      kind: "table",
      caption: say.quality.beforeAfter(before.name),
      head: say.quality.beforeAfterHead,
      rows: pairs.map(({ old, own }) => [
        own.name,
        old.type.toLowerCase(),
        own.type.toLowerCase(),
        share(old.nulls, rows),
        share(own.nulls, after.rows),
        distinctOf(old, say),
        distinctOf(own, say),
      ]),
    },
    { kind: "note", text: say.quality.rowsBefore(numberText(rows), numberText(after.rows)) },
  ];
}

/** What was cleaned, records that cannot be read left out; undefined where it is not there any more. */
async function rawOf(
  paths: readonly string[] | undefined,
  run: Run,
): Promise<{ name: string; profile: TableProfile } | undefined> {
  if (!paths) return undefined;
  const engine = await run.engine();
  const about = { signal: run.signal };
  try {
    const files = sourceFiles(paths);
    const text = isText(files[0]);
    const relation = text
      ? await withoutBlanks((await openTextFiles(engine, files, paths.join(" "), about)).relation)
      : await openTable(engine, paths, about);
    const first = { ...relation, schema: relation.schema.slice(0, mostColumns) };
    return { name: paths.join(" "), profile: await profileOf(first, run.progress) };
  } catch (error) {
    if (error instanceof ShopaiError && error.kind === "data") return undefined;
    throw error;
  }
}

/** In a text file a field of nothing is a gap. */
async function withoutBlanks(relation: Relation): Promise<Relation> {
  const keys = relation.key.filter((name) => !findColumn(relation.schema, name));
  const list = relation.schema.map(({ name, type }) => {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    return type === "VARCHAR" ? `nullif(${quoted}, '') AS ${quoted}` : quoted;
  });
  const sql = `SELECT ${[...list, ...keys.map((name) => `"${name}"`)].join(", ")} FROM (${relation.sql})`;
  return relationOf(relation.engine, sql, relation);
}
