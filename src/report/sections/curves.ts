import type { PermutationImportance } from "../../learners/permutation-importance.js";
import type { LineChart } from "../charts/chart.js";
import { briefText, numberText, shareText } from "../numbers.js";
import { figure, type Cell, type Figure, type Part } from "../page.js";
import type { MetricsResult } from "./metrics.js";
import type { Making } from "./section.js";

const unit = { min: 0, max: 1, percent: true };
const diagonal = (name: string) => ({
  name,
  points: [
    [0, 0],
    [1, 1],
  ] as [number, number][],
  style: "reference" as const,
});

/** What stands behind the metrics of a task: curves and tables that `evaluate` writes beside them. */
export function curveParts(result: MetricsResult, making: Making): Part[] {
  const { say } = making;
  const parts: Part[] = [];
  const pairs = [
    calibrationOf(result, making),
    gainsOf(result, making),
    rocOf(result, making),
    prOf(result, making),
  ];
  const decided = [confusionOf(result, making), thresholdsOf(result, making)];
  for (const figures of [pairs, decided]) {
    const there = figures.filter((one) => one !== undefined);
    if (there.length > 0) parts.push({ kind: "figures", figures: there });
  }
  if (result.gains)
    parts.push({
      kind: "table",
      caption: say.curves.tenths,
      head: say.curves.tenthsHead,
      rows: result.gains.map(({ share, score, rate, gain, lift }): Cell[] => [
        shareText(share),
        score,
        rate === null ? null : { share: rate },
        gain === null ? null : { share: gain },
        lift,
      ]),
    });
  parts.push(...matrixParts(result, making), ...fitParts(result, making));
  return parts;
}

function calibrationOf({ calibration }: MetricsResult, { say }: Making): Figure | undefined {
  const words = say.curves;
  if (!calibration || calibration.length === 0) return undefined;
  return {
    caption: words.calibration,
    alt: words.calibrationAlt(numberText(calibration.length)),
    chart: {
      kind: "lines",
      x: { ...unit, name: words.score },
      y: { ...unit, name: words.rate },
      lines: [
        {
          name: words.rate,
          points: calibration.map(({ score, rate }) => [score, rate]),
          dots: true,
          intervals: calibration.map(({ rate, rows }) => wilson(rate, rows)),
        },
        diagonal(words.perfect),
      ],
      tips: calibration.map(({ from, to, score, rate, rows }) =>
        words.calibrationTip(
          numberText(from),
          numberText(to),
          shareText(score),
          shareText(rate),
          numberText(rows),
        ),
      ),
    },
    data: {
      head: [words.bin, say.page.rows, words.score, words.rate],
      rows: calibration.map(({ from, to, rows, score, rate }) => [`${from} – ${to}`, rows, score, rate]),
    },
  };
}

/**
 * 95 % interval of a share of so many rows.
 *
 * Wilson (1927), J. American Statistical Association 22:209-212.
 */
function wilson(share: number, rows: number): [number, number] {
  const z = 1.959964;
  const squared = z ** 2 / rows;
  const middle = (share + squared / 2) / (1 + squared);
  const half = (z / (1 + squared)) * Math.sqrt((share * (1 - share)) / rows + squared / (4 * rows));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** The point of the curves where the threshold is. */
function chosenAt({ curves, decision }: MetricsResult): number {
  const threshold = decision?.threshold;
  if (!curves || threshold === undefined) return -1;
  let at = -1;
  curves.threshold.forEach((own, i) => {
    if (own !== null && own >= threshold) at = i;
  });
  return at;
}

function gainsOf(result: MetricsResult, { say }: Making): Figure | undefined {
  const words = say.curves;
  const { curves } = result;
  if (!curves) return undefined;
  const { share, tpr } = curves;
  const at = chosenAt(result);
  const tenths = [0.1, 0.2, 0.5]
    .map((wanted) => share.findIndex((own) => own >= wanted))
    .filter((i) => i > 0);
  return {
    caption: words.gains,
    alt: words.gainsAlt(
      tenths.map((i) => `${shareText(share[i])} → ${shareText(tpr[i])}`).join(say.page.comma),
    ),
    chart: {
      kind: "lines",
      x: { ...unit, name: words.share },
      y: { ...unit, name: words.found },
      lines: [{ name: words.found, points: share.map((own, i) => [own, tpr[i]]) }, diagonal(words.base)],
      mark: at > 0 ? { x: share[at], y: tpr[at], label: words.chosen } : undefined,
      tips: share.map((own, i) =>
        own === 0 ? "" : words.gainsTip(shareText(own), shareText(tpr[i]), briefText(tpr[i] / own)),
      ),
    },
    data: { head: [words.share, words.found], rows: thinned(share.map((own, i) => [own, tpr[i]])) },
  };
}

function rocOf(result: MetricsResult, { say }: Making): Figure | undefined {
  const words = say.curves;
  const { curves, metrics } = result;
  if (!curves) return undefined;
  const { fpr, tpr, threshold } = curves;
  const at = chosenAt(result);
  return {
    caption: words.roc,
    alt: words.rocAlt(typeof metrics.auc === "number" ? numberText(metrics.auc) : ""),
    chart: {
      kind: "lines",
      x: { ...unit, name: words.fpr },
      y: { ...unit, name: words.tpr },
      lines: [{ name: words.tpr, points: fpr.map((own, i) => [own, tpr[i]]) }, diagonal(words.base)],
      mark: at > 0 ? { x: fpr[at], y: tpr[at], label: words.chosen } : undefined,
      tips: fpr.map((own, i) =>
        words.rocTip(cut(threshold[i], words.nobody), shareText(tpr[i]), shareText(own)),
      ),
    },
    data: {
      head: [words.threshold, words.fpr, words.tpr],
      rows: thinned(fpr.map((own, i) => [cut(threshold[i], words.nobody), own, tpr[i]])),
    },
  };
}

function prOf(result: MetricsResult, { say }: Making): Figure | undefined {
  const words = say.curves;
  const { curves, metrics, confusion } = result;
  if (!curves) return undefined;
  const { precision, tpr, threshold } = curves;
  const at = chosenAt(result);
  const chosen = at > 0 ? precision[at] : null;
  const base = confusion
    ? (confusion.tp + confusion.fn) / (confusion.tp + confusion.fn + confusion.fp + confusion.tn)
    : undefined;
  return {
    caption: words.pr,
    alt: words.prAlt(typeof metrics.pr_auc === "number" ? numberText(metrics.pr_auc) : ""),
    chart: {
      kind: "lines",
      x: { ...unit, name: words.recall },
      y: { ...unit, name: words.precision },
      lines: [
        { name: words.precision, points: tpr.map((own, i) => [own, precision[i]]) },
        ...(base === undefined
          ? []
          : [
              {
                name: words.base,
                points: [
                  [0, base],
                  [1, base],
                ] as [number, number][],
                style: "reference" as const,
              },
            ]),
      ],
      mark: chosen !== null ? { x: tpr[at], y: chosen, label: words.chosen } : undefined,
      tips: tpr.map((own, i) =>
        precision[i] === null
          ? ""
          : words.prTip(cut(threshold[i], words.nobody), shareText(precision[i]), shareText(own)),
      ),
    },
    data: {
      head: [words.threshold, words.recall, words.precision],
      rows: thinned(tpr.map((own, i) => [cut(threshold[i], words.nobody), own, precision[i]])),
    },
  };
}

function confusionOf({ confusion, decision }: MetricsResult, { say }: Making): Figure | undefined {
  const words = say.curves;
  if (!confusion) return undefined;
  const { tp, fp, fn, tn } = confusion;
  const names = [decision?.positive ?? words.positive, decision?.negative ?? words.negative];
  return matrixFigure(
    decision?.threshold === undefined ? words.confusionPlain : words.confusion(briefText(decision.threshold)),
    names,
    [
      [tp, fn],
      [fp, tn],
    ],
    say,
  );
}

function matrixFigure(caption: string, names: string[], counts: number[][], say: Making["say"]): Figure {
  const words = say.curves;
  const share = (row: number, column: number): string => {
    const total = counts[row].reduce((sum, count) => sum + count, 0);
    return total === 0 ? "–" : shareText(counts[row][column] / total);
  };
  const cells = counts.flatMap((row, r) => row.map((count, c) => ({ r, c, count })));
  return {
    caption,
    alt: words.confusionAlt(
      cells
        .slice(0, 9)
        .map(({ r, c, count }) => `${names[r]} → ${names[c]} ${numberText(count)}`)
        .join(say.page.comma),
    ),
    chart: {
      kind: "matrix",
      down: words.truth,
      across: words.predicted,
      rows: names,
      columns: names,
      counts,
      tips: cells.map(({ r, c, count }) => words.cell(names[r], names[c], numberText(count), share(r, c))),
    },
    data: {
      head: [`${words.truth} \\ ${words.predicted}`, ...names],
      rows: counts.map((row, r) => [names[r], ...row]),
    },
  };
}

/** What other thresholds would do: in money where decisions have costs, else in precision and recall. */
function thresholdsOf(result: MetricsResult, { say }: Making): Figure | undefined {
  const words = say.curves;
  const { curves, decision, metrics } = result;
  if (!curves) return undefined;
  const there = curves.threshold
    .flatMap((threshold, i) => (threshold === null ? [] : [{ threshold, i }]))
    .reverse();
  const { share, precision, tpr, cost } = curves;
  const threshold = decision?.threshold;
  const x: LineChart["x"] = { name: words.threshold, min: 0, max: 1 };
  if (cost) {
    const best = there.reduce((least, one) => (cost[one.i] < cost[least.i] ? one : least), there[0]);
    const own = metrics.average_cost;
    return {
      caption: words.cost,
      alt: words.costAlt(numberText(best.threshold)),
      chart: {
        kind: "lines",
        x,
        y: { name: words.costAxis },
        lines: [{ name: words.costAxis, points: there.map(({ threshold: at, i }) => [at, cost[i]]) }],
        mark:
          threshold !== undefined && typeof own === "number"
            ? { x: threshold, y: own, label: words.chosen }
            : undefined,
        tips: there.map(({ threshold: at, i }) =>
          words.costTip(numberText(at), numberText(cost[i]), shareText(share[i])),
        ),
      },
      data: {
        head: [words.threshold, words.costAxis, words.share],
        rows: thinned(there.map(({ threshold: at, i }) => [at, cost[i], share[i]])),
      },
    };
  }
  return {
    caption: words.trade,
    alt: words.tradeAlt,
    chart: {
      kind: "lines",
      x,
      y: { ...unit, name: "" },
      lines: [
        { name: words.precision, points: there.map(({ threshold: at, i }) => [at, precision[i]]) },
        { name: words.recall, points: there.map(({ threshold: at, i }) => [at, tpr[i]]), style: "second" },
      ],
      tips: there.map(({ threshold: at, i }) =>
        words.tradeTip(
          numberText(at),
          precision[i] === null ? "–" : shareText(precision[i]),
          shareText(tpr[i]),
          shareText(share[i]),
        ),
      ),
    },
    data: {
      head: [words.threshold, words.precision, words.recall, words.share],
      rows: thinned(there.map(({ threshold: at, i }) => [at, precision[i], tpr[i], share[i]])),
    },
  };
}

/** Several classes. */
function matrixParts({ confusion_matrix: found }: MetricsResult, { say }: Making): Part[] {
  if (!found || found.classes.length < 2) return [];
  return [figure(matrixFigure(say.curves.confusionPlain, found.classes, found.counts, say))];
}

/** Truth against prediction of a regression. */
function fitParts({ by_prediction: groups }: MetricsResult, { say }: Making): Part[] {
  const words = say.curves;
  if (!groups || groups.length < 2) return [];
  const low = Math.min(...groups.map(({ predicted }) => predicted));
  const high = Math.max(...groups.map(({ predicted }) => predicted));
  return [
    figure({
      caption: words.fit,
      alt: words.fitAlt(numberText(groups.length)),
      chart: {
        kind: "lines",
        x: { name: words.fitX },
        y: { name: words.fitY },
        lines: [
          {
            name: words.fitY,
            points: groups.map(({ predicted, truth }) => [predicted, truth]),
            dots: true,
            intervals: groups.map(({ p10, p90 }) => [p10, p90]),
          },
          {
            name: words.perfect,
            points: [
              [low, low],
              [high, high],
            ],
            style: "reference",
          },
        ],
        tips: groups.map(({ predicted, truth, p10, p90, rows }) =>
          words.fitTip(
            numberText(predicted),
            numberText(truth),
            numberText(p10),
            numberText(p90),
            numberText(rows),
          ),
        ),
      },
      data: {
        head: words.fitHead,
        rows: groups.map(({ rows, predicted, truth, p10, p90 }) => [rows, predicted, truth, p10, p90]),
      },
    }),
  ];
}

const mostBars = 25;

/** How much worse the model gets when a feature is shuffled (`evaluate --importance`). */
export function importanceParts({ metric, features }: PermutationImportance, { say }: Making): Part[] {
  const words = say.curves;
  const shown = features.slice(0, mostBars);
  if (shown.length === 0) return [];
  const told = shown.map(({ feature, drop }) => `${feature} ${numberText(drop)}`);
  return [
    figure({
      caption: words.importance(metric),
      alt: words.importanceAlt(told.slice(0, 5).join(say.page.comma)),
      chart: {
        kind: "bars",
        axis: words.importanceAxis(metric),
        labels: shown.map(({ feature }) => feature),
        values: shown.map(({ drop }) => drop),
        intervals: shown.map(({ interval }) => interval),
        tips: shown.map(
          ({ interval }, i) =>
            `${told[i]}\n${say.page.interval(numberText(interval[0]), numberText(interval[1]))}`,
        ),
      },
      data: {
        head: [words.feature, words.worse, say.page.low, say.page.high],
        rows: shown.map(({ feature, drop, interval }) => [feature, drop, ...interval]),
      },
    }),
    { kind: "note", text: words.importanceNote },
  ];
}

const cut = (threshold: number | null, nobody: string): string =>
  threshold === null ? nobody : numberText(threshold);

/** At most about 25 rows of a curve, for its table: the chart has them all. */
function thinned(rows: Cell[][]): Cell[][] {
  const step = Math.ceil(rows.length / 25);
  return rows.filter((_, i) => i % step === 0 || i === rows.length - 1);
}
