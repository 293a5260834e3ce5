import { findColumn, isNumeric, type Relation } from "../../table/relation.js";
import { numberText, shareText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { ident } from "../../engine/sql.js";
import { defineSection, type Making } from "./section.js";

const bins = 20;
const examples = 10;
const mostClasses = 20;

/** What a model said of rows: how many of each class, how the scores spread, the highest of them. */
export const scores = defineSection<Relation>({
  name: "scores",
  table(relation) {
    const prediction = findColumn(relation.schema, "prediction");
    return prediction && !findColumn(relation.schema, "rank") ? relation : undefined;
  },
  async parts({ content: relation }, making) {
    const { engine, sql, schema } = relation;
    const { say } = making;
    const words = say.scores;
    const prediction = findColumn(schema, "prediction")!;
    const score = findColumn(schema, "score");
    const [{ n }] = await engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${sql})`);
    const parts: Part[] = [{ kind: "pairs", rows: [[words.rows, n]] }];
    if (n === 0n) return [...parts, { kind: "note", text: words.none, tone: "warning" }];
    const column =
      score && isNumeric(score.type) ? score : isNumeric(prediction.type) ? prediction : undefined;
    if (column) parts.push(...(await histogram(relation, column.name, column === score, making)));
    const [{ classes }] = await engine.rows<{ classes: bigint }>(
      `SELECT count(DISTINCT prediction) AS classes FROM (${sql})`,
    );
    if (column !== prediction || classes <= BigInt(mostClasses)) {
      const counts = await engine.rows<{ prediction: string | null; n: bigint }>(
        `SELECT prediction::VARCHAR AS prediction, count(*) AS n FROM (${sql}) GROUP BY ALL ORDER BY n DESC, prediction LIMIT ${mostClasses}`,
      );
      parts.push({
        kind: "table",
        caption: words.predictions,
        head: [words.class, words.rows, words.share],
        rows: counts.map((row): Cell[] => [
          row.prediction ?? "",
          Number(row.n),
          { share: Number(row.n) / Number(n) },
        ]),
      });
    }
    if (score && column === score) {
      const names = schema.slice(0, 10).map((field) => field.name);
      const order = [`${ident(score.name)} DESC NULLS LAST`, ...relation.key.map(ident)].join(", ");
      const shown = names.map((name) =>
        name === score.name ? ident(name) : `left(${ident(name)}::VARCHAR, 120) AS ${ident(name)}`,
      );
      const rows = await engine.rows<Record<string, Cell>>(
        `SELECT ${shown.join(", ")} FROM (${sql}) ORDER BY ${order} LIMIT ${examples}`,
      );
      parts.push({
        kind: "table",
        caption: words.examples,
        head: names,
        rows: rows.map((row) => names.map((name) => row[name])),
      });
    }
    return parts;
  },
});

/** Counts in bins of equal width: of scores over [0, 1], of numbers over the middle 98 %. */
async function histogram(
  { engine, sql }: Relation,
  name: string,
  isScore: boolean,
  { say }: Making,
): Promise<Part[]> {
  const words = say.scores;
  const value = `${ident(name)}::DOUBLE`;
  const [range] = await engine.rows<{ low: number | null; high: number | null; median: number | null }>(
    `SELECT quantile_disc(v, 0.01) AS low, quantile_disc(v, 0.99) AS high, quantile_disc(v, 0.5) AS median FROM (SELECT ${value} AS v FROM (${sql})) WHERE isfinite(v)`,
  );
  if (range.low === null || range.high === null) return [];
  const whole = isScore && range.low >= 0 && range.high <= 1;
  const [from, to] = whole ? [0, 1] : [range.low, range.high === range.low ? range.low + 1 : range.high];
  const width = (to - from) / bins;
  const counted = await engine.rows<{ bin: bigint; n: bigint }>(
    `SELECT least(${bins - 1}, greatest(0, floor((v - ${from}::DOUBLE) / ${width}::DOUBLE)))::BIGINT AS bin, count(*) AS n FROM (SELECT ${value} AS v FROM (${sql})) WHERE isfinite(v) GROUP BY bin ORDER BY bin`,
  );
  const values = Array.from({ length: bins }, (_, bin) =>
    Number(counted.find((row) => Number(row.bin) === bin)?.n ?? 0),
  );
  const edge = (bin: number): string => numberText(Number((from + bin * width).toPrecision(3)));
  return [
    figure({
      caption: whole ? words.histogram : words.predictions,
      alt: words.histogramAlt(numberText(range.median!)),
      chart: {
        kind: "columns",
        x: whole ? words.score : words.value,
        y: words.rows,
        labels: values.map((_, bin) => edge(bin)),
        values,
        tips: values.map((n, bin) => words.tip(edge(bin), edge(bin + 1), numberText(n))),
      },
      data: {
        head: [whole ? words.score : words.value, words.rows, words.share],
        rows: values.map((n, bin): Cell[] => [
          `${edge(bin)} – ${edge(bin + 1)}`,
          n,
          shareText(
            n /
              Math.max(
                1,
                values.reduce((sum, own) => sum + own, 0),
              ),
          ),
        ]),
      },
    }),
  ];
}
