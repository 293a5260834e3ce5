import { numberText } from "../numbers.js";
import type { BarChart, ColumnChart, IntervalChart } from "./chart.js";
import type { Plot } from "./draw.js";
import { axisName, bare, colours, label, shortened, silent, valueAxis, widthOf } from "./look.js";

const rowHeight = 26;

/** Horizontal bars with their values at their ends. */
export function bars(chart: BarChart, width: number): Plot {
  const { values, intervals: ends, limit } = chart;
  return rows(chart, width, { scale: false, ends: ends ? 24 : 72 }, [
    {
      type: "bar",
      data: values.map((value) => ({
        value,
        itemStyle: { color: limit !== undefined && value > limit ? colours.second : colours.mark },
      })),
      itemStyle: { borderRadius: 2 },
      barMaxWidth: 16,
      label: ends
        ? { show: false }
        : {
            show: true,
            position: "right",
            ...label,
            color: colours.ink,
            formatter: ({ value }: { value: number }) => numberText(value),
          },
      ...silent,
    },
    ...(ends ? [whiskers({ values, intervals: ends }, colours.ink, false)] : []),
  ]);
}

/** Dots with error bars. */
export function intervals(chart: IntervalChart, width: number): Plot {
  const { before } = chart;
  const series: object[] = [whiskers(chart, colours.mark, true)];
  if (before)
    series.unshift({
      type: "custom",
      data: before.flatMap((value, row) => (value === null ? [] : [[value, row]])),
      ...silent,
      renderItem: (_: unknown, api: Api) => {
        const [cx, cy] = api.coord([api.value(0), api.value(1)]);
        const style = { fill: colours.page, stroke: colours.second, lineWidth: 2 };
        return { type: "circle", shape: { cx, cy, r: 5 }, style };
      },
    });
  return rows(chart, width, { scale: true, ends: 20 }, series);
}

/** One line per label, values along the bottom. */
function rows(
  { labels, values, axis }: Pick<BarChart | IntervalChart, "labels" | "values" | "axis">,
  width: number,
  about: { scale: boolean; ends: number },
  series: object[],
): Plot {
  const names = labels.map((name) => shortened(name, width < 500 ? 18 : 32));
  return {
    height: 56 + rowHeight * labels.length,
    option: {
      grid: {
        left: 12 + 7 * Math.max(4, ...names.map(widthOf)),
        right: about.ends,
        top: 4,
        bottom: 48,
      },
      xAxis: {
        ...valueAxis(width),
        ...axisName,
        scale: about.scale,
        name: axis,
        nameLocation: "middle",
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: names,
        axisLabel: { ...label, color: colours.ink, interval: 0 },
        ...bare,
      },
      series,
    },
    marks: values.map((value, row) => [value, row]),
    along: "y",
  };
}

interface Api {
  value(dimension: number): number;
  coord(at: [number, number]): [number, number];
}

/** A custom mark: a line from low to high, with a dot at the value. */
function whiskers(
  { values, intervals }: Pick<IntervalChart, "values" | "intervals">,
  colour: string,
  dots: boolean,
): object {
  return {
    type: "custom",
    dimensions: ["value", "row", "low", "high"],
    encode: { x: [0, 2, 3], y: 1 },
    data: values.flatMap((value, i) =>
      intervals[i] ? [[value, i, ...intervals[i]]] : dots ? [[value, i, value, value]] : [],
    ),
    z: 5,
    ...silent,
    renderItem: (_: unknown, api: Api) => {
      const row = api.value(1);
      const [x, y] = api.coord([api.value(0), row]);
      const [low] = api.coord([api.value(2), row]);
      const [high] = api.coord([api.value(3), row]);
      const line = (x1: number, y1: number, x2: number, y2: number) => ({
        type: "line",
        shape: { x1, y1, x2, y2 },
        style: { stroke: colour, lineWidth: dots ? 2 : 1.5 },
      });
      return {
        type: "group",
        children: [
          line(low, y, high, y),
          line(low, y - 4, low, y + 4),
          line(high, y - 4, high, y + 4),
          ...(dots ? [{ type: "circle", shape: { cx: x, cy: y, r: 4.5 }, style: { fill: colour } }] : []),
        ],
      };
    },
  };
}

/** A histogram. */
export function columns({ x, y, labels, values }: ColumnChart, width: number): Plot {
  return {
    height: 230,
    option: {
      grid: { left: 58, right: 12, top: 30, bottom: 46 },
      xAxis: {
        type: "category",
        data: labels,
        name: x,
        nameLocation: "middle",
        ...axisName,
        axisLabel: { ...label, hideOverlap: true },
        axisLine: { lineStyle: { color: colours.faint } },
        axisTick: { show: false },
      },
      yAxis: {
        ...valueAxis(width),
        ...axisName,
        name: y,
        nameGap: 12,
        nameTextStyle: { ...label, align: "left" },
      },
      series: [
        {
          type: "bar",
          data: values,
          barCategoryGap: "12%",
          itemStyle: { color: colours.mark, borderRadius: [2, 2, 0, 0] },
          ...silent,
        },
      ],
    },
    marks: values.map((value, column) => [column, value]),
    along: "x",
  };
}
