import { BarChart as Bars, CustomChart, LineChart as Lines } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { Chart } from "./chart.js";
import { fan } from "./fan.js";
import { lines } from "./lines.js";
import { colours } from "./look.js";
import { matrix } from "./matrix.js";
import { bars, columns, intervals } from "./rows.js";

use([Bars, Lines, CustomChart, GridComponent, SVGRenderer]);

/** What a kind of chart makes of its data for a width. */
export interface Plot {
  height: number;
  option: EChartsCoreOption;
  /** Where the marks of the tips are, in the chart's own coordinates, in their order; null for a mark that is not drawn. */
  marks: ((string | number)[] | null)[];
  /** The direction along which marks follow each other. */
  along: "x" | "y" | "xy";
}

/** A chart as SVG text, with the place of every mark that has a tip, in units of the SVG. */
export interface Drawn {
  svg: string;
  width: number;
  height: number;
  at: ([x: number, y: number] | null)[];
  along: Plot["along"];
}

/** Draws a chart as wide as asked. The same chart gives the same bytes: nothing in it depends on a clock or a counter. */
export type Draw = (chart: Chart, width: number) => Drawn;

const variables: [string, string][] = Object.entries(colours).map(([name, hex]) => [hex, `var(--${name})`]);

/** A drawer of one page's charts, whose inner names count from one. */
export function chartDrawer(): Draw {
  let drawn = 0;
  return (chart, width) => {
    const { option, height, marks, along } = plotOf(chart, width);
    const instance = init(null, null, { renderer: "svg", ssr: true, width, height });
    instance.setOption({ animation: false, ...option });
    const svg = instance.renderToSVGString({ useViewBox: true });
    const at = marks.map((mark): [number, number] | null => {
      const [x, y] = mark ? (instance.convertToPixel({ gridIndex: 0 }, mark) as number[]) : [NaN, NaN];
      return Number.isFinite(x) && Number.isFinite(y) ? [Math.round(x), Math.round(y)] : null;
    });
    instance.dispose();
    return { svg: tidied(svg, `f${++drawn}`), width, height, at, along };
  };
}

function plotOf(chart: Chart, width: number): Plot {
  switch (chart.kind) {
    case "bars":
      return bars(chart, width);
    case "intervals":
      return intervals(chart, width);
    case "fan":
      return fan(chart, width);
    case "lines":
      return lines(chart, width);
    case "columns":
      return columns(chart, width);
    case "matrix":
      return matrix(chart, width);
  }
}

/**
 * Leaves the inside of the picture alone: no styles, which the page's policy refuses, no attributes for
 * pointers, names of its own, coordinates to a tenth.
 */
function tidied(svg: string, name: string): string {
  let text = svg
    .replace(/<style[\s\S]*?<\/style>/g, "")
    .replace(/^<svg[^>]*>|<\/svg>\s*$/g, "")
    .replace(/<rect[^>]*fill="none"[^>]*><\/rect>/, "")
    .replace(/ (class|pointer-events|ecmeta_\w+|xml:space|dominant-baseline)="[^"]*"/g, (all, attribute) =>
      attribute === "dominant-baseline" ? all : "",
    )
    .replace(/ style="([^"]*)"/g, (_, style: string) => attributesOf(style))
    .replace(/ d="([^"]*)"/g, (_, path: string) => ` d="${path.replace(/\d+\.\d{2,}/g, tenth)}"`)
    .replace(/zr\d+-/g, `${name}-`)
    .replace(/\n\s*/g, "");
  for (const [hex, variable] of variables) text = text.replaceAll(hex, variable);
  return text;
}

const tenth = (number: string): string => String(Math.round(Number(number) * 10) / 10);

function attributesOf(style: string): string {
  return style
    .split(";")
    .filter((rule) => rule.includes(":") && !/font-family/.test(rule))
    .map((rule) => rule.split(":"))
    .map(([name, value]) => ` ${name.trim()}="${value.trim().replace(/px$/, "")}"`)
    .join("");
}
