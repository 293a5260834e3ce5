import type { Axis, Line, LineChart } from "./chart.js";
import type { Plot } from "./draw.js";
import { axisName, colours, label, percentText, silent, tickText, valueAxis } from "./look.js";

const looks = {
  main: { color: colours.mark, width: 2.5 },
  second: { color: colours.second, width: 2 },
  reference: { color: colours.quiet, width: 1.25, type: [4, 4] },
};

/** Lines over numbers, with a cross where something was chosen. */
export function lines(chart: LineChart, width: number): Plot {
  const { x, y, mark } = chart;
  const first = chart.lines[0].points;
  return {
    height: width < 500 ? 290 : 270,
    option: {
      grid: { left: 54, right: 18, top: 32, bottom: 46 },
      xAxis: { ...axisOf(x, width), ...axisName, name: x.name, nameLocation: "middle" },
      yAxis: {
        ...axisOf(y, width),
        ...axisName,
        name: y.name,
        nameGap: 12,
        nameTextStyle: { ...label, align: "left", padding: [0, 0, 0, -42] },
      },
      series: [
        ...chart.lines.flatMap((line) => [...(line.intervals ? [bars(line)] : []), seriesOf(line)]),
        ...(mark ? [markOf(mark, (x.min ?? 0) + (x.max ?? 1))] : []),
      ],
    },
    marks: first.map(([at, value]) => (value === null ? null : [at, value])),
    along: "x",
  };
}

function axisOf({ min, max, percent }: Axis, width: number): object {
  const base = valueAxis(width);
  return {
    ...base,
    min,
    max,
    scale: min === undefined,
    axisLabel: { ...base.axisLabel, formatter: percent ? percentText : tickText },
    ...(min === 0 && max === 1 && { interval: 0.25 }),
  };
}

function seriesOf({ points, style = "main", dots }: Line): object {
  return {
    type: "line",
    data: points,
    symbol: dots ? "circle" : "none",
    symbolSize: 7,
    itemStyle: { color: looks[style].color },
    lineStyle: looks[style],
    z: style === "reference" ? 1 : 3,
    ...silent,
  };
}

interface Api {
  value(dimension: number): number;
  coord(at: [number, number]): [number, number];
}

/** Vertical error bars. */
function bars({ points, intervals = [], style = "main" }: Line): object {
  return {
    type: "custom",
    dimensions: ["x", "low", "high"],
    encode: { x: 0, y: [1, 2] },
    data: points.flatMap(([x], i) => (intervals[i] ? [[x, ...intervals[i]]] : [])),
    ...silent,
    renderItem: (_: unknown, api: Api) => {
      const [x1, y1] = api.coord([api.value(0), api.value(1)]);
      const [x2, y2] = api.coord([api.value(0), api.value(2)]);
      const stroke = looks[style].color;
      return { type: "line", shape: { x1, y1, x2, y2 }, style: { stroke, lineWidth: 1.5, opacity: 0.45 } };
    },
  };
}

function markOf({ x, y, label: text }: NonNullable<LineChart["mark"]>, middle: number): object {
  return {
    type: "line",
    data: [[x, y]],
    symbol: "diamond",
    symbolSize: 13,
    itemStyle: { color: colours.second, borderColor: colours.page, borderWidth: 1.5 },
    label: {
      show: true,
      formatter: () => text,
      position: x > middle / 2 ? "left" : "right",
      distance: 8,
      ...label,
      color: colours.ink,
    },
    z: 6,
    ...silent,
  };
}
