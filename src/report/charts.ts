import { BarChart as Bars, CustomChart, LineChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { numberText } from "./numbers.js";

use([Bars, LineChart, CustomChart, GridComponent, SVGRenderer]);

/** What charts can be drawn; sizes are in the units of the SVG, which scales to the width of the page. */
export type Chart = BarChart | IntervalChart | FanChart;

/** Horizontal bars, the first on top. */
export interface BarChart {
  kind: "bars";
  labels: string[];
  values: number[];
}

/** Points with error bars, the first on top. */
export interface IntervalChart {
  kind: "intervals";
  labels: string[];
  values: number[];
  intervals: ([low: number, high: number] | null)[];
}

/** History, then the mean of a forecast with its bands. */
export interface FanChart {
  kind: "fan";
  times: string[];
  history: (number | null)[];
  mean: (number | null)[];
  /** Widest first. */
  bands: { level: number; low: (number | null)[]; high: (number | null)[] }[];
}

/** Colours stand in the SVG as variables of the page, so that light, dark and print each have their own. */
const colours = { ink: "#a0a001", faint: "#a0a002", mark: "#a0a003", second: "#a0a004" };
const variables: [string, string][] = Object.entries(colours).map(([name, hex]) => [hex, `var(--${name})`]);

/** Draws a chart as SVG text. The same chart gives the same bytes: nothing in it depends on a clock or a counter. */
export type Draw = (chart: Chart) => string;

/** A drawer of one page's charts, whose inner names count from one. */
export function chartDrawer(): Draw {
  let drawn = 0;
  return (chart) => {
    const { option, height } = optionOf(chart);
    const instance = init(null, null, { renderer: "svg", ssr: true, width: 760, height });
    instance.setOption({ animation: false, ...option });
    const svg = instance.renderToSVGString({ useViewBox: true });
    instance.dispose();
    return tidied(svg, `f${++drawn}`);
  };
}

/** Leaves the picture alone: no fixed size, no styles and attributes for pointers, names of its own. */
function tidied(svg: string, name: string): string {
  let text = svg
    .replace(/<style[\s\S]*?<\/style>/g, "")
    .replace(/ (class|pointer-events|ecmeta_\w+|xmlns:xlink|version|baseProfile)="[^"]*"/g, "")
    .replace(/^<svg width="\d+" height="\d+" xmlns="[^"]*"/, '<svg aria-hidden="true"')
    .replace(/zr\d+-/g, `${name}-`)
    .replace(/\n\s*/g, "");
  for (const [hex, variable] of variables) text = text.replaceAll(hex, variable);
  return text;
}

const label = { color: colours.ink, fontSize: 12, fontFamily: "inherit" };
const bare = { axisLine: { show: false }, axisTick: { show: false } };
const silent = { silent: true, emphasis: { disabled: true } };
const valueAxis = {
  type: "value",
  axisLabel: { ...label, formatter: (value: number) => tickText(value) },
  splitLine: { lineStyle: { color: colours.faint } },
  splitNumber: 5,
  ...bare,
};

function optionOf(chart: Chart): { option: EChartsCoreOption; height: number } {
  switch (chart.kind) {
    case "bars":
      return rows(chart.labels, { scale: false }, [
        {
          type: "bar",
          data: chart.values,
          itemStyle: { color: colours.mark, borderRadius: 2 },
          barMaxWidth: 16,
          label: {
            show: true,
            position: "right",
            ...label,
            formatter: ({ value }: { value: number }) => numberText(value),
          },
          ...silent,
        },
      ]);
    case "intervals":
      return rows(chart.labels, { scale: true }, [errorBars(chart)]);
    case "fan":
      return fan(chart);
  }
}

/** One line per label, values along the bottom. */
function rows(
  labels: string[],
  about: { scale: boolean },
  series: object[],
): { option: EChartsCoreOption; height: number } {
  const names = labels.map(shortened);
  return {
    height: 44 + 26 * labels.length,
    option: {
      grid: {
        left: 12 + 7 * Math.min(30, Math.max(4, ...names.map(widthOf))),
        right: 64,
        top: 8,
        bottom: 32,
      },
      xAxis: { ...valueAxis, scale: about.scale },
      yAxis: { type: "category", inverse: true, data: names, axisLabel: { ...label, interval: 0 }, ...bare },
      series,
    },
  };
}

/** A custom mark: a line from low to high with a dot at the value. */
function errorBars({ values, intervals }: IntervalChart): object {
  type Api = { value(dimension: number): number; coord(at: [number, number]): [number, number] };
  return {
    type: "custom",
    dimensions: ["value", "row", "low", "high"],
    encode: { x: [0, 2, 3], y: 1 },
    data: values.map((value, i) => [value, i, intervals[i]?.[0] ?? value, intervals[i]?.[1] ?? value]),
    ...silent,
    renderItem: (_: unknown, api: Api) => {
      const row = api.value(1);
      const [x, y] = api.coord([api.value(0), row]);
      const [low] = api.coord([api.value(2), row]);
      const [high] = api.coord([api.value(3), row]);
      const line = (x1: number, y1: number, x2: number, y2: number) => ({
        type: "line",
        shape: { x1, y1, x2, y2 },
        style: { stroke: colours.mark, lineWidth: 2 },
      });
      return {
        type: "group",
        children: [
          line(low, y, high, y),
          line(low, y - 5, low, y + 5),
          line(high, y - 5, high, y + 5),
          { type: "circle", shape: { cx: x, cy: y, r: 4 }, style: { fill: colours.mark } },
        ],
      };
    },
  };
}

function fan({ times, history, mean, bands }: FanChart): { option: EChartsCoreOption; height: number } {
  const line = { type: "line", showSymbol: false, ...silent };
  const gap = (low: number | null, high: number | null): number | null =>
    low === null || high === null ? null : high - low;
  const areas = bands.flatMap(({ level, low, high }) => [
    { ...line, data: low, stack: `b${level}`, stackStrategy: "all", lineStyle: { opacity: 0 } },
    {
      ...line,
      data: high.map((value, i) => gap(low[i], value)),
      stack: `b${level}`,
      stackStrategy: "all",
      lineStyle: { opacity: 0 },
      areaStyle: { color: colours.mark, opacity: 0.18 },
    },
  ]);
  return {
    height: 240,
    option: {
      grid: { left: 60, right: 20, top: 12, bottom: 32 },
      xAxis: {
        type: "category",
        boundaryGap: false,
        data: times,
        axisLabel: label,
        axisLine: { lineStyle: { color: colours.faint } },
        axisTick: { show: false },
      },
      yAxis: { ...valueAxis, scale: false },
      series: [
        ...areas,
        { ...line, data: history, lineStyle: { color: colours.ink, width: 1.5 } },
        { ...line, data: mean, lineStyle: { color: colours.mark, width: 2 } },
      ],
    },
  };
}

/** Ticks are round numbers: no zeros after them. */
function tickText(value: number): string {
  return numberText(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

const longest = 30;

function shortened(text: string): string {
  const letters = [...text.replace(/\s+/g, " ")];
  return letters.length <= longest ? letters.join("") : `${letters.slice(0, longest - 1).join("")}…`;
}

/** Letters of a text, wide ones (Chinese, emoji) as two. */
function widthOf(text: string): number {
  return [...text].reduce((width, letter) => width + (letter.codePointAt(0)! > 0x2e80 ? 2 : 1), 0);
}
