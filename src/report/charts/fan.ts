import type { FanChart } from "./chart.js";
import type { Plot } from "./draw.js";
import { axisName, colours, label, silent, valueAxis } from "./look.js";

/** A line of the past, then the mean with its bands, the widest palest. */
export function fan(chart: FanChart, width: number): Plot {
  const { times, history, mean, bands, axis } = chart;
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
      areaStyle: { color: colours.mark, opacity: 0.2 },
    },
  ]);
  return {
    height: 250,
    option: {
      grid: { left: 58, right: 16, top: 30, bottom: 30 },
      xAxis: {
        type: "category",
        boundaryGap: false,
        data: times,
        axisLabel: { ...label, hideOverlap: true, showMinLabel: true, alignMinLabel: "left" },
        axisLine: { lineStyle: { color: colours.faint } },
        axisTick: { show: false },
      },
      yAxis: {
        ...valueAxis(width),
        ...axisName,
        name: axis,
        nameGap: 12,
        nameTextStyle: { ...label, align: "left" },
        scale: false,
      },
      series: [
        ...areas,
        { ...line, data: history, lineStyle: { color: colours.ink, width: 1.5 } },
        { ...line, data: mean, lineStyle: { color: colours.mark, width: 2.5 } },
      ],
    },
    marks: times.map((_, i) => {
      const value = history[i] ?? mean[i];
      return value === null ? null : [i, value];
    }),
    along: "x",
  };
}
