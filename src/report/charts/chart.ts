/** What charts can be drawn. Axes carry names with units; `tips` say in words what each mark shows. */
export type Chart = BarChart | IntervalChart | FanChart | LineChart | ColumnChart | MatrixChart;

interface Tipped {
  /** What each mark says when it is pointed at, in the order of the marks. */
  tips: string[];
}

/** Horizontal bars, the first on top. */
export interface BarChart extends Tipped {
  kind: "bars";
  /** Name of the values, with their unit. */
  axis: string;
  labels: string[];
  values: number[];
  /** Ends of error bars. */
  intervals?: ([low: number, high: number] | null)[];
  /** Values above are in the second colour: a limit was crossed. */
  limit?: number;
}

/** Points with error bars, the first on top. */
export interface IntervalChart extends Tipped {
  kind: "intervals";
  axis: string;
  labels: string[];
  values: number[];
  intervals: ([low: number, high: number] | null)[];
  /** A hollow mark of what it was before, or of what it is compared with. */
  before?: (number | null)[];
}

/** History, then the mean of a forecast with its bands. */
export interface FanChart extends Tipped {
  kind: "fan";
  /** Name of the values. */
  axis: string;
  times: string[];
  history: (number | null)[];
  mean: (number | null)[];
  /** Widest first. */
  bands: { level: number; low: (number | null)[]; high: (number | null)[] }[];
  legend: { history: string; mean: string; band: (level: number) => string };
}

/** One axis of a chart of lines. */
export interface Axis {
  /** With its unit. */
  name: string;
  min?: number;
  max?: number;
  /** Ticks in percent. */
  percent?: boolean;
}

/** Lines over numbers: curves of scores, of thresholds, of training. Tips belong to the points of the first line. */
export interface LineChart extends Tipped {
  kind: "lines";
  x: Axis;
  y: Axis;
  lines: Line[];
  /** A point to look at, such as the chosen threshold. */
  mark?: { x: number; y: number; label: string };
}

export interface Line {
  name: string;
  points: readonly (readonly [x: number, y: number | null])[];
  /** `reference`: thin and dashed, what chance or perfection would draw. */
  style?: "main" | "second" | "reference";
  /** With a dot at every point. */
  dots?: boolean;
  /** Between what each point lies, as error bars. */
  intervals?: readonly ([low: number, high: number] | null)[];
}

/** Vertical bars over an axis: a histogram. */
export interface ColumnChart extends Tipped {
  kind: "columns";
  x: string;
  y: string;
  labels: string[];
  values: number[];
}

/** Counts by row and column, shaded by their share of the row. */
export interface MatrixChart extends Tipped {
  kind: "matrix";
  /** What rows and columns are: "truth", "prediction". */
  down: string;
  across: string;
  rows: string[];
  columns: string[];
  counts: number[][];
}

/** How each line and mark of a chart looks, for a legend. */
export function legendOf(
  chart: Chart,
): { look: "ink" | "main" | "second" | "reference" | "band" | "wide"; name: string }[] {
  if (chart.kind === "lines") return chart.lines.map(({ name, style = "main" }) => ({ look: style, name }));
  if (chart.kind !== "fan") return [];
  const { legend, history, bands } = chart;
  return [
    ...(history.some((value) => value !== null) ? [{ look: "ink" as const, name: legend.history }] : []),
    { look: "main", name: legend.mean },
    ...bands.map(({ level }, i) => ({
      look: i < bands.length - 1 ? ("wide" as const) : ("band" as const),
      name: legend.band(level),
    })),
  ];
}
