import { numberText, shareText } from "../numbers.js";
import type { MatrixChart } from "./chart.js";
import type { Plot } from "./draw.js";
import { bare, colours, label, shortened, silent, widthOf } from "./look.js";

/** Cells with counts, shaded by their share of the row. */
export function matrix({ down, across, rows, columns, counts }: MatrixChart, width: number): Plot {
  const names = rows.map((name) => shortened(name, 14));
  const left = 22 + 7 * Math.max(3, ...names.map(widthOf));
  const side = (width - left - 12) / columns.length;
  const height = Math.min(92, Math.max(24, side));
  const small = side < 64;
  const cells = rows.flatMap((_, row) => columns.map((_, column) => [column, row, counts[row][column]]));
  const totals = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const axis = { type: "category", ...bare, splitLine: { show: false } };
  type Api = {
    value(at: number): number;
    coord(at: [number, number]): [number, number];
    size(of: [number, number]): [number, number];
  };
  return {
    height: 74 + height * rows.length,
    option: {
      grid: { left, right: 12, top: 66, bottom: 8 },
      xAxis: {
        ...axis,
        position: "top",
        data: columns.map((name) => shortened(name, Math.max(3, Math.floor(side / 7)))),
        name: across,
        nameLocation: "middle",
        nameGap: 30,
        nameTextStyle: label,
        axisLabel: { ...label, color: colours.ink, interval: 0 },
      },
      yAxis: {
        ...axis,
        inverse: true,
        data: names,
        name: down,
        nameLocation: "start",
        nameGap: 14,
        nameTextStyle: { ...label, align: "right" },
        axisLabel: { ...label, color: colours.ink, interval: 0 },
      },
      series: [
        {
          type: "custom",
          data: cells,
          ...silent,
          renderItem: (_: unknown, api: Api) => {
            const [column, row, count] = [api.value(0), api.value(1), api.value(2)];
            const [cx, cy] = api.coord([column, row]);
            const [w, h] = api.size([1, 1]);
            const share = totals[row] > 0 ? count / totals[row] : 0;
            const text = (words: string, y: number, strong: boolean) => ({
              type: "text",
              style: {
                text: words,
                x: cx,
                y,
                align: "center",
                verticalAlign: "middle",
                fill: colours.ink,
                fontSize: strong ? (small ? 12 : 17) : 12,
                fontWeight: strong && !small ? 600 : 400,
                fontFamily: "inherit",
              },
            });
            return {
              type: "group",
              children: [
                {
                  type: "rect",
                  shape: { x: cx - w / 2 + 1.5, y: cy - h / 2 + 1.5, width: w - 3, height: h - 3, r: 4 },
                  style: {
                    fill: column === row ? colours.mark : colours.second,
                    opacity: 0.07 + 0.45 * share,
                  },
                },
                text(numberText(count), small ? cy : cy - 9, true),
                ...(small ? [] : [text(shareText(share), cy + 13, false)]),
              ],
            };
          },
        },
      ],
    },
    marks: cells.map(([column, row]) => [column, row]),
    along: "xy",
  };
}
